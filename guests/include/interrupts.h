/*
 * IDT and 8259 pair: IRQ n arrives at vector 0x20 + n, edge-triggered, non-automatic EOI.
 * Source: Intel 8259A data sheet (ICW1-ICW4, OCW1, OCW2); Intel SDM vol. 3, chapter 6.
 */
#ifndef INTERRUPTS_H
#define INTERRUPTS_H

#include <stdint.h>

#define IRQ_VECTOR_BASE 0x20
#define UPCALL_VECTOR 0xf3

#define IRQ_CASCADE 2
#define IRQ_PRIMARY_IDE 14

/* As traps.S leaves it on the stack, lowest address first. */
struct trap_frame {
    uint32_t edi, esi, ebp, esp, ebx, edx, ecx, eax;
    uint32_t vector, error;
    uint32_t eip, cs, eflags;
};

/* Loads the IDT, moves the 8259 pair to its vectors and masks every line of it. */
void interrupt_init(void);

/* Has `handler` called, with interrupts off, for each IRQ `irq`, and opens that line. */
void irq_enable(unsigned irq, void (*handler)(void));

/* Has `handler` called for each Xen event upcall. The vector needs no EOI. */
void upcall_enable(void (*handler)(void));

#endif

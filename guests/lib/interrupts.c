/*
 * IDT and 8259 pair; see interrupts.h.
 */
#include "interrupts.h"

#include "guest.h"
#include "port.h"

#define MASTER 0x20
#define SLAVE 0xa0
#define STUB_BYTES 16
#define STUBS 0x30
#define SPURIOUS_MASTER 7
#define SPURIOUS_SLAVE 15

struct gate {
    uint16_t offset_low, selector, attributes, offset_high;
};

extern const uint8_t trap_stubs[], upcall_stub[];

static struct gate idt[256];
static void (*irq_handler[16])(void);
static void (*upcall_handler)(void);

static void set_gate(unsigned vector, const uint8_t *stub)
{
    const uint32_t offset = (uint32_t)stub;
    idt[vector] = (struct gate){
        .offset_low = (uint16_t)offset,
        .selector = 0x08,
        .attributes = 0x8e00, /* present, ring 0, 32-bit interrupt gate */
        .offset_high = (uint16_t)(offset >> 16),
    };
}

static void pic_init(void)
{
    outb(MASTER, 0x11); /* ICW1: edge, cascade, ICW4 follows */
    outb(MASTER + 1, IRQ_VECTOR_BASE);
    outb(MASTER + 1, 1 << IRQ_CASCADE);
    outb(MASTER + 1, 0x01); /* ICW4: 8086 mode */
    outb(SLAVE, 0x11);
    outb(SLAVE + 1, IRQ_VECTOR_BASE + 8);
    outb(SLAVE + 1, IRQ_CASCADE);
    outb(SLAVE + 1, 0x01);
    outb(MASTER + 1, 0xff);
    outb(SLAVE + 1, 0xff);
}

void interrupt_init(void)
{
    for (unsigned vector = 0; vector < STUBS; vector++)
        set_gate(vector, trap_stubs + vector * STUB_BYTES);
    const struct {
        uint16_t limit;
        uint32_t base;
    } __attribute__((packed)) idt_register = {sizeof idt - 1, (uint32_t)idt};
    asm volatile("lidt %0" : : "m"(idt_register));
    pic_init();
}

void irq_enable(unsigned irq, void (*handler)(void))
{
    irq_handler[irq] = handler;
    if (irq >= 8) {
        outb(SLAVE + 1, inb(SLAVE + 1) & ~(1 << (irq - 8)));
        irq = IRQ_CASCADE;
    }
    outb(MASTER + 1, inb(MASTER + 1) & ~(1 << irq));
}

void upcall_enable(void (*handler)(void))
{
    upcall_handler = handler;
    set_gate(UPCALL_VECTOR, upcall_stub);
}

/* Specific EOI: 0x60 plus the line, to both chips for a line of the slave. */
static void end_of_interrupt(unsigned irq)
{
    if (irq >= 8) {
        outb(SLAVE, 0x60 + irq - 8);
        irq = IRQ_CASCADE;
    }
    outb(MASTER, 0x60 + irq);
}

static void dispatch_irq(unsigned irq)
{
    if (irq_handler[irq]) {
        irq_handler[irq]();
        end_of_interrupt(irq);
    } else if (irq == SPURIOUS_SLAVE) {
        end_of_interrupt(IRQ_CASCADE); /* only the master believes that it has one in service */
    } else if (irq != SPURIOUS_MASTER) {
        fail("IRQ %u has no handler", irq);
    }
}

/* Called by traps.S. */
void interrupt_dispatch(const struct trap_frame *frame);

void interrupt_dispatch(const struct trap_frame *frame)
{
    if (frame->vector == UPCALL_VECTOR)
        upcall_handler();
    else if (frame->vector >= IRQ_VECTOR_BASE)
        dispatch_irq(frame->vector - IRQ_VECTOR_BASE);
    else
        fail("exception %u, error code 0x%x, at 0x%08x", frame->vector, frame->error, frame->eip);
}

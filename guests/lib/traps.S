/*
 * One stub for each vector in use: exceptions 0-31, the 8259 pair 0x20-0x2f, the Xen upcall 0xf3.
 * A stub leaves a struct trap_frame (interrupts.h) on the stack and calls interrupt_dispatch().
 */

        .macro  stub vector
        .balign 16
        /* Exceptions 8, 10-14 and 17 push an error code of their own. */
        .if     !(\vector == 8 || (\vector >= 10 && \vector <= 14) || \vector == 17)
        pushl   $0
        .endif
        pushl   $\vector
        jmp     common
        .endm

        .text
common: pushal
        cld
        pushl   %esp
        call    interrupt_dispatch
        addl    $4, %esp
        popal
        addl    $8, %esp
        iret

        /* Stubs lie 16 bytes apart, in vector order; interrupt_init() relies on it. */
        .balign 16
        .globl  trap_stubs
trap_stubs:
        .altmacro
        .set    v, 0
        .rept   0x30
        stub    %v
        .set    v, v + 1
        .endr

        .balign 16
        .globl  upcall_stub
upcall_stub:
        stub    0xf3

        .section .note.GNU-stack, "", @progbits

/*
 * Multiboot 1 entry: header, own GDT, stack, then kernel_start(magic, info).
 * Source: Multiboot Specification 0.6.96, sections 3.1 and 3.2. The loader's selectors are
 * undefined, so the flat segments are loaded again from a table of our own.
 */

#define HEADER_MAGIC 0x1badb002
#define HEADER_FLAGS 0x00000003 /* page-aligned modules, memory information */

        .section .multiboot, "a"
        .balign 4
        .long   HEADER_MAGIC
        .long   HEADER_FLAGS
        .long   -(HEADER_MAGIC + HEADER_FLAGS)

        .text
        .globl  _start
_start:
        cli
        cld
        movl    $stack_top, %esp
        lgdt    gdt_register
        ljmp    $0x08, $1f
1:      movw    $0x10, %cx
        movw    %cx, %ds
        movw    %cx, %es
        movw    %cx, %fs
        movw    %cx, %gs
        movw    %cx, %ss
        pushl   %ebx
        pushl   %eax
        call    kernel_start

        .section .rodata
        .balign 8
gdt:    .quad   0
        .quad   0x00cf9a000000ffff /* 0x08: code, base 0, limit 4 GiB */
        .quad   0x00cf92000000ffff /* 0x10: data, base 0, limit 4 GiB */
gdt_register:
        .word   gdt_register - gdt - 1
        .long   gdt

        .bss
        .balign 16
        .skip   16384
stack_top:

        .section .note.GNU-stack, "", @progbits

/*
 * From the kernel's execve() of /init to guest_main(), and the way out through port 0xf4.
 *
 * The kernel hands over what follows "--" on its command line as arguments. They are joined to the
 * command line of a guest_main(). I/O privilege lets the process reach COM1, the marks' port and
 * isa-debug-exit as a kernel does.
 */
#include "guest.h"
#include "port.h"
#include "syscalls.h"

#define DEBUG_EXIT 0xf4

static char command_line[512];

void guest_exit(uint8_t value)
{
    outb(DEBUG_EXIT, value);
    for (;;)
        ;
}

static void join(const char *const *arguments)
{
    size_t length = 0;
    for (; *arguments; arguments++) {
        const size_t size = strlen(*arguments);
        check(length + size + 1 < sizeof command_line, "command line is longer than %u bytes",
              (uint32_t)sizeof command_line - 1);
        memcpy(command_line + length, *arguments, size);
        length += size;
        command_line[length++] = ' ';
    }
}

/* Called by _start with the stack as the kernel made it: count, arguments, 0, environment, 0. */
_Noreturn void process_start(const uintptr_t *stack) __attribute__((used));

_Noreturn void process_start(const uintptr_t *stack)
{
    const uintptr_t count = stack[0];
    syscalls_init(stack + 1 + count + 1);
    if (syscall3(SYS_IOPL, 3, 0, 0) < 0)
        asm volatile("ud2");
    join((const char *const *)(stack + 2));
    guest_main(command_line);
    guest_exit(EXIT_SUCCESS_VALUE);
}

asm(".section .text._start, \"ax\"\n"
    "\t.globl _start\n"
    "_start:\n"
    "\txorl %ebp, %ebp\n"
    "\tmovl %esp, %eax\n"
    "\tandl $-16, %esp\n"
    "\tsubl $12, %esp\n"
    "\tpushl %eax\n"
    "\tcall process_start\n"
    "\t.text\n");

/*
 * The way into the kernel; see syscalls.h.
 * Source: Linux include/uapi/linux/auxvec.h.
 */
#include "syscalls.h"

#include "guest.h"

#define AT_NULL 0
#define AT_SYSINFO 32

struct timespec {
    int32_t seconds, nanoseconds;
};

static void by_interrupt(void)
{
    asm volatile("int $0x80");
}

void (*syscall_entry)(void) = by_interrupt;

void syscalls_init(const uintptr_t *environment)
{
    while (*environment)
        environment++;
    for (const uintptr_t *vector = environment + 1; vector[0] != AT_NULL; vector += 2)
        if (vector[0] == AT_SYSINFO)
            syscall_entry = (void (*)(void))vector[1];
}

void sleep_ms(uint32_t milliseconds)
{
    const struct timespec time = {.nanoseconds = (int32_t)(milliseconds * 1000000)};
    syscall3(SYS_NANOSLEEP, (uintptr_t)&time, 0, 0);
}

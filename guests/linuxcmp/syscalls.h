/*
 * System calls of i386 Linux, by the entry that the kernel offers in its vDSO, as a C library does.
 * Source: Linux arch/x86/entry/syscalls/syscall_32.tbl, include/uapi/linux/{aio_abi,fs,mount}.h.
 * A result from -4095 to -1 is an error number.
 */
#ifndef SYSCALLS_H
#define SYSCALLS_H

#include <stdint.h>

#define SYS_READ 3
#define SYS_OPEN 5
#define SYS_MOUNT 21
#define SYS_IOCTL 54
#define SYS_MMAP 90
#define SYS_IOPL 110
#define SYS_FSYNC 118
#define SYS_NANOSLEEP 162
#define SYS_PREAD64 180
#define SYS_PWRITE64 181
#define SYS_IO_SETUP 245
#define SYS_IO_GETEVENTS 247
#define SYS_IO_SUBMIT 248
#define SYS_FINIT_MODULE 350

#define O_RDWR 2
#define O_DIRECT 040000
#define O_LARGEFILE 0100000

#define ENOENT 2
#define EEXIST 17
#define IS_ERROR(result) ((uint32_t)(result) >= (uint32_t)-4095)

/* Finds the vDSO's entry behind the environment on the stack of a new process. */
void syscalls_init(const uintptr_t *environment);

extern void (*syscall_entry)(void);

static inline int32_t syscall5(uint32_t number, uintptr_t a, uintptr_t b, uintptr_t c, uintptr_t d,
                               uintptr_t e)
{
    int32_t result;
    asm volatile("call *%[entry]"
                 : "=a"(result)
                 : [entry] "m"(syscall_entry), "a"(number), "b"(a), "c"(b), "d"(c), "S"(d), "D"(e)
                 : "memory", "cc");
    return result;
}

static inline int32_t syscall3(uint32_t number, uintptr_t a, uintptr_t b, uintptr_t c)
{
    return syscall5(number, a, b, c, 0, 0);
}

/* Sleeps for less than a second. */
void sleep_ms(uint32_t milliseconds);

#endif

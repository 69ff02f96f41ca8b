/* Processor instructions that C has no word for. */
#ifndef CPU_H
#define CPU_H

#include <stdint.h>

struct cpuid_leaf {
    uint32_t eax, ebx, ecx, edx;
};

static inline struct cpuid_leaf cpuid(uint32_t leaf)
{
    struct cpuid_leaf r;
    asm volatile("cpuid" : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx) : "a"(leaf), "c"(0));
    return r;
}

static inline void wrmsr(uint32_t msr, uint32_t low, uint32_t high)
{
    asm volatile("wrmsr" : : "c"(msr), "a"(low), "d"(high) : "memory");
}

/*
 * Sleeps until an interrupt has been served. Interrupts are enabled here and nowhere else, so a
 * condition tested before the call cannot change between the test and the HLT: an interrupt that is
 * already pending waits for the end of STI's shadow and ends the HLT at once.
 */
static inline void cpu_wait(void)
{
    asm volatile("sti\n\thlt\n\tcli" : : : "memory");
}

/* Keeps the compiler from moving memory accesses across; x86 itself keeps stores in order. */
static inline void compiler_barrier(void)
{
    asm volatile("" : : : "memory");
}

/* Orders an earlier store before a later load: the one case that x86 does reorder. */
static inline void full_barrier(void)
{
    __sync_synchronize();
}

#endif

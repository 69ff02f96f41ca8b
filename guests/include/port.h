/* Port I/O: one function for each instruction, so that a driver's exits can be counted by eye. */
#ifndef PORT_H
#define PORT_H

#include <stdint.h>

static inline uint8_t inb(uint16_t port)
{
    uint8_t value;
    asm volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

static inline uint16_t inw(uint16_t port)
{
    uint16_t value;
    asm volatile("inw %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

static inline uint32_t inl(uint16_t port)
{
    uint32_t value;
    asm volatile("inl %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

static inline void outb(uint16_t port, uint8_t value)
{
    asm volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static inline void outw(uint16_t port, uint16_t value)
{
    asm volatile("outw %0, %1" : : "a"(value), "Nd"(port));
}

static inline void outl(uint16_t port, uint32_t value)
{
    asm volatile("outl %0, %1" : : "a"(value), "Nd"(port));
}

/* Reads `count` dwords of one port with a single REP INSL: one exit for each page it fills. */
static inline void insl(uint16_t port, void *into, uint32_t count)
{
    asm volatile("rep insl" : "+D"(into), "+c"(count) : "d"(port) : "memory");
}

/* Writes `count` dwords to one port with a single REP OUTSL. */
static inline void outsl(uint16_t port, const void *from, uint32_t count)
{
    asm volatile("rep outsl" : "+S"(from), "+c"(count) : "d"(port) : "memory");
}

#endif

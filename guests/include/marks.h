/*
 * Marks at the POST port 0x80: how a guest tells the host what it is doing. Writes to that port
 * cause no VM exit and cost nothing but their instruction.
 *
 *   0x10 + p   phase p begins       p: 1 ide-pio, 2 ide-pio-multiple, 3 ide-dma, 4 pv,
 *   0x20 + p   phase p ends            5 pv-persistent
 *   0x40 + t   request t is handed to the driver       t: tag 0-31, free again after its 0x60
 *   0x60 + t   request t is complete
 *
 * At a request mark EBX is the linear address of the request's data and ECX its length in
 * bytes: at 0x60 they are what a read has brought or a write has carried. The data are contiguous.
 * Within a phase, requests are marked complete in the order in which they were handed over.
 */
#ifndef MARKS_H
#define MARKS_H

#include <stdint.h>

#define MARK_PORT 0x80
#define MARK_PHASE_BEGIN 0x10
#define MARK_PHASE_END 0x20
#define MARK_SUBMIT 0x40
#define MARK_COMPLETE 0x60
#define MARK_TAGS 32

/* One instruction, so that the three registers belong together. */
static inline void mark_request(uint8_t mark, const void *data, uint32_t length)
{
    asm volatile("outb %0, %3" : : "a"(mark), "b"(data), "c"(length), "i"(MARK_PORT) : "memory");
}

static inline void mark_phase(uint8_t mark)
{
    asm volatile("outb %0, %1" : : "a"(mark), "i"(MARK_PORT) : "memory");
}

#endif

/*
 * Memory above the kernel, taken in pages and never given back. There is no paging: a pointer is a
 * guest-physical address, and consecutive pages are consecutive for a device too.
 */
#include "guest.h"

extern uint8_t kernel_end[];

static uint32_t next_free, memory_end;

void memory_init(uint32_t end)
{
    next_free = ((uint32_t)kernel_end + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1);
    memory_end = end;
}

void *take_pages(uint32_t count)
{
    check(next_free <= memory_end && count <= (memory_end - next_free) / PAGE_SIZE,
          "%u pages of memory do not fit below 0x%08x", count, memory_end);
    void *pages = (void *)next_free;
    next_free += count * PAGE_SIZE;
    return memset(pages, 0, count * PAGE_SIZE);
}

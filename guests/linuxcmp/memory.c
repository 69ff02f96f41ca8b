/*
 * Memory of a process in the place of a kernel's. Pages are in memory before they are handed out,
 * and stay there: no request waits for a page fault.
 * Source: Linux include/uapi/asm-generic/mman-common.h.
 */
#include "guest.h"
#include "syscalls.h"

#define PROT_READ_WRITE 3
#define MAP_PRIVATE 0x02
#define MAP_ANONYMOUS 0x20
#define MAP_LOCKED 0x2000
#define MAP_POPULATE 0x8000

/* The oldest mmap() takes its arguments in memory. */
struct mmap_arguments {
    uint32_t address, length, protection, flags;
    int32_t file;
    uint32_t offset;
};

void *take_pages(uint32_t count)
{
    const struct mmap_arguments arguments = {
        .length = count * PAGE_SIZE,
        .protection = PROT_READ_WRITE,
        .flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED | MAP_POPULATE,
        .file = -1,
    };
    const int32_t pages = syscall3(SYS_MMAP, (uintptr_t)&arguments, 0, 0);
    check(!IS_ERROR(pages), "%u pages of memory cannot be had: error %d", count, -pages);
    return (void *)pages;
}

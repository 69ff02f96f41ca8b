/*
 * Requests one at a time are pread() and pwrite(); several at a time go to the kernel's
 * asynchronous I/O. Waiting is done in kick(), which does not return before the oldest request has
 * ended, so that nobody comes to cpu_wait(), which is not for processes.
 * Source: Linux include/uapi/linux/aio_abi.h.
 */
#include "disk.h"

#include "guest.h"
#include "syscalls.h"

#define BLKGETSIZE64 0x80041272
#define WAIT_MS 10
#define WAITS 1000
/* The kernel looks for partitions once the device file is there. */
#define SETTLE_MS 500

#define MAX_AT_ONCE 32u
enum { IOCB_CMD_PREAD = 0, IOCB_CMD_PWRITE = 1 };

struct iocb {
    uint64_t data;
    uint32_t key, rw_flags;
    uint16_t opcode;
    int16_t priority;
    uint32_t file;
    uint64_t buffer, length;
    int64_t offset;
    uint64_t reserved;
    uint32_t flags, result_file;
};

struct io_event {
    uint64_t data, object;
    int64_t result, result2;
};

_Static_assert(sizeof(struct iocb) == 64 && sizeof(struct io_event) == 32, "as aio_abi.h has them");

static uint32_t file, depth;
static uintptr_t context;
static struct block_queue queue; /* oldest first: submitted ones, then fresh ones */
static struct iocb blocks[MAX_AT_ONCE], *fresh[MAX_AT_ONCE];
static uint32_t fresh_count;

uint64_t disk_open(const char *path, uint32_t at_once)
{
    const uint32_t flags = O_RDWR | O_DIRECT | O_LARGEFILE;
    int32_t result = -ENOENT;
    for (uint32_t wait = 0; result < 0 && wait < WAITS; wait++) {
        result = syscall3(SYS_OPEN, (uintptr_t)path, flags, 0);
        if (result < 0)
            sleep_ms(WAIT_MS);
    }
    check(result >= 0, "no disk %s: error %d", path, -result);
    sleep_ms(SETTLE_MS);
    file = (uint32_t)result;
    depth = at_once;
    if (depth > 1)
        result = syscall3(SYS_IO_SETUP, MAX_AT_ONCE, (uintptr_t)&context, 0);
    check(result >= 0, "no asynchronous I/O: error %d", -result);
    uint64_t bytes = 0;
    result = syscall3(SYS_IOCTL, file, BLKGETSIZE64, (uintptr_t)&bytes);
    check(result >= 0, "%s does not tell its size: error %d", path, -result);
    return bytes / SECTOR_SIZE;
}

static void end(struct block_request *request, int64_t result)
{
    request->status = result == (int64_t)request->length ? 0 : result < 0 ? (int)result : -1;
    request->done = true;
}

static void run(struct block_request *request)
{
    if (request->operation == BLOCK_FLUSH) {
        end(request, syscall3(SYS_FSYNC, file, 0, 0));
        return;
    }
    const uint64_t offset = request->sector * SECTOR_SIZE;
    end(request, syscall5(request->operation == BLOCK_WRITE ? SYS_PWRITE64 : SYS_PREAD64, file,
                          (uintptr_t)request->data, request->length, (uint32_t)offset,
                          (uint32_t)(offset >> 32)));
}

static void prepare(struct block_request *request)
{
    struct iocb *const block = &blocks[fresh_count];
    *block = (struct iocb){
        .data = (uintptr_t)request,
        .opcode = request->operation == BLOCK_WRITE ? IOCB_CMD_PWRITE : IOCB_CMD_PREAD,
        .file = file,
        .buffer = (uintptr_t)request->data,
        .length = request->length,
        .offset = (int64_t)(request->sector * SECTOR_SIZE),
    };
    fresh[fresh_count++] = block;
    block_enqueue(&queue, request);
}

static void submit(struct block_request *request)
{
    if (depth == 1 || request->operation == BLOCK_FLUSH)
        run(request);
    else
        prepare(request);
}

static void send_fresh(void)
{
    for (uint32_t sent = 0; sent < fresh_count;) {
        const int32_t result = syscall3(SYS_IO_SUBMIT, context, fresh_count - sent,
                                        (uintptr_t)(fresh + sent));
        check(result > 0, "io_submit: error %d", -result);
        sent += (uint32_t)result;
    }
    fresh_count = 0;
}

static void kick(void)
{
    struct io_event events[MAX_AT_ONCE];
    send_fresh();
    while (queue.first && !queue.first->done) {
        const int32_t count =
            syscall5(SYS_IO_GETEVENTS, context, 1, MAX_AT_ONCE, (uintptr_t)events, 0);
        check(count > 0, "io_getevents: error %d", -count);
        for (int32_t i = 0; i < count; i++)
            end((struct block_request *)(uintptr_t)events[i].data, events[i].result);
    }
    while (queue.first && queue.first->done)
        block_dequeue(&queue);
}

const struct block_driver disk_driver = {submit, kick};

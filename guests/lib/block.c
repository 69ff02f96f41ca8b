/*
 * Parts that all disk drivers and their tests share; see block.h.
 */
#include "block.h"

#include "cpu.h"
#include "guest.h"
#include "scramble.h"

void block_enqueue(struct block_queue *queue, struct block_request *request)
{
    request->next = NULL;
    if (queue->first)
        queue->last->next = request;
    else
        queue->first = request;
    queue->last = request;
}

void block_dequeue(struct block_queue *queue)
{
    queue->first = queue->first->next;
}

int block_run(const struct block_driver *driver, enum block_operation operation, uint64_t sector,
              void *data, uint32_t length)
{
    struct block_request request = {
        .operation = operation, .sector = sector, .data = data, .length = length};
    driver->submit(&request);
    driver->kick();
    while (!request.done) {
        cpu_wait();
        driver->kick();
    }
    return request.status;
}

void block_must(const struct block_driver *driver, enum block_operation operation, uint64_t sector,
                void *data, uint32_t length)
{
    static const char *const names[] = {"read", "write", "flush"};
    const int status = block_run(driver, operation, sector, data, length);
    check(status == 0, "%s of %u bytes at sector %llu: status %d", names[operation], length, sector,
          status);
}

void block_pattern(uint8_t *data, uint64_t sector, uint32_t length, uint32_t seed)
{
    uint32_t *word = (uint32_t *)data;
    for (; length; length -= SECTOR_SIZE, sector++) {
        uint32_t x = scramble(scramble(seed ^ (uint32_t)(sector >> 32)) + (uint32_t)sector);
        for (uint32_t *end = word + SECTOR_SIZE / 4; word < end; word++, x += 0x9e3779b9)
            *word = x;
    }
}

void block_write_test(const struct block_driver *driver, uint64_t sector, uint32_t length,
                      uint8_t *scratch)
{
    uint8_t *const saved = scratch, *const pattern = saved + length;
    uint8_t *const found = pattern + length;
    block_must(driver, BLOCK_READ, sector, saved, length);
    block_pattern(pattern, sector, length, *(uint32_t *)saved + 1);
    block_must(driver, BLOCK_WRITE, sector, pattern, length);
    block_must(driver, BLOCK_FLUSH, 0, NULL, 0);
    memset(found, 0, length);
    block_must(driver, BLOCK_READ, sector, found, length);
    check(memcmp(found, pattern, length) == 0, "sector %llu reads back other than written", sector);
    block_must(driver, BLOCK_WRITE, sector, saved, length);
    block_must(driver, BLOCK_FLUSH, 0, NULL, 0);
    block_must(driver, BLOCK_READ, sector, found, length);
    check(memcmp(found, saved, length) == 0, "sector %llu could not be restored", sector);
}

/*
 * Request list of diskcmp and the window of requests in flight.
 *
 * Request i has a fixed place and fixed data, computed from i and the seed, so nothing is stored
 * and every path gets the same list. Sequential requests start over at the end of the disk.
 */
#include "workload.h"

#include "cpu.h"
#include "guest.h"
#include "marks.h"
#include "scramble.h"

#define FNV_OFFSET 0x811c9dc5
#define FNV_PRIME 0x01000193

static const struct options *options;
static uint32_t block_sectors, places; /* requests that fit into the area side by side */
static struct block_request window[MAX_DEPTH];
static uint8_t *buffer[MAX_DEPTH], *expected;

_Static_assert(MAX_DEPTH <= MARK_TAGS, "one tag for each request in flight");

void workload_init(const struct options *wanted, uint32_t disk_sectors)
{
    options = wanted;
    block_sectors = options->block_bytes / SECTOR_SIZE;
    check(options->start < disk_sectors && disk_sectors - options->start >= block_sectors,
          "a request of %u sectors from sector %u does not fit a disk of %u", block_sectors,
          options->start, disk_sectors);
    places = (disk_sectors - options->start) / block_sectors;
    const uint32_t pages = (options->block_bytes + PAGE_SIZE - 1) / PAGE_SIZE;
    for (uint32_t tag = 0; tag < options->depth; tag++)
        buffer[tag] = take_pages(pages);
    expected = take_pages(pages);
}

static uint64_t sector_of(uint32_t index)
{
    const uint32_t place = options->is_random ? scramble(scramble(options->seed) + index) : index;
    return options->start + (uint64_t)(place % places) * block_sectors;
}

static uint32_t checksum_words(uint32_t sum, const uint8_t *data, uint32_t length)
{
    const uint32_t *word = (const uint32_t *)data, *const end = word + length / 4;
    for (; word < end; word += 4) {
        sum = (sum ^ word[0]) * FNV_PRIME;
        sum = (sum ^ word[1]) * FNV_PRIME;
        sum = (sum ^ word[2]) * FNV_PRIME;
        sum = (sum ^ word[3]) * FNV_PRIME;
    }
    return sum;
}

static void start(const struct path *path, uint32_t index)
{
    const uint32_t tag = index % options->depth, length = options->block_bytes;
    struct block_request *const request = &window[tag];
    *request = (struct block_request){
        .operation = options->is_write ? BLOCK_WRITE : BLOCK_READ,
        .sector = sector_of(index),
        .data = buffer[tag],
        .length = length,
    };
    if (options->is_write)
        block_pattern(request->data, request->sector, length, options->seed);
    mark_request(MARK_SUBMIT + tag, request->data, length);
    path->driver->submit(request);
}

static uint32_t finish(const struct path *path, uint32_t index, uint32_t sum)
{
    const uint32_t tag = index % options->depth;
    const struct block_request *const request = &window[tag];
    mark_request(MARK_COMPLETE + tag, request->data, request->length);
    check(request->status == 0, "%s: request %u at sector %llu: status %d", path->name, index,
          request->sector, request->status);
    return options->is_summed ? checksum_words(sum, request->data, request->length) : sum;
}

uint32_t workload_run(const struct path *path)
{
    uint32_t started = 0, finished = 0, sum = FNV_OFFSET;
    mark_phase(MARK_PHASE_BEGIN + path->phase);
    while (finished < options->count) {
        while (started < options->count && started - finished < options->depth)
            start(path, started++);
        path->driver->kick();
        if (!window[finished % options->depth].done)
            cpu_wait();
        while (finished < started && window[finished % options->depth].done)
            sum = finish(path, finished++, sum);
    }
    mark_phase(MARK_PHASE_END + path->phase);
    return sum;
}

void workload_prepare(const struct path *path)
{
    for (uint32_t index = 0; index < options->count; index++) {
        const uint64_t sector = sector_of(index);
        block_pattern(buffer[0], sector, options->block_bytes, ~options->seed);
        block_must(path->driver, BLOCK_WRITE, sector, buffer[0], options->block_bytes);
    }
}

void workload_verify(const struct path *path)
{
    block_must(path->driver, BLOCK_FLUSH, 0, NULL, 0);
    for (uint32_t index = 0; index < options->count; index++) {
        const uint64_t sector = sector_of(index);
        block_pattern(expected, sector, options->block_bytes, options->seed);
        block_must(path->driver, BLOCK_READ, sector, buffer[0], options->block_bytes);
        check(memcmp(expected, buffer[0], options->block_bytes) == 0,
              "%s: sector %llu does not read back as written", path->name, sector);
    }
}

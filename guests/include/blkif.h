/*
 * The block ring of one page, i386 layout ("x86_32-abi").
 * Source: xen/include/public/io/blkif.h and ring.h.
 */
#ifndef BLKIF_H
#define BLKIF_H

#include <stddef.h>
#include <stdint.h>

#define BLKIF_PROTOCOL "x86_32-abi"
#define BLKIF_RING_ENTRIES 32
#define BLKIF_MAX_SEGMENTS 11

enum {
    BLKIF_OP_READ = 0,
    BLKIF_OP_WRITE = 1,
    BLKIF_OP_FLUSH_DISKCACHE = 3,
};

/* Sectors first..last of one granted page, 0-7, inclusive. */
struct blkif_segment {
    uint32_t gref;
    uint8_t first_sector, last_sector;
    uint16_t pad;
};

struct blkif_request {
    uint8_t operation;
    uint8_t segment_count;
    uint16_t handle;
    uint64_t id;
    uint64_t sector;
    struct blkif_segment segment[BLKIF_MAX_SEGMENTS];
} __attribute__((packed, aligned(4)));

struct blkif_response {
    uint64_t id;
    uint8_t operation;
    uint8_t pad;
    int16_t status;
} __attribute__((packed, aligned(4)));

union blkif_entry {
    struct blkif_request request;
    struct blkif_response response;
};

/* Indexes run freely; entry i is at i mod 32. A response takes the slot of an older request. */
struct blkif_ring {
    uint32_t request_produced, request_event;
    uint32_t response_produced, response_event;
    uint8_t pad[48];
    union blkif_entry entry[BLKIF_RING_ENTRIES];
};

_Static_assert(sizeof(struct blkif_request) == 108, "blkif_request");
_Static_assert(offsetof(struct blkif_request, sector) == 12, "blkif_request");
_Static_assert(offsetof(struct blkif_request, segment) == 20, "blkif_request");
_Static_assert(sizeof(struct blkif_response) == 12, "blkif_response");
_Static_assert(offsetof(struct blkif_ring, entry) == 64, "blkif_ring");
_Static_assert(sizeof(struct blkif_ring) <= 4096, "blkif_ring");

#endif

/*
 * Ring driver of blkfront. Index and notification rules: xen/include/public/io/ring.h,
 * RING_PUSH_REQUESTS_AND_CHECK_NOTIFY and RING_FINAL_CHECK_FOR_RESPONSES.
 *
 * Ring slot s owns eleven grant references, and with persistent grants eleven pool pages, for good:
 * nothing is searched or allocated per request. Free slots are taken last in, first out, so that a
 * shallow queue keeps using pages that the backend has mapped already.
 */
#include "blkfront_ring.h"

#include "blkfront.h"
#include "blkif.h"
#include "cpu.h"
#include "events.h"
#include "guest.h"

#define SLOTS BLKIF_RING_ENTRIES

_Static_assert(BLKFRONT_RING_GREF + 1 + SLOTS * BLKIF_MAX_SEGMENTS <= GRANTS_MAX,
               "one grant frame");

/* What one ring request in flight covers. */
struct slot {
    struct block_request *request; /* NULL while free */
    uint8_t *data;
    uint32_t length;
};

static const uint8_t operation_code[] = {
    [BLOCK_READ] = BLKIF_OP_READ,
    [BLOCK_WRITE] = BLKIF_OP_WRITE,
    [BLOCK_FLUSH] = BLKIF_OP_FLUSH_DISKCACHE,
};

static struct blkfront_settings settings;
static volatile struct blkif_ring *ring;
static uint8_t *pool; /* SLOTS * BLKIF_MAX_SEGMENTS pages */
static uint32_t request_produced, response_consumed;

static struct slot slots[SLOTS];
static uint32_t free_slots[SLOTS], free_count;
static struct block_queue queue; /* requests that ring requests do not cover wholly yet */

static uint32_t gref_of(uint32_t slot, uint32_t segment)
{
    return BLKFRONT_RING_GREF + 1 + slot * BLKIF_MAX_SEGMENTS + segment;
}

static uint8_t *pool_page(uint32_t slot, uint32_t segment)
{
    return pool + (slot * BLKIF_MAX_SEGMENTS + segment) * PAGE_SIZE;
}

/* Bytes of the segment that starts at `data`: to the end of its page, or of what is left. */
static uint32_t segment_bytes(const uint8_t *data, uint32_t left)
{
    const uint32_t to_page_end = PAGE_SIZE - (uint32_t)data % PAGE_SIZE;
    return left < to_page_end ? left : to_page_end;
}

/* Bytes of `left` that one ring request can take from `data` on. */
static uint32_t chunk_bytes(const uint8_t *data, uint32_t left)
{
    const uint32_t most = BLKIF_MAX_SEGMENTS * PAGE_SIZE - (uint32_t)data % PAGE_SIZE;
    return left < most ? left : most;
}

/* ---- requests ---- */

/* Makes one segment reachable for dom0 and describes it. */
static void fill_segment(volatile struct blkif_segment *segment, uint32_t gref, const uint8_t *page,
                         uint32_t bytes)
{
    const uint32_t first = (uint32_t)page % PAGE_SIZE / SECTOR_SIZE;
    segment->gref = gref;
    segment->first_sector = (uint8_t)first;
    segment->last_sector = (uint8_t)(first + bytes / SECTOR_SIZE - 1);
    segment->pad = 0;
}

static uint32_t fill_segments(volatile struct blkif_request *to, uint32_t number)
{
    const struct slot *const slot = &slots[number];
    const bool is_write = slot->request->operation == BLOCK_WRITE;
    uint8_t *data = slot->data;
    uint32_t count = 0;
    for (uint32_t left = slot->length; left; count++) {
        const uint32_t bytes = segment_bytes(data, left), gref = gref_of(number, count);
        if (settings.persistent) {
            if (is_write)
                memcpy(pool_page(number, count), data, bytes);
            fill_segment(&to->segment[count], gref, pool_page(number, count), bytes);
        } else {
            grant_page(gref, data, is_write ? GRANT_READ_ONLY : GRANT_READ_WRITE);
            fill_segment(&to->segment[count], gref, data, bytes);
        }
        data += bytes;
        left -= bytes;
    }
    return count;
}

/* Turns the next part of `request` into a ring request, which kick() will publish. */
static void issue(struct block_request *request)
{
    const uint32_t done = request->length - request->left;
    const uint32_t number = free_slots[--free_count];
    struct slot *const slot = &slots[number];
    slot->request = request;
    slot->data = request->data + done;
    slot->length = chunk_bytes(slot->data, request->left);

    volatile struct blkif_request *const to =
        &ring->entry[request_produced++ % BLKIF_RING_ENTRIES].request;
    to->operation = operation_code[request->operation];
    to->handle = settings.handle;
    to->id = number;
    to->sector = request->sector + done / SECTOR_SIZE;
    to->segment_count = (uint8_t)fill_segments(to, number);

    request->left -= slot->length;
    request->pending++;
}

/* Publishes the new requests and sends an event if one of them is the one the backend waits for. */
static void push(void)
{
    const uint32_t old = ring->request_produced;
    if (old == request_produced)
        return;
    compiler_barrier(); /* the requests first, then the index that covers them */
    ring->request_produced = request_produced;
    full_barrier(); /* the index must be visible before request_event is read */
    if (request_produced - ring->request_event < request_produced - old)
        events_send(settings.event_port);
}

static void submit(struct block_request *request)
{
    request->left = request->length;
    block_enqueue(&queue, request);
}

static void kick(void)
{
    while (queue.first && free_count) {
        struct block_request *const request = queue.first;
        issue(request);
        if (request->left == 0)
            block_dequeue(&queue);
    }
    push();
}

const struct block_driver blkfront_driver = {submit, kick};

/* ---- responses ---- */

static void end_grants(uint32_t number)
{
    const struct slot *const slot = &slots[number];
    const uint8_t *data = slot->data;
    uint32_t segment = 0;
    for (uint32_t left = slot->length; left; segment++) {
        const uint32_t bytes = segment_bytes(data, left), gref = gref_of(number, segment);
        check(grant_end(gref), "the backend has not unmapped grant %u", gref);
        data += bytes;
        left -= bytes;
    }
}

static void copy_out(uint32_t number)
{
    const struct slot *const slot = &slots[number];
    uint8_t *data = slot->data;
    uint32_t segment = 0;
    for (uint32_t left = slot->length; left; segment++) {
        const uint32_t bytes = segment_bytes(data, left);
        memcpy(data, pool_page(number, segment), bytes);
        data += bytes;
        left -= bytes;
    }
}

static void complete(uint32_t number, int status)
{
    struct block_request *const request = slots[number].request;
    if (!settings.persistent)
        end_grants(number);
    else if (request->operation == BLOCK_READ && status == 0)
        copy_out(number);
    slots[number].request = NULL;
    free_slots[free_count++] = number;
    if (status != 0)
        request->status = status;
    request->done = --request->pending == 0 && request->left == 0;
}

static void take_response(const volatile struct blkif_response *response)
{
    const uint64_t id = response->id;
    check(id < SLOTS && slots[id].request, "response to request %llu, which is not in flight", id);
    check(response->operation == operation_code[slots[id].request->operation],
          "response to request %llu is for operation %u", id, response->operation);
    complete((uint32_t)id, response->status);
}

void blkfront_ring_event(void)
{
    for (;;) {
        const uint32_t produced = ring->response_produced;
        check(produced - response_consumed <= BLKIF_RING_ENTRIES, "bogus response index %u",
              produced);
        compiler_barrier(); /* the index first, then the responses that it covers */
        for (; response_consumed != produced; response_consumed++)
            take_response(&ring->entry[response_consumed % BLKIF_RING_ENTRIES].response);
        ring->response_event = response_consumed + 1;
        full_barrier(); /* ask for the event before looking a last time */
        if (ring->response_produced == response_consumed)
            return;
    }
}

/* ---- set-up ---- */

/* The pages, taken once: closing and opening again uses the same ones. */
static void take_memory(void)
{
    if (!ring)
        ring = take_pages(1);
    if (settings.persistent && !pool)
        pool = take_pages(SLOTS * BLKIF_MAX_SEGMENTS);
}

void blkfront_ring_open(const struct blkfront_settings *wanted)
{
    settings = *wanted;
    take_memory();
    memset((void *)ring, 0, PAGE_SIZE);
    ring->request_event = ring->response_event = 1;
    request_produced = response_consumed = 0;
    for (free_count = 0; free_count < SLOTS; free_count++)
        free_slots[free_count] = SLOTS - 1 - free_count;
    grant_page(BLKFRONT_RING_GREF, (const void *)ring, GRANT_READ_WRITE);
    if (!settings.persistent)
        return;
    for (uint32_t slot = 0; slot < SLOTS; slot++)
        for (uint32_t segment = 0; segment < BLKIF_MAX_SEGMENTS; segment++)
            grant_page(gref_of(slot, segment), pool_page(slot, segment), GRANT_READ_WRITE);
}

struct blkfront_ends blkfront_ring_ends(void)
{
    return (struct blkfront_ends){ring, settings.event_port};
}

void blkfront_ring_close(void)
{
    check(free_count == SLOTS && !queue.first, "the ring is closed with requests in flight");
    const uint32_t last = settings.persistent ? gref_of(SLOTS - 1, BLKIF_MAX_SEGMENTS - 1)
                                              : BLKFRONT_RING_GREF;
    for (uint32_t gref = BLKFRONT_RING_GREF; gref <= last; gref++)
        check(grant_end(gref), "the backend has closed but still maps grant %u", gref);
}

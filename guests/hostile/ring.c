/*
 * Offences against the backend: requests, indexes and grants that make no sense.
 */
#include "offences.h"

#include "blkfront.h"
#include "blkfront_ring.h"
#include "blkif.h"
#include "cpu.h"
#include "events.h"
#include "grants.h"
#include "guest.h"
#include "scramble.h"
#include "xenstore.h"

#define RESPONSE_ERROR (-1) /* BLKIF_RSP_ERROR */
#define NO_MEMORY 0xe0000000u
#define NEVER_GRANTED (GRANTS_MAX - 1)
#define READ_ONLY (GRANTS_MAX - 2)
#define ID 0x0123456789abcdefull
#define XENSTORE_TURNS 8

static struct blkfront_ends ends;

static void ignore_event(void) {}

/*
 * Connects and looks at the disk, so that all that follows happens to a ring that works. Its driver
 * does not hear of responses from here on; to close and open the ring gives it back.
 */
static void connect_and_take(void)
{
    blkfront_connect(false);
    check_blkfront();
    ends = blkfront_ring_ends();
    events_bind(ends.event_port, ignore_event);
}

/* Publishes `count` requests that lie in the ring and sleeps until each has a response. */
static void call(uint32_t count)
{
    volatile struct blkif_ring *const ring = ends.ring;
    const uint32_t end = ring->request_produced + count;
    ring->response_event = end;
    compiler_barrier();
    ring->request_produced = end;
    events_send(ends.event_port);
    while (ring->response_produced != end)
        cpu_wait();
}

/* ---- garbage ---- */

/* Random bytes; every other request at least has an operation that exists. */
static void fill_with_garbage(volatile struct blkif_ring *ring)
{
    volatile uint32_t *const word = (volatile uint32_t *)ring->entry;
    for (uint32_t i = 0; i < sizeof ring->entry / 4; i++)
        word[i] = scramble(i);
    for (uint32_t i = 0; i < BLKIF_RING_ENTRIES; i++) {
        volatile struct blkif_request *const request = &ring->entry[i].request;
        request->id = ID + i;
        if (i & 1)
            request->operation = i & 2 ? BLKIF_OP_READ : BLKIF_OP_WRITE;
    }
}

static void check_refusals(volatile struct blkif_ring *ring, uint32_t first)
{
    for (uint32_t i = first; i < first + BLKIF_RING_ENTRIES; i++) {
        const uint32_t slot = i % BLKIF_RING_ENTRIES;
        const volatile struct blkif_response *const response = &ring->entry[slot].response;
        check(response->status < 0, "garbage in slot %u: status %d", slot, response->status);
        check(response->id == ID + slot, "garbage in slot %u is answered as %llu", slot,
              response->id);
    }
}

/* dom0 does one thing after the other: when it has answered these, it has seen the event. */
static void let_dom0_work(void)
{
    char state[16];
    for (unsigned i = 0; i < XENSTORE_TURNS; i++)
        check(xenstore_read("device/vbd/768", "state", state, sizeof state), "no vbd 768");
}

static void overrun_ring(volatile struct blkif_ring *ring)
{
    const uint32_t answered = ring->response_produced;
    ring->request_produced += 0x40000000;
    events_send(ends.event_port);
    let_dom0_work();
    ring->request_produced = answered + 1;
    events_send(ends.event_port);
    let_dom0_work();
    check(ring->response_produced == answered, "the ring goes on after an overrun");
}

void offend_ring_garbage(void)
{
    read_sample();
    reach_xen();
    connect_and_take();
    const uint32_t first = ends.ring->request_produced;
    fill_with_garbage(ends.ring);
    call(BLKIF_RING_ENTRIES);
    check_refusals(ends.ring, first);
    overrun_ring(ends.ring);
    blkfront_close();
    check_reconnect();
}

/* ---- grants ---- */

/* One read of a sector into the page that `gref` names. */
static int read_into(uint32_t gref)
{
    volatile struct blkif_ring *const ring = ends.ring;
    const uint32_t slot = ring->request_produced % BLKIF_RING_ENTRIES;
    volatile struct blkif_request *const request = &ring->entry[slot].request;
    request->operation = BLKIF_OP_READ;
    request->segment_count = 1;
    request->id = ID;
    request->sector = 0;
    request->segment[0].gref = gref;
    request->segment[0].first_sector = request->segment[0].last_sector = 0;
    call(1);
    check(ring->entry[slot].response.id == ID, "a response to another request");
    return ring->entry[slot].response.status;
}

/* Frames without memory, through a driver that does not know. */
static void use_no_memory(void)
{
    uint8_t *const nowhere = (uint8_t *)NO_MEMORY;
    for (enum block_operation operation = BLOCK_READ; operation <= BLOCK_WRITE; operation++) {
        const int status = block_run(&blkfront_driver, operation, 0, nowhere, 2 * PAGE_SIZE);
        check(status == RESPONSE_ERROR, "a page that does not exist: status %d", status);
        check_blkfront();
    }
}

void offend_bad_grant(void)
{
    read_sample();
    reach_xen();
    blkfront_connect(false);
    use_no_memory();
    blkfront_close();

    connect_and_take();
    const uint8_t *const page = take_pages(1);
    grant_page(READ_ONLY, page, GRANT_READ_ONLY);
    const uint32_t grefs[] = {NEVER_GRANTED, READ_ONLY, GRANTS_MAX, UINT32_MAX};
    for (unsigned i = 0; i < sizeof grefs / sizeof grefs[0]; i++) {
        const int status = read_into(grefs[i]);
        check(status == RESPONSE_ERROR, "grant %u: status %d", grefs[i], status);
    }
    check(grant_end(READ_ONLY), "a refused grant is still mapped");
    grant_page(READ_ONLY, page, GRANT_READ_WRITE);
    const int status = read_into(READ_ONLY);
    check(status == 0, "a good grant after the bad ones: status %d", status);
    check(grant_end(READ_ONLY), "a good grant is still mapped");
    blkfront_close();
    check_reconnect();
}

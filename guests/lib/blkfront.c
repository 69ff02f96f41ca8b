/*
 * xenbus handshake of blkfront: finds the vbd, agrees with the backend, parts from it.
 */
#include "blkfront.h"

#include "blkfront_ring.h"
#include "blkif.h"
#include "events.h"
#include "guest.h"
#include "xenstore.h"

enum xenbus_state {
    STATE_INITIALISING = 1,
    STATE_INIT_WAIT = 2,
    STATE_INITIALISED = 3,
    STATE_CONNECTED = 4,
    STATE_CLOSING = 5,
    STATE_CLOSED = 6,
};

static char frontend[64], backend[128];
static uint32_t handle, event_port;

static void find_device(void)
{
    char id[32], type[16];
    check(xenstore_first_child("device/vbd", id, sizeof id), "xenstore has no device/vbd");
    check(parse_decimal(id, &handle), "vbd with the name %s", id);
    format_text(frontend, sizeof frontend, "device/vbd/%s", id);
    check(xenstore_read(frontend, "backend", backend, sizeof backend), "%s has no backend",
          frontend);
    check(xenstore_read(frontend, "device-type", type, sizeof type) && strcmp(type, "disk") == 0,
          "%s is no disk", frontend);
}

static void set_state(enum xenbus_state state)
{
    xenstore_write_number(XENSTORE_NO_TRANSACTION, frontend, "state", state);
}

/* Sleeps on the watch of the backend's state until it is `wanted`. */
static void wait_backend(enum xenbus_state wanted)
{
    for (;;) {
        const uint32_t seen = xenstore_events();
        uint32_t state;
        check(xenstore_read_number(backend, "state", &state), "%s has no state", backend);
        if (state == wanted)
            return;
        check(wanted != STATE_CONNECTED || state < STATE_CLOSING, "the backend refuses: state %u",
              state);
        xenstore_wait_event(seen);
    }
}

/* The frontend's half of the agreement, in one transaction. */
static void publish(bool persistent)
{
    uint32_t transaction;
    do {
        transaction = xenstore_begin();
        xenstore_write_number(transaction, frontend, "ring-ref", BLKFRONT_RING_GREF);
        xenstore_write_number(transaction, frontend, "event-channel", event_port);
        xenstore_write(transaction, frontend, "protocol", BLKIF_PROTOCOL);
        xenstore_write_number(transaction, frontend, "feature-persistent", persistent);
    } while (!xenstore_commit(transaction));
}

static uint32_t backend_number(const char *key)
{
    uint32_t value;
    check(xenstore_read_number(backend, key, &value), "%s has no %s", backend, key);
    return value;
}

uint64_t blkfront_connect(bool persistent)
{
    find_device();
    xenstore_watch(backend, "state");
    set_state(STATE_INITIALISING);
    wait_backend(STATE_INIT_WAIT);

    event_port = events_alloc_unbound();
    blkfront_ring_open(&(struct blkfront_settings){persistent, (uint16_t)handle, event_port});
    events_bind(event_port, blkfront_ring_event);
    publish(persistent);
    set_state(STATE_INITIALISED);
    wait_backend(STATE_CONNECTED);

    check(!persistent || backend_number("feature-persistent") == 1,
          "the backend does not keep persistent grants");
    check(backend_number("sector-size") == SECTOR_SIZE, "the sector size is not %u", SECTOR_SIZE);
    const uint64_t sectors = backend_number("sectors");
    set_state(STATE_CONNECTED);
    return sectors;
}

void blkfront_close(void)
{
    set_state(STATE_CLOSING);
    wait_backend(STATE_CLOSING);
    set_state(STATE_CLOSED);
    wait_backend(STATE_CLOSED);
    xenstore_unwatch(backend, "state");
    events_close(event_port);
    blkfront_ring_close();
}

/*
 * The data side of blkfront: ring slots, segments, grants. blkfront.c does the handshake.
 */
#ifndef BLKFRONT_RING_H
#define BLKFRONT_RING_H

#include <stdbool.h>
#include <stdint.h>

#include "blkif.h"
#include "grants.h"

/* Grant of the ring page itself. Those of the segments follow it. */
#define BLKFRONT_RING_GREF GRANTS_RESERVED

struct blkfront_settings {
    bool persistent;
    uint16_t handle;     /* virtual device number, goes into each request */
    uint32_t event_port; /* of the channel to the backend */
};

/* Empties and grants the ring; with persistent grants also the page pool. */
void blkfront_ring_open(const struct blkfront_settings *settings);

/* Takes every grant back; fails if dom0 still maps one of the pages. */
void blkfront_ring_close(void);

/* The shared page of an open ring and its channel, for a guest that drives them itself. */
struct blkfront_ends {
    volatile struct blkif_ring *ring;
    uint32_t event_port;
};

struct blkfront_ends blkfront_ring_ends(void);

/* Handles all responses on the ring: to be called for each event. */
void blkfront_ring_event(void);

#endif

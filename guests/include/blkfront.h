/*
 * Paravirtual disk driver: xenbus handshake, shared ring, grants.
 * Source: xen/include/public/io/{blkif,ring,xenbus}.h; the steps are those of Linux xen-blkfront.
 */
#ifndef BLKFRONT_H
#define BLKFRONT_H

#include <stdbool.h>
#include <stdint.h>

#include "block.h"

/*
 * Requests are cut into ring requests of at most 11 pages. Without persistent grants each of them
 * grants the pages of the request itself and ends those grants when it completes. With them the
 * data are copied through a pool of pages that stay granted while connected.
 */
extern const struct block_driver blkfront_driver;

/*
 * Finds the first vbd and connects to its backend. The device must be closed or never used.
 * Returns the disk's size in sectors.
 */
uint64_t blkfront_connect(bool persistent);

/* Disconnects; the backend has given back every page when this returns. Nothing may be queued. */
void blkfront_close(void);

#endif

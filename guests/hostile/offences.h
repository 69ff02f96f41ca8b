/* What hostile does wrong; see main.c. Each returns only if the answer was the architectural one. */
#ifndef OFFENCES_H
#define OFFENCES_H

#include <stdint.h>

/* ---- disk.c ---- */

/* READ and WRITE that reach past the last sector: by PIO, by DMA and on the ring. */
void offend_past_end(void);

/* The unplug handshake a second time, also while blkfront is connected. */
void offend_unplug_twice(void);

/* ---- ring.c ---- */

/* Requests of random bytes, then a producer index that no ring can have. */
void offend_ring_garbage(void);

/* Grants of frames without memory, entries never filled in, references outside the table. */
void offend_bad_grant(void);

/* ---- xen_disk.c ---- */

/* Everything from Xen detection to a xenstore connection. IDE is gone afterwards. */
void reach_xen(void);

/* Reads the first sectors of the disk through blkfront, which is connected, and looks at them. */
void check_blkfront(void);

/* Connects, checks the disk, disconnects. */
void check_reconnect(void);

/* Takes a copy of the first sectors over IDE, for check_blkfront(). Returns the disk's sectors. */
uint64_t read_sample(void);

#endif

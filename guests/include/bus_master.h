/*
 * Bus-master half of the primary channel of a PCI IDE controller.
 * Source: Programming Interface for Bus Master IDE Controller, rev. 1.0; the accesses are libata's.
 */
#ifndef BUS_MASTER_H
#define BUS_MASTER_H

#include <stdbool.h>
#include <stdint.h>

#define BUS_MASTER_MAX_BYTES (1024 * 1024u)

/* Finds the controller (PCI class 0101), assigns BAR4 if nobody has, enables it. False if none. */
bool bus_master_init(void);

/* Whether bus_master_init() has found one. */
bool bus_master_present(void);

/* Builds the PRD table, loads its address and the direction: 3 accesses. */
void bus_master_prepare(const uint8_t *data, uint32_t length, bool to_memory, uint32_t prd_limit);

/* Sets Start: 2 accesses. */
void bus_master_start(void);

/* Clears Start, then pauses: 3 accesses. */
void bus_master_stop(void);

/* Reads the status register. */
uint8_t bus_master_status(void);

/* Acknowledges interrupt and error: 2 accesses. */
void bus_master_clear(void);

enum {
    BM_STATUS_ACTIVE = 0x01,
    BM_STATUS_ERROR = 0x02,
    BM_STATUS_INTERRUPT = 0x04,
};

#endif

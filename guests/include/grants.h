/*
 * Grant table version 1: which of our pages dom0 may reach.
 * Source: xen/include/public/grant_table.h.
 */
#ifndef GRANTS_H
#define GRANTS_H

#include <stdbool.h>
#include <stdint.h>

#define GRANTS_RESERVED 8 /* entries 0-7 belong to the toolstack */
#define GRANTS_MAX 512    /* one frame of 8-byte entries */

enum grant_access { GRANT_READ_WRITE, GRANT_READ_ONLY };

/* Maps frame 0 of the table at `address`, inside the platform device's memory. */
void grants_init(uint32_t address);

/* Lets dom0 map the page that holds `data`. */
void grant_page(uint32_t gref, const void *data, enum grant_access access);

/* Takes the permission back; false, and no change, while dom0 still has the page mapped. */
bool grant_end(uint32_t gref);

#endif

/*
 * A block device of Linux, past the page cache: one request of ours is one of the block layer,
 * unless that merges or splits it.
 */
#ifndef DISK_H
#define DISK_H

#include <stdint.h>

#include "block.h"

/* Waits for the device file; returns the device's size in sectors. */
uint64_t disk_open(const char *path, uint32_t depth);

extern const struct block_driver disk_driver;

#endif

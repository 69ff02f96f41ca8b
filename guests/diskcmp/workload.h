/* The request list of diskcmp, the same on every path. */
#ifndef WORKLOAD_H
#define WORKLOAD_H

#include <stdint.h>

#include "options.h"
#include "paths.h"

/* Takes the buffers; fails if the area has no room for one request. */
void workload_init(const struct options *options, uint32_t disk_sectors);

/*
 * Runs all requests on a path that has been entered, between its phase marks.
 * Returns the FNV-1a checksum, by 32-bit words, of all data in request order.
 */
uint32_t workload_run(const struct path *path);

/* Before writes: fills their sectors with other data, so that a write that is lost shows. */
void workload_prepare(const struct path *path);

/* After writes: flushes, reads the sectors back and compares them with what was written. */
void workload_verify(const struct path *path);

#endif

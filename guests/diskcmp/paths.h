/* The five ways to the disk. */
#ifndef PATHS_H
#define PATHS_H

#include <stdbool.h>
#include <stdint.h>

#include "block.h"

#define PATH_COUNT 5

struct path {
    const char *name;
    uint8_t phase; /* as in marks.h */
    bool is_paravirtual;
    const struct block_driver *driver;
};

/* In the order in which they run: once a paravirtual path has been entered, IDE is gone. */
extern const struct path path_table[PATH_COUNT];

/* Fails if no path has that name. */
uint32_t path_index(const char *name);

/* Finds the disk over IDE, before all paths; returns its size in sectors. */
uint32_t paths_init(void);

/* Makes path `index` ready for requests: chooses the IDE mode, or unplugs IDE and connects. */
void path_enter(uint32_t index);

/* Disconnects a paravirtual path. */
void path_leave(uint32_t index);

#endif

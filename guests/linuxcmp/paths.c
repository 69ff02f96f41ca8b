/*
 * The paths of diskcmp as Linux has them. Which one a device stands for depends on the modules that
 * are loaded and their parameters; whoever made the RAM disk knows.
 */
#include "paths.h"

#include "disk.h"
#include "guest.h"

const struct path path_table[PATH_COUNT] = {
    {"ide-pio", 1, false, &disk_driver},
    {"ide-pio-multiple", 2, false, &disk_driver},
    {"ide-dma", 3, false, &disk_driver},
    {"pv", 4, true, &disk_driver},
    {"pv-persistent", 5, true, &disk_driver},
};

uint32_t path_index(const char *name)
{
    for (uint32_t index = 0; index < PATH_COUNT; index++)
        if (strcmp(path_table[index].name, name) == 0)
            return index;
    fail("path %s is unknown", name);
}


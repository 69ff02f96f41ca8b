/* The command line of diskcmp; see main.c. */
#ifndef OPTIONS_H
#define OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#define MAX_BLOCK_BYTES (128 * 1024u)
#define MAX_DEPTH 32u

struct options {
    uint32_t paths; /* bit n: path_table[n] is run */
    bool is_write;
    bool is_random;
    bool is_summed;       /* the guest looks at all data that it has moved */
    uint32_t block_bytes; /* of one request, a multiple of 512 */
    uint32_t count;       /* requests on each path */
    uint32_t depth;       /* requests at a time */
    uint32_t seed;        /* of random positions and written data */
    uint32_t start;       /* first sector of the area */
};

/* Reads the command line; one line and the end for anything that is no option or out of range. */
void options_parse(const char *command_line, struct options *options);

#endif

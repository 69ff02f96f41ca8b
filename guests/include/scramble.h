/* Numbers that look like chance but are the same in every run. */
#ifndef SCRAMBLE_H
#define SCRAMBLE_H

#include <stdint.h>

/* A permutation of 32-bit numbers in which every input bit reaches every output bit (Murmur3). */
static inline uint32_t scramble(uint32_t x)
{
    x = (x ^ x >> 16) * 0x85ebca6b;
    x = (x ^ x >> 13) * 0xc2b2ae35;
    return x ^ x >> 16;
}

#endif

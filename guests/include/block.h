/*
 * Block requests: what every disk driver here takes, whichever path it drives.
 *
 * Interrupts are off except inside cpu_wait(). A driver finishes a request in its interrupt handler
 * by setting `done`; whoever waits looks after each cpu_wait().
 */
#ifndef BLOCK_H
#define BLOCK_H

#include <stdbool.h>
#include <stdint.h>

enum block_operation { BLOCK_READ, BLOCK_WRITE, BLOCK_FLUSH };

struct block_request {
    enum block_operation operation;
    uint64_t sector; /* of 512 bytes */
    uint8_t *data;   /* 512-byte aligned, physically contiguous */
    uint32_t length; /* bytes, a multiple of 512; 0 for a flush */
    /* Set by the driver. */
    bool done;
    int status; /* 0, or the ATA error register, or the blkif status, which is negative */
    /* The driver's own. */
    uint32_t left;    /* bytes that no ring request covers yet */
    uint32_t pending; /* ring requests without a response */
    struct block_request *next;
};

struct block_driver {
    /* Queues a request. */
    void (*submit)(struct block_request *request);
    /* Starts what has been queued, as far as the device can take it. Call it after each wait. */
    void (*kick)(void);
};

/* First in, first out. */
struct block_queue {
    struct block_request *first, *last;
};

void block_enqueue(struct block_queue *queue, struct block_request *request);
void block_dequeue(struct block_queue *queue);

/* Runs one request to its end; returns its status. */
int block_run(const struct block_driver *driver, enum block_operation operation, uint64_t sector,
              void *data, uint32_t length);

/* The same, but an error ends the kernel. */
void block_must(const struct block_driver *driver, enum block_operation operation, uint64_t sector,
                void *data, uint32_t length);

/* Fills `length` bytes with the test pattern of these sectors, a function of sector and seed. */
void block_pattern(uint8_t *data, uint64_t sector, uint32_t length, uint32_t seed);

/*
 * Writes a pattern through `driver`, reads it back, compares, and restores what was there, each
 * time with a flush. `scratch` has room for three times `length`.
 */
void block_write_test(const struct block_driver *driver, uint64_t sector, uint32_t length,
                      uint8_t *scratch);

#endif

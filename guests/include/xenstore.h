/*
 * xenstore client: one request at a time over the shared ring, and one watch to wait on.
 * Source: xen/include/public/io/xs_wire.h; xen/docs/misc/xenstore.txt. Paths may be relative to
 * the domain's own directory.
 */
#ifndef XENSTORE_H
#define XENSTORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define XENSTORE_NO_TRANSACTION 0

/* Attaches to the ring that Xen names in HVM_PARAM_STORE_PFN and _EVTCHN. */
void xenstore_init(void);

/* Reads `directory`/`key` into `value`; false if there is no such node. Other errors are fatal. */
bool xenstore_read(const char *directory, const char *key, char *value, size_t size);

/* Reads a decimal number; false if there is no such node. Fails if it is not a number. */
bool xenstore_read_number(const char *directory, const char *key, uint32_t *value);

/* The name of the first child of `directory`; false if it has none or does not exist. */
bool xenstore_first_child(const char *directory, char *name, size_t size);

void xenstore_write(uint32_t transaction, const char *directory, const char *key,
                    const char *value);
void xenstore_write_number(uint32_t transaction, const char *directory, const char *key,
                           uint32_t value);

uint32_t xenstore_begin(void);

/* Commits; false if the transaction conflicted and must be done again. */
bool xenstore_commit(uint32_t transaction);

void xenstore_watch(const char *directory, const char *key);
void xenstore_unwatch(const char *directory, const char *key);

/* Watch events received so far. */
uint32_t xenstore_events(void);

/* Sleeps until more than `seen` watch events have been received. */
void xenstore_wait_event(uint32_t seen);

#endif

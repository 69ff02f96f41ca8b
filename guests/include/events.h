/*
 * Event channels, two-level ABI, delivered by the global callback vector.
 * Source: xen/include/public/event_channel.h; xen/common/event_2l.c; hvm/params.h.
 */
#ifndef EVENTS_H
#define EVENTS_H

#include <stdint.h>

/* Masks every port and asks for upcalls at UPCALL_VECTOR. */
void events_init(void);

/* Has `handler` called, in the upcall, for each event on `port`, and unmasks it. */
void events_bind(uint32_t port, void (*handler)(void));

/* Masks the port and forgets its handler. */
void events_unbind(uint32_t port);

/* Allocates a port of ours that dom0 may bind to. */
uint32_t events_alloc_unbound(void);

/* One hypercall: raises the other end of `port`. */
void events_send(uint32_t port);

void events_close(uint32_t port);

#endif

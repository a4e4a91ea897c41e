/* SPDX-License-Identifier: MIT */
/*
 * Shutdown: SIGTERM or SIGINT starts the drain; a second signal, or its time limit, ends the event
 * loop although clients are still connected. Thread: the main one.
 */
#ifndef SC_SERVER_DRAIN_H
#define SC_SERVER_DRAIN_H

#include <stdint.h>
#include <time.h>

#include <event2/event.h>

#include "base/err.h"

struct sc_drain;

struct sc_drain_callbacks {
    uint64_t (*begin)(void *arg); /* stops accepting; the limit of the drain in milliseconds */
    unsigned (*open_connections)(void *arg);
};

/* Watches the signals. Borrows everything. NULL on failure. */
struct sc_drain *sc_drain_new(struct event_base *base, const struct sc_drain_callbacks *callbacks,
                              void *arg, struct sc_err *err) SC_NODISCARD;

time_t sc_drain_since(const struct sc_drain *drain); /* 0: it has not begun */

void sc_drain_free(struct sc_drain *drain); /* NULL is fine */

#endif

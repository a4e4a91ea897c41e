/* SPDX-License-Identifier: MIT */
/*
 * All workers of a server: started, given settings, drained and ended together. Thread: the main
 * one.
 */
#ifndef SC_SERVER_WORKERS_H
#define SC_SERVER_WORKERS_H

#include <stddef.h>
#include <stdint.h>

#include <event2/event.h>

#include "base/err.h"
#include "net/mailbox.h"
#include "server/stats.h"
#include "server/worker.h"

struct sc_workers_callbacks {
    /* A connection has ended. In its worker's thread. */
    void (*on_gone)(const struct sc_conn_origin *origin, void *arg);
    /* After sc_workers_drain(): the last connection of all has ended. In the main thread. */
    void (*on_empty)(void *arg);
};

struct sc_workers {
    struct sc_worker **items;
    size_t count;

    /* Private. */
    struct sc_worker_owner owner;
    struct sc_mailbox *mailbox; /* from the workers: "my last connection has ended" */
    size_t busy; /* while draining: workers that still have connections */
    const struct sc_workers_callbacks *callbacks;
    void *arg;
};

/*
 * Starts `count` workers; a single one runs in `base`. Borrows everything but the settings, for
 * its life. On failure -1, and sc_workers_fini() is to be called as after success.
 */
int sc_workers_start(struct sc_workers *workers, size_t count, struct event_base *base,
                     const struct sc_worker_settings *settings, struct sc_admission *admission,
                     const struct sc_workers_callbacks *callbacks, void *arg,
                     struct sc_err *err) SC_NODISCARD;

void sc_workers_publish(struct sc_workers *workers, const struct sc_worker_settings *settings);

/*
 * Each client is sent GOING AWAY and a time of its own to come back after: 250 ms to a second
 * later for up to 1,000 of them, else 1,000 a second. `open` is the number of connections of all
 * workers. on_empty() follows.
 */
void sc_workers_drain(struct sc_workers *workers, uint32_t open);

void sc_workers_join(struct sc_workers *workers); /* cuts what is left */
void sc_workers_add_stats(const struct sc_workers *workers, struct sc_stats *sum);
void sc_workers_fini(struct sc_workers *workers); /* joins first; fine on zeros */

#endif

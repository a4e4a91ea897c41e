/* SPDX-License-Identifier: MIT */
/*
 * Keeps what is served up to date: reads everything again on SIGHUP, and every reload-interval if
 * its content has changed; rotates ticket keys in memory; warns before the certificate ends. What
 * is wrong with new files is said once, the old stay active, and half-written files are tried
 * again. Watches over changes of the key (server/continuity). Thread: the main one.
 */
#ifndef SC_SERVER_RELOAD_H
#define SC_SERVER_RELOAD_H

#include <event2/event.h>

#include "base/err.h"
#include "base/sysd.h"
#include "server/snapshot.h"
#include "server/stats.h"

struct sc_reload;

/* How the last reload went. A look that finds the same files is not one, unless a signal asked. */
enum sc_reload_result {
    SC_RELOAD_NONE,
    SC_RELOAD_SUCCESS, /* what was read is active */
    SC_RELOAD_UNCHANGED,
    SC_RELOAD_FAILURE, /* what was active before stays */
};
struct sc_reload_last {
    enum sc_reload_result result;
    struct timespec at; /* wall clock */
    char failure[1024]; /* why; empty: it did not fail */
};

/* All but `publish` is borrowed; `snapshot` is the active one, which publish() replaces. */
struct sc_reload_parts {
    const struct sc_cmdline *cmdline;
    struct sc_passphrase *passphrase;
    struct sc_tickets *tickets;
    const struct sc_sysd *sysd;
    struct sc_snapshot *snapshot;
    struct sc_stats *stats; /* the main thread's */

    /* Makes `fresh` the active one and takes over its references. */
    void (*publish)(struct sc_snapshot *fresh, void *arg);

    /* A reload is over; sc_reload_last() has its result. */
    void (*finished)(void *arg);

    /* The status line, for the end of a reload. */
    void (*status)(char *out, size_t out_size, void *arg);
    void *arg;
};

/* From now on SIGHUP reloads. NULL on failure. */
struct sc_reload *sc_reload_new(struct event_base *base, const struct sc_reload_parts *parts,
                                struct sc_err *err) SC_NODISCARD;

/*
 * Looks at the files from now on, and notes, in the log too, the keys that the server starts with.
 * Once, when the start can't fail any more.
 */
void sc_reload_start(struct sc_reload *reload);

/* When the next key was announced first, before a restart too. 0: there is none, or not known. */
time_t sc_reload_next_key_since(const struct sc_reload *reload);

/* When the certificate of the next key ends, by the file that is there. 0: there is none. */
time_t sc_reload_next_certificate_until(const struct sc_reload *reload);

const struct sc_reload_last *sc_reload_last(const struct sc_reload *reload);

/* Reads nothing again: the server is stopping. SIGHUP is then only logged. */
void sc_reload_stop(struct sc_reload *reload);

void sc_reload_free(struct sc_reload *reload); /* NULL is fine */

#endif

/*
 * Keeps what is served fresh: reads everything again on SIGHUP, and every reload-interval if its
 * content has changed; rotates ticket keys in memory; warns before the certificate ends. What is
 * wrong with new files is said once, the old stay in force, and half-written files are tried
 * again. Thread: the main one.
 */
#ifndef SC_SERVER_REFRESH_H
#define SC_SERVER_REFRESH_H

#include <event2/event.h>

#include "base/err.h"
#include "base/sysd.h"
#include "server/material.h"

struct sc_refresh;

/* All but `publish` is borrowed; `material` is the one in force, which publish() replaces. */
struct sc_refresh_parts {
    const struct sc_cmdline *cmdline;
    struct sc_passphrase *passphrase;
    struct sc_tickets *tickets;
    const struct sc_sysd *sysd;
    struct sc_material *material;

    /* Puts `fresh` in force and takes over its references. */
    void (*publish)(struct sc_material *fresh, void *arg);

    /* The status line, for the end of a reload. */
    void (*status)(char *out, size_t out_size, void *arg);
    void *arg;
};

/* Starts watching. NULL on failure. */
struct sc_refresh *sc_refresh_new(struct event_base *base, const struct sc_refresh_parts *parts,
                                  struct sc_err *err) SC_NODISCARD;

/* Why the last reload failed; NULL: it did not. */
const char *sc_refresh_failure(const struct sc_refresh *refresh);

/* Reads nothing again: the server is stopping. SIGHUP is then only logged. */
void sc_refresh_stop(struct sc_refresh *refresh);

void sc_refresh_free(struct sc_refresh *refresh); /* NULL is fine */

#endif

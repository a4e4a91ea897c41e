/* SPDX-License-Identifier: MIT */
/*
 * What a server serves with: a configuration and the TLS context that its files make. Loaded as a
 * whole; holders of the active one are not touched, and nothing is published here. Thread: the
 * main one.
 */
#ifndef SC_SERVER_SNAPSHOT_H
#define SC_SERVER_SNAPSHOT_H

#include "server/configuration.h"
#include "server/continuity.h"
#include "server/passphrase.h"
#include "tls/context.h"
#include "tls/tickets.h"

struct sc_snapshot {
    struct sc_config *config;
    struct sc_tls_context *tls;
    bool new_ticket_keys; /* loading it brought other keys from `ticket-keys` */
};

/*
 * Reads everything that the command line and the configuration name: two references in *out.
 * `continuity` may refuse its key; NULL: at a start, when no other key can be served with.
 * `tickets` outlast a snapshot, so that sessions can be resumed after a reload. -1: `errors` says
 * why, a line each, and *out and the tickets are untouched.
 */
int sc_snapshot_load(const struct sc_cmdline *cmdline, struct sc_passphrase *passphrase,
                     const struct sc_continuity *continuity, struct sc_tickets *tickets,
                     struct sc_snapshot *out, struct sc_config_errors *errors) SC_NODISCARD;

void sc_snapshot_unref(struct sc_snapshot *snapshot);

/* `fresh` serves the same as the active one: nothing in the files has changed. */
bool sc_snapshot_equal(const struct sc_snapshot *fresh, const struct sc_snapshot *active);

/* Logs what the operator should know of it: warnings of the files, and of weak [tls] commands. */
void sc_snapshot_log_warnings(const struct sc_snapshot *snapshot);

/*
 * The file of the next key: `next-private-key`, else "server.next.key" for "server.key", where
 * sc-keygen --next puts it, and which need not be there. NULL: the name is too long.
 */
#define SC_SNAPSHOT_PATH_BYTES 4096U
const char *sc_snapshot_next_key(const struct sc_config *config, char out[SC_SNAPSHOT_PATH_BYTES]);

#endif

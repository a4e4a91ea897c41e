/* SPDX-License-Identifier: MIT */
/*
 * The composition root: sockets, workers, signals, reload, drain, systemd. The only file that
 * knows all the others. Thread: the main one.
 */
#ifndef SC_SERVER_SERVER_H
#define SC_SERVER_SERVER_H

#include "base/err.h"
#include "base/sysd.h"
#include "server/snapshot.h"

struct sc_server;

/*
 * Opens the sockets and starts the workers; nothing is accepted yet. Takes its own references of
 * `snapshot` and `tickets`; borrows `cmdline`, `sysd` and `passphrase` for its life (a reload
 * reads again). NULL on failure (EX_UNAVAILABLE cannot bind, EX_OSERR).
 */
struct sc_server *sc_server_new(const struct sc_cmdline *cmdline, struct sc_sysd *sysd,
                                const struct sc_snapshot *snapshot, struct sc_tickets *tickets,
                                struct sc_passphrase *passphrase, struct sc_err *err) SC_NODISCARD;

/*
 * Accepts and serves until SIGTERM or SIGINT and the drain that follows; a second signal ends it
 * at once. Writes the port file and tells systemd when it is ready. Returns 0, or -1 when it could
 * not get ready.
 */
int sc_server_run(struct sc_server *server, struct sc_err *err) SC_NODISCARD;

void sc_server_free(struct sc_server *server); /* NULL is fine */

#endif

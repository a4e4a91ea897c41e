/* SPDX-License-Identifier: MIT */
/*
 * A worker: a thread (or, if it is the only one, the server's own), its event base, and its
 * connections from accept to close. Other threads only post to it; nothing on the path of a request
 * is shared. Thread: the functions may be called from any, sc_worker_new/join/free from the one
 * that owns it.
 */
#ifndef SC_SERVER_WORKER_H
#define SC_SERVER_WORKER_H

#include <stdint.h>

#include <event2/event.h>

#include "base/err.h"
#include "net/mailbox.h"
#include "server/conn.h"

struct sc_worker;
struct sc_tls_context;

/* What new connections get; the worker takes its own references and copies. */
struct sc_worker_settings {
    struct sc_tls_context *tls;
    struct sc_conn_limits limits;
    struct sc_signer *signer; /* borrowed, for the life of the worker; NULL: no proofs are made */
    struct sc_pin_meter *pin_meter; /* likewise; NULL: clients are not counted */
};

/* What the workers of a server share. */
struct sc_worker_owner {
    struct sc_admission *admission;

    /* In the worker's thread. */
    void (*on_gone)(const struct sc_conn_origin *origin,
                    void *arg); /* a connection has ended, or could not be set up */
    void (*on_empty)(void *arg); /* draining, and the last connection is gone; called once */
    void *arg;
};

/*
 * Starts the thread; signals are blocked in it. `owner` is borrowed for the life of the worker.
 * NULL on failure.
 *
 * With `base`, there is no thread and no mailbox: the worker runs in that loop, and everything
 * below is called in its thread. For a server with one worker: passing a connection to another
 * thread costs two wake-ups, a tenth of a resumed handshake.
 */
struct sc_worker *sc_worker_new(unsigned index, struct event_base *base,
                                const struct sc_worker_settings *settings,
                                const struct sc_worker_owner *owner,
                                struct sc_err *err) SC_NODISCARD;

/*
 * Takes over an accepted socket. -1: out of memory, the socket is closed, and on_gone is not
 * called.
 */
int sc_worker_give(struct sc_worker *worker, evutil_socket_t fd,
                   const struct sc_conn_origin *origin) SC_NODISCARD;

/* From now on new connections get these; the limits hold for open ones too. */
void sc_worker_publish(struct sc_worker *worker, const struct sc_worker_settings *settings);

/*
 * Answers what has arrived, sends each client GOING AWAY, and closes. The first client is asked to
 * come back after retry_first_ms, each further one retry_step_ms later. on_empty follows.
 */
void sc_worker_drain(struct sc_worker *worker, uint32_t retry_first_ms, double retry_step_ms);

/*
 * Closes what is left and ends the thread; returns when it has ended. Connections given but not
 * set up yet are closed. Safe to call twice.
 */
void sc_worker_join(struct sc_worker *worker);

void sc_worker_free(struct sc_worker *worker); /* joins first; NULL is fine */

/*
 * sc_worker_pings_answered() grows by one when the worker's event loop runs next, and how late that
 * is is counted. Nothing while the last ping is not answered.
 */
void sc_worker_ping(struct sc_worker *worker);
uint32_t sc_worker_pings_answered(const struct sc_worker *worker);

/* Connections given to it that have not ended. */
uint32_t sc_worker_load(const struct sc_worker *worker);

const struct sc_stats *sc_worker_stats(const struct sc_worker *worker);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * One connection: its state, its deadlines, and the loop that turns requests into replies. Knows
 * no other connection, no thread, no listener. Thread: that of the event base.
 *
 *   HANDSHAKE --connected--> OPEN --last reply queued--> CLOSING --all sent, and peer gone or
 *   linger over--> freed
 *       |                      |                            |
 *       +------- failure, deadline, reset: freed -----------+
 *
 * Every change of state is made by one function (sc_conn_enter()), and a connection is
 * freed in one (sc_conn_free()).
 */
#ifndef SC_SERVER_CONN_H
#define SC_SERVER_CONN_H

#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include <event2/event.h>

#include "base/err.h"
#include "net/wheel.h"
#include "server/admission_queue.h"
#include "server/conn_log.h"
#include "server/conn_origin.h"
#include "server/memory_trim.h"
#include "server/stats.h"

struct sc_conn;
struct sc_mailbox;
struct sc_pin_meter;
struct sc_signer;
struct sc_tls_context;
struct sc_tlsbev_shared;

/*
 * What guards a connection. Borrowed; may change between cycles (a reload), and then holds for
 * connections that are open already.
 */
struct sc_conn_limits {
    size_t max_body_bytes;
    size_t output_limit_bytes; /* replies waiting; above it the client is not read */
    uint64_t handshake_timeout_ms;
    uint64_t frame_timeout_ms;
    uint64_t idle_timeout_ms; /* 0: never */
    uint64_t write_timeout_ms;
};

/* Where the replies of one cycle are collected; one for each thread. */
struct sc_reply_buffer {
    uint8_t *bytes;
    size_t used, size;
    size_t sent; /* in this cycle, before those that are collected */
};

/* What the connections of one worker share. Owned by the worker. */
struct sc_conn_context {
    struct event_base *base;
    const struct sc_conn_limits *limits;
    struct sc_stats *stats;
    struct sc_admission *admission; /* shared by all workers */
    struct sc_signer *signer; /* the same; NULL: no proofs are made */
    struct sc_pin_meter *pin_meter; /* the same; NULL: clients are not counted */
    struct sc_tls_context *const *newest_tls; /* what new connections get; NULL: as the open ones */
    void (*on_gone)(struct sc_conn *conn, void *arg); /* just before the connection is freed */
    void *arg;

    /* sc_conn_context_init() makes these. */
    struct sc_tlsbev_shared *shared;
    struct sc_wheel *wheel;
    struct sc_memory_trim memory_trim;
    struct sc_reply_buffer replies;
    struct sc_conn_log log;
    struct sc_admission_queue queue;

    struct sc_mailbox *proofs; /* from the signer; made when it is first needed */
};

int sc_conn_context_init(struct sc_conn_context *context, struct sc_err *err) SC_NODISCARD;
void sc_conn_context_fini(struct sc_conn_context *context);

/*
 * Takes over the accepted, non-blocking socket and starts the handshake. On failure NULL, the
 * socket is closed, and on_gone is not called.
 */
struct sc_conn *sc_conn_new(struct sc_conn_context *context, struct sc_tls_context *tls,
                            evutil_socket_t fd, const struct sc_conn_origin *origin,
                            struct sc_err *err) SC_NODISCARD;

/* At once, without close_notify. */
void sc_conn_free(struct sc_conn *conn);

/*
 * Answers what has arrived, says that the server goes away and when to come back, and closes; all
 * of it in later cycles.
 */
void sc_conn_drain(struct sc_conn *conn, uint32_t retry_after_ms);

/* The limits have other values: a deadline may be nearer than before. */
void sc_conn_limits_changed(struct sc_conn *conn);

const struct sc_conn_origin *sc_conn_origin(const struct sc_conn *conn);

/* The owner's list of connections. */
LIST_HEAD(sc_conn_list, sc_conn);
void sc_conn_list_insert(struct sc_conn_list *list, struct sc_conn *conn);
void sc_conn_list_remove(struct sc_conn *conn);
struct sc_conn *sc_conn_list_next(struct sc_conn *conn);

#endif

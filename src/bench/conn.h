/* SPDX-License-Identifier: MIT */
/*
 * One connection of the generator, from connect(2) to close(2): handshake, pin check, requests
 * sent, replies compared. It reports what happens to its owner and decides nothing about the load.
 *
 * Thread: that of the event_base. A callback may run inside any function here that says so.
 */
#ifndef SC_BENCH_CONN_H
#define SC_BENCH_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include <event2/event.h>
#include <openssl/ssl.h>

#include "bench/plan.h"
#include "bench/stats.h"
#include "bench/stream.h"
#include "bench/target.h"
#include "tls/verify.h"
#include "tls/watch.h"

struct sc_bench_conn;

struct sc_bench_failure {
    enum sc_bench_error kind;
    char text[SC_BENCH_ERROR_TEXT_BYTES];
    const struct sc_pin_mismatch *mismatch; /* of a pin; or NULL */
};

/* What the connections of one thread share. All of it is the owner's. */
struct sc_bench_io {
    const struct sc_bench_plan *plan;
    const struct sc_bench_stream *stream;
    const struct sc_bench_target *target;
    struct event_base *base;
    SSL_CTX *ssl_ctx; /* with sc_tls_verify_install() */
    uint8_t *scratch; /* for one read */
    size_t scratch_bytes;
    bool release_buffers; /* OpenSSL frees its buffers when a connection is idle */
    void *owner;
    struct sc_tls_verify verify; /* of the handshake that is under way; its last result */

    /* The handshake is done and a pin has matched. */
    void (*on_ready)(struct sc_bench_conn *conn);
    /* `count` more replies came and were right; `now_ns` is when they were read. */
    void (*on_replies)(struct sc_bench_conn *conn, size_t count, uint64_t now_ns);
    /* It is closed and can be opened again. `failure` NULL: closed as asked for. */
    void (*on_closed)(struct sc_bench_conn *conn, const struct sc_bench_failure *failure);
};

enum sc_bench_conn_state {
    SC_BENCH_CONN_CLOSED,
    SC_BENCH_CONN_CONNECTING,
    SC_BENCH_CONN_HANDSHAKE,
    SC_BENCH_CONN_READY,
    SC_BENCH_CONN_CLOSING
};

/* When an operation began: when it should have, and when it did. */
struct sc_bench_start {
    uint64_t intended_ns, real_ns;
};

struct sc_bench_conn {
    struct sc_bench_io *io;
    enum sc_bench_conn_state state;
    int fd;
    SSL *ssl;
    struct event *read_event, *write_event;
    struct sc_tls_watch watch;
    SSL_SESSION *session; /* to resume; NULL: none */
    uint64_t opened_ns, ready_ns;

    /* To send: `unsent` requests from `next_slot` on, less the first `offset` bytes. */
    size_t next_slot, unsent, offset;

    struct sc_bench_reader reader;

    /* In flight: a ring of plan->depth starts. */
    struct sc_bench_start *starts;
    unsigned in_flight, oldest;
    unsigned lost; /* that were in flight when it was closed */

    /* The owner's. */
    TAILQ_ENTRY(sc_bench_conn) link;
    bool linked;
    bool is_busy; /* HANDSHAKES: its operation is under way */
    struct sc_bench_start operation; /* ... and began then */
};

/* `first_slot`: where in the stream it begins. Returns -1 when out of memory. */
int sc_bench_conn_init(struct sc_bench_conn *conn, struct sc_bench_io *io, size_t first_slot);
void sc_bench_conn_fini(struct sc_bench_conn *conn);

/*
 * Connects from the local address (NULL: any), offering the session if it has one and `resume`. A
 * failure comes through on_closed, also before this returns.
 */
void sc_bench_conn_open(struct sc_bench_conn *conn, const struct sockaddr_storage *source,
                        bool resume);

/*
 * Adds `count` requests that began at `start`. The connection must be READY, and in_flight + count
 * at most the depth. They are sent by sc_bench_conn_flush().
 */
void sc_bench_conn_request(struct sc_bench_conn *conn, unsigned count,
                           const struct sc_bench_start *start);
/*
 * Writes the requests that are due. After on_ready and on_replies it is done anyway. on_closed may
 * run.
 */
void sc_bench_conn_flush(struct sc_bench_conn *conn);

/*
 * Sends close_notify and waits for the server's; then on_closed. `keep`: keeps the session for the
 * next sc_bench_conn_open(). on_closed may run.
 */
void sc_bench_conn_close(struct sc_bench_conn *conn, bool keep);

/* The plan's timeout has passed in this state: closes it; on_closed runs. */
void sc_bench_conn_time_out(struct sc_bench_conn *conn);

/* Closes it now; on_closed runs with this failure (NULL: none). */
void sc_bench_conn_fail(struct sc_bench_conn *conn, const struct sc_bench_failure *failure);

#endif

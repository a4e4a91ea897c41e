/* SPDX-License-Identifier: MIT */
/*
 * What tests of server/conn share: TEST(name) is a test with the connections of one worker
 * (`worker`, with `limits`, `stats` and `admission`), one of them (`conn`, NULL: gone), and a TLS
 * client at the other end of its socket (`peer`), all in one loop.
 *
 * A test file defines test_init() and test_fini(), which call conn_fixture_init() and
 * conn_fixture_fini().
 */
#ifndef SC_TESTS_CONN_FIXTURE_H
#define SC_TESTS_CONN_FIXTURE_H

#include <string.h>
#include <sys/socket.h>

#include <event2/buffer.h>

#include "base/clock.h"
#include "kept_log.h"
#include "server/conn.h"
#include "server/conn_state.h"
#include "suite.h"
#include "tls_fixture.h"
#include "tls_peer.h"

static struct event_base *base;
static struct sc_tls_context *client_context, *server_context;
static struct sc_conn_context worker;
static struct sc_conn_limits limits;
static struct sc_stats stats;
static struct sc_admission admission;
static struct sc_conn *conn;
static int conn_fd; /* its socket, which is its own */
static uint64_t header_ns; /* its PROXY header has taken so long */
static struct tls_peer peer;

static inline void on_gone(struct sc_conn *gone, void *arg)
{
    ck_assert_ptr_eq(gone, conn);
    ck_assert_ptr_eq(arg, &worker);
    ck_assert_uint_eq(sc_conn_origin(gone)->id, 17);
    conn = NULL;
}

/* `tickets` NULL: keys of the context's own. */
static inline void conn_fixture_init(struct sc_tickets *tickets)
{
    struct sc_err err = {0};
    kept_start(SC_LOG_DEBUG);
    fixture_write_pair("server", "P-256");
    struct sc_tls_server_settings settings = fixture_settings("server");
    settings.tickets = tickets;
    server_context = fixture_server(&settings);
    client_context = fixture_client();
    base = run_base_new();
    memset(&stats, 0, sizeof(stats));
    memset(&admission, 0, sizeof(admission));
    limits = (struct sc_conn_limits){.max_body_bytes = 65536,
                                     .output_limit_bytes = 256U << 10,
                                     .handshake_timeout_ms = 30000,
                                     .frame_timeout_ms = 30000,
                                     .idle_timeout_ms = 30000,
                                     .write_timeout_ms = 30000};
    worker = (struct sc_conn_context){.base = base,
                                      .limits = &limits,
                                      .stats = &stats,
                                      .admission = &admission,
                                      .on_gone = on_gone,
                                      .arg = &worker};
    ck_assert_int_eq(sc_conn_context_init(&worker, &err), 0);
}

/* After the last connection and its peer. */
static inline void conn_fixture_fini(void)
{
    ck_assert_ptr_null(conn);
    const uint64_t ended =
        sc_stats_handshakes_completed(&stats) + sc_stats_handshakes_failed(&stats);
    ck_assert_uint_eq(sc_stats_get(&stats.handshakes_started), ended);
    ck_assert_uint_eq(sc_stats_closed(&stats), ended);
    ck_assert(sc_admission_queue_is_empty(&worker.queue));
    ck_assert_uint_eq(worker.memory_trim.open, 0);
    run_ready(base);
    sc_conn_context_fini(&worker);
    run_base_free(base);
    sc_tls_context_unref(server_context);
    sc_tls_context_unref(client_context);
}

/* The server's side of one more connection. Returns the descriptor of the other. */
static inline int begin_server_side(void)
{
    const struct sc_conn_origin origin = {
        .id = 17,
        .accepted_ns = sc_clock_ns() - header_ns,
        .peer = {.host = {192, 0, 2, 1}, .port = 5, .family = AF_INET}};
    struct sc_err err = {0};
    int fds[2];
    socket_pair(true, fds);
    conn = sc_conn_new(&worker, server_context, fds[0], &origin, &err);
    ck_assert_msg(conn != NULL, "%s", err.text);
    conn_fd = fds[0];
    return fds[1];
}

/* One more connection. */
static inline void begin(void)
{
    tls_peer_init(&peer, base, client_context, begin_server_side());
}

static inline void await_open(void)
{
    RUN_UNTIL(base, peer.connected && conn && conn->state == SC_CONN_OPEN);
    ck_assert_ptr_null(conn->watch.trace); /* freed with the handshake */
}

/* The peer does, and the sockets take little meanwhile. */
static inline void stop_reading_at_once(void)
{
    const int small = 4096;
    ck_assert_int_eq(setsockopt(conn_fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)), 0);
    ck_assert_int_eq(setsockopt(peer.fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)), 0);
    tls_peer_stop_reading(&peer);
}

/* The server's side, if it is there, and the peer. */
static inline void end(void)
{
    if (conn) {
        sc_conn_free(conn);
    }
    tls_peer_fini(&peer);
    run_ready(base);
}

#define TEST(name) \
    static void run_##name(void); \
    START_TEST(name) \
    { \
        test_init(); \
        run_##name(); \
        test_fini(); \
    } \
    END_TEST \
    static void run_##name(void)

#endif

/* SPDX-License-Identifier: MIT */
/*
 * An acceptor and its workers in one loop; the clients are sockets that say nothing, from addresses
 * of 127.0.0.0/8.
 */
#ifndef SC_TESTS_ACCEPTOR_FIXTURE_H
#define SC_TESTS_ACCEPTOR_FIXTURE_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "kept_log.h"
#include "net/listen.h"
#include "server/acceptor.h"
#include "suite.h"
#include "tls_fixture.h"
#include "tls_peer.h"

enum { WORKERS = 2 };

static struct event_base *base;
static struct sc_tls_context *context;
static struct sc_listen *sockets;
static struct sc_worker *workers[WORKERS];
static struct sc_acceptor *acceptor;
static struct sc_admission admission;
static struct sockaddr_in server_address;

static inline void on_gone(const struct sc_conn_origin *origin, void *arg)
{
    (void)arg;
    sc_acceptor_on_gone(acceptor, origin);
}

static inline void on_empty(void *arg)
{
    (void)arg;
}

static const struct sc_worker_owner owner = {
    .admission = &admission, .on_gone = on_gone, .on_empty = on_empty};

static inline void start(uint32_t max_connections, uint32_t max_per_address)
{
    struct sc_err err;
    struct sc_address address;
    socklen_t length = sizeof(server_address);
    const struct sc_acceptor_limits limits = {.max_connections = max_connections,
                                              .max_connections_per_address = max_per_address};
    fixture_write_pair("server", "P-256");
    const struct sc_tls_server_settings tls = fixture_settings("server");
    context = fixture_server(&tls);
    const struct sc_worker_settings settings = {.tls = context,
                                                .limits = {.max_body_bytes = 65536,
                                                           .output_limit_bytes = 262144,
                                                           .handshake_timeout_ms = 60000,
                                                           .frame_timeout_ms = 60000}};
    kept_start(SC_LOG_INFO);
    base = run_base_new();
    for (unsigned i = 0; i < WORKERS; i++) {
        ck_assert_ptr_nonnull(workers[i] = sc_worker_new(i, base, &settings, &owner, &err));
    }
    ck_assert_int_eq(sc_parse_address("127.0.0.1:0", NULL, &address, &err), 0);
    ck_assert_ptr_nonnull(sockets = sc_listen_open(&address, 1, &err));
    const evutil_socket_t fd = sc_listen_descriptor(sockets, 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&server_address, &length), 0);
    ck_assert_ptr_nonnull(acceptor =
                              sc_acceptor_new(base, &fd, 1, workers, WORKERS, &limits, &err));
}

static inline void finish(void)
{
    sc_acceptor_stop(acceptor);
    for (unsigned i = 0; i < WORKERS; i++) {
        sc_worker_free(workers[i]);
    }
    ck_assert_uint_eq(sc_acceptor_open(acceptor), 0);
    ck_assert_uint_eq(sc_acceptor_waiting(acceptor), 0);
    sc_acceptor_free(acceptor);
    sc_listen_close(sockets);
    run_base_free(base);
    sc_tls_context_unref(context);
}

/* A client from 127.0.0.`host`: its connection waits to be accepted. */
static inline int connect_from(uint32_t host)
{
    const struct sockaddr_in from = {.sin_family = AF_INET,
                                     .sin_addr = {htonl(0x7f000000U + host)}};
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(bind(fd, (const struct sockaddr *)&from, sizeof(from)), 0);
    ck_assert_int_eq(connect(fd, (const struct sockaddr *)&server_address, sizeof(server_address)),
                     0);
    return fd;
}

static inline bool is_closed(int fd)
{
    char byte;
    return recv(fd, &byte, 1, MSG_DONTWAIT) == 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
}

static inline int enter(uint32_t host)
{
    const uint32_t before = sc_acceptor_open(acceptor);
    const int fd = connect_from(host);
    RUN_UNTIL(base, sc_acceptor_open(acceptor) == before + 1);
    ck_assert(!is_closed(fd));
    return fd;
}

static inline void is_refused(uint32_t host)
{
    const uint32_t before = sc_acceptor_open(acceptor);
    const int fd = connect_from(host);
    RUN_UNTIL(base, is_closed(fd));
    ck_assert_uint_eq(sc_acceptor_open(acceptor), before);
    (void)close(fd);
}

static inline void leave(int fd)
{
    const uint32_t before = sc_acceptor_open(acceptor);
    (void)close(fd);
    RUN_UNTIL(base, sc_acceptor_open(acceptor) == before - 1);
}

static inline void at_second(uint64_t second)
{
    const uint64_t ns = second * 1000000000U;
    sc_clock_fake(&ns, NULL);
}

#endif

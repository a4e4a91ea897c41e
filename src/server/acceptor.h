/* SPDX-License-Identifier: MIT */
/*
 * Accepts connections and gives each to the worker with the fewest; one of a load balancer
 * (proxy-protocol-from) after its PROXY header, which says where the client is. Refuses, before any
 * TLS work: above max-connections, above max-connections-per-address, what has no such header but
 * must have one, and when descriptors run out (then one kept in reserve is used to accept and
 * close, so that the listening socket is not readable for ever). Thread: the one of the base;
 * sc_acceptor_on_gone() from any.
 */
#ifndef SC_SERVER_ACCEPTOR_H
#define SC_SERVER_ACCEPTOR_H

#include <stddef.h>
#include <stdint.h>

#include <event2/event.h>

#include "base/err.h"
#include "net/network.h"
#include "server/stats.h"
#include "server/worker.h"

struct sc_acceptor;

struct sc_acceptor_limits {
    uint32_t max_connections;
    uint32_t max_connections_per_address; /* 0: no limit */
    const struct sc_network *balancers; /* proxy-protocol-from; borrowed until others are set */
    size_t balancer_count;
    uint64_t header_timeout_ms; /* from accept(2) to the end of the PROXY header */
};

/*
 * Starts accepting on the listening, non-blocking sockets; they stay the caller's. `workers` is
 * borrowed. NULL on failure.
 */
struct sc_acceptor *sc_acceptor_new(struct event_base *base, const evutil_socket_t *fds,
                                    size_t fd_count, struct sc_worker *const *workers,
                                    size_t worker_count, const struct sc_acceptor_limits *limits,
                                    struct sc_err *err) SC_NODISCARD;

void sc_acceptor_set_limits(struct sc_acceptor *acceptor, const struct sc_acceptor_limits *limits);

/* No further connection is accepted. */
void sc_acceptor_stop(struct sc_acceptor *acceptor);

/* A connection that it gave to a worker has ended. Thread: any. */
void sc_acceptor_on_gone(struct sc_acceptor *acceptor, const struct sc_conn_origin *origin);

/*
 * Connections that are open now, what is held against max-connections; and those of them whose
 * PROXY header has not come, which no worker has yet. Thread: any.
 */
uint32_t sc_acceptor_open(const struct sc_acceptor *acceptor);
uint32_t sc_acceptor_waiting(const struct sc_acceptor *acceptor);

/* Counts refusals. */
const struct sc_stats *sc_acceptor_stats(const struct sc_acceptor *acceptor);

void sc_acceptor_free(
    struct sc_acceptor *acceptor); /* after the workers have ended; NULL is fine */

#endif

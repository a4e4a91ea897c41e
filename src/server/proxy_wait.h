/* SPDX-License-Identifier: MIT */
/*
 * Connections of load balancers (proxy-protocol-from), from accept(2) until their PROXY header has
 * come: it is read here, before there is anything of TLS, and not a byte more than it. Thread: that
 * of the base.
 */
#ifndef SC_SERVER_PROXY_WAIT_H
#define SC_SERVER_PROXY_WAIT_H

#include <stdint.h>

#include <event2/event.h>

#include "base/compiler.h"
#include "server/conn_origin.h"

struct sc_proxy_waits;

struct sc_proxy_waits_callbacks {
    /*
     * The header has come. `client` has the address of the client, or the balancer's when the
     * header names none; `balancer` is what was given. Takes over the socket.
     */
    void (*on_header)(void *arg, evutil_socket_t fd, const struct sc_conn_origin *client,
                      const struct sc_conn_origin *balancer);

    /* It has not, and will not: the socket is closed. `hint`: why, and what to do; static. */
    void (*on_refused)(void *arg, const struct sc_conn_origin *balancer, const char *hint);
};

/* NULL: out of memory. */
struct sc_proxy_waits *sc_proxy_waits_new(struct event_base *base,
                                          const struct sc_proxy_waits_callbacks *callbacks,
                                          void *arg);

/*
 * Takes over an accepted, non-blocking socket; the header is to have come `timeout_ms` after
 * accept(2). A callback may come before the return. -1: out of memory, the socket is closed, and no
 * callback follows.
 */
int sc_proxy_waits_add(struct sc_proxy_waits *waits, evutil_socket_t fd,
                       const struct sc_conn_origin *balancer, uint64_t timeout_ms) SC_NODISCARD;

/*
 * The server stops: headers that have arrived are taken, and the connections without one are
 * refused.
 */
void sc_proxy_waits_stop(struct sc_proxy_waits *waits);

void sc_proxy_waits_free(struct sc_proxy_waits *waits); /* stops first; NULL is fine */

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Bounds the connections of an evhttp: their number, how long each may last, and how much of what
 * it sends waits to be looked at. evhttp bounds none of these in every state, and its own timeout
 * starts again with each byte.
 *
 * evhttp asks for a bufferevent for each connection that it accepts; a reference of our own keeps
 * that one until evhttp has dropped it, which the next sc_admin_connections_look() finds. When
 * all places are taken, the listeners wait, and after a moment the oldest quarter is cut, so that
 * a client that holds all of them does not keep others out. Thread: that of the base.
 */
#ifndef SC_SERVER_ADMIN_CONNECTIONS_H
#define SC_SERVER_ADMIN_CONNECTIONS_H

#include <event2/event.h>
#include <event2/http.h>

#include "base/err.h"
#include "net/listen.h"

#define SC_ADMIN_MAX_CONNECTIONS 32U
#define SC_ADMIN_CONNECTION_MS 10000U /* from accept(2) to the end */

struct sc_admin_connections;

/*
 * Makes `http` accept on the sockets, which stay the caller's. Call sc_admin_connections_free()
 * after evhttp_free(). NULL on failure.
 */
struct sc_admin_connections *sc_admin_connections_new(struct event_base *base, struct evhttp *http,
                                                      const struct sc_listen *listen,
                                                      struct sc_err *err) SC_NODISCARD;
void sc_admin_connections_free(struct sc_admin_connections *connections); /* NULL is fine */

/* Frees what evhttp has dropped, and cuts those that last too long; to be called a few times a
 * second. */
void sc_admin_connections_look(struct sc_admin_connections *connections);

#endif

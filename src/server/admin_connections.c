/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "server/admin_connections.h"

#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sysexits.h>

#include <event2/bufferevent.h>
#include <event2/listener.h>

#include "base/clock.h"

#define FULL_MS 1U /* then it is looked for a free place again */

struct place {
    struct bufferevent *transport; /* NULL: free */
    uint64_t since_ms;
    uint64_t number; /* in the order of their coming */
};

struct sc_admin_connections {
    struct event_base *base;
    struct event *again; /* enables the listeners */
    struct evconnlistener **listeners; /* freed with the evhttp */
    size_t listener_count, used;
    uint64_t accepted;
    struct place places[SC_ADMIN_MAX_CONNECTIONS];
};

/* bufferevent_free() takes the callbacks away. */
static bool is_dropped(struct bufferevent *transport)
{
    bufferevent_event_cb callback = NULL;
    bufferevent_getcb(transport, NULL, NULL, &callback, NULL);
    return callback == NULL;
}

/* evhttp sees the end of the stream, and drops it. */
static void cut(const struct place *place)
{
    const evutil_socket_t fd = bufferevent_getfd(place->transport);
    if (fd >= 0) {
        (void)shutdown(fd, SHUT_RDWR);
    }
}

static void enable(const struct sc_admin_connections *connections, bool on)
{
    for (size_t i = 0; i < connections->listener_count; i++) {
        if (on) {
            evconnlistener_enable(connections->listeners[i]);
        } else {
            evconnlistener_disable(connections->listeners[i]);
        }
    }
}

static void look_again_in(const struct sc_admin_connections *connections, unsigned ms)
{
    const struct timeval delay = sc_clock_timeval(ms);
    event_add(connections->again, &delay);
}

/* A quarter, so that new connections do not wait for one place each. All places are taken. */
static void cut_oldest(const struct sc_admin_connections *connections)
{
    const uint64_t young = connections->accepted - SC_ADMIN_MAX_CONNECTIONS * 3 / 4;
    for (size_t i = 0; i < SC_ADMIN_MAX_CONNECTIONS; i++) {
        if (connections->places[i].number < young) {
            cut(&connections->places[i]);
        }
    }
}

void sc_admin_connections_look(struct sc_admin_connections *connections)
{
    const uint64_t now_ms = sc_clock_ms();
    for (size_t i = 0; i < SC_ADMIN_MAX_CONNECTIONS; i++) {
        struct place *place = &connections->places[i];
        if (place->transport && is_dropped(place->transport)) {
            bufferevent_decref(place->transport);
            place->transport = NULL;
            connections->used--;
        } else if (place->transport && now_ms - place->since_ms >= SC_ADMIN_CONNECTION_MS) {
            cut(place);
        }
    }
    if (connections->used < SC_ADMIN_MAX_CONNECTIONS) {
        enable(connections, true);
    } else {
        cut_oldest(connections);
        look_again_in(connections, FULL_MS);
    }
}

static void on_again(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    sc_admin_connections_look(arg);
}

/*
 * Out of descriptors or memory: the socket stays readable, so it is left alone until the next look.
 * `arg` is evhttp's, as for connections.
 */
static void on_accept_error(struct evconnlistener *listener, void *arg)
{
    (void)arg;
    evconnlistener_disable(listener);
}

/* For a connection that evhttp has accepted. There is a free place: else nothing is accepted. */
static struct bufferevent *on_new(struct event_base *base, void *arg)
{
    struct sc_admin_connections *connections = arg;
    struct bufferevent *transport = bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);
    size_t i = 0;
    while (i < SC_ADMIN_MAX_CONNECTIONS && connections->places[i].transport) {
        i++;
    }
    if (!transport || i == SC_ADMIN_MAX_CONNECTIONS) {
        return transport;
    }
    bufferevent_incref(transport);
    connections->places[i] = (struct place){transport, sc_clock_ms(), connections->accepted++};
    if (++connections->used == SC_ADMIN_MAX_CONNECTIONS) {
        enable(connections, false);
        look_again_in(connections, 0); /* now it has no descriptor yet, which could be cut */
    }
    return transport;
}

struct sc_admin_connections *sc_admin_connections_new(struct event_base *base, struct evhttp *http,
                                                      const struct sc_listen *listen,
                                                      struct sc_err *err)
{
    const size_t count = sc_listen_count(listen);
    struct sc_admin_connections *connections = calloc(1, sizeof(*connections));
    if (!connections) {
        goto no_memory;
    }
    connections->base = base;
    connections->again = evtimer_new(base, on_again, connections);
    connections->listeners = calloc(count, sizeof(struct evconnlistener *));
    if (!connections->again || !connections->listeners) {
        goto no_memory;
    }
    evhttp_set_bevcb(http, on_new, connections);
    for (size_t i = 0; i < count; i++) {
        /* Backlog 0: it listens already. No CLOSE_ON_FREE: the socket is the caller's. */
        struct evconnlistener *listener = evconnlistener_new(
            base, NULL, NULL, LEV_OPT_CLOSE_ON_EXEC, 0, sc_listen_descriptor(listen, i));
        if (!listener) {
            goto no_memory;
        }
        if (!evhttp_bind_listener(http, listener)) {
            evconnlistener_free(listener);
            goto no_memory;
        }
        connections->listeners[connections->listener_count++] = listener;
        evconnlistener_set_error_cb(listener, on_accept_error);
    }
    return connections;

no_memory:
    (void)sc_err_set(err, EX_OSERR, "cannot serve metrics-listen: out of memory");
    sc_admin_connections_free(connections);
    return NULL;
}

void sc_admin_connections_free(struct sc_admin_connections *connections)
{
    if (!connections) {
        return;
    }
    for (size_t i = 0; i < SC_ADMIN_MAX_CONNECTIONS; i++) {
        if (connections->places[i].transport) {
            bufferevent_decref(connections->places[i].transport);
        }
    }
    if (connections->again) {
        event_free(connections->again);
    }
    free(connections->listeners);
    free(connections);
}

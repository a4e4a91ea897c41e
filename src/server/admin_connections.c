/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "server/admin_connections.h"

#include <stdbool.h>
#include <stdlib.h>
#include <sysexits.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/listener.h>

#include "base/clock.h"
#include "net/loop.h"

#define FULL_MS 1U /* then it is looked for a free place again */
#define SHORT_MS 20U /* a request that is there is answered by then */
#define UNREAD_BYTES 32768U /* more than a request may have, and what one read brings */

struct place {
    struct bufferevent *transport; /* NULL: free */
    uint64_t since_ms;
    uint64_t full_since_ms; /* it was first seen while all places were taken; 0: never */
    uint64_t number; /* in the order of their coming */
};

struct sc_admin_connections {
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

static void forget_if_dropped(struct sc_admin_connections *connections, struct place *place)
{
    if (is_dropped(place->transport)) {
        bufferevent_decref(place->transport);
        place->transport = NULL;
        connections->used--;
    }
}

/* As its own timeout would: evhttp drops it. */
static void cut(struct sc_admin_connections *connections, struct place *place)
{
    bufferevent_trigger_event(place->transport, BEV_EVENT_READING | BEV_EVENT_TIMEOUT, 0);
    forget_if_dropped(connections, place);
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

/*
 * A quarter, so that new connections do not wait for one place each; but none that had no time for
 * its request, when many come at once. All places are taken.
 */
static void cut_oldest(struct sc_admin_connections *connections, uint64_t now_ms)
{
    const uint64_t young = connections->accepted - SC_ADMIN_MAX_CONNECTIONS * 3 / 4;
    for (size_t i = 0; i < SC_ADMIN_MAX_CONNECTIONS; i++) {
        struct place *place = &connections->places[i];
        if (place->full_since_ms == 0) {
            place->full_since_ms = now_ms;
        } else if (place->number < young && now_ms - place->full_since_ms >= SHORT_MS) {
            cut(connections, place);
        }
    }
}

static size_t unread(const struct place *place)
{
    return evbuffer_get_length(bufferevent_get_input(place->transport));
}

void sc_admin_connections_look(struct sc_admin_connections *connections)
{
    const uint64_t now_ms = sc_clock_ms();
    for (size_t i = 0; i < SC_ADMIN_MAX_CONNECTIONS; i++) {
        struct place *place = &connections->places[i];
        if (place->transport) {
            forget_if_dropped(connections, place);
        }
        if (place->transport &&
            (now_ms - place->since_ms >= SC_ADMIN_CONNECTION_MS || unread(place) > UNREAD_BYTES)) {
            cut(connections, place);
        }
    }
    if (connections->used == SC_ADMIN_MAX_CONNECTIONS) {
        cut_oldest(connections, now_ms);
    }
    if (connections->used < SC_ADMIN_MAX_CONNECTIONS) {
        enable(connections, true);
    } else {
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
 * evhttp bounds headers and bodies, but not the line that begins a chunk, nor what comes while it
 * answers. In a callback of its buffer nothing can be cut.
 */
static void on_input(struct evbuffer *input, const struct evbuffer_cb_info *info, void *arg)
{
    (void)info;
    if (evbuffer_get_length(input) > UNREAD_BYTES) {
        look_again_in(arg, 0);
    }
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
    if (!evbuffer_add_cb(bufferevent_get_input(transport), on_input, connections)) {
        bufferevent_free(transport);
        return NULL;
    }
    bufferevent_incref(transport);
    connections->places[i] = (struct place){
        .transport = transport, .since_ms = sc_clock_ms(), .number = connections->accepted++};
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
    (void)sc_err_set(err, EX_OSERR, "can't serve metrics-listen: out of memory");
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
    sc_loop_free_event(connections->again);
    free(connections->listeners);
    free(connections);
}

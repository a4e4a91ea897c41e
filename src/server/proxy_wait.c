/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "server/proxy_wait.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "net/loop.h"
#include "net/proxy_header.h"

struct wait {
    LIST_ENTRY(wait) link;
    struct sc_proxy_waits *waits;
    struct event *event;
    evutil_socket_t fd;
    uint64_t due_ns; /* sc_clock_ns() */
    struct sc_conn_origin balancer;
    struct sc_proxy_header header;
};

struct sc_proxy_waits {
    struct event_base *base;
    const struct sc_proxy_waits_callbacks *callbacks;
    void *arg;
    LIST_HEAD(, wait) list;
};

/* --- The end of a wait --- */

static void forget(struct wait *wait)
{
    LIST_REMOVE(wait, link);
    sc_loop_free_event(wait->event);
    free(wait);
}

static void refuse(struct wait *wait, const char *hint)
{
    (void)evutil_closesocket(wait->fd);
    wait->waits->callbacks->on_refused(wait->waits->arg, &wait->balancer, hint);
    forget(wait);
}

static void pass_on(struct wait *wait, const struct sc_addr *client)
{
    struct sc_conn_origin origin = wait->balancer;
    if (client) {
        origin.peer = *client;
    }
    wait->waits->callbacks->on_header(wait->waits->arg, wait->fd, &origin, &wait->balancer);
    forget(wait);
}

static const char *hint_of(enum sc_proxy_verdict verdict)
{
    switch (verdict) {
    case SC_PROXY_TLS:
        return "TLS without a PROXY header before it: let the load balancer send one (haproxy: "
               "send-proxy-v2), or take its address out of proxy-protocol-from";
    case SC_PROXY_VERSION_1:
        return "version 1 of the PROXY protocol: let the load balancer send version 2 (haproxy: "
               "send-proxy-v2)";
    case SC_PROXY_MALFORMED:
        return "the PROXY header has a version, command or address that version 2 of the protocol "
               "does not have, or is for datagrams";
    case SC_PROXY_TOO_LONG: return "the PROXY header is longer than 4096 bytes";
    default:
        return "neither a PROXY header nor TLS: is the address in proxy-protocol-from that of a "
               "load balancer?";
    }
}

/* --- Reading --- */

static void on_ready(evutil_socket_t fd, short what, void *arg);

static void wait_on(struct wait *wait)
{
    const uint64_t now_ns = sc_clock_ns();
    const uint64_t left_ns = now_ns < wait->due_ns ? wait->due_ns - now_ns : 0;
    const struct timeval left = sc_clock_timeval(left_ns / 1000000U + 1);
    if (!wait->event) {
        wait->event = event_new(wait->waits->base, wait->fd, EV_READ, on_ready, wait);
    }
    if (!wait->event || event_add(wait->event, &left) != 0) {
        refuse(wait, "out of memory");
    }
}

/* The stream has ended, or the socket has failed. */
static void take_end(struct wait *wait)
{
    if (wait->header.have == 0) {
        pass_on(wait, NULL); /* a health check that only connects: it is logged as any other */
    } else {
        refuse(wait, "the connection ended in the middle of the PROXY header");
    }
}

/* False: more is to come. */
static bool take(struct wait *wait, const void *bytes, size_t length)
{
    struct sc_addr client;
    const enum sc_proxy_verdict verdict =
        sc_proxy_header_take(&wait->header, bytes, length, &client);
    switch (verdict) {
    case SC_PROXY_INCOMPLETE: return false;
    case SC_PROXY_CLIENT: pass_on(wait, &client); return true;
    case SC_PROXY_NO_CLIENT: pass_on(wait, NULL); return true;
    default: refuse(wait, hint_of(verdict)); return true;
    }
}

/* Reads what is there. False: it is still incomplete. */
static bool advance(struct wait *wait)
{
    uint8_t bytes[512];
    for (;;) {
        const size_t wants = sc_proxy_header_wants(&wait->header);
        const ssize_t got = recv(wait->fd, bytes, wants < sizeof(bytes) ? wants : sizeof(bytes), 0);
        if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) {
            return false;
        }
        if (got <= 0) {
            take_end(wait);
            return true;
        }
        if (take(wait, bytes, (size_t)got)) {
            return true;
        }
    }
}

static void on_ready(evutil_socket_t fd, short what, void *arg)
{
    struct wait *wait = arg;
    (void)fd;
    if (advance(wait)) {
        return;
    }
    if (what & EV_TIMEOUT) {
        refuse(wait, "no PROXY header came within handshake-timeout: let the load balancer send "
                     "one (haproxy: send-proxy-v2), or take its address out of "
                     "proxy-protocol-from");
    } else {
        wait_on(wait);
    }
}

/* --- Creating and freeing --- */

struct sc_proxy_waits *sc_proxy_waits_new(struct event_base *base,
                                          const struct sc_proxy_waits_callbacks *callbacks,
                                          void *arg)
{
    struct sc_proxy_waits *waits = calloc(1, sizeof(*waits));
    if (waits) {
        waits->base = base;
        waits->callbacks = callbacks;
        waits->arg = arg;
        LIST_INIT(&waits->list);
    }
    return waits;
}

int sc_proxy_waits_add(struct sc_proxy_waits *waits, evutil_socket_t fd,
                       const struct sc_conn_origin *balancer, uint64_t timeout_ms)
{
    struct wait *wait = calloc(1, sizeof(*wait));
    if (!wait) {
        (void)evutil_closesocket(fd);
        return -1;
    }
    wait->waits = waits;
    wait->fd = fd;
    wait->balancer = *balancer;
    wait->due_ns = balancer->accepted_ns + timeout_ms * 1000000U;
    LIST_INSERT_HEAD(&waits->list, wait, link);
    if (!advance(wait)) {
        wait_on(wait);
    }
    return 0;
}

void sc_proxy_waits_stop(struct sc_proxy_waits *waits)
{
    struct wait *next;
    for (struct wait *wait = LIST_FIRST(&waits->list); wait; wait = next) {
        next = LIST_NEXT(wait, link);
        if (!advance(wait)) {
            refuse(wait, "the server stops, and no PROXY header has come");
        }
    }
}

void sc_proxy_waits_free(struct sc_proxy_waits *waits)
{
    if (waits) {
        sc_proxy_waits_stop(waits);
        free(waits);
    }
}

/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "net/tlsbev.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sysexits.h>

#include <event2/bufferevent_ssl.h>

#include "net/loop.h"
#include "net/tlsbev_cycle.h"
#include "tls/error.h"

/* --- The filter's events: they only take notes, and a cycle acts on them --- */

/*
 * libevent keeps the queue newest first, and its own SSL_get_error() value at the bottom as if it
 * were a code.
 */
static unsigned long take_error_code(struct bufferevent *filter)
{
    const unsigned long largest_ssl_get_error = 16;
    unsigned long first = 0, code;
    while ((code = bufferevent_get_openssl_error(filter)) != 0) {
        if (code >= largest_ssl_get_error) {
            first = code;
        }
    }
    return first;
}

static void on_event(struct bufferevent *filter, short what, void *arg)
{
    struct sc_tlsbev *tls = arg;
    const int error_number = EVUTIL_SOCKET_ERROR();
    if (what & BEV_EVENT_CONNECTED) {
        sc_tlsbev_io_advance(tls, SC_TLSBEV_CONNECTED);
    }
    if ((what & BEV_EVENT_ERROR) && (what & BEV_EVENT_WRITING) && error_number != 0 &&
        sc_tlsbev_io_is_blocked(tls)) {
        sc_tlsbev_io_lose_output(tls, error_number);
    } else if (what & BEV_EVENT_ERROR) {
        const unsigned long code = take_error_code(filter);
        if (code != 0) {
            sc_tlsbev_io_end(tls, SC_TLSBEV_TLS, 0, code);
        } else if ((what & (BEV_EVENT_READING | BEV_EVENT_WRITING)) && error_number != 0) {
            sc_tlsbev_io_end(tls, SC_TLSBEV_RESET, error_number, 0);
        } else {
            sc_tlsbev_io_end(tls, SC_TLSBEV_EOF, 0, 0);
        }
    } else if (what & BEV_EVENT_EOF) {
        sc_tlsbev_io_end(tls, SC_TLSBEV_CLOSE_NOTIFY, 0, 0);
    }
    sc_tlsbev_cycle_soon(tls);
}

/* --- Creating and freeing --- */

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    sc_tlsbev_cycle_run(arg, true);
}

/* Without a descriptor yet. Takes over `ssl` in every case. */
static struct sc_tlsbev *new_tlsbev(struct sc_tlsbev_shared *shared, SSL *ssl, bool server)
{
    const enum bufferevent_ssl_state state =
        server ? BUFFEREVENT_SSL_ACCEPTING : BUFFEREVENT_SSL_CONNECTING;
    struct sc_tlsbev *tls = calloc(1, sizeof(*tls));
    /*
     * Without a descriptor at first: making the filter enables the transport's events, which would
     * be three epoll_ctl(2) for nothing.
     */
    struct bufferevent *transport = bufferevent_socket_new(shared->base, -1, BEV_OPT_CLOSE_ON_FREE);
    if (!tls || !transport) {
        SSL_free(ssl);
        goto failed;
    }
    tls->shared = shared;
    tls->transport = transport;
    tls->ssl = ssl;
    tls->fd = -1;
    (void)SSL_clear_mode(ssl, SSL_MODE_AUTO_RETRY);
    tls->filter =
        bufferevent_openssl_filter_new(shared->base, transport, ssl, state, BEV_OPT_CLOSE_ON_FREE);
    if (!tls->filter) {
        goto failed; /* libevent has freed the SSL */
    }
    bufferevent_setcb(tls->filter, NULL, NULL, on_event, tls);
    return tls;

failed:
    if (transport) {
        bufferevent_free(transport);
    }
    free(tls);
    return NULL;
}

int sc_tlsbev_library_init(SSL_CTX *context, struct sc_err *err)
{
    int result = -1;
    struct event_base *base = event_base_new();
    _Atomic uint64_t received = 0, sent = 0;
    struct sc_tlsbev_shared *shared = base ? sc_tlsbev_shared_new(base, 0, &received, &sent) : NULL;
    SSL *ssl = shared ? SSL_new(context) : NULL;
    if (ssl) {
        struct sc_tlsbev *tls = new_tlsbev(shared, ssl, true);
        result = tls ? 0 : -1;
        sc_tlsbev_free(tls);
    }
    if (base) {
        event_base_loop(base, EVLOOP_NONBLOCK);
        sc_tlsbev_shared_free(shared);
        event_base_free(base);
    }
    return result == 0
               ? 0
               : sc_err_set(err, EX_OSERR, "can't set up libevent's TLS filter: out of memory");
}

/* Watches the socket with an event of ours, and fills and empties the transport's buffers. */
static bool take_socket(struct sc_tlsbev *tls, evutil_socket_t fd)
{
    struct bufferevent *transport = tls->transport;
    tls->read_event = event_new(tls->shared->base, fd, EV_READ | EV_PERSIST, on_readable, tls);
    if (!tls->read_event || event_add(tls->read_event, NULL) != 0) {
        return false;
    }
    bufferevent_disable(transport, EV_READ | EV_WRITE);
    bufferevent_set_max_single_write(transport, 256 << 10);
    evbuffer_unfreeze(bufferevent_get_input(transport), 0);
    evbuffer_unfreeze(bufferevent_get_output(transport), 1);
    tls->fd = fd;
    return sc_tlsbev_cycle_start(tls);
}

struct sc_tlsbev *sc_tlsbev_new(struct sc_tlsbev_shared *shared, evutil_socket_t fd, SSL *ssl,
                                bool server, const struct sc_tlsbev_callbacks *callbacks, void *arg,
                                struct sc_err *err)
{
    struct sc_tlsbev *tls = new_tlsbev(shared, ssl, server);
    if (tls) {
        tls->callbacks = callbacks;
        tls->arg = arg;
    }
    if (!tls || !take_socket(tls, fd)) {
        sc_tlsbev_free(tls);
        (void)evutil_closesocket(fd);
        (void)sc_err_set(err, EX_OSERR, "can't set up a connection: out of memory");
        return NULL;
    }
    return tls;
}

void sc_tlsbev_free(struct sc_tlsbev *tls)
{
    if (!tls || tls->cycle == SC_TLSBEV_FREED) {
        return;
    }
    sc_loop_free_event(tls->read_event);
    sc_tlsbev_cycle_dequeue(tls);
    if (tls->cycle == SC_TLSBEV_RUNNING) {
        tls->cycle = SC_TLSBEV_FREED;
    } else {
        sc_tlsbev_cycle_destroy(tls);
    }
}

/* --- Writing --- */

static bool can_write(const struct sc_tlsbev *tls)
{
    return tls->phase >= SC_TLSBEV_CONNECTED && tls->output == SC_TLSBEV_OUTPUT_OPEN;
}

static void after_write(struct sc_tlsbev *tls)
{
    struct evbuffer *plain = bufferevent_get_output(tls->filter);
    if (evbuffer_get_length(plain) > 0) {
        /* TLS has refused it. The memory is the caller's, so nothing may stay. */
        evbuffer_drain(plain, evbuffer_get_length(plain));
        sc_tlsbev_io_end(tls, SC_TLSBEV_TLS, 0, 0);
    }
    sc_tlsbev_cycle_soon(tls);
}

void sc_tlsbev_write(struct sc_tlsbev *tls, const void *data, size_t length)
{
    if (length == 0 || !can_write(tls)) {
        return;
    }
    if (evbuffer_add_reference(bufferevent_get_output(tls->filter), data, length, NULL, NULL) !=
        0) {
        sc_tlsbev_io_end(tls, SC_TLSBEV_RESET, ENOMEM, 0);
    }
    after_write(tls);
}

void sc_tlsbev_shutdown(struct sc_tlsbev *tls)
{
    if (!can_write(tls)) {
        return;
    }
    sc_tls_forget_errors();
    (void)SSL_shutdown(tls->ssl);
    sc_tls_forget_errors();
    sc_tlsbev_io_close_output(tls, SC_TLSBEV_OUTPUT_CLOSING);
    sc_tlsbev_cycle_soon(tls);
}

/* --- Reading --- */

void sc_tlsbev_pause(struct sc_tlsbev *tls)
{
    if (!tls->paused) {
        tls->paused = true;
        event_del(tls->read_event);
    }
}

void sc_tlsbev_resume(struct sc_tlsbev *tls)
{
    if (!tls->paused) {
        return;
    }
    tls->paused = false;
    if (tls->input == SC_TLSBEV_INPUT_OPEN || tls->close.end == SC_TLSBEV_CLOSE_NOTIFY) {
        event_add(tls->read_event, NULL);
    }
    if (tls->backlog > 0) {
        sc_tlsbev_cycle_later(tls);
    }
}

void sc_tlsbev_continue_handshake(struct sc_tlsbev *tls)
{
    sc_tlsbev_cycle_continue(tls);
}

bool sc_tlsbev_check_peer(struct sc_tlsbev *tls)
{
    const bool is_there = sc_tlsbev_io_check_peer(tls);
    if (!is_there) {
        sc_tlsbev_cycle_soon(tls);
    }
    return is_there;
}

void sc_tlsbev_again(struct sc_tlsbev *tls)
{
    tls->data |= SC_TLSBEV_ASKED; /* a cycle for another reason comes up to it too */
    sc_tlsbev_cycle_later(tls);
}

/* --- Its state --- */

size_t sc_tlsbev_pending(const struct sc_tlsbev *tls)
{
    return sc_tlsbev_io_pending(tls);
}

bool sc_tlsbev_is_blocked(const struct sc_tlsbev *tls)
{
    return sc_tlsbev_io_is_blocked(tls);
}

uint64_t sc_tlsbev_sent(const struct sc_tlsbev *tls)
{
    return tls->sent;
}

uint64_t sc_tlsbev_received(const struct sc_tlsbev *tls)
{
    return tls->received - tls->backlog;
}

size_t sc_tlsbev_unread(const struct sc_tlsbev *tls)
{
    int unread = 0;
    if (tls->input != SC_TLSBEV_INPUT_OPEN || ioctl(tls->fd, FIONREAD, &unread) != 0) {
        return 0;
    }
    return (size_t)unread + tls->backlog;
}

SSL *sc_tlsbev_ssl(const struct sc_tlsbev *tls)
{
    return tls->ssl;
}

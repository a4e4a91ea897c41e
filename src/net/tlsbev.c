#include "config.h"

#include "net/tlsbev.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sysexits.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <openssl/err.h>

#include "base/pool.h"
#include "net/tlsbev_pair.h"

/* --- How it ends --- */

void sc_tlsbev_pair_end(struct sc_tlsbev *pair, enum sc_tlsbev_end how, int error_number,
                        unsigned long error_code)
{
    if (!pair->ended) {
        pair->ended = true;
        pair->close.end = how;
        pair->close.error_number = error_number;
        pair->close.error_code = error_code;
        pair->broken =
            how == SC_TLSBEV_TLS || how == SC_TLSBEV_RESET || how == SC_TLSBEV_KEY_UPDATES;
    }
}

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

/*
 * The socket takes nothing any more. Whoever waits for the output to leave is told that there is
 * none.
 */
void sc_tlsbev_pair_lose_output(struct sc_tlsbev *pair, int error_number)
{
    struct evbuffer *output = bufferevent_get_output(pair->transport);
    sc_tlsbev_pair_end(pair, SC_TLSBEV_RESET, error_number, 0);
    pair->broken = true;
    sc_tlsbev_pair_ignore_output(pair); /* what is thrown away was not sent */
    evbuffer_unfreeze(output, 1);
    evbuffer_drain(output, evbuffer_get_length(output));
    pair->drained = true;
    sc_tlsbev_pair_queue_soon(pair);
}

/* --- The filter's callbacks only take notes; a turn acts on them --- */

void sc_tlsbev_pair_want_turn(struct sc_tlsbev *pair)
{
    if (!pair->in_turn) {
        sc_tlsbev_pair_queue_soon(pair);
    }
}

static void on_filter_readable(struct bufferevent *filter, void *arg)
{
    struct sc_tlsbev *pair = arg;
    (void)filter;
    pair->has_data = true;
    sc_tlsbev_pair_want_turn(pair);
}

static void on_filter_event(struct bufferevent *filter, short what, void *arg)
{
    struct sc_tlsbev *pair = arg;
    const int errnum = EVUTIL_SOCKET_ERROR();
    const bool is_error = (what & BEV_EVENT_ERROR) != 0;
    if (what & BEV_EVENT_CONNECTED) {
        pair->connected = true;
        if (pair->fd < 0) {
            /*
             * Not earlier: reading before the handshake is done would let SSL_read() finish it
             * behind the filter's back.
             */
            bufferevent_enable(filter, EV_READ);
        }
    }
    if (is_error && (what & BEV_EVENT_WRITING) != 0 && errnum != 0 && pair->blocked) {
        sc_tlsbev_pair_lose_output(pair, errnum);
    } else if (is_error) {
        const unsigned long code = take_error_code(filter);
        if (code != 0) {
            sc_tlsbev_pair_end(pair, SC_TLSBEV_TLS, 0, code);
        } else if ((what & (BEV_EVENT_READING | BEV_EVENT_WRITING)) != 0 && errnum != 0) {
            sc_tlsbev_pair_end(pair, SC_TLSBEV_RESET, errnum, 0);
        } else {
            sc_tlsbev_pair_end(pair, SC_TLSBEV_EOF, 0,
                               0); /* the transport ended without close_notify */
        }
    } else if (what & BEV_EVENT_EOF) {
        sc_tlsbev_pair_end(pair, SC_TLSBEV_CLOSE_NOTIFY, 0, 0);
    }
    sc_tlsbev_pair_want_turn(pair);
}

/* The transport's output changed. Runs inside the evbuffer: only notes. */
static void on_transport_output(struct evbuffer *output, const struct evbuffer_cb_info *info,
                                void *arg)
{
    struct sc_tlsbev *pair = arg;
    pair->sent += info->n_deleted;
    if (info->n_deleted > 0 && evbuffer_get_length(output) == 0) {
        pair->drained = true;
        sc_tlsbev_pair_want_turn(pair);
    }
}

bool sc_tlsbev_pair_watch_output(struct sc_tlsbev *pair)
{
    if (!pair->output_cb) {
        pair->output_cb =
            evbuffer_add_cb(bufferevent_get_output(pair->transport), on_transport_output, pair);
    }
    return pair->output_cb != NULL;
}

void sc_tlsbev_pair_ignore_output(struct sc_tlsbev *pair)
{
    if (pair->output_cb) {
        evbuffer_remove_cb_entry(bufferevent_get_output(pair->transport), pair->output_cb);
        pair->output_cb = NULL;
    }
}

/* --- Life --- */

static void on_socket_readable(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    sc_tlsbev_pair_turn(arg, true);
}

/* Everything but the descriptor. Takes over `transport` and `ssl` in every case. */
static struct sc_tlsbev *new_pair(struct sc_tlsbev_shared *shared, struct bufferevent *transport,
                                  SSL *ssl, bool server,
                                  const struct sc_tlsbev_callbacks *callbacks, void *arg)
{
    struct sc_tlsbev *pair = sc_pool_calloc(sizeof(*pair));
    if (!pair) {
        goto no_pair;
    }
    pair->shared = shared;
    pair->transport = transport;
    pair->ssl = ssl;
    pair->callbacks = callbacks;
    pair->arg = arg;
    pair->fd = -1;
    const enum bufferevent_ssl_state state =
        server ? BUFFEREVENT_SSL_ACCEPTING : BUFFEREVENT_SSL_CONNECTING;
    pair->filter =
        bufferevent_openssl_filter_new(shared->base, transport, ssl, state, BEV_OPT_CLOSE_ON_FREE);
    if (!pair->filter) {
        ssl = NULL; /* libevent has freed it */
        goto no_pair;
    }
    bufferevent_setcb(pair->filter, on_filter_readable, NULL, on_filter_event, pair);
    return pair;

no_pair:
    sc_pool_free(pair);
    SSL_free(ssl);
    bufferevent_free(transport);
    return NULL;
}

static void on_nothing(void *arg)
{
    (void)arg;
}

int sc_tlsbev_library_init(SSL_CTX *context, struct sc_err *err)
{
    static const struct sc_tlsbev_callbacks none = {.on_connected = on_nothing};
    int result = -1;
    struct event_base *base = event_base_new();
    struct sc_tlsbev_shared *shared = base ? sc_tlsbev_shared_new(base, 0) : NULL;
    struct bufferevent *transport =
        shared ? bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE) : NULL;
    SSL *ssl = SSL_new(context);
    if (transport && ssl) {
        struct sc_tlsbev *pair = new_pair(shared, transport, ssl, true, &none, NULL);
        result = pair ? 0 : -1;
        sc_tlsbev_free(pair);
    } else {
        SSL_free(ssl);
        if (transport) {
            bufferevent_free(transport);
        }
    }
    if (base) {
        event_base_loop(base, EVLOOP_NONBLOCK);
        sc_tlsbev_shared_free(shared);
        event_base_free(base);
    }
    return result == 0
               ? 0
               : sc_err_set(err, EX_OSERR, "cannot set up libevent's TLS filter: out of memory");
}

/*
 * Watches the socket with an event of ours, takes the buffers of the transport over, and starts
 * the handshake. False: out of memory.
 */
static bool take_socket(struct sc_tlsbev *pair, evutil_socket_t fd)
{
    struct bufferevent *transport = pair->transport;
    pair->read_event =
        event_new(pair->shared->base, fd, EV_READ | EV_PERSIST, on_socket_readable, pair);
    if (!pair->read_event || event_add(pair->read_event, NULL) != 0) {
        return false;
    }
    bufferevent_disable(transport, EV_READ | EV_WRITE);
    bufferevent_set_max_single_write(transport, 256 << 10);
    bufferevent_setcb(pair->filter, NULL, NULL, on_filter_event, pair); /* we decrypt */
    evbuffer_unfreeze(bufferevent_get_input(transport), 0); /* it is us who fill and empty them, */
    evbuffer_unfreeze(bufferevent_get_output(transport), 1); /* not the transport */
    pair->fd = fd;
    pair->in_turn = true;
    bufferevent_setfd(pair->filter,
                      fd); /* starts the handshake; what that returns is libevent's own business */
    const bool taken = bufferevent_getfd(transport) == fd;
    if (taken) {
        sc_tlsbev_pair_flush(pair);
    }
    pair->in_turn = false;
    return taken;
}

struct sc_tlsbev *sc_tlsbev_new(struct sc_tlsbev_shared *shared, evutil_socket_t fd, SSL *ssl,
                                bool server, const struct sc_tlsbev_callbacks *callbacks, void *arg,
                                struct sc_err *err)
{
    /*
     * Without a descriptor at first: making the filter enables the transport's events, which would
     * be three epoll_ctl(2) for nothing.
     */
    struct bufferevent *transport = bufferevent_socket_new(shared->base, -1, BEV_OPT_CLOSE_ON_FREE);
    struct sc_tlsbev *pair = NULL;
    if (transport) {
        pair = new_pair(shared, transport, ssl, server, callbacks, arg);
    } else {
        SSL_free(ssl);
    }
    if (!pair || !take_socket(pair, fd)) {
        sc_tlsbev_free(pair);
        (void)evutil_closesocket(fd);
        (void)sc_err_set(err, EX_OSERR, "cannot set up a connection: out of memory");
        return NULL;
    }
    pair->admitted = callbacks->on_hello == NULL;
    if (pair->ended) {
        sc_tlsbev_pair_want_turn(pair);
    }
    return pair;
}

struct sc_tlsbev *sc_tlsbev_new_over(struct sc_tlsbev_shared *shared, struct bufferevent *transport,
                                     SSL *ssl, bool server,
                                     const struct sc_tlsbev_callbacks *callbacks, void *arg,
                                     struct sc_err *err)
{
    struct sc_tlsbev *pair = new_pair(shared, transport, ssl, server, callbacks, arg);
    if (pair && !sc_tlsbev_pair_watch_output(pair)) {
        sc_tlsbev_free(pair);
        pair = NULL;
    }
    if (!pair) {
        (void)sc_err_set(err, EX_OSERR, "cannot set up a connection: out of memory");
        return NULL;
    }
    bufferevent_setwatermark(transport, EV_READ, 0,
                             shared->size); /* after the filter, which resets it */
    bufferevent_trigger(transport, EV_READ, BEV_TRIG_IGNORE_WATERMARKS); /* starts the handshake */
    return pair;
}

void sc_tlsbev_free(struct sc_tlsbev *pair)
{
    if (!pair || pair->freed) {
        return;
    }
    pair->freed = true;
    if (pair->read_event) {
        event_free(pair->read_event);
    }
    sc_tlsbev_pair_leave_queue(pair);
    if (!pair->in_turn) {
        sc_tlsbev_pair_destroy(pair);
    }
}

/* --- The owner's side --- */

static bool can_write(const struct sc_tlsbev *pair)
{
    return pair->connected && !pair->broken && !pair->shutdown_asked;
}

static void after_write(struct sc_tlsbev *pair)
{
    struct evbuffer *plain = bufferevent_get_output(pair->filter);
    if (evbuffer_get_length(plain) > 0) {
        /*
         * TLS has refused it and the connection is lost; the memory is the caller's, so nothing
         * may stay behind.
         */
        evbuffer_drain(plain, evbuffer_get_length(plain));
        sc_tlsbev_pair_end(pair, SC_TLSBEV_TLS, 0, 0);
    }
    sc_tlsbev_pair_want_turn(pair);
}

void sc_tlsbev_write(struct sc_tlsbev *pair, const void *data, size_t length)
{
    if (length == 0 || !can_write(pair)) {
        return;
    }
    if (evbuffer_add_reference(bufferevent_get_output(pair->filter), data, length, NULL, NULL) !=
        0) {
        sc_tlsbev_pair_end(pair, SC_TLSBEV_RESET, ENOMEM, 0);
    }
    after_write(pair);
}

void sc_tlsbev_write_buffer(struct sc_tlsbev *pair, struct evbuffer *data)
{
    if (evbuffer_get_length(data) == 0) {
        return;
    }
    if (!can_write(pair)) {
        evbuffer_drain(data, evbuffer_get_length(data));
        return;
    }
    bufferevent_write_buffer(pair->filter, data);
    after_write(pair);
}

size_t sc_tlsbev_pending(const struct sc_tlsbev *pair)
{
    return evbuffer_get_length(bufferevent_get_output(pair->transport));
}

bool sc_tlsbev_is_blocked(const struct sc_tlsbev *pair)
{
    return pair->blocked;
}

uint64_t sc_tlsbev_sent(const struct sc_tlsbev *pair)
{
    return pair->sent;
}

uint64_t sc_tlsbev_received(const struct sc_tlsbev *pair)
{
    return pair->received;
}

void sc_tlsbev_pause(struct sc_tlsbev *pair)
{
    if (pair->paused) {
        return;
    }
    pair->paused = true;
    if (pair->read_event) {
        event_del(pair->read_event);
    } else {
        bufferevent_disable(pair->transport, EV_READ);
    }
}

void sc_tlsbev_resume(struct sc_tlsbev *pair)
{
    if (!pair->paused) {
        return;
    }
    pair->paused = false;
    if (!pair->read_event) {
        bufferevent_enable(pair->transport, EV_READ);
    } else if (!pair->ended || pair->close.end == SC_TLSBEV_CLOSE_NOTIFY) {
        event_add(pair->read_event, NULL);
    }
}

void sc_tlsbev_admit(struct sc_tlsbev *pair)
{
    pair->admitted = true;
    pair->in_turn = true;
    (void)sc_tlsbev_pair_decrypt(pair);
    sc_tlsbev_pair_turn(pair, false);
}

size_t sc_tlsbev_unread(const struct sc_tlsbev *pair)
{
    int unread = 0;
    return pair->fd >= 0 && !pair->ended && ioctl(pair->fd, FIONREAD, &unread) == 0 && unread > 0
               ? (size_t)unread
               : 0;
}

void sc_tlsbev_again(struct sc_tlsbev *pair)
{
    pair->asked = true; /* a turn for another reason comes up to it too */
    sc_tlsbev_pair_queue_later(pair);
}

void sc_tlsbev_shutdown(struct sc_tlsbev *pair)
{
    if (!can_write(pair)) {
        return;
    }
    ERR_clear_error();
    (void)SSL_shutdown(pair->ssl);
    ERR_clear_error();
    pair->shutdown_asked = true;
    sc_tlsbev_pair_want_turn(pair);
}

SSL *sc_tlsbev_ssl(const struct sc_tlsbev *pair)
{
    return pair->ssl;
}

evutil_socket_t sc_tlsbev_fd(const struct sc_tlsbev *pair)
{
    return pair->fd;
}

bool sc_tlsbev_is_connected(const struct sc_tlsbev *pair)
{
    return pair->connected;
}

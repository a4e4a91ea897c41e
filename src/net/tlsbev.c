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

#include "tls/watch.h"

/*
 * Two ways to move ciphertext:
 *
 * over a socket (transport_is_socket): our own read event does one recv(2) into the scratch memory of the thread, lends it to the socket
 *   bufferevent's input, and triggers the filter, which decrypts all of it before the call returns. Output is flushed with one writev(2) at
 *   the end of the turn. Only when the socket is full does the socket bufferevent get EV_WRITE, until it has drained.
 * over anything else: libevent's own callbacks move the bytes; only the turns are ours.
 *
 * No write high-water mark is ever set on the transport: SSL_write then never blocks, so the filter's own output is always empty, data can
 * be encrypted straight from the caller's memory, and what is pending is in one place. The owner bounds it: it sees sc_tlsbev_pending()
 * and stops reading.
 */
struct sc_tlsbev {
    struct bufferevent               *filter, *transport;
    SSL                              *ssl;
    struct event                     *read_event; /* NULL when the transport is no socket */
    struct event                     *turn_event; /* no descriptor: activated, or a timeout of 0 */
    struct evbuffer_cb_entry         *output_cb;
    struct sc_tlsbev_scratch         *scratch;
    const struct sc_tlsbev_callbacks *callbacks;
    void                             *arg;
    uint64_t                          sent, received;
    struct sc_tlsbev_close            close;
    evutil_socket_t                   fd;
    bool                              connected;      /* the handshake is done */
    bool                              connected_told; /* ... and the owner knows */
    bool                              ended;          /* `close` is valid */
    bool                              ended_told;
    bool                              blocked;        /* the transport's EV_WRITE is at work */
    bool                              drained;        /* it has finished, the owner does not know yet */
    bool                              has_data;       /* decrypted bytes arrived in this turn */
    bool                              may_hold_chain; /* the filter tried to read: an empty chain may be left in its input */
    bool                              asked;          /* sc_tlsbev_again() */
    bool                              in_turn, freed;
    bool                              paused;
    bool                              admitted; /* on_hello has let the handshake begin, or there is none */
    bool                              broken;   /* nothing can be written */
    bool                              shutdown_asked, write_side_shut;
};

#define READ_AHEAD_BYTES 4096U

struct sc_tlsbev_scratch {
    size_t  size;
    uint8_t bytes[];
};

struct sc_tlsbev_scratch *sc_tlsbev_scratch_new(size_t size)
{
    struct sc_tlsbev_scratch *scratch = malloc(sizeof(*scratch) + size);
    if (scratch) {
        scratch->size = size;
    }
    return scratch;
}

void sc_tlsbev_scratch_free(struct sc_tlsbev_scratch *scratch)
{
    free(scratch);
}

/* --- How it ends --- */

static void end(struct sc_tlsbev *pair, enum sc_tlsbev_end how, int error_number, unsigned long error_code)
{
    if (!pair->ended) {
        pair->ended              = true;
        pair->close.end          = how;
        pair->close.error_number = error_number;
        pair->close.error_code   = error_code;
        pair->broken             = how == SC_TLSBEV_TLS || how == SC_TLSBEV_RESET || how == SC_TLSBEV_KEY_UPDATES;
    }
}

/* libevent keeps the queue newest first, and its own SSL_get_error() value at the bottom as if it were a code. */
static unsigned long take_error_code(struct bufferevent *filter)
{
    const unsigned long largest_ssl_get_error = 16;
    unsigned long       first                 = 0, code;
    while ((code = bufferevent_get_openssl_error(filter)) != 0) {
        if (code >= largest_ssl_get_error) {
            first = code;
        }
    }
    return first;
}

/* The socket takes nothing any more. Whoever waits for the output to leave is told that there is none. */
static void lose_output(struct sc_tlsbev *pair, int error_number)
{
    struct evbuffer *output = bufferevent_get_output(pair->transport);
    end(pair, SC_TLSBEV_RESET, error_number, 0);
    pair->broken = true;
    evbuffer_cb_clear_flags(output, pair->output_cb, EVBUFFER_CB_ENABLED); /* what is thrown away was not sent */
    evbuffer_unfreeze(output, 1);
    evbuffer_drain(output, evbuffer_get_length(output));
    evbuffer_freeze(output, 1);
    pair->drained = true;
    event_active(pair->turn_event, EV_WRITE, 1);
}

/* --- The filter's callbacks only take notes; a turn acts on them --- */

static void want_turn(struct sc_tlsbev *pair)
{
    if (!pair->in_turn) {
        event_active(pair->turn_event, EV_WRITE, 1);
    }
}

static void on_filter_readable(struct bufferevent *filter, void *arg)
{
    struct sc_tlsbev *pair = arg;
    (void)filter;
    pair->has_data = true;
    want_turn(pair);
}

static void on_filter_event(struct bufferevent *filter, short what, void *arg)
{
    struct sc_tlsbev *pair     = arg;
    const int         errnum   = EVUTIL_SOCKET_ERROR();
    const bool        is_error = (what & BEV_EVENT_ERROR) != 0;
    if (what & BEV_EVENT_CONNECTED) {
        pair->connected = true;
        if (pair->fd < 0) {
            /* Not earlier: reading before the handshake is done would let SSL_read() finish it behind the filter's back. */
            bufferevent_enable(filter, EV_READ);
        }
    }
    if (is_error && (what & BEV_EVENT_WRITING) != 0 && errnum != 0 && pair->blocked) {
        lose_output(pair, errnum);
    } else if (is_error) {
        const unsigned long code = take_error_code(filter);
        if (code != 0) {
            end(pair, SC_TLSBEV_TLS, 0, code);
        } else if ((what & (BEV_EVENT_READING | BEV_EVENT_WRITING)) != 0 && errnum != 0) {
            end(pair, SC_TLSBEV_RESET, errnum, 0);
        } else {
            end(pair, SC_TLSBEV_EOF, 0, 0); /* the transport ended without close_notify */
        }
    } else if (what & BEV_EVENT_EOF) {
        end(pair, SC_TLSBEV_CLOSE_NOTIFY, 0, 0);
    }
    want_turn(pair);
}

/* The transport's output changed while the transport itself writes. Runs inside the evbuffer: only notes. */
static void on_transport_output(struct evbuffer *output, const struct evbuffer_cb_info *info, void *arg)
{
    struct sc_tlsbev *pair = arg;
    pair->sent += info->n_deleted;
    if (info->n_deleted > 0 && evbuffer_get_length(output) == 0) {
        pair->drained = true;
        want_turn(pair);
    }
}

/* --- Moving ciphertext --- */

/* Bytes that the filter did not take while they were lent would be overwritten by the next read: make them the buffer's own. */
static void keep_lent_bytes(struct evbuffer *input)
{
    const size_t left = evbuffer_get_length(input);
    uint8_t     *copy = malloc(left);
    if (copy) {
        evbuffer_remove(input, copy, left);
        evbuffer_add(input, copy, left);
        free(copy);
    } else {
        evbuffer_drain(input, left); /* the record layer notices */
    }
}

/*
 * libevent reads records until SSL_read() finds nothing, and finding nothing costs as much as a small record: a record buffer, an error to
 * fetch, an error queue to clear. So reading is switched off by the first bytes that a record yields, and on again while ciphertext is
 * left.
 */
static void on_plaintext(struct evbuffer *input, const struct evbuffer_cb_info *info, void *arg)
{
    struct sc_tlsbev *pair = arg;
    (void)input;
    if (info->n_added > 0) {
        bufferevent_disable(pair->filter, EV_READ);
    }
}

static void run_filter(struct sc_tlsbev *pair)
{
    struct evbuffer *input = bufferevent_get_input(pair->transport);
    struct evbuffer *plain = bufferevent_get_input(pair->filter);
    if (!pair->connected) {
        bufferevent_trigger(pair->transport, EV_READ, BEV_TRIG_IGNORE_WATERMARKS); /* goes on with the handshake */
    }
    while (pair->connected && !pair->ended && (evbuffer_get_length(input) > 0 || SSL_has_pending(pair->ssl))) {
        const size_t left = evbuffer_get_length(input);
        const size_t had  = evbuffer_get_length(plain);
        bufferevent_enable(pair->filter, EV_READ);
        if (evbuffer_get_length(input) == left && evbuffer_get_length(plain) == had) {
            break; /* the rest is a part of a record */
        }
    }
    pair->may_hold_chain = !pair->has_data;
}

/* What the scratch memory holds beyond what on_hello has kept before. */
static bool ask_admission(struct sc_tlsbev *pair, size_t length)
{
    struct evbuffer *input = bufferevent_get_input(pair->transport);
    const size_t     kept  = evbuffer_get_length(input);
    if (kept == 0) {
        pair->admitted = pair->callbacks->on_hello(pair->arg, pair->scratch->bytes, length);
        if (pair->admitted) {
            return true;
        }
    }
    evbuffer_unfreeze(input, 0);
    const int failed = evbuffer_add(input, pair->scratch->bytes, length);
    evbuffer_freeze(input, 0);
    if (failed) {
        end(pair, SC_TLSBEV_RESET, ENOMEM, 0);
    } else if (kept > 0 && pair->callbacks->on_hello(pair->arg, evbuffer_pullup(input, -1), kept + length)) {
        pair->admitted = true;
        run_filter(pair);
    }
    return false;
}

static void decrypt(struct sc_tlsbev *pair, size_t length)
{
    struct evbuffer *input = bufferevent_get_input(pair->transport);
    evbuffer_unfreeze(input, 0);
    if (evbuffer_add_reference(input, pair->scratch->bytes, length, NULL, NULL) != 0) {
        end(pair, SC_TLSBEV_RESET, ENOMEM, 0);
    } else {
        /* Small records in one BIO_read() each; with large ones OpenSSL would move what it has read ahead. */
        SSL_set_read_ahead(pair->ssl, length < READ_AHEAD_BYTES);
        run_filter(pair);
    }
    if (evbuffer_get_length(input) > 0) {
        keep_lent_bytes(input);
    }
    evbuffer_freeze(input, 0);
}

/* OpenSSL 3.0 takes any number of KeyUpdates, and each costs a derivation and, if the peer asks, a reply. */
static void check_key_updates(struct sc_tlsbev *pair)
{
    const struct sc_tls_watch *watch = SSL_get_app_data(pair->ssl);
    if (watch && watch->key_updates > SC_TLS_MAX_KEY_UPDATES + (pair->received >> 20)) {
        end(pair, SC_TLSBEV_KEY_UPDATES, 0, 0);
    }
}

static void read_socket(struct sc_tlsbev *pair)
{
    const ssize_t got = recv(pair->fd, pair->scratch->bytes, pair->scratch->size, 0);
    if (got > 0) {
        pair->received += (uint64_t)got;
        if (!pair->connected) {
            struct sc_tls_watch *watch = SSL_get_app_data(pair->ssl);
            if (watch) {
                sc_tls_watch_first_bytes(watch, pair->scratch->bytes, (size_t)got);
            }
        }
        /* Behind the end of the TLS stream there is nothing to decrypt; it is read so that closing does not send a RST. */
        if (!pair->ended && (pair->admitted || ask_admission(pair, (size_t)got))) {
            decrypt(pair, (size_t)got);
            check_key_updates(pair);
        }
    } else if (got == 0) {
        event_del(pair->read_event);
        end(pair, SC_TLSBEV_EOF, 0, 0);
    } else if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) {
        event_del(pair->read_event);
        end(pair, SC_TLSBEV_RESET, errno, 0);
    }
}

/*
 * SSL_read() is offered memory before it says that there is nothing to read, and libevent leaves that 8 KiB chain in the input: for an idle
 * connection half of what it costs. Draining a buffer to empty frees every chain, but a buffer that is empty already drains nothing.
 */
static void give_back_empty_chain(struct sc_tlsbev *pair)
{
    struct evbuffer *input = bufferevent_get_input(pair->filter);
    if (pair->may_hold_chain && evbuffer_get_length(input) == 0) {
        evbuffer_add(input, "", 1);
        evbuffer_drain(input, 1);
    }
    pair->may_hold_chain = false;
}

static void shut_write_side(struct sc_tlsbev *pair)
{
    if (pair->shutdown_asked && !pair->write_side_shut && sc_tlsbev_pending(pair) == 0) {
        pair->write_side_shut = true;
        if (pair->fd >= 0 && !pair->ended) {
            (void)shutdown(pair->fd, SHUT_WR);
        }
        pair->drained = true;
    }
}

/* Mostly there is one piece, and send(2) costs less than writev(2). */
static ssize_t write_output(struct sc_tlsbev *pair, struct evbuffer *output)
{
    struct evbuffer_iovec pieces[2];
    ssize_t               written;
    evbuffer_unfreeze(output, 1);
    if (evbuffer_peek(output, -1, NULL, pieces, 2) == 1) {
        written = send(pair->fd, pieces[0].iov_base, pieces[0].iov_len, MSG_NOSIGNAL);
        if (written > 0) {
            evbuffer_drain(output, (size_t)written);
        }
    } else {
        written = evbuffer_write(output, pair->fd);
    }
    evbuffer_freeze(output, 1);
    return written;
}

static void flush(struct sc_tlsbev *pair)
{
    struct evbuffer *output = bufferevent_get_output(pair->transport);
    if (pair->fd < 0 || pair->blocked || evbuffer_get_length(output) == 0) {
        return;
    }
    const ssize_t written = write_output(pair, output);
    if (written > 0) {
        pair->sent += (uint64_t)written;
    } else if (written < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR && errno != ENOTCONN) {
        lose_output(pair, errno);
        return;
    }
    if (evbuffer_get_length(output) > 0) {
        pair->blocked = true;
        evbuffer_cb_set_flags(output, pair->output_cb, EVBUFFER_CB_ENABLED);
        bufferevent_enable(pair->transport, EV_WRITE);
    }
}

static void unblock(struct sc_tlsbev *pair)
{
    if (pair->blocked && pair->drained) {
        pair->blocked = false;
        evbuffer_cb_clear_flags(bufferevent_get_output(pair->transport), pair->output_cb, EVBUFFER_CB_ENABLED);
        bufferevent_disable(pair->transport, EV_WRITE); /* else every append would cost two epoll_ctl(2) */
    }
}

/* --- Turns --- */

static void destroy(struct sc_tlsbev *pair)
{
    bufferevent_setcb(pair->filter, NULL, NULL, NULL, NULL);
    evbuffer_remove_cb_entry(bufferevent_get_output(pair->transport), pair->output_cb);
    SSL_set_app_data(pair->ssl, NULL); /* libevent frees the SSL later, when the owner's memory may be gone */
    bufferevent_free(pair->filter);    /* frees the transport and the SSL, closes the socket, in the next pass of the loop */
    free(pair);
}

static void deliver_drained(struct sc_tlsbev *pair)
{
    if (pair->drained && !pair->freed) {
        pair->drained = false;
        if (pair->connected_told) {
            pair->callbacks->on_drained(pair->arg);
        }
    }
}

static void deliver(struct sc_tlsbev *pair)
{
    if (pair->connected && !pair->connected_told && !pair->freed) {
        pair->connected_told = true;
        pair->callbacks->on_connected(pair->arg);
    }
    if ((pair->has_data || pair->asked) && pair->connected_told && !pair->freed) {
        pair->has_data = pair->asked = false;
        pair->callbacks->on_data(pair->arg, bufferevent_get_input(pair->filter));
    }
    deliver_drained(pair);
}

static void deliver_end(struct sc_tlsbev *pair)
{
    if (pair->ended && !pair->ended_told) {
        pair->ended_told = true;
        pair->callbacks->on_closed(pair->arg, &pair->close);
    }
}

static void turn(struct sc_tlsbev *pair, bool readable)
{
    pair->in_turn = true;
    if (readable) {
        read_socket(pair);
    }
    unblock(pair);
    deliver(pair);
    if (!pair->freed) {
        flush(pair); /* before on_closed: an alert of ours must leave even if the owner frees the pair there */
        deliver_end(pair);
    }
    if (!pair->freed) {
        flush(pair);
        shut_write_side(pair);
        deliver_drained(pair); /* when the last has left */
    }
    if (pair->freed) {
        destroy(pair);
        return;
    }
    give_back_empty_chain(pair);
    pair->in_turn = false;
}

static void on_socket_readable(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    turn(arg, true);
}

static void on_turn_event(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    turn(arg, false);
}

/* --- Life ------------------------------------------------------------------------------------------------------------------------------
 */

/* Everything but the descriptor. Takes over `transport` and `ssl` in every case. */
static struct sc_tlsbev *new_pair(struct event_base *base, struct sc_tlsbev_scratch *scratch, struct bufferevent *transport, SSL *ssl,
                                  bool server, const struct sc_tlsbev_callbacks *callbacks, void *arg)
{
    struct sc_tlsbev *pair = calloc(1, sizeof(*pair));
    if (!pair) {
        goto no_pair;
    }
    pair->scratch    = scratch;
    pair->transport  = transport;
    pair->ssl        = ssl;
    pair->callbacks  = callbacks;
    pair->arg        = arg;
    pair->fd         = -1;
    pair->turn_event = event_new(base, -1, 0, on_turn_event, pair);
    if (!pair->turn_event) {
        goto no_pair;
    }
    const enum bufferevent_ssl_state state = server ? BUFFEREVENT_SSL_ACCEPTING : BUFFEREVENT_SSL_CONNECTING;
    pair->filter                           = bufferevent_openssl_filter_new(base, transport, ssl, state, BEV_OPT_CLOSE_ON_FREE);
    if (!pair->filter) {
        ssl = NULL; /* libevent has freed it */
        goto no_pair;
    }
    bufferevent_setcb(pair->filter, on_filter_readable, NULL, on_filter_event, pair);
    pair->output_cb = evbuffer_add_cb(bufferevent_get_output(transport), on_transport_output, pair);
    if (!pair->output_cb) {
        event_free(pair->turn_event);
        bufferevent_free(pair->filter);
        free(pair);
        return NULL;
    }
    return pair;

no_pair:
    if (pair && pair->turn_event) {
        event_free(pair->turn_event);
    }
    free(pair);
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
    static const struct sc_tlsbev_callbacks none      = {.on_connected = on_nothing};
    int                                     result    = -1;
    struct event_base                      *base      = event_base_new();
    struct bufferevent                     *transport = base ? bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE) : NULL;
    SSL                                    *ssl       = SSL_new(context);
    if (transport && ssl) {
        struct sc_tlsbev *pair = new_pair(base, NULL, transport, ssl, true, &none, NULL);
        result                 = pair ? 0 : -1;
        sc_tlsbev_free(pair);
    } else {
        SSL_free(ssl);
    }
    if (base) {
        event_base_loop(base, EVLOOP_NONBLOCK);
        event_base_free(base);
    }
    return result == 0 ? 0 : sc_err_set(err, EX_OSERR, "cannot set up libevent's TLS filter: out of memory");
}

struct sc_tlsbev *sc_tlsbev_new(struct event_base *base, struct sc_tlsbev_scratch *scratch, evutil_socket_t fd, SSL *ssl, bool server,
                                const struct sc_tlsbev_callbacks *callbacks, void *arg, struct sc_err *err)
{
    /* Without a descriptor at first: making the filter enables the transport's events, which would be three epoll_ctl(2) for nothing. */
    struct bufferevent *transport = bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);
    struct sc_tlsbev   *pair      = NULL;
    if (transport) {
        pair = new_pair(base, scratch, transport, ssl, server, callbacks, arg);
    } else {
        SSL_free(ssl);
    }
    if (pair) {
        pair->read_event = event_new(base, fd, EV_READ | EV_PERSIST, on_socket_readable, pair);
        if (!pair->read_event || event_add(pair->read_event, NULL) != 0) {
            sc_tlsbev_free(pair);
            pair = NULL;
        }
    }
    if (!pair) {
        (void)evutil_closesocket(fd);
        (void)sc_err_set(err, EX_OSERR, "cannot set up a connection: out of memory");
        return NULL;
    }
    bufferevent_disable(transport, EV_READ | EV_WRITE);
    bufferevent_set_max_single_write(transport, 256 << 10);
    evbuffer_cb_clear_flags(bufferevent_get_output(transport), pair->output_cb, EVBUFFER_CB_ENABLED);
    if (!evbuffer_add_cb(bufferevent_get_input(pair->filter), on_plaintext, pair)) {
        sc_tlsbev_free(pair);
        (void)evutil_closesocket(fd);
        (void)sc_err_set(err, EX_OSERR, "cannot set up a connection: out of memory");
        return NULL;
    }
    pair->fd       = fd;
    pair->admitted = callbacks->on_hello == NULL;
    pair->in_turn  = true;
    bufferevent_setfd(pair->filter, fd); /* starts the handshake */
    flush(pair);
    pair->in_turn = false;
    if (pair->ended) {
        want_turn(pair);
    }
    return pair;
}

struct sc_tlsbev *sc_tlsbev_new_over(struct event_base *base, struct sc_tlsbev_scratch *scratch, struct bufferevent *transport, SSL *ssl,
                                     bool server, const struct sc_tlsbev_callbacks *callbacks, void *arg, struct sc_err *err)
{
    struct sc_tlsbev *pair = new_pair(base, scratch, transport, ssl, server, callbacks, arg);
    if (!pair) {
        (void)sc_err_set(err, EX_OSERR, "cannot set up a connection: out of memory");
        return NULL;
    }
    bufferevent_setwatermark(transport, EV_READ, 0, scratch->size);      /* after the filter, which resets it */
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
    event_free(pair->turn_event);
    if (!pair->in_turn) {
        destroy(pair);
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
        /* TLS has refused it and the connection is lost; the memory is the caller's, so nothing may stay behind. */
        evbuffer_drain(plain, evbuffer_get_length(plain));
        end(pair, SC_TLSBEV_TLS, 0, 0);
    }
    want_turn(pair);
}

void sc_tlsbev_write(struct sc_tlsbev *pair, const void *data, size_t length)
{
    if (length == 0 || !can_write(pair)) {
        return;
    }
    if (evbuffer_add_reference(bufferevent_get_output(pair->filter), data, length, NULL, NULL) != 0) {
        end(pair, SC_TLSBEV_RESET, ENOMEM, 0);
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
    pair->in_turn  = true;
    run_filter(pair);
    turn(pair, false);
}

bool sc_tlsbev_has_unread(const struct sc_tlsbev *pair)
{
    int unread = 0;
    return pair->fd >= 0 && !pair->ended && ioctl(pair->fd, FIONREAD, &unread) == 0 && unread > 0;
}

void sc_tlsbev_again(struct sc_tlsbev *pair)
{
    /* The flag, because a turn for another reason takes the timeout away. */
    const struct timeval now = {0, 0};
    pair->asked              = true;
    event_add(pair->turn_event, &now);
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
    want_turn(pair);
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

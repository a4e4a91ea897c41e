#include "config.h"

#include "net/tlsbev_pair.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <openssl/err.h>

#include "base/pool.h"
#include "tls/watch.h"

#define READ_AHEAD_BYTES 4096U

/* --- Moving ciphertext --- */

/*
 * Bytes that were not taken while they were lent would be overwritten by the next read: make them
 * the buffer's own.
 */
static void keep_lent_bytes(struct evbuffer *input)
{
    const size_t left = evbuffer_get_length(input);
    uint8_t *copy = malloc(left);
    if (copy) {
        evbuffer_remove(input, copy, left);
        evbuffer_add(input, copy, left);
        free(copy);
    } else {
        evbuffer_drain(input, left); /* the record layer notices */
    }
}

/*
 * SSL_read() has given nothing: the rest is a part of a record, or the input has ended. Only
 * SSL_get_error() knows, and only when the error queue was empty before: SSL_want_read() stays true
 * when OpenSSL fails within a fragmented handshake message.
 */
static void note_no_plaintext(struct sc_tlsbev *pair, int result)
{
    switch (SSL_get_error(pair->ssl, result)) {
    case SSL_ERROR_WANT_READ: return;
    case SSL_ERROR_ZERO_RETURN: sc_tlsbev_pair_end(pair, SC_TLSBEV_CLOSE_NOTIFY, 0, 0); break;
    default: sc_tlsbev_pair_end(pair, SC_TLSBEV_TLS, 0, ERR_peek_error()); break;
    }
    ERR_clear_error();
}

/*
 * One record, as long as `room`, into the filter's input: into what is left of its last chain and
 * into another one, since a chain of libevent's holds a record and a half or so. False: there was
 * none.
 */
static bool decrypt_record(struct sc_tlsbev *pair, size_t *room)
{
    struct evbuffer *plain = bufferevent_get_input(pair->filter);
    struct evbuffer_iovec space[2];
    const size_t size = *room < SSL3_RT_MAX_PLAIN_LENGTH ? *room : SSL3_RT_MAX_PLAIN_LENGTH;
    const int pieces = evbuffer_reserve_space(plain, (ev_ssize_t)size, space, 2);
    int filled = 0, got;
    if (pieces < 1) {
        sc_tlsbev_pair_end(pair, SC_TLSBEV_RESET, ENOMEM, 0);
        return false;
    }
    do {
        if (ERR_peek_error() != 0) {
            ERR_clear_error(); /* another call's */
        }
        got = SSL_read(pair->ssl, space[filled].iov_base, (int)space[filled].iov_len);
        if (got <= 0) {
            pair->holds_chain = true;
            note_no_plaintext(pair, got);
            break;
        }
        space[filled++].iov_len = (size_t)got;
        *room -= (size_t)got;
    } while (filled < pieces && SSL_pending(pair->ssl) > 0);
    if (filled > 0) {
        evbuffer_commit_space(plain, space, filled);
        pair->has_data = true;
    }
    return got > 0;
}

/*
 * libevent's own reading goes on until SSL_read() finds nothing, and finding nothing costs as much
 * as a small record: a record buffer, an error to fetch, an error queue to clear. We know how much
 * ciphertext is left.
 */
static void decrypt_records(struct sc_tlsbev *pair, const struct evbuffer *cipher)
{
    /*
     * Plaintext is shorter than what it comes from: the ciphertext, and what the record layer has
     * kept of earlier reads.
     */
    size_t room = evbuffer_get_length(cipher) +
                  (SSL_has_pending(pair->ssl) ? SSL3_RT_MAX_ENCRYPTED_LENGTH : 0);
    while (!pair->ended && (evbuffer_get_length(cipher) > 0 || SSL_has_pending(pair->ssl)) &&
           decrypt_record(pair, &room)) {
    }
}

size_t sc_tlsbev_pair_decrypt(struct sc_tlsbev *pair)
{
    const struct evbuffer *cipher = bufferevent_get_input(pair->transport);
    if (!pair->connected) {
        bufferevent_trigger(pair->transport, EV_READ,
                            BEV_TRIG_IGNORE_WATERMARKS); /* goes on with the handshake */
    }
    if (pair->connected) {
        decrypt_records(pair, cipher);
    }
    return evbuffer_get_length(cipher);
}

/* What has just been read, beyond what on_hello has kept before. */
static bool ask_admission(struct sc_tlsbev *pair, size_t length)
{
    struct evbuffer *input = bufferevent_get_input(pair->transport);
    const size_t kept = evbuffer_get_length(input);
    if (kept == 0) {
        pair->admitted = pair->callbacks->on_hello(pair->arg, pair->shared->bytes, length);
        if (pair->admitted) {
            return true;
        }
    }
    const int failed = evbuffer_add(input, pair->shared->bytes, length);
    if (failed) {
        sc_tlsbev_pair_end(pair, SC_TLSBEV_RESET, ENOMEM, 0);
    } else if (kept > 0 &&
               pair->callbacks->on_hello(pair->arg, evbuffer_pullup(input, -1), kept + length)) {
        pair->admitted = true;
        (void)sc_tlsbev_pair_decrypt(pair);
    }
    return false;
}

static void decrypt_lent(struct sc_tlsbev *pair, size_t length)
{
    struct evbuffer *input = bufferevent_get_input(pair->transport);
    size_t left = 0;
    if (evbuffer_add_reference(input, pair->shared->bytes, length, NULL, NULL) != 0) {
        sc_tlsbev_pair_end(pair, SC_TLSBEV_RESET, ENOMEM, 0);
    } else {
        /*
         * Small records in one BIO_read() each; with large ones OpenSSL would move what it has
         * read ahead.
         */
        SSL_set_read_ahead(pair->ssl, length < READ_AHEAD_BYTES);
        left = sc_tlsbev_pair_decrypt(pair);
    }
    if (left > 0) {
        keep_lent_bytes(input);
    }
}

/*
 * OpenSSL 3.0 takes any number of KeyUpdates, and each costs a derivation and, if the peer asks, a
 * reply.
 */
static void check_key_updates(struct sc_tlsbev *pair)
{
    const struct sc_tls_watch *watch = SSL_get_app_data(pair->ssl);
    if (watch && watch->key_updates > SC_TLS_MAX_KEY_UPDATES + (pair->received >> 20)) {
        sc_tlsbev_pair_end(pair, SC_TLSBEV_KEY_UPDATES, 0, 0);
    }
}

static void read_socket(struct sc_tlsbev *pair)
{
    const ssize_t got = recv(pair->fd, pair->shared->bytes, pair->shared->size, 0);
    if (got > 0) {
        pair->received += (uint64_t)got;
        if (!pair->connected) {
            struct sc_tls_watch *watch = SSL_get_app_data(pair->ssl);
            if (watch) {
                sc_tls_watch_first_bytes(watch, pair->shared->bytes, (size_t)got);
            }
        }
        /*
         * Behind the end of the TLS stream there is nothing to decrypt; it is read so that closing
         * does not send a RST.
         */
        if (!pair->ended && (pair->admitted || ask_admission(pair, (size_t)got))) {
            decrypt_lent(pair, (size_t)got);
            check_key_updates(pair);
        }
    } else if (got == 0) {
        event_del(pair->read_event);
        sc_tlsbev_pair_end(pair, SC_TLSBEV_EOF, 0, 0);
    } else if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) {
        event_del(pair->read_event);
        sc_tlsbev_pair_end(pair, SC_TLSBEV_RESET, errno, 0);
    }
}

/*
 * SSL_read() is offered memory before it says that there is nothing to read: an empty chain stays
 * in the input. Draining a buffer to empty frees every chain, but a buffer that is empty already
 * drains nothing.
 */
static void give_back_empty_chain(struct sc_tlsbev *pair)
{
    struct evbuffer *input = bufferevent_get_input(pair->filter);
    if (pair->holds_chain && evbuffer_get_length(input) == 0) {
        evbuffer_add(input, "", 1);
        evbuffer_drain(input, 1);
    }
    pair->holds_chain = false;
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
    ssize_t written;
    if (evbuffer_peek(output, -1, NULL, pieces, 2) == 1) {
        written = send(pair->fd, pieces[0].iov_base, pieces[0].iov_len, MSG_NOSIGNAL);
        if (written > 0) {
            evbuffer_drain(output, (size_t)written);
        }
    } else {
        written = evbuffer_write(output, pair->fd);
    }
    return written;
}

void sc_tlsbev_pair_flush(struct sc_tlsbev *pair)
{
    struct evbuffer *output = bufferevent_get_output(pair->transport);
    if (pair->fd < 0 || pair->blocked || evbuffer_get_length(output) == 0) {
        return;
    }
    const ssize_t written = write_output(pair, output);
    if (written > 0) {
        pair->sent += (uint64_t)written;
    } else if (written < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR &&
               errno != ENOTCONN) {
        sc_tlsbev_pair_lose_output(pair, errno);
        return;
    }
    if (evbuffer_get_length(output) > 0) {
        if (!sc_tlsbev_pair_watch_output(pair)) {
            sc_tlsbev_pair_lose_output(pair, ENOMEM);
            return;
        }
        pair->blocked = true;
        bufferevent_enable(pair->transport, EV_WRITE);
    }
}

static void unblock(struct sc_tlsbev *pair)
{
    if (pair->blocked && pair->drained) {
        pair->blocked = pair->blocked_told = false;
        sc_tlsbev_pair_ignore_output(pair);
        evbuffer_unfreeze(bufferevent_get_output(pair->transport), 1);
        bufferevent_disable(pair->transport,
                            EV_WRITE); /* else every append would cost two epoll_ctl(2) */
    }
}

/* --- Turns --- */

void sc_tlsbev_pair_destroy(struct sc_tlsbev *pair)
{
    bufferevent_setcb(pair->filter, NULL, NULL, NULL, NULL);
    sc_tlsbev_pair_ignore_output(pair);
    SSL_set_app_data(pair->ssl,
                     NULL); /* libevent frees the SSL later, when the owner's memory may be gone */
    bufferevent_free(pair->filter); /* frees the transport and the SSL, closes the socket, in the
                                       next pass of the loop */
    sc_pool_free(pair);
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

static void deliver_blocked(struct sc_tlsbev *pair)
{
    if (pair->blocked && !pair->blocked_told && pair->connected_told && !pair->freed) {
        pair->blocked_told = true;
        if (pair->callbacks->on_blocked) {
            pair->callbacks->on_blocked(pair->arg);
        }
    }
}

static void deliver_end(struct sc_tlsbev *pair)
{
    if (pair->ended && !pair->ended_told) {
        pair->ended_told = true;
        pair->callbacks->on_closed(pair->arg, &pair->close);
        if (!pair->freed) {
            sc_tlsbev_pair_flush(pair);
        }
    }
}

void sc_tlsbev_pair_turn(struct sc_tlsbev *pair, bool readable)
{
    pair->in_turn = true;
    sc_tlsbev_pair_leave_queue(pair);
    if (readable) {
        read_socket(pair);
    }
    unblock(pair);
    deliver(pair);
    if (!pair->freed) {
        sc_tlsbev_pair_flush(pair); /* before on_closed: an alert of ours must leave even if the
                                       owner frees the pair there */
        deliver_end(pair);
    }
    if (!pair->freed) {
        shut_write_side(pair);
        deliver_blocked(pair);
        deliver_drained(pair); /* when the last has left */
    }
    if (pair->freed) {
        sc_tlsbev_pair_destroy(pair);
        return;
    }
    give_back_empty_chain(pair);
    pair->in_turn = false;
}

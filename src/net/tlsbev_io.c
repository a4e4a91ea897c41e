/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "net/tlsbev_io.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <openssl/err.h>

#include "tls/error.h"
#include "tls/watch.h"

#define HANDSHAKE_READ_BYTES 4096U /* one-byte records of a handshake cost a microsecond each */
#define MAX_RECORDS_A_CYCLE 256U /* decrypted; then other connections go first */

/* --- How it ends --- */

void sc_tlsbev_io_end(struct sc_tlsbev *tls, enum sc_tlsbev_end how, int error_number,
                      unsigned long error_code)
{
    if (tls->input != SC_TLSBEV_INPUT_OPEN) {
        return;
    }
    tls->input = SC_TLSBEV_INPUT_ENDED;
    tls->close = (struct sc_tlsbev_close){how, error_number, error_code};
    if (how != SC_TLSBEV_CLOSE_NOTIFY && how != SC_TLSBEV_EOF) {
        sc_tlsbev_io_close_output(tls, SC_TLSBEV_OUTPUT_BROKEN);
    }
}

void sc_tlsbev_io_lose_output(struct sc_tlsbev *tls, int error_number)
{
    struct evbuffer *output = bufferevent_get_output(tls->transport);
    sc_tlsbev_io_end(tls, SC_TLSBEV_RESET, error_number, 0);
    sc_tlsbev_io_close_output(tls, SC_TLSBEV_OUTPUT_BROKEN);
    if (tls->output_cb) {
        evbuffer_cb_clear_flags(output, tls->output_cb, EVBUFFER_CB_ENABLED); /* it is not sent */
    }
    evbuffer_unfreeze(output, 1);
    evbuffer_drain(output, evbuffer_get_length(output));
    tls->sender = SC_TLSBEV_FLUSHED;
}

/* --- In --- */

/*
 * Bytes that were not taken while they were lent would be overwritten by the next read: make them
 * the buffer's own.
 */
static void keep_lent_bytes(struct evbuffer *input)
{
    const size_t left = evbuffer_get_length(input);
    uint8_t *copy = left > 0 ? malloc(left) : NULL;
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
static void note_no_plaintext(struct sc_tlsbev *tls, int result)
{
    switch (SSL_get_error(tls->ssl, result)) {
    case SSL_ERROR_WANT_READ: return;
    case SSL_ERROR_ZERO_RETURN: sc_tlsbev_io_end(tls, SC_TLSBEV_CLOSE_NOTIFY, 0, 0); break;
    default: sc_tlsbev_io_end(tls, SC_TLSBEV_TLS, 0, ERR_peek_error()); break;
    }
    sc_tls_forget_errors();
}

/*
 * SSL_read() is offered memory before it says that there is nothing to read. Draining a buffer
 * frees every chain, but one that is empty already drains nothing.
 */
static void free_empty_chain(struct evbuffer *plain)
{
    if (evbuffer_get_length(plain) == 0) {
        evbuffer_add(plain, "", 1);
        evbuffer_drain(plain, 1);
    }
}

/*
 * One record, as long as `room`, into the filter's input: into what is left of its last chain and
 * into another one, since a chain of libevent's holds a record and a half or so. False: there was
 * none.
 */
static bool decrypt_record(struct sc_tlsbev *tls, size_t *room)
{
    struct evbuffer *plain = bufferevent_get_input(tls->filter);
    struct evbuffer_iovec space[2];
    const size_t size = *room < SSL3_RT_MAX_PLAIN_LENGTH ? *room : SSL3_RT_MAX_PLAIN_LENGTH;
    const int pieces = evbuffer_reserve_space(plain, (ev_ssize_t)size, space, 2);
    int filled = 0, got;
    if (pieces < 1) {
        sc_tlsbev_io_end(tls, SC_TLSBEV_RESET, ENOMEM, 0);
        return false;
    }
    do {
        sc_tls_forget_errors(); /* another call's */
        got = SSL_read(tls->ssl, space[filled].iov_base, (int)space[filled].iov_len);
        if (got <= 0) {
            note_no_plaintext(tls, got);
            break;
        }
        space[filled++].iov_len = (size_t)got;
        *room -= (size_t)got;
    } while (filled < pieces && SSL_pending(tls->ssl) > 0);
    if (filled > 0) {
        evbuffer_commit_space(plain, space, filled);
        tls->data |= SC_TLSBEV_GOT_DATA;
    } else {
        free_empty_chain(plain);
    }
    return got > 0;
}

/* What OpenSSL 3.0 takes any number of, after the handshake. */
static void check_watch(struct sc_tlsbev *tls, const struct sc_tls_watch *watch)
{
    if (sc_tls_is_flood(watch->key_updates, tls->received)) {
        sc_tlsbev_io_end(tls, SC_TLSBEV_KEY_UPDATES, 0, 0);
    } else if (watch->renegotiates) {
        sc_tlsbev_io_end(tls, SC_TLSBEV_RENEGOTIATION, 0, 0);
    }
}

/*
 * libevent's own reading goes on until SSL_read() finds nothing, and finding nothing costs as much
 * as a small record: a record buffer, an error to fetch, an error queue to clear. We know how much
 * ciphertext is left.
 *
 * Without SSL_MODE_AUTO_RETRY SSL_read() returns after each record without data, too, so that none
 * goes uncounted; only empty ones it takes up to 32 of in a row.
 */
static void decrypt_records(struct sc_tlsbev *tls)
{
    struct evbuffer *cipher = bufferevent_get_input(tls->transport);
    const struct sc_tls_watch *watch = SSL_get_app_data(tls->ssl);
    const uint32_t first = watch->records;
    bool got = true;
    /*
     * Plaintext is shorter than what it comes from: the ciphertext, and what the record layer has
     * kept of earlier reads.
     */
    size_t room = evbuffer_get_length(cipher) +
                  (SSL_has_pending(tls->ssl) ? SSL3_RT_MAX_ENCRYPTED_LENGTH : 0);
    while (tls->input == SC_TLSBEV_INPUT_OPEN &&
           (evbuffer_get_length(cipher) > 0 || SSL_has_pending(tls->ssl))) {
        if (watch->records - first >= MAX_RECORDS_A_CYCLE && SSL_pending(tls->ssl) == 0) {
            break;
        }
        got = decrypt_record(tls, &room);
        check_watch(tls, watch);
        if (!got && evbuffer_get_length(cipher) == 0) {
            break;
        }
    }
    if (tls->input != SC_TLSBEV_INPUT_OPEN) {
        evbuffer_drain(cipher, evbuffer_get_length(cipher));
    }
    tls->in_record = !got;
    tls->backlog = evbuffer_get_length(cipher);
}

/*
 * libevent's filter takes every answer but "more bytes" for a failure, also that the handshake is
 * suspended: it is asked to go on only when the handshake is done.
 */
static void run_handshake(struct sc_tlsbev *tls)
{
    sc_tls_forget_errors();
    const int result = SSL_do_handshake(tls->ssl);
    switch (SSL_get_error(tls->ssl, result)) {
    case SSL_ERROR_NONE:
        bufferevent_trigger(tls->transport, EV_READ, BEV_TRIG_IGNORE_WATERMARKS);
        break;
    case SSL_ERROR_WANT_READ: break;
    case SSL_ERROR_WANT_X509_LOOKUP: tls->phase = SC_TLSBEV_SUSPENDED; break;
    default: sc_tlsbev_io_end(tls, SC_TLSBEV_TLS, 0, ERR_peek_error()); break;
    }
    sc_tls_forget_errors();
}

/*
 * Goes on with the handshake, or decrypts into the filter's input, from what is in the
 * transport's.
 */
static void decrypt(struct sc_tlsbev *tls)
{
    if (tls->phase == SC_TLSBEV_HANDSHAKE) {
        run_handshake(tls);
    }
    if (tls->phase >= SC_TLSBEV_CONNECTED) {
        decrypt_records(tls);
    }
}

void sc_tlsbev_io_decrypt(struct sc_tlsbev *tls)
{
    SSL_set_read_ahead(tls->ssl, 0);
    decrypt_records(tls);
}

void sc_tlsbev_io_continue(struct sc_tlsbev *tls)
{
    if (tls->phase != SC_TLSBEV_SUSPENDED || tls->input != SC_TLSBEV_INPUT_OPEN) {
        return;
    }
    tls->phase = SC_TLSBEV_HANDSHAKE;
    decrypt(tls);
    if (!tls->paused && tls->input == SC_TLSBEV_INPUT_OPEN) {
        event_add(tls->read_event, NULL); /* see read_size() */
    }
}

/*
 * One whole record, which is what a request mostly is. Then it costs one BIO_read() when OpenSSL
 * reads ahead; with more, it would take records that are not counted yet, and move large ones.
 */
static bool is_one_record(const struct sc_tlsbev *tls, size_t length)
{
    const uint8_t *header = tls->shared->bytes;
    return tls->phase >= SC_TLSBEV_CONNECTED && !tls->in_record &&
           length >= SSL3_RT_HEADER_LENGTH &&
           length - SSL3_RT_HEADER_LENGTH == ((size_t)header[3] << 8 | header[4]);
}

static void decrypt_lent(struct sc_tlsbev *tls, size_t length)
{
    struct evbuffer *input = bufferevent_get_input(tls->transport);
    if (evbuffer_add_reference(input, tls->shared->bytes, length, NULL, NULL) != 0) {
        sc_tlsbev_io_end(tls, SC_TLSBEV_RESET, ENOMEM, 0);
        return;
    }
    SSL_set_read_ahead(tls->ssl, is_one_record(tls, length));
    decrypt(tls);
    if (tls->backlog > 0 || tls->phase < SC_TLSBEV_CONNECTED) {
        keep_lent_bytes(input);
    }
}

/* False: the ClientHello is refused by its headers. */
static bool peek(struct sc_tlsbev *tls, struct sc_tls_watch *watch, size_t length)
{
    const enum sc_hello_verdict verdict =
        sc_hello_peek_take(&watch->hello, tls->shared->bytes, length);
    if (verdict == SC_HELLO_FINE) {
        return true;
    }
    const struct sc_hello_refusal refusal = sc_hello_refusal(verdict);
    const uint8_t alert[] = {SSL3_RT_ALERT, 3, 3, 0, 2, SSL3_AL_FATAL, refusal.alert};
    watch->alert_sent = refusal.alert;
    (void)evbuffer_add(bufferevent_get_output(tls->transport), alert, sizeof(alert));
    sc_tlsbev_io_end(tls, SC_TLSBEV_TLS, 0, refusal.error_code);
    return false;
}

/* Of a handshake that is suspended. */
static void keep(struct sc_tlsbev *tls, size_t length)
{
    if (evbuffer_add(bufferevent_get_input(tls->transport), tls->shared->bytes, length) != 0) {
        sc_tlsbev_io_end(tls, SC_TLSBEV_RESET, ENOMEM, 0);
    }
}

static void take(struct sc_tlsbev *tls, size_t length)
{
    tls->received += length;
    sc_tlsbev_io_count(tls->shared->received, length);
    /*
     * After the end of the TLS stream there is nothing to decrypt; it is read so that closing does
     * not send a RST.
     */
    if (tls->input != SC_TLSBEV_INPUT_OPEN) {
        return;
    }
    if (tls->phase < SC_TLSBEV_CONNECTED) {
        struct sc_tls_watch *watch = SSL_get_app_data(tls->ssl);
        sc_tls_watch_first_bytes(watch, tls->shared->bytes, length);
        if (!peek(tls, watch, length)) {
            return;
        }
    }
    if (tls->phase == SC_TLSBEV_SUSPENDED) {
        keep(tls, length);
    } else {
        decrypt_lent(tls, length);
    }
}

/*
 * While a handshake is suspended the socket is read all the same, so that a client that leaves is
 * noticed, until as much is kept as a ClientHello may be long.
 */
static size_t read_size(const struct sc_tlsbev *tls)
{
    if (tls->phase >= SC_TLSBEV_CONNECTED) {
        return tls->shared->size;
    }
    const size_t kept = evbuffer_get_length(bufferevent_get_input(tls->transport));
    const size_t room = kept < SC_HELLO_MAX_BYTES ? SC_HELLO_MAX_BYTES - kept : 0;
    return room < HANDSHAKE_READ_BYTES ? room : HANDSHAKE_READ_BYTES;
}

void sc_tlsbev_io_read(struct sc_tlsbev *tls)
{
    const size_t size = read_size(tls);
    if (size == 0) {
        event_del(tls->read_event);
        return;
    }
    const ssize_t got = recv(tls->fd, tls->shared->bytes, size, 0);
    if (got > 0) {
        take(tls, (size_t)got);
    } else if (got == 0) {
        event_del(tls->read_event);
        sc_tlsbev_io_end(tls, SC_TLSBEV_EOF, 0, 0);
    } else if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) {
        event_del(tls->read_event);
        sc_tlsbev_io_end(tls, SC_TLSBEV_RESET, errno, 0);
    }
}

bool sc_tlsbev_io_check_peer(struct sc_tlsbev *tls)
{
    struct pollfd socket = {.fd = tls->fd, .events = POLLRDHUP};
    int error_number = 0;
    socklen_t length = sizeof(error_number);
    if (tls->input != SC_TLSBEV_INPUT_OPEN) {
        return false;
    }
    if (poll(&socket, 1, 0) <= 0) {
        return true;
    }
    (void)getsockopt(tls->fd, SOL_SOCKET, SO_ERROR, &error_number, &length);
    event_del(tls->read_event);
    sc_tlsbev_io_end(tls, error_number != 0 ? SC_TLSBEV_RESET : SC_TLSBEV_EOF, error_number, 0);
    return false;
}

/* --- Out --- */

/* Mostly there is one piece, and send(2) costs less than writev(2). */
static ssize_t write_output(struct sc_tlsbev *tls, struct evbuffer *output)
{
    struct evbuffer_iovec pieces[2];
    ssize_t written;
    if (evbuffer_peek(output, -1, NULL, pieces, 2) == 1) {
        written = send(tls->fd, pieces[0].iov_base, pieces[0].iov_len, MSG_NOSIGNAL);
        if (written > 0) {
            evbuffer_drain(output, (size_t)written);
        }
    } else {
        written = evbuffer_write(output, tls->fd);
    }
    return written;
}

bool sc_tlsbev_io_send(struct sc_tlsbev *tls)
{
    struct evbuffer *output = bufferevent_get_output(tls->transport);
    if (evbuffer_get_length(output) == 0) {
        return true;
    }
    const ssize_t written = write_output(tls, output);
    if (written > 0) {
        sc_tlsbev_io_count_sent(tls, (uint64_t)written);
    } else if (written < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR &&
               errno != ENOTCONN) {
        sc_tlsbev_io_lose_output(tls, errno);
    }
    return evbuffer_get_length(output) == 0;
}

/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "bench/conn.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/err.h>

#include "base/clock.h"
#include "tls/explain.h"
#include "tls/outcome.h"

#ifndef IP_BIND_ADDRESS_NO_PORT
#define IP_BIND_ADDRESS_NO_PORT 24
#endif

/* --- Failure and close --- */

static void release(struct sc_bench_conn *conn)
{
    if (conn->read_event) {
        event_free(conn->read_event);
        event_free(conn->write_event);
    }
    conn->read_event = conn->write_event = NULL;
    SSL_free(conn->ssl);
    conn->ssl = NULL;
    if (conn->fd >= 0) {
        (void)close(conn->fd);
    }
    conn->fd = -1;
    conn->state = SC_BENCH_CONN_CLOSED;
    conn->unsent = 0;
    conn->offset = 0;
    conn->lost = conn->in_flight;
    conn->in_flight = 0;
    conn->oldest = 0;
}

void sc_bench_conn_fail(struct sc_bench_conn *conn, const struct sc_bench_failure *failure)
{
    if (conn->state != SC_BENCH_CONN_CLOSED) {
        release(conn);
        conn->io->on_closed(conn, failure);
    }
}

static void fail_with(struct sc_bench_conn *conn, enum sc_bench_error kind, const char *text)
{
    struct sc_bench_failure failure = {.kind = kind};
    (void)snprintf(failure.text, sizeof(failure.text), "%s", text);
    sc_bench_conn_fail(conn, &failure);
}

static void fail_connect(struct sc_bench_conn *conn, int error)
{
    struct sc_err err;
    (void)sc_err_set_errno(&err, 1, error, "can't connect to %s", conn->io->target->name);
    fail_with(conn, SC_BENCH_ERROR_CONNECT, err.text);
}

static void fail_errno(struct sc_bench_conn *conn, enum sc_bench_error kind, const char *what,
                       int error)
{
    struct sc_err err;
    (void)sc_err_set_errno(&err, 1, error, "%s", what);
    fail_with(conn, kind, err.text);
}

/* TLS itself has failed: said in the words of sc-client. */
static void fail_tls(struct sc_bench_conn *conn, const struct sc_tls_outcome *outcome)
{
    struct sc_err err;
    (void)sc_tls_outcome_err(&err, outcome, &conn->watch, conn->state == SC_BENCH_CONN_HANDSHAKE,
                             conn->io->target->name);
    fail_with(conn, SC_BENCH_ERROR_TLS, err.text);
}

void sc_bench_conn_time_out(struct sc_bench_conn *conn)
{
    const char *target = conn->io->target->name;
    struct sc_err err;
    char text[SC_BENCH_ERROR_TEXT_BYTES], limit[32], why[256];
    sc_format_duration_ms(conn->io->plan->timeout_ms, limit);
    switch (conn->state) {
    case SC_BENCH_CONN_CONNECTING:
        (void)snprintf(text, sizeof(text), "%s did not accept a connection within %s", target,
                       limit);
        break;
    case SC_BENCH_CONN_HANDSHAKE:
        sc_tls_describe_failure(&conn->watch, SC_TLS_END_TIMEOUT, 0, why, sizeof(why));
        (void)sc_tls_timed_out(&err, target, conn->io->plan->timeout_ms, why);
        fail_with(conn, SC_BENCH_ERROR_TIMEOUT, err.text);
        return;
    case SC_BENCH_CONN_READY:
        (void)snprintf(text, sizeof(text), "no reply from %s within %s, %u unanswered", target,
                       limit, conn->in_flight);
        break;
    case SC_BENCH_CONN_CLOSING:
        (void)snprintf(text, sizeof(text), "%s did not close the connection within %s", target,
                       limit);
        break;
    case SC_BENCH_CONN_CLOSED: return;
    }
    fail_with(conn, SC_BENCH_ERROR_TIMEOUT, text);
}

/* The connection is over. */
static void on_failed_io(struct sc_bench_conn *conn, const struct sc_tls_outcome *outcome)
{
    if (conn->state == SC_BENCH_CONN_CLOSING && outcome->end != SC_TLS_END_ERROR) {
        sc_bench_conn_fail(conn, NULL);
        return;
    }
    if (conn->state == SC_BENCH_CONN_HANDSHAKE) {
        fail_tls(conn, outcome);
        return;
    }
    switch (outcome->kind) {
    case SC_TLS_CLOSED:
        fail_with(conn, SC_BENCH_ERROR_CLOSED, "the server closed the connection");
        break;
    case SC_TLS_CUT:
        fail_with(conn, SC_BENCH_ERROR_CLOSED,
                  "the server closed the connection without close_notify");
        break;
    case SC_TLS_TRANSPORT_FAILED:
        fail_errno(conn, SC_BENCH_ERROR_CLOSED, "the connection failed", outcome->error_number);
        break;
    default: fail_tls(conn, outcome); break;
    }
}

/* False when the call would block or has failed (the connection is then closed). */
static bool check_io(struct sc_bench_conn *conn, int result)
{
    const int error = errno;
    if (result > 0) {
        return true;
    }
    const struct sc_tls_outcome outcome = sc_tls_outcome_of(conn->ssl, result, error);
    if (outcome.kind == SC_TLS_WANTS_WRITE) {
        (void)event_add(conn->write_event, NULL);
    } else if (outcome.kind != SC_TLS_WANTS_READ) {
        on_failed_io(conn, &outcome);
    }
    return false;
}

/* --- Requests and replies --- */

static void reject(struct sc_bench_conn *conn, enum sc_bench_verdict verdict)
{
    const enum sc_bench_error kind = verdict == SC_BENCH_REPLY_ERROR   ? SC_BENCH_ERROR_SERVER
                                     : verdict == SC_BENCH_REPLY_WRONG ? SC_BENCH_ERROR_WRONG_REPLY
                                                                       : SC_BENCH_ERROR_PROTOCOL;
    fail_with(conn, kind, conn->reader.why);
}

/* Ends the connection when more TLS messages without data have come than sc-client takes. */
static bool is_flooded(struct sc_bench_conn *conn)
{
    struct sc_err err;
    if (!sc_tls_is_flood(conn->watch.key_updates, BIO_number_read(SSL_get_rbio(conn->ssl)))) {
        return false;
    }
    (void)sc_tls_flooded(&err, conn->io->target->name);
    fail_with(conn, SC_BENCH_ERROR_PROTOCOL, err.text);
    return true;
}

static void read_replies(struct sc_bench_conn *conn)
{
    struct sc_bench_io *io = conn->io;
    do {
        size_t complete;
        ERR_clear_error();
        errno = 0;
        const int got = SSL_read(conn->ssl, io->scratch, (int)io->scratch_bytes);
        if (is_flooded(conn) || !check_io(conn, got)) {
            return;
        }
        const enum sc_bench_verdict verdict = sc_bench_stream_check(
            io->stream, &conn->reader, io->scratch, (size_t)got, conn->in_flight, &complete);
        if (verdict != SC_BENCH_REPLY_OK) {
            reject(conn, verdict);
            return;
        }
        if (complete > 0) {
            io->on_replies(conn, complete, sc_clock_ns());
        }
        /* Level-triggered: what OpenSSL has not read yet the event loop reports. */
    } while (conn->state >= SC_BENCH_CONN_READY && SSL_has_pending(conn->ssl));
}

static void write_requests(struct sc_bench_conn *conn)
{
    const struct sc_bench_stream *stream = conn->io->stream;
    const size_t slots = sc_bench_stream_slots(stream);
    while (conn->unsent > 0) {
        size_t count = conn->unsent, bytes;
        const uint8_t *from = sc_bench_stream_requests(stream, conn->next_slot, &count, &bytes);
        ERR_clear_error();
        errno = 0;
        const int sent = SSL_write(conn->ssl, from + conn->offset, (int)(bytes - conn->offset));
        if (sent <= 0 && (errno == EPIPE || errno == ECONNRESET)) {
            /* Why the server has closed it may wait to be read: an alert, an ERROR. */
            conn->unsent = conn->offset = 0;
            ERR_clear_error();
            read_replies(conn);
            return;
        }
        if (!check_io(conn, sent)) {
            return;
        }
        conn->offset += (size_t)sent;
        if (conn->offset == bytes) {
            conn->next_slot = (conn->next_slot + count) % slots;
            conn->unsent -= count;
            conn->offset = 0;
            continue;
        }
        for (size_t one;
             conn->offset >= (one = sc_bench_stream_request_bytes(stream, conn->next_slot));) {
            conn->next_slot = (conn->next_slot + 1U) % slots;
            conn->unsent--;
            conn->offset -= one;
        }
    }
}

void sc_bench_conn_request(struct sc_bench_conn *conn, unsigned count,
                           const struct sc_bench_start *start)
{
    const unsigned depth = conn->io->plan->depth;
    unsigned at = conn->oldest + conn->in_flight;
    for (unsigned i = 0; i < count; i++, at++) {
        conn->starts[at < depth ? at : at - depth] = *start;
    }
    conn->in_flight += count;
    conn->unsent += count;
}

void sc_bench_conn_flush(struct sc_bench_conn *conn)
{
    if (conn->state == SC_BENCH_CONN_READY) {
        write_requests(conn);
    }
}

/* --- From connect to ready --- */

static void refuse(struct sc_bench_conn *conn)
{
    const struct sc_tls_verify *verify = &conn->io->verify;
    const bool pin = verify->err.status == SC_EXIT_PIN;
    struct sc_bench_failure failure = {.kind = pin ? SC_BENCH_ERROR_PIN : SC_BENCH_ERROR_TLS,
                                       .mismatch = pin ? &verify->mismatch : NULL};
    (void)snprintf(failure.text, sizeof(failure.text), "%s", verify->err.text);
    ERR_clear_error();
    sc_bench_conn_fail(conn, &failure);
}

static void do_handshake(struct sc_bench_conn *conn)
{
    struct sc_bench_io *io = conn->io;
    ERR_clear_error();
    errno = 0;
    io->verify.refused = false;
    const int result = SSL_do_handshake(conn->ssl);
    if (io->verify.refused) {
        refuse(conn);
        return;
    }
    if (!check_io(conn, result)) {
        return;
    }
    if (SSL_session_reused(conn->ssl) && sc_tls_verify_peer(&io->verify, conn->ssl) != 0) {
        refuse(conn);
        return;
    }
    conn->state = SC_BENCH_CONN_READY;
    conn->ready_ns = sc_clock_ns();
    io->on_ready(conn);
    sc_bench_conn_flush(conn);
}

static void finish_connect(struct sc_bench_conn *conn)
{
    int error = 0;
    socklen_t length = sizeof(error);
    if (getsockopt(conn->fd, SOL_SOCKET, SO_ERROR, &error, &length) != 0) {
        error = errno;
    }
    if (error != 0) {
        fail_connect(conn, error);
        return;
    }
    conn->state = SC_BENCH_CONN_HANDSHAKE;
    (void)event_add(conn->read_event, NULL);
    do_handshake(conn);
}

static void advance(struct sc_bench_conn *conn)
{
    switch (conn->state) {
    case SC_BENCH_CONN_CONNECTING: finish_connect(conn); break;
    case SC_BENCH_CONN_HANDSHAKE: do_handshake(conn); break;
    case SC_BENCH_CONN_READY:
    case SC_BENCH_CONN_CLOSING: read_replies(conn); break;
    case SC_BENCH_CONN_CLOSED: return;
    }
    if (conn->state == SC_BENCH_CONN_READY && conn->unsent > 0) {
        write_requests(conn);
    }
}

static void on_event(evutil_socket_t fd, short what, void *arg)
{
    struct sc_bench_conn *conn = arg;
    (void)fd;
    if (what == EV_WRITE && conn->state == SC_BENCH_CONN_READY) {
        write_requests(conn);
    } else {
        advance(conn);
    }
}

static int make_socket(struct sc_bench_conn *conn, const struct sockaddr_storage *source)
{
    const struct sockaddr *target = (const struct sockaddr *)&conn->io->target->address;
    const int on = 1;
    conn->fd = socket(target->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (conn->fd < 0) {
        return -1;
    }
    if (target->sa_family != AF_UNIX) {
        (void)setsockopt(conn->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    }
    if (source) {
        /* The port is chosen at connect(2): one port then serves many destinations. */
        (void)setsockopt(conn->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
        const socklen_t length = source->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6)
                                                               : sizeof(struct sockaddr_in);
        if (bind(conn->fd, (const struct sockaddr *)source, length) != 0) {
            return -1;
        }
    }
    return 0;
}

static int make_ssl(struct sc_bench_conn *conn, bool resume)
{
    struct sc_bench_io *io = conn->io;
    conn->ssl = SSL_new(io->ssl_ctx);
    if (!conn->ssl || SSL_set_fd(conn->ssl, conn->fd) != 1) {
        return -1;
    }
    sc_tls_watch_init(&conn->watch);
    conn->watch.verify = &io->verify;
    io->verify.pins = io->plan->pins;
    io->verify.host = io->target->host;
    io->verify.target = io->target->name;
    SSL_set_app_data(conn->ssl, &conn->watch);
    sc_tls_watch_socket(conn->ssl);
    SSL_set_connect_state(conn->ssl);
    SSL_set_read_ahead(conn->ssl, 1);
    SSL_set_default_read_buffer_len(conn->ssl, io->scratch_bytes);
    (void)SSL_set_mode(conn->ssl,
                       SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    if (!io->release_buffers) {
        (void)SSL_clear_mode(conn->ssl, SSL_MODE_RELEASE_BUFFERS);
    }
    if (*io->target->sni) {
        (void)SSL_set_tlsext_host_name(conn->ssl, io->target->sni);
    }
    if (resume && conn->session) {
        (void)SSL_set_session(conn->ssl, conn->session);
    }
    return 0;
}

void sc_bench_conn_open(struct sc_bench_conn *conn, const struct sockaddr_storage *source,
                        bool resume)
{
    struct sc_bench_io *io = conn->io;
    conn->state = SC_BENCH_CONN_CONNECTING;
    conn->opened_ns = sc_clock_ns();
    sc_bench_reader_init(&conn->reader, conn->next_slot);
    if (make_socket(conn, source) != 0) {
        fail_errno(conn, SC_BENCH_ERROR_CONNECT,
                   source ? "can't open a socket with this source address" : "can't open a socket",
                   errno);
        return;
    }
    conn->read_event = event_new(io->base, conn->fd, EV_READ | EV_PERSIST, on_event, conn);
    conn->write_event = event_new(io->base, conn->fd, EV_WRITE, on_event, conn);
    if (!conn->read_event || !conn->write_event || make_ssl(conn, resume) != 0) {
        ERR_clear_error();
        fail_with(conn, SC_BENCH_ERROR_CONNECT, "can't set up a connection: out of memory");
        return;
    }
    if (connect(conn->fd, (const struct sockaddr *)&io->target->address, io->target->length) == 0) {
        finish_connect(conn);
    } else if (errno == EINPROGRESS) {
        (void)event_add(conn->write_event, NULL);
    } else {
        fail_connect(conn, errno);
    }
}

void sc_bench_conn_close(struct sc_bench_conn *conn, bool keep)
{
    if (keep) {
        SSL_SESSION_free(conn->session);
        conn->session = SSL_get1_session(conn->ssl);
    }
    conn->state = SC_BENCH_CONN_CLOSING;
    ERR_clear_error();
    if (SSL_shutdown(conn->ssl) < 0) {
        ERR_clear_error();
        sc_bench_conn_fail(conn, NULL);
    }
}

/* --- Lifetime --- */

int sc_bench_conn_init(struct sc_bench_conn *conn, struct sc_bench_io *io, size_t first_slot)
{
    memset(conn, 0, sizeof(*conn));
    conn->io = io;
    conn->fd = -1;
    conn->next_slot = first_slot;
    conn->starts = calloc(io->plan->depth, sizeof(*conn->starts));
    return conn->starts ? 0 : -1;
}

void sc_bench_conn_fini(struct sc_bench_conn *conn)
{
    if (conn->io) {
        release(conn);
        SSL_SESSION_free(conn->session);
        free(conn->starts);
    }
}

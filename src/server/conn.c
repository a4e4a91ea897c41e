/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "server/conn.h"

#include <stdlib.h>
#include <sysexits.h>

#include <event2/buffer.h>

#include "base/clock.h"
#include "server/conn_deadline.h"
#include "server/conn_state.h"
#include "tls/context.h"
#include "tls/info.h"

#define READ_BYTES (64U << 10) /* ciphertext read at once */
#define REPLIES_BYTES \
    (96U << 10) /* room for the replies to one read; a larger reply gets its own memory */

static void on_timer(struct sc_wheel_timer *timer);

/* --- What the connections of a worker share --- */

int sc_conn_context_init(struct sc_conn_context *context, struct sc_err *err)
{
    context->shared = sc_tlsbev_shared_new(
        context->base, READ_BYTES, &context->stats->bytes_received, &context->stats->bytes_sent);
    context->replies.bytes = malloc(REPLIES_BYTES);
    context->replies.size = REPLIES_BYTES;
    context->replies.used = 0;
    if (!context->shared || !context->replies.bytes) {
        sc_conn_context_fini(context);
        return sc_err_set(err, EX_OSERR, "can't start a worker: out of memory");
    }
    context->wheel = sc_wheel_new(context->base, on_timer, err);
    if (!context->wheel || sc_memory_trim_init(&context->memory_trim, context->base, err) != 0 ||
        sc_admission_queue_init(&context->queue, context->base, &context->admission->full,
                                &sc_conn_admission_callbacks, err) != 0) {
        sc_conn_context_fini(context);
        return -1;
    }
    return 0;
}

void sc_conn_context_fini(struct sc_conn_context *context)
{
    sc_tlsbev_shared_free(context->shared);
    sc_wheel_free(context->wheel);
    sc_admission_queue_fini(&context->queue);
    sc_memory_trim_fini(&context->memory_trim);
    sc_conn_pins_context_fini(context);
    free(context->replies.bytes);
    context->shared = NULL;
    context->replies.bytes = NULL;
    context->wheel = NULL;
}

/* --- The TLS callbacks --- */

static void count_handshake(struct sc_conn *conn, const struct sc_tls_info *info)
{
    struct sc_stats *stats = conn->context->stats;
    const size_t version = sc_tls_version_index(info);
    sc_stats_record(&stats->handshake_time, sc_clock_ns() - conn->origin.accepted_ns);
    sc_stats_add(&stats->ciphers[sc_tls_cipher_index(info)], 1);
    sc_stats_add(&stats->groups[sc_tls_group_index(info)], 1);
    sc_stats_add(
        info->resumed ? &stats->handshakes_resumed[version] : &stats->handshakes_full[version], 1);
}

static void complete_trace(struct sc_conn *conn)
{
    if (conn->watch.trace) {
        sc_tls_trace_end(conn->watch.trace, sc_tlsbev_received(conn->tls),
                         sc_tlsbev_sent(conn->tls));
    }
}

/* `close` NULL: it has taken too long. */
static void fail_handshake(struct sc_conn *conn, const struct sc_tlsbev_close *close)
{
    sc_conn_note_close(conn, SC_CLOSE_HANDSHAKE_FAILED);
    complete_trace(conn);
    conn->handshake_failure = (uint8_t)sc_conn_log_handshake_failed(
        &conn->context->log, &conn->origin, &conn->watch, close);
    sc_conn_free(conn);
}

static void on_connected(void *arg)
{
    struct sc_conn *conn = arg;
    sc_memory_trim_later(&conn->context->memory_trim); /* handshakes need 50 KiB for a moment */
    struct sc_err err;
    if (sc_tls_context_check_peer(conn->tls_context, sc_tlsbev_ssl(conn->tls), &conn->origin.client,
                                  &err) != 0) {
        sc_conn_note_close(conn, SC_CLOSE_HANDSHAKE_FAILED);
        conn->handshake_failure = SC_TLS_REASON_CLIENT_CERTIFICATE;
        complete_trace(conn);
        sc_conn_log_client_refused(&conn->context->log, &conn->origin, &conn->watch, err.text);
        sc_conn_free(conn);
        return;
    }
    sc_tls_watch_end_trace(&conn->watch);
    sc_conn_enter(conn, SC_CONN_OPEN);
    conn->all_answered = true;
    struct sc_tls_info info;
    sc_tls_info_get(sc_tlsbev_ssl(conn->tls), &info);
    count_handshake(conn, &info);
    sc_conn_log_connected(&conn->context->log, &conn->origin, &info);
    if (conn->draining) {
        sc_tlsbev_again(conn->tls);
    }
    sc_conn_arm(conn, conn->state_since_ms);
}

static void on_data(void *arg, struct evbuffer *input)
{
    sc_conn_serve(arg, input);
}

/* The write deadline starts here. */
static void on_blocked(void *arg)
{
    struct sc_conn *conn = arg;
    const uint64_t now_ms = sc_clock_ms();
    sc_conn_output_waits(conn, now_ms);
    sc_conn_arm(conn, now_ms);
}

static void on_flushed(void *arg)
{
    struct sc_conn *conn = arg;
    const uint64_t now_ms = sc_clock_ms();
    if (conn->state == SC_CONN_CLOSING && conn->input_ended) {
        sc_conn_free(conn);
        return;
    }
    if (conn->state == SC_CONN_CLOSING) {
        conn->state_since_ms = now_ms; /* the linger starts when the last byte has left */
    }
    if (conn->paused) {
        sc_conn_start_reading(conn);
        sc_tlsbev_again(conn->tls);
    }
    sc_conn_arm(conn, now_ms);
}

/* Of an end after which nothing can be written. */
static enum sc_close_reason reason_of(enum sc_tlsbev_end end)
{
    switch (end) {
    case SC_TLSBEV_CLOSE_NOTIFY:
    case SC_TLSBEV_EOF: return SC_CLOSE_PEER_CLOSED;
    case SC_TLSBEV_RESET: return SC_CLOSE_RESET;
    case SC_TLSBEV_TLS: break;
    case SC_TLSBEV_KEY_UPDATES: return SC_CLOSE_KEY_UPDATE_FLOOD;
    case SC_TLSBEV_RENEGOTIATION: return SC_CLOSE_RENEGOTIATION;
    }
    return SC_CLOSE_TLS_ERROR;
}

static void on_closed(void *arg, const struct sc_tlsbev_close *close)
{
    struct sc_conn *conn = arg;
    conn->input_ended = true;
    if (conn->state == SC_CONN_HANDSHAKE) {
        fail_handshake(conn, close);
        return;
    }
    sc_conn_log_closed(&conn->context->log, &conn->origin, close);
    if (close->end != SC_TLSBEV_CLOSE_NOTIFY && close->end != SC_TLSBEV_EOF) {
        sc_conn_note_close(conn, reason_of(close->end));
        sc_conn_free(conn);
    } else if (conn->state == SC_CONN_CLOSING) {
        if (sc_tlsbev_pending(conn->tls) == 0) {
            sc_conn_free(conn);
        }
    } else if (conn->all_answered) {
        sc_conn_on_all_answered(conn);
    } else {
        sc_tlsbev_again(conn->tls); /* complete frames are left */
    }
}

static const struct sc_tlsbev_callbacks tls_callbacks = {.on_connected = on_connected,
                                                         .on_data = on_data,
                                                         .on_blocked = on_blocked,
                                                         .on_flushed = on_flushed,
                                                         .on_closed = on_closed};

/* --- Deadlines --- */

static void on_deadline(struct sc_conn *conn, enum sc_conn_wait wait)
{
    switch (wait) {
    case SC_CONN_WAIT_HANDSHAKE: fail_handshake(conn, NULL); return;
    case SC_CONN_WAIT_WRITE:
        sc_conn_note_close(conn, SC_CLOSE_WRITE_TIMEOUT);
        sc_conn_log_event(&conn->context->log, SC_CONN_WRITE_TIMEOUT, &conn->origin,
                          "the client did not read its replies, or too slowly");
        sc_conn_free(conn);
        return;
    case SC_CONN_WAIT_FRAME:
        sc_conn_log_event(&conn->context->log, SC_CONN_FRAME_TIMEOUT, &conn->origin,
                          "a started frame did not arrive in time");
        sc_conn_refuse_and_close(conn, SC_CLOSE_FRAME_TIMEOUT, SC_ERROR_OVER_LIMIT,
                                 "the frame did not arrive in time (frame-timeout)");
        break;
    case SC_CONN_WAIT_IDLE:
        sc_conn_log_event(&conn->context->log, SC_CONN_IDLE_TIMEOUT, &conn->origin,
                          "no request for a long time");
        sc_conn_refuse_and_close(conn, SC_CLOSE_IDLE_TIMEOUT, SC_ERROR_OVER_LIMIT,
                                 "no request for too long (idle-timeout)");
        break;
    case SC_CONN_WAIT_LINGER: sc_conn_free(conn); return;
    }
    sc_conn_arm(conn, sc_clock_ms());
}

static void on_timer(struct sc_wheel_timer *timer)
{
    struct sc_conn *conn =
        (struct sc_conn *)(void *)((char *)timer - offsetof(struct sc_conn, timer));
    const uint64_t now_ms = sc_clock_ms();
    enum sc_conn_wait wait;
    if (sc_conn_waited_too_long(conn, now_ms, &wait)) {
        on_deadline(conn, wait);
    } else {
        sc_conn_arm(conn, now_ms);
    }
}

/* --- Creating and freeing --- */

struct sc_conn *sc_conn_new(struct sc_conn_context *context, struct sc_tls_context *tls,
                            evutil_socket_t fd, const struct sc_conn_origin *origin,
                            struct sc_err *err)
{
    struct sc_conn *conn = calloc(1, sizeof(*conn));
    SSL *ssl = conn ? SSL_new(sc_tls_context_ssl_ctx(tls)) : NULL;
    if (!ssl) {
        free(conn);
        (void)evutil_closesocket(fd);
        (void)sc_err_set(err, EX_OSERR, "can't set up a connection: out of memory");
        return NULL;
    }
    conn->context = context;
    conn->origin = *origin;
    conn->handshake_failure = SC_TLS_REASON_SERVER_STOPPED; /* unless something else comes first */
    sc_wheel_timer_init(&conn->timer);
    sc_tls_watch_init(&conn->watch);
    sc_tls_watch_start_trace(&conn->watch);
    sc_conn_admission_start(conn);
    SSL_set_app_data(ssl, &conn->watch);
    sc_conn_enter(conn, SC_CONN_HANDSHAKE);
    conn->state_since_ms = origin->accepted_ns / 1000000U; /* a PROXY header takes of its time */
    conn->tls = sc_tlsbev_new(context->shared, fd, ssl, true, &tls_callbacks, conn, err);
    if (!conn->tls) {
        free(conn);
        return NULL;
    }
    conn->tls_context = sc_tls_context_ref(tls);
    sc_stats_add(&context->stats->connections_accepted, 1);
    sc_stats_add(&context->stats->handshakes_started, 1);
    sc_memory_trim_opened(&context->memory_trim);
    sc_conn_arm(conn, conn->state_since_ms);
    return conn;
}

void sc_conn_free(struct sc_conn *conn)
{
    struct sc_stats *stats = conn->context->stats;
    if (conn->state == SC_CONN_HANDSHAKE) {
        sc_stats_add(&stats->handshakes_failed[conn->handshake_failure], 1);
    }
    sc_stats_add(&stats->closed[conn->close_reason], 1);
    sc_admission_dequeue(&conn->context->queue, &conn->waiting);
    conn->context->on_gone(conn, conn->context->arg);
    sc_memory_trim_closed(&conn->context->memory_trim);
    sc_wheel_clear(&conn->timer);
    sc_tlsbev_free(conn->tls);
    sc_conn_pins_fini(conn);
    sc_tls_watch_fini(&conn->watch);
    sc_tls_context_unref(conn->tls_context);
    free(conn);
}

void sc_conn_drain(struct sc_conn *conn, uint32_t retry_after_ms)
{
    conn->draining = true;
    conn->retry_after_ms = retry_after_ms;
    /*
     * What arrives from now on is not waited for: a client that never stops sending does not hold
     * up a drain.
     */
    conn->drain_received = sc_tlsbev_received(conn->tls) + sc_tlsbev_unread(conn->tls);
    if (conn->state == SC_CONN_OPEN) {
        sc_tlsbev_again(conn->tls);
    }
}

void sc_conn_limits_changed(struct sc_conn *conn)
{
    sc_conn_arm(conn, sc_clock_ms());
}

const struct sc_conn_origin *sc_conn_origin(const struct sc_conn *conn)
{
    return &conn->origin;
}

void sc_conn_list_insert(struct sc_conn_list *list, struct sc_conn *conn)
{
    LIST_INSERT_HEAD(list, conn, link);
}

void sc_conn_list_remove(struct sc_conn *conn)
{
    LIST_REMOVE(conn, link);
}

struct sc_conn *sc_conn_list_next(struct sc_conn *conn)
{
    return LIST_NEXT(conn, link);
}

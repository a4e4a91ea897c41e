/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "server/conn_state.h"

#include <stddef.h>

#include "tls/handshake_hooks.h"

/*
 * handshake-rate: a resumed handshake takes a token of one budget, a full one of another, at the
 * moment when OpenSSL knows which it is. Without a token a session is not resumed, and a full
 * handshake is suspended until its turn in the queue.
 */

static bool is_limited(const struct sc_conn *conn)
{
    return sc_admission_is_limited(conn->context->admission);
}

static void note_full_token(struct sc_conn *conn)
{
    if (conn->token == SC_CONN_TOKEN_RESUMED) {
        sc_admission_give_back(&conn->context->admission->resumed);
    }
    conn->token = SC_CONN_TOKEN_FULL;
}

static bool may_resume(void *arg)
{
    struct sc_conn *conn = arg;
    if (!is_limited(conn) || conn->token != SC_CONN_NO_TOKEN) {
        return true;
    }
    if (!sc_admission_try(&conn->context->admission->resumed)) {
        return false;
    }
    conn->token = SC_CONN_TOKEN_RESUMED;
    return true;
}

static bool may_be_full(void *arg)
{
    struct sc_conn *conn = arg;
    if (conn->token == SC_CONN_TOKEN_FULL || !is_limited(conn)) {
        return true;
    }
    if (!sc_tlsbev_check_peer(conn->tls)) {
        return false; /* it is closed at the end of this cycle */
    }
    if (sc_admission_queue_is_empty(&conn->context->queue) &&
        sc_admission_try(&conn->context->admission->full)) {
        note_full_token(conn);
        return true;
    }
    sc_stats_add(&conn->context->stats->handshakes_delayed, 1);
    conn->watch.suspended = true;
    sc_admission_enqueue(&conn->context->queue, &conn->waiting, sc_addr_key(&conn->origin.peer));
    return false;
}

static struct sc_conn *conn_of(struct sc_admission_waiter *waiter)
{
    return (struct sc_conn *)(void *)((char *)waiter - offsetof(struct sc_conn, waiting));
}

static bool is_alive(struct sc_admission_waiter *waiter)
{
    return sc_tlsbev_check_peer(conn_of(waiter)->tls);
}

static void on_admitted(struct sc_admission_waiter *waiter)
{
    struct sc_conn *conn = conn_of(waiter);
    note_full_token(conn);
    conn->watch.suspended = false;
    sc_tlsbev_continue_handshake(conn->tls);
}

const struct sc_admission_callbacks sc_conn_admission_callbacks = {.is_alive = is_alive,
                                                                   .on_admitted = on_admitted};

static void on_state(void *arg, const struct sc_tls_state *step)
{
    struct sc_conn *conn = arg;
    sc_conn_log_state(&conn->context->log, &conn->origin, step);
}

void sc_conn_admission_start(struct sc_conn *conn)
{
    static const struct sc_tls_handshake_hooks hooks = {
        .may_resume = may_resume, .may_be_full = may_be_full, .on_state = on_state};
    conn->watch.hooks = &hooks;
    conn->watch.hooks_arg = conn;
    sc_hello_peek_start(&conn->watch.hello);
}

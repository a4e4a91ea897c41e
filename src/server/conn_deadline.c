/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "server/conn_deadline.h"

#include "base/clock.h"

/*
 * After our close_notify a peer's bytes are read and dropped for so long, so that no RST destroys
 * our last reply.
 */
#define LINGER_MS 2000U

void sc_conn_enter(struct sc_conn *conn, enum sc_conn_state state)
{
    conn->state = state;
    conn->state_since_ms = sc_clock_ms();
    conn->request_ms = conn->state_since_ms;
}

static enum sc_conn_wait waits_for(const struct sc_conn *conn, uint64_t *deadline_ms)
{
    const struct sc_conn_limits *limits = conn->context->limits;
    if (conn->state == SC_CONN_HANDSHAKE) {
        *deadline_ms = conn->state_since_ms + limits->handshake_timeout_ms;
        return SC_CONN_WAIT_HANDSHAKE;
    }
    if (sc_tlsbev_is_blocked(conn->tls)) {
        const uint64_t last_ms =
            conn->waits_since_ms + limits->write_timeout_ms * SC_CONN_MAX_WRITE_TIMEOUTS;
        *deadline_ms = conn->progress_ms + limits->write_timeout_ms;
        if (last_ms < *deadline_ms) {
            *deadline_ms = last_ms;
        }
        return SC_CONN_WAIT_WRITE;
    }
    if (conn->state == SC_CONN_CLOSING) {
        *deadline_ms = conn->state_since_ms + LINGER_MS;
        return SC_CONN_WAIT_LINGER;
    }
    if (conn->frame_since_ms != 0) {
        *deadline_ms = conn->frame_since_ms + limits->frame_timeout_ms;
        return SC_CONN_WAIT_FRAME;
    }
    *deadline_ms =
        limits->idle_timeout_ms == 0 ? SC_WHEEL_NEVER : conn->request_ms + limits->idle_timeout_ms;
    return SC_CONN_WAIT_IDLE;
}

void sc_conn_arm(struct sc_conn *conn, uint64_t now_ms)
{
    uint64_t deadline_ms;
    if (waits_for(conn, &deadline_ms) == SC_CONN_WAIT_WRITE) {
        /* Nothing tells us that the client has read: the timer looks four times before it is over.
         */
        const uint64_t look_ms = now_ms + conn->context->limits->write_timeout_ms / 4 + 1;
        deadline_ms = deadline_ms < look_ms ? deadline_ms : look_ms;
    }
    if (deadline_ms < conn->timer.due_ms) {
        sc_wheel_set(conn->context->wheel, &conn->timer, deadline_ms);
    }
}

void sc_conn_output_waits(struct sc_conn *conn, uint64_t now_ms)
{
    conn->progress_sent = sc_tlsbev_sent(conn->tls);
    conn->progress_ms = now_ms;
    conn->waits_sent = conn->progress_sent + sc_tlsbev_pending(conn->tls);
    conn->waits_since_ms = now_ms;
}

/* Has the client read meanwhile? */
static void note_progress(struct sc_conn *conn, uint64_t now_ms)
{
    const uint64_t sent = sc_tlsbev_sent(conn->tls);
    if (sent >= conn->waits_sent) {
        sc_conn_output_waits(conn, now_ms); /* something newer waits, or nothing */
    } else if (sent != conn->progress_sent) {
        conn->progress_sent = sent;
        conn->progress_ms = now_ms;
    }
}

bool sc_conn_waited_too_long(struct sc_conn *conn, uint64_t now_ms, enum sc_conn_wait *wait)
{
    uint64_t deadline_ms;
    note_progress(conn, now_ms);
    *wait = waits_for(conn, &deadline_ms);
    return deadline_ms <= now_ms;
}

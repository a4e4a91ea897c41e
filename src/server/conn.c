#include "config.h"

#include "server/conn.h"

#include <poll.h>
#include <stddef.h>
#include <stdlib.h>
#include <sysexits.h>

#include <event2/buffer.h>

#include "base/clock.h"
#include "base/pool.h"
#include "server/conn_log.h"
#include "server/conn_state.h"
#include "tls/context.h"
#include "tls/info.h"
#include "tls/probe.h"

#define READ_BYTES (64U << 10) /* ciphertext read at once */
#define REPLIES_BYTES \
    (96U << 10) /* room for the replies to one read; a larger reply gets its own memory */
#define LINGER_MS \
    2000U /* after our close_notify: a peer's bytes are read and dropped, so that no RST eats our \
             last reply */

static const struct sc_admission_callbacks admission_callbacks;
static void on_timer(struct sc_wheel_timer *timer);

/* --- Environment --- */

int sc_conn_env_init(struct sc_conn_env *env, struct sc_err *err)
{
    env->shared = sc_tlsbev_shared_new(env->base, READ_BYTES);
    env->replies.bytes = malloc(REPLIES_BYTES);
    env->replies.size = REPLIES_BYTES;
    env->replies.used = 0;
    if (!env->shared || !env->replies.bytes) {
        sc_conn_env_fini(env);
        return sc_err_set(err, EX_OSERR, "cannot start a worker: out of memory");
    }
    env->wheel = sc_wheel_new(env->base, on_timer, err);
    if (!env->wheel || sc_settle_init(&env->settle, env->base, err) != 0 ||
        sc_admission_queue_init(&env->queue, env->base, &env->admission->full, &admission_callbacks,
                                err) != 0) {
        sc_conn_env_fini(env);
        return -1;
    }
    return 0;
}

void sc_conn_env_fini(struct sc_conn_env *env)
{
    sc_tlsbev_shared_free(env->shared);
    sc_wheel_free(env->wheel);
    sc_admission_queue_fini(&env->queue);
    sc_settle_fini(&env->settle);
    free(env->replies.bytes);
    env->shared = NULL;
    env->replies.bytes = NULL;
    env->wheel = NULL;
}

/* --- State and deadlines --- */

void sc_conn_enter(struct sc_conn *conn, enum sc_conn_state state)
{
    conn->state = state;
    conn->state_since_ms = sc_clock_ms();
    conn->request_ms = conn->state_since_ms;
}

/* What the connection waits for, and until when. */
enum wait { WAIT_HANDSHAKE, WAIT_WRITE, WAIT_FRAME, WAIT_IDLE, WAIT_LINGER };

static enum wait waits_for(const struct sc_conn *conn, uint64_t *deadline_ms)
{
    const struct sc_conn_limits *limits = conn->env->limits;
    if (conn->state == SC_CONN_HANDSHAKE) {
        *deadline_ms = conn->state_since_ms + limits->handshake_timeout_ms;
        return WAIT_HANDSHAKE;
    }
    if (sc_tlsbev_is_blocked(conn->tls)) {
        *deadline_ms = conn->progress_ms + limits->write_timeout_ms;
        return WAIT_WRITE;
    }
    if (conn->state == SC_CONN_CLOSING) {
        *deadline_ms = conn->state_since_ms + LINGER_MS;
        return WAIT_LINGER;
    }
    if (conn->frame_since_ms != 0) {
        *deadline_ms = conn->frame_since_ms + limits->frame_timeout_ms;
        return WAIT_FRAME;
    }
    *deadline_ms =
        limits->idle_timeout_ms == 0 ? SC_WHEEL_NEVER : conn->request_ms + limits->idle_timeout_ms;
    return WAIT_IDLE;
}

/*
 * The timer is moved only when it would fire too late: on the path of a request it is not touched.
 */
void sc_conn_arm(struct sc_conn *conn, uint64_t now_ms)
{
    uint64_t deadline_ms;
    if (waits_for(conn, &deadline_ms) == WAIT_WRITE) {
        /*
         * Looked at four times before it is over: whether the client has read meanwhile is not
         * told to us.
         */
        const uint64_t look_ms = now_ms + conn->env->limits->write_timeout_ms / 4 + 1;
        deadline_ms = deadline_ms < look_ms ? deadline_ms : look_ms;
    }
    if (deadline_ms < conn->timer.due_ms) {
        sc_wheel_set(conn->env->wheel, &conn->timer, deadline_ms);
    }
}

void sc_conn_note_progress(struct sc_conn *conn, uint64_t now_ms)
{
    const uint64_t sent = sc_tlsbev_sent(conn->tls);
    if (sent != conn->progress_sent || !sc_tlsbev_is_blocked(conn->tls)) {
        conn->progress_sent = sent;
        conn->progress_ms = now_ms;
    }
}

/* --- What the TLS pair tells --- */

static void on_connected(void *arg)
{
    struct sc_conn *conn = arg;
    sc_settle_later(&conn->env->settle);
    sc_conn_enter(conn, SC_CONN_OPEN);
    conn->all_answered = true;
    struct sc_err err;
    if (sc_tls_context_check_peer(conn->context, sc_tlsbev_ssl(conn->tls), &err) != 0) {
        sc_stats_add(&conn->env->stats->handshakes_failed, 1);
        sc_conn_log_event(&conn->env->log, SC_CONN_CLIENT_REFUSED, &conn->origin, err.text);
        sc_conn_free(conn);
        return;
    }
    sc_stats_add(&conn->env->stats->handshakes_completed, 1);
    struct sc_tls_info info;
    sc_tls_info_get(sc_tlsbev_ssl(conn->tls), &info);
    sc_stats_add(&conn->env->stats->handshakes_resumed, info.resumed);
    if (info.resumed && conn->took_token) {
        sc_admission_give_back(&conn->env->admission->full);
    }
    sc_conn_log_connected(&conn->env->log, &conn->origin, &info);
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
    const uint64_t now = sc_clock_ms();
    conn->progress_sent = sc_tlsbev_sent(conn->tls);
    conn->progress_ms = now;
    sc_conn_arm(conn, now);
}

static void on_flushed(void *arg)
{
    struct sc_conn *conn = arg;
    const uint64_t now = sc_clock_ms();
    sc_conn_note_progress(conn, now);
    if (conn->state == SC_CONN_CLOSING && conn->input_ended) {
        sc_conn_free(conn);
        return;
    }
    if (conn->state == SC_CONN_CLOSING) {
        conn->state_since_ms = now; /* the linger starts when the last byte has left */
    }
    if (conn->paused) {
        sc_conn_start_reading(conn);
        sc_tlsbev_again(conn->tls);
    }
    sc_conn_arm(conn, now);
}

static void on_closed(void *arg, const struct sc_tlsbev_close *close)
{
    struct sc_conn *conn = arg;
    conn->input_ended = true;
    if (conn->state == SC_CONN_HANDSHAKE) {
        sc_conn_log_handshake_failed(&conn->env->log, &conn->origin, &conn->watch, close);
        sc_conn_free(conn);
        return;
    }
    if (close->end == SC_TLSBEV_KEY_UPDATES) {
        sc_stats_add(&conn->env->stats->key_update_floods, 1);
    }
    sc_conn_log_closed(&conn->env->log, &conn->origin, close);
    if (close->end == SC_TLSBEV_TLS || close->end == SC_TLSBEV_RESET ||
        close->end == SC_TLSBEV_KEY_UPDATES) {
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

/*
 * Full handshakes are rationed (handshake-rate), and clients that hold a ticket of ours go first:
 * they cost no signature. A token is taken before it is known which it is, and given back if it
 * was not needed; only when there is none, the ClientHello is looked at.
 */
static bool on_hello(void *arg, const void *bytes, size_t length)
{
    struct sc_conn *conn = arg;
    if (sc_admission_queue_is_empty(&conn->env->queue) &&
        sc_admission_try(&conn->env->admission->full)) {
        conn->took_token = true;
        return true;
    }
    switch (sc_tls_probe_hello(conn->context, bytes, length)) {
    case SC_TLS_HELLO_RESUMES: return true;
    case SC_TLS_HELLO_INCOMPLETE: return false;
    case SC_TLS_HELLO_FULL: break;
    }
    sc_stats_add(&conn->env->stats->handshakes_delayed, 1);
    sc_tlsbev_pause(conn->tls);
    return sc_admission_enqueue(&conn->env->queue, &conn->waiting,
                                sc_addr_key(&conn->origin.peer)) != 0;
}

/* One that has left meanwhile takes no token; why it left, its next read says. */
static bool is_alive(struct sc_admission_waiter *waiter)
{
    struct sc_conn *conn =
        (struct sc_conn *)(void *)((char *)waiter - offsetof(struct sc_conn, waiting));
    struct pollfd socket = {.fd = sc_tlsbev_fd(conn->tls), .events = POLLRDHUP};
    if (poll(&socket, 1, 0) <= 0) {
        return true;
    }
    sc_tlsbev_resume(conn->tls);
    return false;
}

static void on_admitted(struct sc_admission_waiter *waiter)
{
    struct sc_conn *conn =
        (struct sc_conn *)(void *)((char *)waiter - offsetof(struct sc_conn, waiting));
    conn->took_token = true;
    sc_tlsbev_resume(conn->tls);
    sc_tlsbev_admit(conn->tls);
}

static const struct sc_admission_callbacks admission_callbacks = {.is_alive = is_alive,
                                                                  .on_admitted = on_admitted};

static const struct sc_tlsbev_callbacks tls_callbacks = {.on_connected = on_connected,
                                                         .on_data = on_data,
                                                         .on_blocked = on_blocked,
                                                         .on_flushed = on_flushed,
                                                         .on_closed = on_closed};
static const struct sc_tlsbev_callbacks rationed_tls_callbacks = {.on_hello = on_hello,
                                                                  .on_connected = on_connected,
                                                                  .on_data = on_data,
                                                                  .on_blocked = on_blocked,
                                                                  .on_flushed = on_flushed,
                                                                  .on_closed = on_closed};

static void on_deadline(struct sc_conn *conn, enum wait wait)
{
    struct sc_stats *stats = conn->env->stats;
    switch (wait) {
    case WAIT_HANDSHAKE:
        sc_stats_add(&stats->timeouts_handshake, 1);
        sc_conn_log_handshake_failed(&conn->env->log, &conn->origin, &conn->watch, NULL);
        sc_conn_free(conn);
        return;
    case WAIT_WRITE:
        sc_stats_add(&stats->timeouts_write, 1);
        sc_conn_log_event(&conn->env->log, SC_CONN_WRITE_TIMEOUT, &conn->origin,
                          "the client did not read its replies");
        sc_conn_free(conn);
        return;
    case WAIT_FRAME:
        sc_stats_add(&stats->timeouts_frame, 1);
        sc_conn_log_event(&conn->env->log, SC_CONN_FRAME_TIMEOUT, &conn->origin,
                          "a started frame did not arrive in time");
        sc_conn_refuse_and_close(conn, SC_ERROR_OVER_LIMIT,
                                 "the frame did not arrive in time (frame-timeout)");
        break;
    case WAIT_IDLE:
        sc_stats_add(&stats->timeouts_idle, 1);
        sc_conn_log_event(&conn->env->log, SC_CONN_IDLE_TIMEOUT, &conn->origin,
                          "no request for a long time");
        sc_conn_refuse_and_close(conn, SC_ERROR_OVER_LIMIT,
                                 "no request for too long (idle-timeout)");
        break;
    case WAIT_LINGER: sc_conn_free(conn); return;
    }
    sc_conn_arm(conn, sc_clock_ms());
}

static void on_timer(struct sc_wheel_timer *timer)
{
    struct sc_conn *conn =
        (struct sc_conn *)(void *)((char *)timer - offsetof(struct sc_conn, timer));
    uint64_t deadline_ms;
    const uint64_t now_ms = sc_clock_ms();
    sc_conn_note_progress(conn, now_ms);
    const enum wait wait = waits_for(conn, &deadline_ms);
    if (deadline_ms <= now_ms) {
        on_deadline(conn, wait);
    } else {
        sc_conn_arm(conn, now_ms);
    }
}

/* --- Life --- */

struct sc_conn *sc_conn_new(struct sc_conn_env *env, struct sc_tls_context *tls, evutil_socket_t fd,
                            const struct sc_conn_origin *origin, struct sc_err *err)
{
    struct sc_conn *conn = sc_pool_calloc(sizeof(*conn));
    SSL *ssl = conn ? SSL_new(sc_tls_context_ssl_ctx(tls)) : NULL;
    if (!ssl) {
        sc_pool_free(conn);
        (void)evutil_closesocket(fd);
        (void)sc_err_set(err, EX_OSERR, "cannot set up a connection: out of memory");
        return NULL;
    }
    conn->env = env;
    conn->origin = *origin;
    sc_wheel_timer_init(&conn->timer);
    sc_tls_watch_init(&conn->watch);
    SSL_set_app_data(ssl, &conn->watch);
    sc_conn_enter(conn, SC_CONN_HANDSHAKE);
    const struct sc_tlsbev_callbacks *callbacks =
        sc_admission_is_limited(env->admission) ? &rationed_tls_callbacks : &tls_callbacks;
    conn->tls = sc_tlsbev_new(env->shared, fd, ssl, true, callbacks, conn, err);
    if (!conn->tls) {
        sc_pool_free(conn);
        return NULL;
    }
    conn->context = sc_tls_context_ref(tls);
    sc_stats_add(&env->stats->handshakes_started, 1);
    sc_settle_opened(&env->settle);
    sc_conn_arm(conn, conn->state_since_ms);
    return conn;
}

void sc_conn_free(struct sc_conn *conn)
{
    struct sc_stats *stats = conn->env->stats;
    if (conn->state == SC_CONN_HANDSHAKE) {
        sc_stats_add(&stats->handshakes_failed,
                     1); /* for whatever reason, also when the server cuts it */
    }
    sc_stats_add(&stats->bytes_received, sc_tlsbev_received(conn->tls));
    sc_stats_add(&stats->bytes_sent, sc_tlsbev_sent(conn->tls));
    sc_stats_add(&stats->connections_closed, 1);
    sc_admission_dequeue(&conn->env->queue, &conn->waiting);
    conn->env->on_gone(conn, conn->env->arg);
    sc_settle_closed(&conn->env->settle);
    sc_wheel_clear(&conn->timer);
    sc_tlsbev_free(conn->tls);
    sc_tls_watch_fini(&conn->watch);
    sc_tls_context_unref(conn->context);
    sc_pool_free(conn);
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

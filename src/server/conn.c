#include "config.h"

#include "server/conn.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include <event2/buffer.h>

#include "base/clock.h"
#include "net/framebuf.h"
#include "net/tlsbev.h"
#include "proto/handler.h"
#include "server/conn_log.h"
#include "tls/context.h"
#include "tls/info.h"
#include "tls/probe.h"
#include "tls/watch.h"

#define READ_BYTES (64U << 10)    /* ciphertext read at once */
#define REPLIES_BYTES (96U << 10) /* room for the replies to one read; a larger reply gets its own memory */
#define MAX_FRAMES_A_TURN 256U    /* then other connections have their turn */
#define LINGER_MS 2000U           /* after our close_notify: a peer's bytes are read and dropped, so that no RST eats our last reply */
#define MAX_DRAIN_READS 16U       /* of one client; one that never stops sending does not hold up a drain */
#define NEVER UINT64_MAX

enum state { STATE_HANDSHAKE, STATE_OPEN, STATE_CLOSING };

struct sc_conn {
    LIST_ENTRY(sc_conn) link;
    struct sc_conn_env        *env;
    struct sc_tlsbev          *tls;
    struct sc_tls_context     *context; /* a reference */
    struct event              *timer;
    uint64_t                   state_since_ms;
    uint64_t                   frame_since_ms; /* the first byte of an unfinished frame; 0: there is none */
    uint64_t                   request_ms;     /* the last complete request */
    uint64_t                   progress_ms;    /* the socket last took something; counts while output is pending */
    uint64_t                   progress_sent;  /* sc_tlsbev_sent() then */
    uint64_t                   armed_ms;       /* when the timer fires; NEVER: it is not armed */
    uint64_t                   skip_bytes;     /* of the body of a request that we do not know */
    uint32_t                   retry_after_ms; /* for the goodbye of a drain */
    uint32_t                   drain_reads;
    enum state                 state;
    struct sc_admission_waiter waiting;
    bool                       took_token; /* for a full handshake */
    bool                       all_answered; /* no complete frame is left in the input */
    bool                       skipping, paused, draining, input_ended;
    struct sc_tls_watch        watch;
    struct sc_conn_origin      origin;
};

static void on_admitted(struct sc_admission_waiter *waiter);

/* --- Environment --- */

int sc_conn_env_init(struct sc_conn_env *env, struct sc_err *err)
{
    env->scratch       = sc_tlsbev_scratch_new(READ_BYTES);
    env->replies.bytes = malloc(REPLIES_BYTES);
    env->replies.size  = REPLIES_BYTES;
    env->replies.used  = 0;
    if (!env->scratch || !env->replies.bytes) {
        sc_conn_env_fini(env);
        return sc_err_set(err, EX_OSERR, "cannot start a worker: out of memory");
    }
    return sc_admission_queue_init(&env->queue, env->base, env->admission, on_admitted, err);
}

void sc_conn_env_fini(struct sc_conn_env *env)
{
    sc_tlsbev_scratch_free(env->scratch);
    sc_admission_queue_fini(&env->queue);
    free(env->replies.bytes);
    env->scratch       = NULL;
    env->replies.bytes = NULL;
}

/* --- State and deadlines ---------------------------------------------------------------------------------------------------------------
 */

static void enter(struct sc_conn *conn, enum state state)
{
    conn->state          = state;
    conn->state_since_ms = sc_clock_ms();
    conn->request_ms     = conn->state_since_ms;
}

/* What the connection waits for, and until when. */
enum wait { WAIT_HANDSHAKE, WAIT_WRITE, WAIT_FRAME, WAIT_IDLE, WAIT_LINGER };

static enum wait waits_for(const struct sc_conn *conn, uint64_t *deadline_ms)
{
    const struct sc_conn_limits *limits = conn->env->limits;
    if (conn->state == STATE_HANDSHAKE) {
        *deadline_ms = conn->state_since_ms + limits->handshake_timeout_ms;
        return WAIT_HANDSHAKE;
    }
    if (sc_tlsbev_pending(conn->tls) > 0) {
        *deadline_ms = conn->progress_ms + limits->write_timeout_ms;
        return WAIT_WRITE;
    }
    if (conn->state == STATE_CLOSING) {
        *deadline_ms = conn->state_since_ms + LINGER_MS;
        return WAIT_LINGER;
    }
    if (conn->frame_since_ms != 0) {
        *deadline_ms = conn->frame_since_ms + limits->frame_timeout_ms;
        return WAIT_FRAME;
    }
    *deadline_ms = limits->idle_timeout_ms == 0 ? NEVER : conn->request_ms + limits->idle_timeout_ms;
    return WAIT_IDLE;
}

/* The timer is moved only when it would fire too late: on the path of a request it is not touched. */
static void arm(struct sc_conn *conn, uint64_t now_ms)
{
    uint64_t deadline_ms;
    if (waits_for(conn, &deadline_ms) == WAIT_WRITE) {
        /* Looked at four times before it is over: whether the client has read meanwhile is not told to us. */
        const uint64_t look_ms = now_ms + conn->env->limits->write_timeout_ms / 4 + 1;
        deadline_ms            = deadline_ms < look_ms ? deadline_ms : look_ms;
    }
    if (deadline_ms < conn->armed_ms) {
        const uint64_t       left_ms = deadline_ms > now_ms ? deadline_ms - now_ms : 0;
        const struct timeval left    = {.tv_sec = (time_t)(left_ms / 1000), .tv_usec = (suseconds_t)(left_ms % 1000 * 1000)};
        conn->armed_ms               = deadline_ms;
        event_add(conn->timer, &left);
    }
}

static void note_progress(struct sc_conn *conn, uint64_t now_ms)
{
    const uint64_t sent = sc_tlsbev_sent(conn->tls);
    if (sent != conn->progress_sent || sc_tlsbev_pending(conn->tls) == 0) {
        conn->progress_sent = sent;
        conn->progress_ms   = now_ms;
    }
}

/* --- Replies ---------------------------------------------------------------------------------------------------------------------------
 */

static void send_replies(struct sc_conn *conn)
{
    struct sc_replies *replies = &conn->env->replies;
    sc_tlsbev_write(conn->tls, replies->bytes, replies->used);
    replies->used = 0;
}

/* Room for `size` bytes behind the replies so far; those leave first when there is none. NULL: larger than the whole. */
static uint8_t *reply_room(struct sc_conn *conn, size_t size)
{
    struct sc_replies *replies = &conn->env->replies;
    if (SC_UNLIKELY(size > replies->size - replies->used)) {
        send_replies(conn);
        if (size > replies->size) {
            return NULL;
        }
    }
    return replies->bytes + replies->used;
}

static void reply_error(struct sc_conn *conn, enum sc_error_code code, uint32_t retry_after_ms, const char *text)
{
    uint8_t *room = reply_room(conn, SC_FRAME_ERROR_MAX_BYTES);
    conn->env->replies.used += sc_frame_put_error(room, code, retry_after_ms, text);
    sc_stats_add(&conn->env->stats->errors[code], 1);
}

/* A reply that does not fit beside others: in memory of its own, encrypted from there. */
static void reply_large(struct sc_conn *conn, const struct sc_handler *handler, const uint8_t *body, size_t body_length, size_t max)
{
    uint8_t *reply = malloc(SC_FRAME_HEADER_BYTES + max);
    if (!reply) {
        reply_error(conn, SC_ERROR_INTERNAL, 0, "out of memory");
        return;
    }
    const size_t length = handler->run(body, body_length, reply + SC_FRAME_HEADER_BYTES);
    sc_frame_put_header(reply, handler->type, (uint32_t)length);
    sc_tlsbev_write(conn->tls, reply, SC_FRAME_HEADER_BYTES + length);
    free(reply);
}

static void answer(struct sc_conn *conn, const struct sc_handler *handler, const uint8_t *body, size_t body_length)
{
    const size_t max  = handler->reply_max(body_length);
    uint8_t     *room = reply_room(conn, SC_FRAME_HEADER_BYTES + max);
    if (SC_LIKELY(room != NULL)) {
        const size_t length = handler->run(body, body_length, room + SC_FRAME_HEADER_BYTES);
        sc_frame_put_header(room, handler->type, (uint32_t)length);
        conn->env->replies.used += SC_FRAME_HEADER_BYTES + length;
    } else {
        reply_large(conn, handler, body, body_length, max);
    }
    sc_stats_add(&conn->env->stats->requests[sc_handler_index(handler)], 1);
}

static void stop_reading(struct sc_conn *conn)
{
    if (!conn->paused) {
        conn->paused         = true;
        conn->frame_since_ms = 0; /* it is us who do not read */
        sc_stats_add(&conn->env->stats->paused, 1);
        sc_tlsbev_pause(conn->tls);
    }
}

static void start_reading(struct sc_conn *conn)
{
    if (conn->paused) {
        conn->paused = false;
        sc_tlsbev_resume(conn->tls);
    }
}

/* --- The end ----------------------------------------------------------------------------------------------------------------------------
 */

/* Everything is answered: close_notify behind the last reply, then wait until it has left. Frees the connection if nothing is left to do.
 */
static void close_after_replies(struct sc_conn *conn)
{
    send_replies(conn);
    if (conn->state != STATE_CLOSING) {
        enter(conn, STATE_CLOSING);
        conn->frame_since_ms = 0;
        sc_tlsbev_shutdown(conn->tls);
        start_reading(conn);
    }
}

static void refuse_and_close(struct sc_conn *conn, enum sc_error_code code, const char *text)
{
    reply_error(conn, code, 0, text);
    close_after_replies(conn);
}

static void say_goodbye(struct sc_conn *conn)
{
    reply_error(conn, SC_ERROR_GOING_AWAY, conn->retry_after_ms, "the server is stopping; come back later");
    close_after_replies(conn);
}

/* Every complete request that we have read has been answered. What is left of the input is nothing or a part of a frame. */
static void on_all_answered(struct sc_conn *conn)
{
    if (SC_UNLIKELY(conn->input_ended)) {
        if (conn->frame_since_ms != 0) {
            sc_stats_add(&conn->env->stats->truncated, 1);
            sc_conn_log_event(SC_LOG_DEBUG, &conn->origin, "truncated", "the peer ended in the middle of a frame");
        }
        close_after_replies(conn);
    } else if (SC_UNLIKELY(conn->draining)) {
        if (conn->drain_reads++ < MAX_DRAIN_READS && sc_tlsbev_has_unread(conn->tls)) {
            sc_tlsbev_again(conn->tls);
        } else {
            say_goodbye(conn);
        }
    }
}

/* --- Requests ---------------------------------------------------------------------------------------------------------------------------
 */

/* A request of a type that we do not know is answered when all of it has arrived, and its body is never kept. True: it has. */
static bool skip(struct sc_conn *conn, struct evbuffer *input)
{
    const size_t there = evbuffer_get_length(input);
    const size_t count = there < conn->skip_bytes ? there : (size_t)conn->skip_bytes;
    evbuffer_drain(input, count);
    conn->skip_bytes -= count;
    return conn->skip_bytes == 0;
}

static bool over_output_limit(const struct sc_conn *conn)
{
    return sc_tlsbev_pending(conn->tls) + conn->env->replies.used >= conn->env->limits->output_limit_bytes;
}

enum served {
    SERVED_ALL,  /* no complete frame is left */
    SERVED_SOME, /* there may be; others have their turn first */
    SERVED_LAST, /* the connection is being closed */
};

/* One frame, the complete one at the front. */
static void answer_frame(struct sc_conn *conn, const struct sc_frame_header *header, const uint8_t *body)
{
    const struct sc_handler *handler = sc_handler_find(header->type);
    if (SC_LIKELY(handler != NULL)) {
        answer(conn, handler, body, header->length);
    } else {
        reply_error(conn, SC_ERROR_UNKNOWN_TYPE, 0, "unknown message type");
    }
}

/* Complete frames, in order, until there are no more, or it is the turn of others, or enough replies wait. */
static enum served answer_frames(struct sc_conn *conn, struct evbuffer *input, unsigned *answered)
{
    const size_t           max_body = conn->env->limits->max_body_bytes;
    enum sc_frame_status   status   = SC_FRAME_COMPLETE;
    struct sc_frame_header header   = {0, 0};
    struct sc_framebuf     frames;
    const uint8_t         *body;
    sc_framebuf_begin(&frames, input);
    while (*answered < MAX_FRAMES_A_TURN && !over_output_limit(conn)) {
        status = sc_framebuf_next(&frames, max_body, &header, &body);
        if (status != SC_FRAME_COMPLETE) {
            break;
        }
        answer_frame(conn, &header, body);
        (*answered)++;
    }
    const bool header_is_there = sc_framebuf_left(&frames) >= SC_FRAME_HEADER_BYTES;
    sc_framebuf_end(&frames);
    if (status == SC_FRAME_TOO_LARGE) {
        refuse_and_close(conn, SC_ERROR_BODY_TOO_LARGE, "the body is larger than max-body");
        return SERVED_LAST;
    }
    if (status == SC_FRAME_NEED_MORE && header_is_there && !sc_handler_find(header.type)) {
        conn->skipping   = true;
        conn->skip_bytes = SC_FRAME_HEADER_BYTES + (uint64_t)header.length;
        (void)skip(conn, input);
    }
    return status == SC_FRAME_NEED_MORE ? SERVED_ALL : SERVED_SOME;
}

static enum served answer_input(struct sc_conn *conn, struct evbuffer *input, unsigned *answered)
{
    if (SC_UNLIKELY(conn->skipping)) {
        if (!skip(conn, input)) {
            return SERVED_ALL;
        }
        conn->skipping = false;
        reply_error(conn, SC_ERROR_UNKNOWN_TYPE, 0, "unknown message type");
        (*answered)++;
    }
    return answer_frames(conn, input, answered);
}

/* The frame's clock starts with its first byte and is not moved by the bytes that follow. */
static void watch_partial_frame(struct sc_conn *conn, struct evbuffer *input, bool a_frame_ended, uint64_t now_ms)
{
    if (!conn->skipping && evbuffer_get_length(input) == 0) {
        conn->frame_since_ms = 0;
    } else if (a_frame_ended || conn->frame_since_ms == 0) {
        conn->frame_since_ms = now_ms;
    }
}

static void serve(struct sc_conn *conn, struct evbuffer *input)
{
    const uint64_t now_ms   = sc_clock_ms();
    unsigned       answered = 0;
    if (SC_UNLIKELY(conn->state != STATE_OPEN)) {
        evbuffer_drain(input, evbuffer_get_length(input)); /* lingering */
        return;
    }
    if (SC_UNLIKELY(over_output_limit(conn))) {
        conn->all_answered = false;
        stop_reading(conn); /* on_drained() goes on */
        arm(conn, now_ms);
        return;
    }
    const enum served served = answer_input(conn, input, &answered);
    if (served == SERVED_LAST) {
        evbuffer_drain(input, evbuffer_get_length(input));
    } else {
        if (answered > 0) {
            conn->request_ms = now_ms;
            send_replies(conn);
        }
        watch_partial_frame(conn, input, answered > 0, now_ms);
        conn->all_answered = served == SERVED_ALL;
        if (conn->all_answered) {
            on_all_answered(conn);
        } else {
            sc_tlsbev_again(conn->tls);
        }
    }
    note_progress(conn, now_ms);
    arm(conn, now_ms);
}

/* --- What the TLS pair tells ------------------------------------------------------------------------------------------------------------
 */

static void on_connected(void *arg)
{
    struct sc_conn *conn = arg;
    enter(conn, STATE_OPEN);
    conn->all_answered = true;
    struct sc_err err;
    if (sc_tls_context_check_peer(conn->context, sc_tlsbev_ssl(conn->tls), &err) != 0) {
        sc_stats_add(&conn->env->stats->handshakes_failed, 1);
        sc_conn_log_event(SC_LOG_WARNING, &conn->origin, "client_refused", err.text);
        sc_conn_free(conn);
        return;
    }
    sc_stats_add(&conn->env->stats->handshakes_completed, 1);
    struct sc_tls_info info;
    sc_tls_info_get(sc_tlsbev_ssl(conn->tls), &info);
    sc_stats_add(&conn->env->stats->handshakes_resumed, info.resumed);
    if (info.resumed && conn->took_token) {
        sc_admission_give_back(conn->env->admission);
    }
    sc_conn_log_connected(&conn->origin, &info);
    if (conn->draining) {
        sc_tlsbev_again(conn->tls);
    }
    arm(conn, conn->state_since_ms);
}

static void on_data(void *arg, struct evbuffer *input)
{
    serve(arg, input);
}

static void on_drained(void *arg)
{
    struct sc_conn *conn = arg;
    const uint64_t  now  = sc_clock_ms();
    note_progress(conn, now);
    if (conn->state == STATE_CLOSING && conn->input_ended) {
        sc_conn_free(conn);
        return;
    }
    if (conn->state == STATE_CLOSING) {
        conn->state_since_ms = now; /* the linger starts when the last byte has left */
    }
    if (conn->paused) {
        start_reading(conn);
        sc_tlsbev_again(conn->tls);
    }
    arm(conn, now);
}

static void on_closed(void *arg, const struct sc_tlsbev_close *close)
{
    struct sc_conn *conn = arg;
    conn->input_ended    = true;
    if (conn->state == STATE_HANDSHAKE) {
        sc_stats_add(&conn->env->stats->handshakes_failed, 1);
        sc_conn_log_handshake_failed(&conn->env->failure_log_rate, &conn->origin, &conn->watch, close);
        sc_conn_free(conn);
        return;
    }
    if (close->end == SC_TLSBEV_KEY_UPDATES) {
        sc_stats_add(&conn->env->stats->key_update_floods, 1);
    }
    sc_conn_log_closed(&conn->origin, close);
    if (close->end == SC_TLSBEV_TLS || close->end == SC_TLSBEV_RESET || close->end == SC_TLSBEV_KEY_UPDATES) {
        sc_conn_free(conn);
    } else if (conn->state == STATE_CLOSING) {
        if (sc_tlsbev_pending(conn->tls) == 0) {
            sc_conn_free(conn);
        }
    } else if (conn->all_answered) {
        on_all_answered(conn);
    } else {
        sc_tlsbev_again(conn->tls); /* complete frames are left */
    }
}

/*
 * Full handshakes are rationed (handshake-rate), and clients that hold a ticket of ours go first: they cost no signature. A token is taken
 * before it is known which it is, and given back if it was not needed; only when there is none, the ClientHello is looked at.
 */
static bool on_hello(void *arg, const void *bytes, size_t length)
{
    struct sc_conn *conn = arg;
    if (sc_admission_nobody_waits(&conn->env->queue) && sc_admission_try(conn->env->admission)) {
        conn->took_token = true;
        return true;
    }
    switch (sc_tls_probe_hello(conn->context, bytes, length)) {
    case SC_TLS_HELLO_RESUMES: return true;
    case SC_TLS_HELLO_INCOMPLETE: return false;
    case SC_TLS_HELLO_FULL: break;
    }
    sc_stats_add(&conn->env->stats->handshakes_delayed, 1);
    sc_tlsbev_pause(conn->tls); /* a client that gives up is noticed when its turn comes, or by the handshake's deadline */
    sc_admission_wait(&conn->env->queue, &conn->waiting);
    return false;
}

static void on_admitted(struct sc_admission_waiter *waiter)
{
    struct sc_conn *conn = (struct sc_conn *)(void *)((char *)waiter - offsetof(struct sc_conn, waiting));
    conn->took_token     = true;
    sc_tlsbev_resume(conn->tls);
    sc_tlsbev_admit(conn->tls);
}

static const struct sc_tlsbev_callbacks tls_callbacks = {
    .on_connected = on_connected, .on_data = on_data, .on_drained = on_drained, .on_closed = on_closed};
static const struct sc_tlsbev_callbacks rationed_tls_callbacks = {
    .on_hello = on_hello, .on_connected = on_connected, .on_data = on_data, .on_drained = on_drained, .on_closed = on_closed};

static void on_deadline(struct sc_conn *conn, enum wait wait)
{
    struct sc_stats *stats = conn->env->stats;
    switch (wait) {
    case WAIT_HANDSHAKE:
        sc_stats_add(&stats->timeouts_handshake, 1);
        sc_stats_add(&stats->handshakes_failed, 1);
        sc_conn_log_handshake_failed(&conn->env->failure_log_rate, &conn->origin, &conn->watch, NULL);
        sc_conn_free(conn);
        return;
    case WAIT_WRITE:
        sc_stats_add(&stats->timeouts_write, 1);
        sc_conn_log_event(SC_LOG_INFO, &conn->origin, "write_timeout", "the client did not read its replies");
        sc_conn_free(conn);
        return;
    case WAIT_FRAME:
        sc_stats_add(&stats->timeouts_frame, 1);
        sc_conn_log_event(SC_LOG_INFO, &conn->origin, "frame_timeout", "a started frame did not arrive in time");
        refuse_and_close(conn, SC_ERROR_OVER_LIMIT, "the frame did not arrive in time (frame-timeout)");
        break;
    case WAIT_IDLE:
        sc_stats_add(&stats->timeouts_idle, 1);
        sc_conn_log_event(SC_LOG_DEBUG, &conn->origin, "idle_timeout", "no request for a long time");
        refuse_and_close(conn, SC_ERROR_OVER_LIMIT, "no request for too long (idle-timeout)");
        break;
    case WAIT_LINGER: sc_conn_free(conn); return;
    }
    arm(conn, sc_clock_ms());
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct sc_conn *conn = arg;
    uint64_t        deadline_ms;
    (void)fd;
    (void)what;
    const uint64_t now_ms = sc_clock_ms();
    conn->armed_ms        = NEVER;
    note_progress(conn, now_ms);
    const enum wait wait = waits_for(conn, &deadline_ms);
    if (deadline_ms <= now_ms) {
        on_deadline(conn, wait);
    } else {
        arm(conn, now_ms);
    }
}

/* --- Life --------------------------------------------------------------------------------------------------------------------------------
 */

struct sc_conn *sc_conn_new(struct sc_conn_env *env, struct sc_tls_context *tls, evutil_socket_t fd, const struct sc_conn_origin *origin,
                            struct sc_err *err)
{
    struct sc_conn *conn = calloc(1, sizeof(*conn));
    SSL            *ssl  = conn ? SSL_new(sc_tls_context_ssl_ctx(tls)) : NULL;
    if (ssl) {
        conn->timer = evtimer_new(env->base, on_timer, conn);
    }
    if (!ssl || !conn->timer) {
        SSL_free(ssl);
        free(conn);
        (void)evutil_closesocket(fd);
        (void)sc_err_set(err, EX_OSERR, "cannot set up a connection: out of memory");
        return NULL;
    }
    conn->env      = env;
    conn->origin   = *origin;
    conn->armed_ms = NEVER;
    sc_tls_watch_init(&conn->watch);
    SSL_set_app_data(ssl, &conn->watch);
    enter(conn, STATE_HANDSHAKE);
    const struct sc_tlsbev_callbacks *callbacks = sc_admission_is_limited(env->admission) ? &rationed_tls_callbacks : &tls_callbacks;
    conn->tls                                   = sc_tlsbev_new(env->base, env->scratch, fd, ssl, true, callbacks, conn, err);
    if (!conn->tls) {
        event_free(conn->timer);
        free(conn);
        return NULL;
    }
    conn->context = sc_tls_context_ref(tls);
    sc_stats_add(&env->stats->handshakes_started, 1);
    arm(conn, conn->state_since_ms);
    return conn;
}

void sc_conn_free(struct sc_conn *conn)
{
    struct sc_stats *stats = conn->env->stats;
    sc_stats_add(&stats->bytes_received, sc_tlsbev_received(conn->tls));
    sc_stats_add(&stats->bytes_sent, sc_tlsbev_sent(conn->tls));
    sc_stats_add(&stats->connections_closed, 1);
    sc_admission_leave(&conn->env->queue, &conn->waiting);
    conn->env->on_gone(conn, conn->env->arg);
    event_free(conn->timer);
    sc_tlsbev_free(conn->tls);
    sc_tls_context_unref(conn->context);
    free(conn);
}

void sc_conn_drain(struct sc_conn *conn, uint32_t retry_after_ms)
{
    conn->draining       = true;
    conn->retry_after_ms = retry_after_ms;
    if (conn->state == STATE_OPEN) {
        sc_tlsbev_again(conn->tls);
    }
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

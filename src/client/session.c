#include "config.h"

#include "client/session.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include <event2/buffer.h>

#include "base/clock.h"
#include "base/escape.h"
#include "client/connect.h"
#include "client/peer.h"
#include "net/framebuf.h"
#include "net/tlsbev.h"
#include "proto/handler.h"
#include "tls/explain.h"

#define SCRATCH_BYTES (64U << 10)
#define CLOSE_MS 1000U /* how long the server may take to answer close_notify */

enum state { CONNECTING, HANDSHAKING, READY, CLOSING, ENDED };

struct request {
    uint32_t type;
    uint32_t length;
    uint64_t sent_ns;
};

struct sc_session {
    struct event_base *base;
    struct sc_session_settings settings;
    struct sc_session_callbacks callbacks;
    void *arg;
    char target[300]; /* the address as it was given */
    enum state state;
    struct sc_connect *connect;
    struct sc_tlsbev_shared *shared;
    struct sc_tlsbev *tls;
    struct sc_tls_watch watch;
    struct sc_session_info info;
    struct event *timer; /* the deadline of the state */
    struct event *end_event;
    uint64_t started_ns; /* the connect, then the handshake */
    struct evbuffer *out; /* frames for the next flush() */
    bool in_callback; /* flush() follows at its end */
    struct request requests[SC_SESSION_MAX_REQUESTS]; /* a ring: unanswered, oldest first */
    size_t first, count;
    uint64_t unanswered_bytes; /* of their bodies */
    uint32_t last_error; /* code of an ERROR reply after which the server closes, 0: none */
    bool failed;
    struct sc_err err;
};

/* --- Life --- */

static void arm(struct sc_session *session, uint64_t ms)
{
    const struct timeval wait = sc_clock_timeval(ms);
    /*
     * The owner may have been long in a callback, as when it prints to a pipe that is not read:
     * that is not the server's time.
     */
    (void)event_base_update_cache_time(session->base);
    (void)evtimer_add(session->timer, &wait);
}

/* The one way out: on_end is called from the loop. `err` NULL: a good end. */
static void end(struct sc_session *session, const struct sc_err *err)
{
    if (session->state == ENDED) {
        return;
    }
    session->state = ENDED;
    session->failed = err != NULL;
    if (err) {
        session->err = *err;
    }
    (void)evtimer_del(session->timer);
    event_active(session->end_event, EV_TIMEOUT, 0);
}

static void on_end_event(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct sc_session *session = arg;
    sc_connect_free(session->connect);
    session->connect = NULL;
    sc_tlsbev_free(session->tls);
    session->tls = NULL;
    session->callbacks.on_end(session->arg, session->failed ? &session->err : NULL);
}

static void on_deadline(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct sc_session *session = arg;
    struct sc_err err;
    char time[32], why[256];
    sc_format_duration_ms(session->settings.timeout_ms, time);
    switch (session->state) {
    case HANDSHAKING:
        sc_tls_describe_failure(&session->watch, SC_TLS_END_TIMEOUT, 0, why, sizeof(why));
        sc_err_set(&err, EX_TEMPFAIL, "the TLS handshake with %s timed out after %s: %s",
                   session->target, time, why);
        end(session, &err);
        break;
    case READY:
        sc_err_set(&err, EX_TEMPFAIL, "no reply from %s within %s, %zu unanswered", session->target,
                   time, session->count);
        end(session, &err);
        break;
    case CLOSING: end(session, NULL); break;
    case CONNECTING: /* connect keeps its own */
    case ENDED: break;
    }
}

/* --- Requests --- */

bool sc_session_is_full(const struct sc_session *session)
{
    return session->count >= SC_SESSION_MAX_REQUESTS ||
           session->unanswered_bytes >= SC_SESSION_MAX_BYTES;
}

size_t sc_session_unanswered(const struct sc_session *session)
{
    return session->count;
}

static void flush(struct sc_session *session)
{
    if (evbuffer_get_length(session->out) > 0) {
        sc_tlsbev_write_buffer(session->tls, session->out);
    }
}

void sc_session_send(struct sc_session *session, uint32_t type, const void *body, size_t length)
{
    uint8_t header[SC_FRAME_HEADER_BYTES];
    if (session->state != READY || session->settings.probe ||
        session->count >= SC_SESSION_MAX_REQUESTS || length > SC_FRAME_MAX_BODY_BYTES) {
        return;
    }
    sc_frame_put_header(header, type, (uint32_t)length);
    if (evbuffer_add(session->out, header, sizeof(header)) != 0 ||
        (length > 0 && evbuffer_add(session->out, body, length) != 0)) {
        struct sc_err err;
        sc_err_set(&err, EX_OSERR, "out of memory");
        end(session, &err);
        return;
    }
    const size_t at = (session->first + session->count) % SC_SESSION_MAX_REQUESTS;
    session->requests[at] =
        (struct request){.type = type, .length = (uint32_t)length, .sent_ns = sc_clock_ns()};
    session->unanswered_bytes += length;
    if (session->count++ == 0) {
        arm(session, session->settings.timeout_ms);
    }
    if (!session->in_callback) {
        sc_tlsbev_again(session->tls);
    }
}

static int broken(struct sc_session *session, const char *what)
{
    struct sc_err err;
    sc_err_set(&err, EX_PROTOCOL, "%s broke the protocol: %s", session->target, what);
    end(session, &err);
    return -1;
}

/* An ERROR that answers no request. */
static int refused(struct sc_session *session, const struct sc_frame_error *error)
{
    struct sc_err err;
    char text[160], wait[32], advice[64] = "";
    (void)sc_escape_line(text, sizeof(text), error->text, error->text_length);
    if (error->retry_after_ms > 0) {
        sc_format_duration_ms(error->retry_after_ms, wait);
        (void)snprintf(advice, sizeof(advice), "; it asks to come back in %s", wait);
    }
    const bool leaving = error->code == SC_ERROR_GOING_AWAY;
    char lost[64] = "";
    if (session->count > 0) {
        (void)snprintf(lost, sizeof(lost), ", %zu unanswered", session->count);
    }
    sc_err_set(&err, leaving ? EX_UNAVAILABLE : SC_SESSION_REFUSED,
               "%s ended the connection: %s%s%s%s%s%s", session->target,
               sc_error_code_name(error->code), *text ? " (" : "", text, *text ? ")" : "", lost,
               advice);
    end(session, &err);
    return -1;
}

/* One whole frame. Returns -1 when the session has ended. */
static int take_frame(struct sc_session *session, uint32_t type, const uint8_t *body, size_t length)
{
    struct sc_session_reply reply = {.type = type, .body = body, .length = length};
    if (type == SC_FRAME_ERROR) {
        if (sc_frame_get_error(body, length, &reply.error) != 0) {
            return broken(session, "an ERROR frame is too short");
        }
        if (reply.error.code == SC_ERROR_GOING_AWAY || session->count == 0) {
            return refused(session, &reply.error);
        }
    }
    if (session->count == 0) {
        return broken(session, "it answered without a request");
    }
    const struct request request = session->requests[session->first];
    if (type != SC_FRAME_ERROR && type != request.type) {
        return broken(session, "the reply has another type than the request");
    }
    const struct sc_handler *handler = sc_handler_find(type);
    if (handler && !sc_handler_is_reply_length(handler, request.length, length)) {
        return broken(session, "the length of the reply is wrong");
    }
    if (type == SC_FRAME_ERROR && sc_error_code_closes(reply.error.code)) {
        session->last_error = reply.error.code;
    }
    session->first = (session->first + 1) % SC_SESSION_MAX_REQUESTS;
    session->count--;
    session->unanswered_bytes -= request.length;
    reply.request_type = request.type;
    reply.elapsed_ns = sc_clock_ns() - request.sent_ns;
    session->callbacks.on_reply(session->arg, &reply);
    return session->state == READY ? 0 : -1;
}

/* All whole frames. Returns how many there were, -1 when the session has ended. */
static int take_frames(struct sc_session *session, struct evbuffer *input)
{
    enum sc_frame_status status;
    struct sc_frame_header header;
    struct sc_framebuf frames;
    const uint8_t *body;
    int count = 0;
    sc_framebuf_begin(&frames, input);
    while ((status = sc_framebuf_next(&frames, SC_FRAME_MAX_BODY_BYTES, &header, &body)) ==
           SC_FRAME_COMPLETE) {
        if (take_frame(session, header.type, body, header.length) != 0) {
            count = -1;
            break;
        }
        count++;
    }
    sc_framebuf_end(&frames);
    return status == SC_FRAME_TOO_LARGE ? broken(session, "a reply is longer than 16 MiB") : count;
}

/* --- Callbacks of the TLS connection --- */

static void on_data(void *arg, struct evbuffer *input)
{
    struct sc_session *session = arg;
    if (session->state != READY) {
        (void)evbuffer_drain(input, evbuffer_get_length(input));
        return;
    }
    session->in_callback = true;
    const int frames = take_frames(session, input);
    if (frames > 0) {
        session->callbacks.on_progress(session->arg);
    }
    session->in_callback = false;
    if (session->state != READY) {
        return;
    }
    flush(session);
    if (session->count == 0) {
        (void)evtimer_del(session->timer);
    } else if (frames > 0) {
        arm(session, session->settings.timeout_ms);
    }
}

static void on_connected(void *arg)
{
    struct sc_session *session = arg;
    SSL *ssl = sc_tlsbev_ssl(session->tls);
    struct sc_err err;
    session->info.handshake_ns = sc_clock_ns() - session->started_ns;
    if (sc_peer_describe(ssl, &session->info, &err) != 0 ||
        (!session->settings.probe &&
         sc_peer_check(ssl, &session->settings, session->target, &session->info, &err) != 0)) {
        end(session, &err);
        return;
    }
    session->state = READY;
    (void)evtimer_del(session->timer);
    session->in_callback = true;
    session->callbacks.on_ready(session->arg, &session->info);
    if (session->state == READY) {
        session->callbacks.on_progress(session->arg);
    }
    session->in_callback = false;
    if (session->state == READY) {
        flush(session);
    }
}

static void on_flushed(void *arg)
{
    (void)arg; /* what may be under way is bounded by requests, not by what the socket takes */
}

static enum sc_tls_end tls_end(enum sc_tlsbev_end how)
{
    switch (how) {
    case SC_TLSBEV_CLOSE_NOTIFY:
    case SC_TLSBEV_EOF: return SC_TLS_END_EOF;
    case SC_TLSBEV_RESET: return SC_TLS_END_RESET;
    case SC_TLSBEV_TLS:
    case SC_TLSBEV_KEY_UPDATES:
    case SC_TLSBEV_RENEGOTIATION: break;
    }
    return SC_TLS_END_ERROR;
}

static void explain_loss(const struct sc_session *session, const struct sc_tlsbev_close *close,
                         struct sc_err *err)
{
    char unanswered[64] = "", reason[128];
    const char *how = close->end == SC_TLSBEV_CLOSE_NOTIFY
                          ? "it closed the connection"
                          : "the connection was cut, without close_notify";
    if (close->end == SC_TLSBEV_RESET && close->error_number != 0) {
        how = sc_err_errno_text(close->error_number, reason, sizeof(reason));
    }
    if (session->count > 0) {
        (void)snprintf(unanswered, sizeof(unanswered), " with %zu request%s unanswered",
                       session->count, session->count > 1 ? "s" : "");
    }
    if (session->last_error != 0) {
        how = sc_error_code_name(session->last_error);
    }
    sc_err_set(err, session->last_error != 0 ? SC_SESSION_REFUSED : EX_UNAVAILABLE,
               "%s went away%s: %s", session->target, unanswered, how);
}

static void on_closed(void *arg, const struct sc_tlsbev_close *close)
{
    struct sc_session *session = arg;
    struct sc_err err;
    char why[256];
    if (session->state == HANDSHAKING || (session->state == READY && close->end == SC_TLSBEV_TLS)) {
        sc_tls_describe_failure(&session->watch, tls_end(close->end), close->error_code, why,
                                sizeof(why));
        sc_err_set(&err, SC_EXIT_HANDSHAKE, "the TLS %s with %s failed: %s",
                   session->state == HANDSHAKING ? "handshake" : "connection", session->target,
                   why);
        end(session, &err);
    } else if (session->state == READY) {
        explain_loss(session, close, &err);
        end(session, &err);
    } else {
        end(session, NULL);
    }
}

/* --- Connecting --- */

static int start_tls(struct sc_session *session, int fd, struct sc_err *err)
{
    static const struct sc_tlsbev_callbacks callbacks = {.on_connected = on_connected,
                                                         .on_data = on_data,
                                                         .on_flushed = on_flushed,
                                                         .on_closed = on_closed};
    SSL *ssl = SSL_new(sc_tls_context_ssl_ctx(session->settings.context));
    session->shared = sc_tlsbev_shared_new(session->base, SCRATCH_BYTES);
    int rc = ssl && session->shared ? 0 : sc_err_set(err, EX_OSERR, "out of memory");
    if (rc == 0) {
        rc = sc_peer_set_name(ssl, &session->settings.address, err);
    }
    if (rc != 0) {
        SSL_free(ssl);
        (void)close(fd);
        return -1;
    }
    sc_tls_watch_init(&session->watch);
    SSL_set_app_data(ssl, &session->watch);
    session->started_ns = sc_clock_ns();
    session->state = HANDSHAKING;
    arm(session, session->settings.timeout_ms);
    session->tls = sc_tlsbev_new(session->shared, fd, ssl, false, &callbacks, session, err);
    return session->tls ? 0 : -1;
}

static void on_connect(void *arg, const struct sc_connect_result *result)
{
    struct sc_session *session = arg;
    struct sc_err err;
    if (result->err) {
        end(session, result->err);
        return;
    }
    (void)snprintf(session->info.peer, sizeof(session->info.peer), "%s", result->peer_text);
    session->info.connect_ns = sc_clock_ns() - session->started_ns;
    if (start_tls(session, result->fd, &err) != 0) {
        end(session, &err);
    }
    sc_connect_free(session->connect);
    session->connect = NULL;
}

struct sc_session *sc_session_new(struct event_base *base,
                                  const struct sc_session_settings *settings,
                                  const struct sc_session_callbacks *callbacks, void *arg,
                                  struct sc_err *err)
{
    if (!settings->probe && (!settings->pins || sc_pin_set_count(settings->pins) == 0)) {
        sc_err_set(err, EX_SOFTWARE, "no pin: a server is not trusted without one");
        return NULL;
    }
    struct sc_session *session = calloc(1, sizeof(*session));
    if (!session) {
        sc_err_set(err, EX_OSERR, "out of memory");
        return NULL;
    }
    session->base = base;
    session->settings = *settings;
    session->settings.context = sc_tls_context_ref(settings->context);
    session->callbacks = *callbacks;
    session->arg = arg;
    session->started_ns = sc_clock_ns();
    sc_format_address(&settings->address, session->target, sizeof(session->target));
    session->timer = evtimer_new(base, on_deadline, session);
    session->end_event = evtimer_new(base, on_end_event, session);
    session->out = evbuffer_new();
    if (!session->timer || !session->end_event || !session->out) {
        sc_err_set(err, EX_OSERR, "out of memory");
        sc_session_free(session);
        return NULL;
    }
    session->connect =
        sc_connect_start(base, &settings->address, settings->timeout_ms, on_connect, session, err);
    if (!session->connect) {
        sc_session_free(session);
        return NULL;
    }
    return session;
}

void sc_session_close(struct sc_session *session)
{
    switch (session->state) {
    case READY:
        flush(session);
        session->state = CLOSING;
        sc_tlsbev_shutdown(session->tls);
        arm(session, CLOSE_MS);
        break;
    case CONNECTING:
    case HANDSHAKING: end(session, NULL); break;
    case CLOSING:
    case ENDED: break;
    }
}

void sc_session_abort(struct sc_session *session, const struct sc_err *err)
{
    end(session, err);
}

void sc_session_free(struct sc_session *session)
{
    if (!session) {
        return;
    }
    sc_connect_free(session->connect);
    sc_tlsbev_free(session->tls);
    sc_tlsbev_shared_free(session->shared);
    if (session->timer) {
        event_free(session->timer);
    }
    if (session->end_event) {
        event_free(session->end_event);
    }
    if (session->out) {
        evbuffer_free(session->out);
    }
    sc_tls_context_unref(session->settings.context);
    free(session);
}

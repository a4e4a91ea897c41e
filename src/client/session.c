/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "client/session.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include <spacecaptain/client_libevent.h>

#include "base/clock.h"
#include "client/proxy_command.h"
#include "proto/frame.h"

struct sc_session {
    struct sc_session_callbacks callbacks;
    void *arg;
    const char *address;
    struct sc_proxy_command *proxy; /* NULL: connected directly */
    struct sc_client *client;
    struct sc_client_libevent *driver; /* NULL: it has ended */
    struct event *end_event; /* on_end of an abort is called from the loop, too */
    struct sc_client_info info;
    bool is_ready, has_ended;
    bool owes_progress; /* replies came after the last on_progress */
    bool close_asked;
    bool in_callback; /* what is sent now leaves when the callback returns */
    uint64_t last; /* number of the last request */
    uint64_t sent_ns[SC_CLIENT_MAX_REQUESTS]; /* by the number of the request */
    struct sc_session_end end; /* of an abort */
};

int sc_session_err(struct sc_err *err, const struct sc_client_error *from)
{
    return sc_err_set(err, from->code, "%s", from->text);
}

/* Nothing more is read or written. */
static void stop(struct sc_session *session)
{
    session->has_ended = true;
    sc_client_libevent_free(session->driver);
    session->driver = NULL;
}

static void on_reply(struct sc_session *session, const struct sc_client_reply *from)
{
    struct sc_client_pins pins = SC_CLIENT_PINS_INIT;
    const bool has_pins = from->type == SC_CLIENT_PINS && from->error_code == 0;
    struct sc_client_error error = SC_CLIENT_ERROR_INIT;
    struct sc_err err;
    if (has_pins &&
        sc_client_read_pins(session->client, from->body, from->length, &pins, &error) != 0) {
        (void)sc_session_err(&err, &error);
        sc_session_abort(session, &err);
        return;
    }
    const struct sc_session_reply reply = {
        .type = from->type,
        .error_code = from->error_code,
        .retry_after_ms = from->retry_after_ms,
        .body = from->body,
        .length = from->length,
        .error_text = from->error_text,
        .pins = has_pins ? &pins : NULL,
        .elapsed_ns = sc_clock_ns() - session->sent_ns[from->request % SC_CLIENT_MAX_REQUESTS],
    };
    session->owes_progress = true;
    session->callbacks.on_reply(session->arg, &reply);
}

static void on_progress(struct sc_session *session)
{
    session->owes_progress = false;
    if (session->is_ready && !session->has_ended) {
        session->callbacks.on_progress(session->arg);
    }
}

static void on_ready(struct sc_session *session)
{
    const uint64_t now_ns = sc_clock_ns();
    session->is_ready = true;
    /* What was sent over another connection has just been sent again. */
    for (size_t i = 0; i < sc_client_unanswered(session->client); i++) {
        session->sent_ns[(session->last - i) % SC_CLIENT_MAX_REQUESTS] = now_ns;
    }
    (void)sc_client_info(session->client, &session->info);
    if (session->proxy) {
        session->info.peer = "proxy command";
    }
    session->callbacks.on_ready(session->arg, &session->info);
}

/* How a proxy command ended says more than that the stream has ended. */
static void add_proxy(struct sc_session *session, const struct sc_client_event *event,
                      struct sc_err *err)
{
    char how[128];
    if (!session->proxy || !event->cut) {
        return;
    }
    sc_proxy_command_describe(session->proxy, how, sizeof(how));
    if (!session->is_ready) {
        (void)sc_err_set(err, EX_UNAVAILABLE, "can't connect to %s: %s", session->address, how);
    } else {
        (void)sc_err_set(err, event->error->code, "%s; %s", event->error->text, how);
    }
}

static struct sc_session_end end_of(struct sc_session *session, const struct sc_client_event *event)
{
    struct sc_session_end end = {.temporary = event->error->temporary != 0,
                                 .retry_after_ms = event->error->retry_after_ms,
                                 .wait_ms = event->wait_ms,
                                 .unanswered = event->unanswered};
    (void)sc_session_err(&end.err, event->error);
    memcpy(end.mismatch.expected, event->error->expected, sizeof(end.mismatch.expected));
    memcpy(end.mismatch.got, event->error->got, sizeof(end.mismatch.got));
    memcpy(end.key_type, event->error->key_type, sizeof(end.key_type));
    add_proxy(session, event, &end.err);
    return end;
}

static void on_pins(struct sc_session *session, const struct sc_client_error *result)
{
    struct sc_err err;
    (void)sc_session_err(&err, result);
    session->callbacks.on_pins(session->arg, &err);
}

static void on_lost(struct sc_session *session, const struct sc_client_event *event)
{
    const struct sc_session_end end = end_of(session, event);
    if (session->callbacks.on_lost) {
        session->callbacks.on_lost(session->arg, &end);
    }
}

static void on_end(struct sc_session *session, const struct sc_client_event *event)
{
    /* A temporary failure after sc_session_close() is not reported; any other one is. */
    const bool is_harmless = !session->close_asked || event->error->temporary;
    /* A server that closes right after its last reply: whether that is a loss the owner knows. */
    if (session->owes_progress && event->unanswered == 0) {
        on_progress(session);
    }
    if (session->has_ended) {
        return; /* aborted */
    }
    const bool good = event->error->code == SC_CLIENT_OK ||
                      (session->close_asked && is_harmless && event->unanswered == 0);
    const struct sc_session_end end = end_of(session, event);
    stop(session);
    session->callbacks.on_end(session->arg, good ? NULL : &end);
}

static void on_event(struct sc_client *client, const struct sc_client_event *event, void *arg)
{
    struct sc_session *session = arg;
    (void)client;
    session->in_callback = true;
    switch (event->type) {
    case SC_CLIENT_EVENT_READY: on_ready(session); break;
    case SC_CLIENT_EVENT_REPLY: on_reply(session, event->reply); break;
    case SC_CLIENT_EVENT_LOST: on_lost(session, event); break;
    case SC_CLIENT_EVENT_PINS: on_pins(session, event->error); break;
    case SC_CLIENT_EVENT_NONE: on_progress(session); break;
    default: on_end(session, event); return;
    }
    session->in_callback = false;
}

static void on_abort(evutil_socket_t fd, short what, void *arg)
{
    struct sc_session *session = arg;
    (void)fd;
    (void)what;
    session->callbacks.on_end(session->arg, &session->end);
}

static int start_over_proxy(struct sc_session *session, struct sc_client_settings *settings,
                            const char *proxy_command, struct sc_err *err)
{
    struct sc_client_error error = SC_CLIENT_ERROR_INIT;
    struct sc_address address;
    int fd;
    if (sc_parse_address(session->address, SC_PROTOCOL_PORT, &address, err) != 0 ||
        !(session->proxy = sc_proxy_command_start(proxy_command, &address, &fd, err))) {
        return -1;
    }
    session->client =
        sc_client_start_fd(settings, fd, address.is_unix ? "localhost" : address.host, &error);
    if (!session->client) {
        (void)close(fd);
        return sc_session_err(err, &error);
    }
    return 0;
}

static int start_client(struct sc_session *session, struct sc_client_settings *settings,
                        const char *proxy_command, struct sc_err *err)
{
    struct sc_client_error error = SC_CLIENT_ERROR_INIT;
    if (proxy_command) {
        return start_over_proxy(session, settings, proxy_command, err);
    }
    session->client = sc_client_start(settings, session->address, &error);
    return session->client ? 0 : sc_session_err(err, &error);
}

struct sc_session *sc_session_new(struct event_base *base, struct sc_client_settings *settings,
                                  const char *address, const char *proxy_command,
                                  const struct sc_session_callbacks *callbacks, void *arg,
                                  struct sc_err *err)
{
    struct sc_session *session = calloc(1, sizeof(*session));
    if (!session) {
        (void)sc_err_set(err, EX_OSERR, "out of memory");
        return NULL;
    }
    session->callbacks = *callbacks;
    session->arg = arg;
    session->info = (struct sc_client_info)SC_CLIENT_INFO_INIT;
    session->address = address;
    if (start_client(session, settings, proxy_command, err) != 0) {
        sc_session_free(session);
        return NULL;
    }
    session->end_event = event_new(base, -1, 0, on_abort, session);
    session->driver = session->end_event
                          ? sc_client_libevent_new(base, session->client, on_event, session)
                          : NULL;
    if (!session->driver) {
        (void)sc_err_set(err, EX_OSERR, "out of memory");
        sc_session_free(session);
        return NULL;
    }
    return session;
}

/* What is asked for outside of a callback is to leave. */
static void update(struct sc_session *session)
{
    struct sc_err err;
    if (!session->in_callback && sc_client_libevent_update(session->driver) != 0) {
        (void)sc_err_set(&err, EX_OSERR, "out of memory");
        sc_session_abort(session, &err);
    }
}

bool sc_session_send(struct sc_session *session, uint32_t type, const void *body, size_t length)
{
    struct sc_client_error error = SC_CLIENT_ERROR_INIT;
    struct sc_err err;
    if (session->has_ended || sc_session_is_full(session)) {
        return false;
    }
    const int64_t number = sc_client_send(session->client, type, body, length, &error);
    if (number > 0) {
        session->last = (uint64_t)number;
        session->sent_ns[(uint64_t)number % SC_CLIENT_MAX_REQUESTS] = sc_clock_ns();
        update(session);
    } else if (error.code == SC_CLIENT_SYSTEM) {
        (void)sc_session_err(&err, &error);
        sc_session_abort(session, &err);
    }
    return number > 0;
}

bool sc_session_is_full(const struct sc_session *session)
{
    return sc_client_is_full(session->client) != 0;
}

size_t sc_session_unanswered(const struct sc_session *session)
{
    return sc_client_unanswered(session->client);
}

void sc_session_cancel(struct sc_session *session)
{
    if (!session->has_ended) {
        sc_client_cancel(session->client);
        update(session);
    }
}

size_t sc_session_tls(const struct sc_session *session, uint8_t out[SC_SESSION_TLS_BYTES])
{
    const size_t size = sc_client_session(session->client, out, SC_SESSION_TLS_BYTES);
    return size <= SC_SESSION_TLS_BYTES ? size : 0;
}

void sc_session_close(struct sc_session *session)
{
    session->close_asked = true;
    if (!session->has_ended) {
        sc_client_close(session->client);
        update(session);
    }
}

void sc_session_abort(struct sc_session *session, const struct sc_err *err)
{
    if (!session->has_ended) {
        stop(session);
        session->end = (struct sc_session_end){.err = *err};
        event_active(session->end_event, EV_TIMEOUT, 0);
    }
}

void sc_session_free(struct sc_session *session)
{
    if (session) {
        sc_client_libevent_free(session->driver);
        if (session->end_event) {
            event_free(session->end_event);
        }
        sc_client_free(session->client);
        sc_proxy_command_free(session->proxy);
        free(session);
    }
}

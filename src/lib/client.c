/* SPDX-License-Identifier: MIT */
/*
 * A client: one connection and, where the settings want it, the next one after it is lost. With
 * them every request is kept until its reply has come, and a new connection begins with those that
 * are kept.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sysexits.h>

#include "base/backoff.h"
#include "base/clock.h"
#include "base/parse.h"
#include "lib/engine.h"
#include "lib/kept_requests.h"
#include "lib/link.h"
#include "lib/saved_session.h"
#include "lib/sized.h"

#define NEVER UINT64_MAX

struct sc_client {
    struct sc_client_settings *settings; /* a reference */
    struct sc_address address;
    uint32_t retry_ms; /* 0: a lost connection is the end */
    struct sc_link *link; /* NULL: lost, or over */
    bool link_ready; /* its READY was reported */
    bool was_ready; /* of one of them */
    bool over, end_reported;
    bool closing; /* sc_client_close() was called */
    bool cancelled; /* the link is to be dropped */

    uint64_t sent; /* how many requests were taken: the number of the last one */
    uint64_t skipped; /* what to add to the numbers of the engine */
    struct sc_kept_requests kept; /* with retry_ms: those without a reply */
    struct sc_backoff backoff;
    uint64_t not_before_ms; /* the next attempt */
    uint64_t give_up_ms; /* NEVER: a reply has come since */
    struct sc_saved_session session; /* of the last connection; no bytes: none */

    struct sc_client_error *error; /* of the last LOST, or of the END without a link; NULL: there
                                      was none, or no memory for it */
    bool failed; /* the last LOST or END has an error, and is not what sc_client_close() wanted */
    struct sc_client_reply reply; /* with our number */
};

/* --- Start --- */

static struct sc_client *client_new(struct sc_client_settings *settings, struct sc_err *err)
{
    struct sc_client *client = calloc(1, sizeof(*client));
    if (!client) {
        (void)sc_err_set(err, EX_OSERR, "can't connect: out of memory");
        return NULL;
    }
    client->give_up_ms = NEVER;
    client->settings = sc_lib_settings_use(settings, err);
    if (!client->settings) {
        free(client);
        return NULL;
    }
    return client;
}

struct sc_client *sc_client_start(struct sc_client_settings *settings, const char *address,
                                  struct sc_client_error *error)
{
    struct sc_err err;
    struct sc_client *client = client_new(settings, &err);
    if (client &&
        (sc_parse_server_address(address, SC_PROTOCOL_PORT, &client->address, &err) != 0 ||
         !(client->link = sc_link_start(settings, &client->address, &client->session, &err)))) {
        sc_client_free(client);
        client = NULL;
    }
    if (!client) {
        (void)sc_lib_error(error, &err);
        return NULL;
    }
    client->retry_ms = settings->inspect ? 0 : settings->retry_ms;
    return client;
}

/* EX_USAGE: it is not a stream socket. */
static int make_non_blocking(int fd, struct sc_err *err)
{
    int type;
    socklen_t length = sizeof(type);
    const int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) != 0) {
        return sc_err_set_errno(err, EX_USAGE, errno, "descriptor %d", fd);
    }
    if (type != SOCK_STREAM) {
        return sc_err_set(err, EX_USAGE, "descriptor %d: not a stream socket", fd);
    }
    return fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0
               ? 0
               : sc_err_set_errno(err, EX_USAGE, errno, "descriptor %d", fd);
}

struct sc_client *sc_client_start_fd(struct sc_client_settings *settings, int fd, const char *host,
                                     struct sc_client_error *error)
{
    struct sc_err err;
    struct sc_client *client = client_new(settings, &err);
    if (client && (make_non_blocking(fd, &err) != 0 ||
                   !(client->link = sc_link_start_fd(settings, fd, host, &err)))) {
        sc_client_free(client);
        client = NULL;
    }
    if (!client) {
        (void)sc_lib_error(error, &err);
    }
    return client;
}

/* --- The next connection --- */

static bool session_is_stale(const struct sc_client *client)
{
    const struct sc_client_engine *engine = client->link ? sc_link_engine(client->link) : NULL;
    return engine && sc_engine_session_is_stale(engine);
}

/* The session of the link, to be resumed by the next one. */
static void keep_session(struct sc_client *client)
{
    const struct sc_client_engine *engine = sc_link_engine(client->link);
    if (session_is_stale(client)) {
        sc_saved_session_wipe(client->session.bytes, client->session.size);
        client->session = (struct sc_saved_session){.bytes = NULL};
        return;
    }
    const size_t size = engine ? sc_client_engine_session(engine, NULL, 0) : 0;
    uint8_t *bytes = size > 0 ? malloc(size) : NULL;
    if (bytes && sc_client_engine_session(engine, bytes, size) == size) {
        sc_saved_session_wipe(client->session.bytes, client->session.size);
        client->session = (struct sc_saved_session){.bytes = bytes, .size = size};
    } else {
        free(bytes);
    }
}

static void drop_link(struct sc_client *client)
{
    keep_session(client);
    sc_link_free(client->link);
    client->link = NULL;
    client->link_ready = client->cancelled = false;
}

/* When the next attempt may be made, after one that has failed. */
static void back_off(struct sc_client *client, uint32_t retry_after_ms)
{
    client->not_before_ms = sc_clock_ms() + sc_backoff_next_ms(&client->backoff, retry_after_ms);
}

/* A request waits for a connection that is not there: from now on, or already. */
static void limit_wait(struct sc_client *client)
{
    const uint64_t now_ms = sc_clock_ms();
    if (client->give_up_ms == NEVER) {
        client->give_up_ms =
            (client->not_before_ms > now_ms ? client->not_before_ms : now_ms) + client->retry_ms;
    }
}

/* Its memory is taken once: the error of a LOST is valid until READY. */
static void keep_error(struct sc_client *client, const struct sc_client_error *error)
{
    client->failed = true;
    client->error = client->error ? client->error : malloc(sizeof(*client->error));
    if (client->error) {
        *client->error = *error;
    }
}

static const struct sc_client_error *error_of(const struct sc_client *client)
{
    return sc_lib_end_error(client->failed, client->error);
}

static void finish(struct sc_client *client, struct sc_client_event *out)
{
    client->over = client->end_reported = true;
    *out = (struct sc_client_event){.type = SC_CLIENT_EVENT_END,
                                    .error = error_of(client),
                                    .unanswered = sc_client_unanswered(client)};
}

static void give_up(struct sc_client *client, struct sc_client_event *out)
{
    char time[32], target[300];
    struct sc_client_error error = *error_of(client);
    sc_format_duration_ms(client->retry_ms, time);
    if (client->failed) {
        (void)snprintf(error.text, sizeof(error.text), "%.700s; given up after %s",
                       error_of(client)->text, time);
    } else {
        sc_format_address(&client->address, target, sizeof(target));
        error.code = SC_CLIENT_TIMEOUT;
        error.temporary = 1;
        (void)snprintf(error.text, sizeof(error.text), "no connection to %.300s within %s", target,
                       time);
    }
    keep_error(client, &error);
    if (client->link) {
        drop_link(client);
    }
    finish(client, out);
}

/* The link has ended, and that is not the end: `out` becomes LOST. */
static void lose(struct sc_client *client, struct sc_client_event *out)
{
    const uint64_t now_ms = sc_clock_ms();
    keep_error(client, out->error);
    back_off(client, error_of(client)->retry_after_ms);
    drop_link(client);
    if (client->kept.count > 0) {
        limit_wait(client);
        if (now_ms >= client->give_up_ms) {
            give_up(client, out);
            return;
        }
    }
    *out = (struct sc_client_event){.type = SC_CLIENT_EVENT_LOST,
                                    .error = error_of(client),
                                    .unanswered = client->kept.count,
                                    .wait_ms = (uint32_t)(client->not_before_ms - now_ms)};
}

/* The limit of a reply is not another for being tried again, and what is final stays so. */
static bool can_go_on(const struct sc_client *client, const struct sc_client_error *error)
{
    return client->retry_ms > 0 && client->was_ready && !client->closing && error->temporary &&
           !(client->link_ready && error->code == SC_CLIENT_TIMEOUT);
}

static void connect_again(struct sc_client *client)
{
    struct sc_err err;
    client->link = sc_link_start(client->settings, &client->address, &client->session, &err);
    if (!client->link) {
        struct sc_client_error error = SC_CLIENT_ERROR_INIT;
        (void)sc_lib_error(&error, &err);
        keep_error(client, &error);
        client->over = true;
    }
}

/* The new connection begins with what was not answered. */
static void repeat_requests(struct sc_client *client)
{
    struct sc_client_engine *engine = sc_link_engine(client->link);
    client->skipped = client->sent - client->kept.count;
    for (const struct sc_kept_request *request = client->kept.first; request;
         request = request->next) {
        if (sc_client_engine_send(engine, request->type, request->body, request->length,
                                  sc_clock_ms(), NULL) < 0) {
            return; /* out of memory: the engine has ended */
        }
    }
}

/* --- Events --- */

static void on_reply(struct sc_client *client, struct sc_client_event *event)
{
    client->reply = *event->reply;
    client->reply.request += client->skipped;
    event->reply = &client->reply;
    sc_kept_requests_drop_first(&client->kept);
    sc_backoff_reset(&client->backoff);
    client->give_up_ms = NEVER;
}

static bool take_event(struct sc_client *client, struct sc_client_event *out)
{
    if (client->link && !client->cancelled && sc_link_next_event(client->link, out)) {
        if (out->type == SC_CLIENT_EVENT_READY) {
            client->link_ready = client->was_ready = true;
            repeat_requests(client);
        } else if (out->type == SC_CLIENT_EVENT_REPLY) {
            on_reply(client, out);
        } else if (out->type == SC_CLIENT_EVENT_PINS) {
            /* of the link alone */
        } else if (can_go_on(client, out->error)) {
            lose(client, out);
        } else {
            client->over = client->end_reported = true;
            out->unanswered = sc_client_unanswered(client);
        }
        return true;
    }
    if (client->over && !client->end_reported) {
        finish(client, out);
        return true;
    }
    if (!client->over && !client->link_ready && sc_clock_ms() >= client->give_up_ms) {
        give_up(client, out);
        return true;
    }
    return false;
}

int sc_client_next_event(struct sc_client *client, struct sc_client_event *event)
{
    struct sc_client_event taken = SC_CLIENT_EVENT_INIT;
    const bool some = take_event(client, &taken);
    sc_sized_copy(event, &taken, sizeof(taken));
    return some;
}

void sc_client_process(struct sc_client *client)
{
    if (client->cancelled) {
        client->failed = false; /* what was lost before has nothing to do with the next attempt */
        back_off(client, 0);
        drop_link(client);
    }
    if (!client->link && !client->over && client->kept.count > 0 &&
        sc_clock_ms() >= client->not_before_ms) {
        connect_again(client);
    }
    if (client->link) {
        sc_link_process(client->link);
    }
}

/* --- What to wait for --- */

int sc_client_fd(const struct sc_client *client)
{
    return client->link ? sc_link_fd(client->link) : -1;
}

short sc_client_events(const struct sc_client *client)
{
    return client->link ? sc_link_events(client->link) : 0;
}

int sc_client_timeout_ms(const struct sc_client *client)
{
    uint64_t at_ms = NEVER;
    if (client->cancelled || (client->over && !client->end_reported)) {
        return 0;
    }
    if (client->link) {
        at_ms = sc_link_deadline_ms(client->link);
    } else if (!client->over && client->kept.count > 0) {
        at_ms = client->not_before_ms;
    }
    if (!client->over && !client->link_ready && client->give_up_ms < at_ms) {
        at_ms = client->give_up_ms;
    }
    if (at_ms == NEVER) {
        return -1;
    }
    const uint64_t now_ms = sc_clock_ms();
    const uint64_t left = at_ms > now_ms ? at_ms - now_ms : 0;
    return left < INT_MAX ? (int)left : INT_MAX;
}

/* --- Requests --- */

/* Whether a request can be taken while there is no connection to send it over. */
static int check_waiting(const struct sc_client *client, uint32_t type, size_t length,
                         struct sc_err *err)
{
    if (client->retry_ms == 0 || !client->was_ready || client->over || client->closing) {
        return sc_err_set(err, EX_USAGE, "can't send a request: %s",
                          client->was_ready ? "the connection is closed" : "not connected");
    }
    return sc_engine_check_request(type, length, client->kept.count, client->kept.bytes, err);
}

int64_t sc_client_send(struct sc_client *client, uint32_t type, const void *body, size_t length,
                       struct sc_client_error *error)
{
    struct sc_err err;
    struct sc_kept_request *copy = NULL;
    const bool ready = client->link_ready && !client->cancelled;
    if (!ready && check_waiting(client, type, length, &err) != 0) {
        return sc_lib_error(error, &err);
    }
    if (client->retry_ms > 0 && length <= SC_CLIENT_MAX_BODY &&
        !(copy = sc_kept_request_new(type, body, length))) {
        (void)sc_err_set(&err, EX_OSERR, "can't send a request: out of memory");
        return sc_lib_error(error, &err);
    }
    if (ready && sc_client_engine_send(sc_link_engine(client->link), type, body, length,
                                       sc_clock_ms(), error) < 0) {
        free(copy);
        return -1;
    }
    if (copy) {
        sc_kept_requests_append(&client->kept, copy);
    }
    if (!ready) {
        limit_wait(client);
    }
    return (int64_t)++client->sent;
}

int sc_client_is_full(const struct sc_client *client)
{
    const struct sc_client_engine *engine = client->link ? sc_link_engine(client->link) : NULL;
    return client->retry_ms > 0 ? sc_engine_is_full(client->kept.count, client->kept.bytes)
                                : engine && sc_client_engine_is_full(engine);
}

size_t sc_client_unanswered(const struct sc_client *client)
{
    const struct sc_client_engine *engine = client->link ? sc_link_engine(client->link) : NULL;
    return client->retry_ms > 0 ? client->kept.count
           : engine             ? sc_client_engine_unanswered(engine)
                                : 0;
}

int sc_client_read_pins(struct sc_client *client, const void *body, size_t length,
                        struct sc_client_pins *pins, struct sc_client_error *error)
{
    struct sc_err err;
    if (client->link && sc_link_engine(client->link)) {
        return sc_client_engine_read_pins(sc_link_engine(client->link), body, length, pins, error);
    }
    (void)sc_err_set(&err, EX_USAGE, "there is no connection whose pins could be read");
    return sc_lib_error(error, &err);
}

void sc_client_cancel(struct sc_client *client)
{
    if (sc_client_unanswered(client) == 0) {
        return;
    }
    if (client->retry_ms == 0) {
        sc_client_close(client);
        return;
    }
    sc_kept_requests_drop_all(&client->kept);
    client->give_up_ms = NEVER;
    client->cancelled = client->link != NULL; /* the descriptor stays until the loop comes by */
}

/* --- The rest --- */

void sc_client_close(struct sc_client *client)
{
    client->closing = true;
    if (client->link) {
        sc_link_close(client->link);
    } else if (!client->over) {
        client->failed = false;
        client->over = true;
    }
}

int sc_client_info(const struct sc_client *client, struct sc_client_info *info)
{
    return client->link ? sc_link_info(client->link, info) : -1;
}

size_t sc_client_session(const struct sc_client *client, void *out, size_t room)
{
    const struct sc_client_engine *engine = client->link ? sc_link_engine(client->link) : NULL;
    const size_t size = engine ? sc_client_engine_session(engine, out, room) : 0;
    if (session_is_stale(client)) {
        return 0;
    }
    if (size == 0 && client->session.bytes && client->session.size <= room) {
        memcpy(out, client->session.bytes, client->session.size);
    }
    return size > 0 ? size : client->session.size;
}

void sc_client_free(struct sc_client *client)
{
    if (client) {
        sc_link_free(client->link);
        sc_kept_requests_drop_all(&client->kept);
        sc_saved_session_wipe(client->session.bytes, client->session.size);
        sc_client_settings_free(client->settings);
        free(client->error);
        free(client);
    }
}

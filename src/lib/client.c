/* A connection over a socket: an engine, and what moves its bytes without waiting. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/parse.h"
#include "lib/connect.h"
#include "lib/engine.h"

#define READ_BYTES ((size_t)32 << 10)
#define DISCARDED_READS 8 /* at the end, so that closing sends no reset */

struct sc_client {
    struct sc_client_settings *settings; /* a reference */
    struct sc_address address;
    char target[300], peer[300];
    struct sc_connect *connect; /* while it is under way */
    struct sc_client_engine *engine; /* after it */
    int fd; /* after it; -1: none */
    bool input_ended;
    bool ended, end_told; /* without an engine */
    bool failed;
    struct sc_err err; /* of what failed without an engine */
    struct sc_client_error end_error;
    uint64_t started_ns, connect_ns, handshake_ns;
};

/* --- Before there is an engine --- */

static void end_without_engine(struct sc_client *client, const struct sc_err *err)
{
    client->ended = true;
    client->failed = err != NULL;
    if (err) {
        client->err = *err;
    }
    sc_connect_free(client->connect);
    client->connect = NULL;
}

static void start_engine(struct sc_client *client)
{
    struct sc_err err;
    client->started_ns = sc_clock_ns();
    const char *host = client->address.is_unix ? "localhost" : client->address.host;
    client->engine =
        sc_engine_new(client->settings, *host ? host : NULL, client->target, sc_clock_ms(), &err);
    if (!client->engine) {
        end_without_engine(client, &err);
    }
}

static void go_on_connecting(struct sc_client *client)
{
    struct sc_err err;
    switch (sc_connect_step(client->connect, &err)) {
    case SC_CONNECT_UNDER_WAY: return;
    case SC_CONNECT_FAILED: end_without_engine(client, &err); return;
    case SC_CONNECT_DONE: break;
    }
    client->connect_ns = sc_clock_ns() - client->started_ns;
    (void)snprintf(client->peer, sizeof(client->peer), "%s", sc_connect_peer(client->connect));
    client->fd = sc_connect_take(client->connect);
    sc_connect_free(client->connect);
    client->connect = NULL;
    start_engine(client);
}

static struct sc_client *client_new(struct sc_client_settings *settings, struct sc_err *err)
{
    struct sc_client *client = calloc(1, sizeof(*client));
    if (!client) {
        (void)sc_err_set(err, EX_OSERR, "can't connect: out of memory");
        return NULL;
    }
    client->fd = -1;
    client->started_ns = sc_clock_ns();
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
        (sc_parse_address(address, SC_PROTOCOL_PORT, &client->address, &err) != 0 ||
         !(client->connect = sc_connect_start(&client->address, settings->timeout_ms, &err)))) {
        sc_client_free(client);
        client = NULL;
    }
    if (!client) {
        (void)sc_lib_error(error, &err);
        return NULL;
    }
    sc_format_address(&client->address, client->target, sizeof(client->target));
    go_on_connecting(client);
    return client;
}

struct sc_client *sc_client_start_fd(struct sc_client_settings *settings, int fd, const char *host,
                                     struct sc_client_error *error)
{
    struct sc_err err;
    struct sc_client *client = client_new(settings, &err);
    const int flags = fcntl(fd, F_GETFL);
    if (client && (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0)) {
        (void)sc_err_set_errno(&err, EX_USAGE, errno, "descriptor %d", fd);
        sc_client_free(client);
        client = NULL;
    }
    if (!client) {
        (void)sc_lib_error(error, &err);
        return NULL;
    }
    (void)snprintf(client->address.host, sizeof(client->address.host), "%s", host ? host : "");
    (void)snprintf(client->target, sizeof(client->target), "%s", host ? host : "the server");
    client->fd = fd;
    start_engine(client);
    return client;
}

/* --- Moving bytes --- */

static void flush(struct sc_client *client)
{
    const void *bytes;
    size_t count;
    while (client->fd >= 0 && (count = sc_client_engine_output(client->engine, &bytes)) > 0) {
        const ssize_t sent = send(client->fd, bytes, count, MSG_NOSIGNAL);
        if (sent > 0) {
            sc_client_engine_sent(client->engine, (size_t)sent);
        } else if (sent < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) {
            /* What the server has said before it went is still read; then this is the end. */
            sc_client_engine_sent(client->engine, count);
            return;
        } else {
            return;
        }
    }
}

static void fill(struct sc_client *client)
{
    uint8_t bytes[READ_BYTES];
    const size_t room = sc_engine_receive_room(client->engine);
    if (client->input_ended || room == 0) {
        return;
    }
    const ssize_t got = recv(client->fd, bytes, room < sizeof(bytes) ? room : sizeof(bytes), 0);
    if (got > 0) {
        (void)sc_client_engine_receive(client->engine, bytes, (size_t)got);
    } else if (got == 0 || (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)) {
        client->input_ended = true;
        sc_client_engine_receive_end(client->engine, got == 0 ? 0 : errno);
    }
}

void sc_client_process(struct sc_client *client)
{
    if (client->connect) {
        go_on_connecting(client);
    }
    if (client->engine) {
        flush(client);
        fill(client);
    }
}

/* The end of a connection that never had an engine. */
static int end_event(struct sc_client *client, struct sc_client_event *event)
{
    struct sc_client_event end = {.type = SC_CLIENT_EVENT_NONE};
    if (client->ended && !client->end_told) {
        client->end_told = true;
        client->end_error = (struct sc_client_error)SC_CLIENT_ERROR_INIT;
        if (client->failed) {
            (void)sc_lib_error(&client->end_error, &client->err);
        }
        end = (struct sc_client_event){.type = SC_CLIENT_EVENT_END, .error = &client->end_error};
    }
    sc_lib_event(event, &end);
    return end.type != SC_CLIENT_EVENT_NONE;
}

int sc_client_next_event(struct sc_client *client, struct sc_client_event *event)
{
    if (!client->engine) {
        return end_event(client, event);
    }
    uint64_t at_ms;
    int some = sc_client_engine_next_event(client->engine, sc_clock_ms(), event);
    if (!some && sc_client_engine_deadline(client->engine, &at_ms) && sc_clock_ms() >= at_ms) {
        /* What has arrived counts first: the caller may have been away for long. */
        fill(client);
        some = sc_client_engine_next_event(client->engine, sc_clock_ms(), event);
        if (!some) {
            sc_client_engine_tick(client->engine, sc_clock_ms());
            some = sc_client_engine_next_event(client->engine, sc_clock_ms(), event);
        }
    }
    if (some && event->type == SC_CLIENT_EVENT_READY) {
        client->handshake_ns = sc_clock_ns() - client->started_ns;
    }
    if (!some || event->type == SC_CLIENT_EVENT_END) {
        flush(client);
    }
    return some;
}

/* --- What to wait for --- */

int sc_client_fd(const struct sc_client *client)
{
    return client->connect ? sc_connect_fd(client->connect) : client->fd;
}

short sc_client_events(const struct sc_client *client)
{
    const void *bytes;
    int events = 0;
    if (client->connect) {
        return sc_connect_events(client->connect);
    }
    if (client->engine && client->engine->state != SC_ENGINE_ENDED) {
        events |= client->input_ended ? 0 : POLLIN;
        events |= sc_client_engine_output(client->engine, &bytes) > 0 ? POLLOUT : 0;
    }
    return (short)events;
}

int sc_client_timeout_ms(const struct sc_client *client)
{
    uint64_t at_ms;
    if (client->connect) {
        at_ms = sc_connect_deadline_ms(client->connect);
    } else if (!client->engine || !sc_client_engine_deadline(client->engine, &at_ms)) {
        return -1;
    }
    const uint64_t now_ms = sc_clock_ms();
    const uint64_t left = at_ms > now_ms ? at_ms - now_ms : 0;
    return left < INT_MAX ? (int)left : INT_MAX;
}

/* --- As of the engine --- */

int64_t sc_client_send(struct sc_client *client, uint32_t type, const void *body, size_t length,
                       struct sc_client_error *error)
{
    struct sc_err err;
    if (!client->engine) {
        (void)sc_err_set(&err, EX_USAGE, "can't send a request: not connected");
        return sc_lib_error(error, &err);
    }
    return sc_client_engine_send(client->engine, type, body, length, sc_clock_ms(), error);
}

int sc_client_is_full(const struct sc_client *client)
{
    return client->engine && sc_client_engine_is_full(client->engine);
}

size_t sc_client_unanswered(const struct sc_client *client)
{
    return client->engine ? sc_client_engine_unanswered(client->engine) : 0;
}

size_t sc_client_session(const struct sc_client *client, void *out, size_t room)
{
    return client->engine ? sc_client_engine_session(client->engine, out, room) : 0;
}

void sc_client_close(struct sc_client *client)
{
    if (client->engine) {
        sc_client_engine_close(client->engine, sc_clock_ms());
    } else if (!client->ended) {
        end_without_engine(client, NULL);
    }
}

int sc_client_info(const struct sc_client *client, struct sc_client_info *info)
{
    struct sc_client_info all = SC_CLIENT_INFO_INIT;
    if (!client->engine || sc_client_engine_info(client->engine, &all) != 0) {
        return -1;
    }
    all.size = info->size;
    all.peer = client->peer;
    all.connect_ns = client->connect_ns;
    all.handshake_ns = client->handshake_ns;
    memcpy(info, &all, info->size < sizeof(all) ? info->size : sizeof(all));
    return 0;
}

void sc_client_free(struct sc_client *client)
{
    if (!client) {
        return;
    }
    sc_connect_free(client->connect);
    if (client->engine) {
        uint8_t bytes[4096];
        sc_client_engine_close(client->engine, sc_clock_ms());
        flush(client);
        for (int i = 0; i < DISCARDED_READS; i++) {
            if (recv(client->fd, bytes, sizeof(bytes), MSG_DONTWAIT) <= 0) {
                break;
            }
        }
        sc_client_engine_free(client->engine);
    }
    if (client->fd >= 0) {
        (void)close(client->fd);
    }
    sc_client_settings_free(client->settings);
    free(client);
}

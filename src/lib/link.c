/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "lib/link.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/connect.h"
#include "lib/engine.h"
#include "lib/sized.h"

#define READ_BYTES ((size_t)32 << 10)
#define DISCARDED_READS 8 /* at the end, so that closing sends no reset */

struct sc_link {
    struct sc_client_settings *settings; /* borrowed */
    const struct sc_saved_session *session; /* borrowed; NULL: that of the settings */
    struct sc_address address;
    bool has_port; /* of the address: else it is a host alone, or nothing */
    char target[300], peer[300];
    struct sc_connect *connect; /* while it is under way */
    struct sc_client_engine *engine; /* after it */
    int fd; /* after it; -1: none */
    bool input_ended;
    bool ended, end_reported; /* without an engine */
    bool failed;
    struct sc_client_error *error; /* of what failed without an engine; NULL: no memory for it */
    uint64_t started_ns, connect_ns, handshake_ns;
};

/* --- Before there is an engine --- */

static void end_without_engine(struct sc_link *link, const struct sc_err *err)
{
    link->ended = true;
    link->failed = err != NULL;
    if (err && (link->error = sc_lib_error_new(err)) != NULL) {
        link->error->temporary |= err->status == EX_UNAVAILABLE || err->status == EX_TEMPFAIL;
    }
    sc_connect_free(link->connect);
    link->connect = NULL;
}

static void start_engine(struct sc_link *link)
{
    struct sc_err err;
    link->started_ns = sc_clock_ns();
    const char *host = link->address.is_unix ? "localhost" : link->address.host;
    link->engine =
        sc_engine_new(link->settings, *host ? host : NULL, link->target,
                      link->has_port ? &link->address : NULL, link->session, sc_clock_ms(), &err);
    if (!link->engine) {
        end_without_engine(link, &err);
    }
}

static void go_on_connecting(struct sc_link *link)
{
    struct sc_err err;
    switch (sc_connect_step(link->connect, &err)) {
    case SC_CONNECT_UNDER_WAY: return;
    case SC_CONNECT_FAILED: end_without_engine(link, &err); return;
    case SC_CONNECT_DONE: break;
    }
    link->connect_ns = sc_clock_ns() - link->started_ns;
    (void)snprintf(link->peer, sizeof(link->peer), "%s", sc_connect_peer(link->connect));
    link->fd = sc_connect_take(link->connect);
    sc_connect_free(link->connect);
    link->connect = NULL;
    start_engine(link);
}

static struct sc_link *link_new(struct sc_client_settings *settings, struct sc_err *err)
{
    struct sc_link *link = calloc(1, sizeof(*link));
    if (!link) {
        (void)sc_err_set(err, EX_OSERR, "can't connect: out of memory");
        return NULL;
    }
    link->fd = -1;
    link->started_ns = sc_clock_ns();
    link->settings = settings;
    return link;
}

struct sc_link *sc_link_start(struct sc_client_settings *settings, const struct sc_address *address,
                              const struct sc_saved_session *session, struct sc_err *err)
{
    struct sc_link *link = link_new(settings, err);
    if (!link) {
        return NULL;
    }
    link->address = *address;
    link->has_port = true;
    link->session = session;
    sc_format_address(&link->address, link->target, sizeof(link->target));
    struct sc_err why;
    link->connect = sc_connect_start(&link->address, settings->timeout_ms, &why);
    if (link->connect) {
        go_on_connecting(link);
    } else {
        end_without_engine(link, &why);
    }
    return link;
}

struct sc_link *sc_link_start_fd(struct sc_client_settings *settings, int fd, const char *host,
                                 struct sc_err *err)
{
    struct sc_link *link = link_new(settings, err);
    if (!link) {
        return NULL;
    }
    (void)snprintf(link->address.host, sizeof(link->address.host), "%s", host ? host : "");
    (void)snprintf(link->target, sizeof(link->target), "%s", host && *host ? host : "the server");
    link->fd = fd;
    start_engine(link);
    return link;
}

/* --- Moving bytes --- */

static void flush(struct sc_link *link)
{
    const void *bytes;
    size_t count;
    while (link->fd >= 0 && (count = sc_client_engine_output(link->engine, &bytes)) > 0) {
        const ssize_t sent = send(link->fd, bytes, count, MSG_NOSIGNAL);
        if (sent > 0) {
            sc_client_engine_sent(link->engine, (size_t)sent);
            if ((size_t)sent == count) {
                return;
            }
        } else if (sent < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) {
            /* What the server has said before it went is still read; then this is the end. */
            sc_client_engine_sent(link->engine, count);
            return;
        } else {
            return;
        }
    }
}

static void fill(struct sc_link *link)
{
    uint8_t bytes[READ_BYTES];
    const size_t room = sc_engine_receive_room(link->engine);
    if (link->input_ended || room == 0) {
        return;
    }
    const ssize_t got = recv(link->fd, bytes, room < sizeof(bytes) ? room : sizeof(bytes), 0);
    if (got > 0) {
        (void)sc_client_engine_receive(link->engine, bytes, (size_t)got);
    } else if (got == 0 || (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)) {
        link->input_ended = true;
        sc_client_engine_receive_end(link->engine, got == 0 ? 0 : errno);
    }
}

void sc_link_process(struct sc_link *link)
{
    if (link->connect) {
        go_on_connecting(link);
    }
    if (link->engine) {
        flush(link);
        fill(link);
    }
}

/* The end of a connection that never had an engine. */
static int end_event(struct sc_link *link, struct sc_client_event *event)
{
    struct sc_client_event end = {.type = SC_CLIENT_EVENT_NONE};
    if (link->ended && !link->end_reported) {
        link->end_reported = true;
        end = (struct sc_client_event){.type = SC_CLIENT_EVENT_END,
                                       .error = sc_lib_end_error(link->failed, link->error)};
    }
    sc_sized_copy(event, &end, sizeof(end));
    return end.type != SC_CLIENT_EVENT_NONE;
}

int sc_link_next_event(struct sc_link *link, struct sc_client_event *event)
{
    if (!link->engine) {
        return end_event(link, event);
    }
    uint64_t at_ms;
    int some = sc_client_engine_next_event(link->engine, sc_clock_ms(), event);
    if (!some && sc_client_engine_deadline(link->engine, &at_ms) && sc_clock_ms() >= at_ms) {
        /* What has arrived counts first: the caller may have been away for long. */
        fill(link);
        some = sc_client_engine_next_event(link->engine, sc_clock_ms(), event);
        if (!some) {
            sc_client_engine_tick(link->engine, sc_clock_ms());
            some = sc_client_engine_next_event(link->engine, sc_clock_ms(), event);
        }
    }
    if (some && event->type == SC_CLIENT_EVENT_READY) {
        link->handshake_ns = sc_clock_ns() - link->started_ns;
    }
    if (!some || event->type == SC_CLIENT_EVENT_END) {
        flush(link);
    }
    return some;
}

/* --- What to wait for --- */

int sc_link_fd(const struct sc_link *link)
{
    return link->connect ? sc_connect_fd(link->connect) : link->fd;
}

short sc_link_events(const struct sc_link *link)
{
    const void *bytes;
    int events = 0;
    if (link->connect) {
        return sc_connect_events(link->connect);
    }
    if (link->engine && link->engine->state != SC_ENGINE_ENDED) {
        events |= POLLIN;
        events |= sc_client_engine_output(link->engine, &bytes) > 0 ? POLLOUT : 0;
    }
    return (short)events;
}

/* An event is there without a process(): nobody must wait for it. */
static bool has_event(const struct sc_link *link)
{
    const struct sc_client_engine *engine = link->engine;
    return engine ? (engine->state == SC_ENGINE_READY && !engine->ready_reported) ||
                        (engine->state == SC_ENGINE_ENDED && !engine->end_reported)
                  : link->ended && !link->end_reported;
}

uint64_t sc_link_deadline_ms(const struct sc_link *link)
{
    uint64_t at_ms = UINT64_MAX;
    if (has_event(link)) {
        return 0;
    }
    if (link->connect) {
        at_ms = sc_connect_deadline_ms(link->connect);
    } else if (link->engine) {
        (void)sc_client_engine_deadline(link->engine, &at_ms);
    }
    return at_ms;
}

/* --- As of the engine --- */

struct sc_client_engine *sc_link_engine(const struct sc_link *link)
{
    return link->engine;
}

void sc_link_close(struct sc_link *link)
{
    if (link->engine) {
        sc_client_engine_close(link->engine, sc_clock_ms());
    } else if (!link->ended) {
        end_without_engine(link, NULL);
    }
}

int sc_link_info(const struct sc_link *link, struct sc_client_info *info)
{
    struct sc_client_info all = SC_CLIENT_INFO_INIT;
    if (!link->engine || sc_client_engine_info(link->engine, &all) != 0) {
        return -1;
    }
    all.peer = link->peer;
    all.connect_ns = link->connect_ns;
    all.handshake_ns = link->handshake_ns;
    sc_sized_copy(info, &all, sizeof(all));
    return 0;
}

void sc_link_free(struct sc_link *link)
{
    if (!link) {
        return;
    }
    sc_connect_free(link->connect);
    if (link->engine) {
        uint8_t bytes[4096];
        sc_client_engine_close(link->engine, sc_clock_ms());
        sc_client_engine_close(link->engine, sc_clock_ms()); /* what it waits for is given up */
        flush(link);
        for (int i = 0; i < DISCARDED_READS; i++) {
            if (recv(link->fd, bytes, sizeof(bytes), MSG_DONTWAIT) <= 0) {
                break;
            }
        }
        sc_client_engine_free(link->engine);
    }
    if (link->fd >= 0) {
        (void)close(link->fd);
    }
    free(link->error);
    free(link);
}

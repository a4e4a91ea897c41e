/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "base/connect.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/resolve.h"

#define TEXT_BYTES 300 /* of an address, base/parse.h */
/* A signal handler cannot wake who waits: it looks for what that has set this often. */
#define LOOK_MS 100

struct sc_connect {
    struct sc_address address;
    uint64_t deadline_ms;
    struct sc_resolve *resolve; /* NULL: a unix socket */
    bool resolved; /* or a unix socket */
    const struct addrinfo *next; /* not tried yet; owned by resolve */
    unsigned left; /* how many that are */
    bool unix_tried;
    int fd; /* of the attempt that is under way, -1: none */
    struct sockaddr_storage peer; /* to which it is */
    socklen_t peer_length;
    uint64_t attempt_deadline_ms;
    char peer_text[TEXT_BYTES];
    char notes[480]; /* why each address failed */
    bool timed_out; /* one of them did */
    bool refused; /* by one of them: ECONNREFUSED, or ENOENT for a unix socket */
    bool scarce; /* there was no socket, or no memory, for one of them */
};

static enum sc_connect_state fail(const struct sc_connect *connect, int status, const char *text,
                                  struct sc_err *err)
{
    char target[TEXT_BYTES];
    sc_format_address(&connect->address, target, sizeof(target));
    (void)sc_err_set(err, status, "can't connect to %s: %s%s", target, text,
                     connect->refused ? "; is the server running there?" : "");
    return SC_CONNECT_FAILED;
}

/* Why the attempt that was under way failed. */
static void note(struct sc_connect *connect, int error_number)
{
    char target[TEXT_BYTES];
    char reason[128];
    const size_t used = strlen(connect->notes);
    sc_format_address(&connect->address, target, sizeof(target));
    const char *where = strcmp(target, connect->peer_text) == 0 ? "" : connect->peer_text;
    connect->timed_out |= error_number == ETIMEDOUT;
    connect->refused |=
        error_number == ECONNREFUSED || (error_number == ENOENT && connect->unix_tried);
    connect->scarce |= error_number == EMFILE || error_number == ENFILE ||
                       error_number == ENOBUFS || error_number == ENOMEM;
    (void)snprintf(connect->notes + used, sizeof(connect->notes) - used, "%s%s%s%s",
                   used > 0 ? "; " : "", where, *where ? ": " : "",
                   sc_err_errno_text(error_number, reason, sizeof(reason)));
    if (connect->fd >= 0) {
        (void)close(connect->fd);
        connect->fd = -1;
    }
}

/* This attempt's part of the time that is left. */
static uint64_t share_ms(const struct sc_connect *connect, uint64_t now_ms)
{
    const uint64_t left = connect->deadline_ms > now_ms ? connect->deadline_ms - now_ms : 0;
    return left / (connect->left + 1U) + 1U;
}

static int start(int fd, const struct sockaddr *address, socklen_t length)
{
    return connect(fd, address, length);
}

/* The attempt is under way, or it has failed and is noted. */
static void attempt(struct sc_connect *connect, const struct sockaddr *address, socklen_t length)
{
    const uint64_t now_ms = sc_clock_ms();
    connect->attempt_deadline_ms = now_ms + share_ms(connect, now_ms);
    memcpy(&connect->peer, address, length);
    connect->peer_length = length;
    connect->fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (connect->fd < 0 || (start(connect->fd, address, length) != 0 && errno != EINPROGRESS)) {
        note(connect, errno);
    }
}

static void try_unix(struct sc_connect *connect)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%.107s", connect->address.host);
    sc_format_address(&connect->address, connect->peer_text, sizeof(connect->peer_text));
    connect->unix_tried = true;
    attempt(connect, (const struct sockaddr *)&address, sizeof(address));
}

static void try_next(struct sc_connect *connect)
{
    const struct addrinfo *info = connect->next;
    struct sc_address peer = {0};
    connect->next = info->ai_next;
    connect->left--;
    if (getnameinfo(info->ai_addr, info->ai_addrlen, peer.host, sizeof(peer.host), peer.port,
                    sizeof(peer.port), NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
        peer = connect->address;
    }
    sc_format_address(&peer, connect->peer_text, sizeof(connect->peer_text));
    attempt(connect, info->ai_addr, info->ai_addrlen);
}

/* The socket of the attempt is connected (true), or its failure is noted, or it is under way. */
static bool attempt_is_done(struct sc_connect *connect)
{
    int error = 0;
    socklen_t length = sizeof(error);
    struct pollfd ready = {.fd = connect->fd, .events = POLLOUT};
    if (poll(&ready, 1, 0) > 0) {
        if (getsockopt(connect->fd, SOL_SOCKET, SO_ERROR, &error, &length) != 0) {
            error = errno;
        }
        if (error == 0) {
            return true;
        }
        note(connect, error);
    } else if (sc_clock_ms() >= connect->attempt_deadline_ms) {
        note(connect, ETIMEDOUT);
    }
    return false;
}

/* 0: the list is there, or is waited for (connect->resolved says which). -1: failed. */
static int look_at_answer(struct sc_connect *connect, struct sc_err *err)
{
    int gai_error, error_number;
    char reason[128], text[256];
    if (!sc_resolve_result(connect->resolve, &gai_error, &error_number, &connect->next)) {
        if (sc_clock_ms() < connect->deadline_ms) {
            return 0;
        }
        (void)fail(connect, EX_TEMPFAIL, "the look-up of the name timed out", err);
        return -1;
    }
    if (gai_error != 0) {
        (void)snprintf(text, sizeof(text), "no address is known for this name: %s",
                       gai_error == EAI_SYSTEM
                           ? sc_err_errno_text(error_number, reason, sizeof(reason))
                           : gai_strerror(gai_error));
        (void)fail(connect, EX_UNAVAILABLE, text, err);
        return -1;
    }
    for (const struct addrinfo *info = connect->next; info; info = info->ai_next) {
        connect->left++;
    }
    connect->resolved = true;
    return 0;
}

enum sc_connect_state sc_connect_step(struct sc_connect *connect, struct sc_err *err)
{
    if (!connect->resolved && look_at_answer(connect, err) != 0) {
        return SC_CONNECT_FAILED;
    }
    if (!connect->resolved) {
        return SC_CONNECT_UNDER_WAY;
    }
    for (;;) {
        if (connect->fd >= 0) {
            if (attempt_is_done(connect)) {
                return SC_CONNECT_DONE;
            }
            if (connect->fd >= 0) {
                return SC_CONNECT_UNDER_WAY;
            }
        } else if (connect->address.is_unix && !connect->unix_tried) {
            try_unix(connect);
        } else if (connect->next) {
            try_next(connect);
        } else {
            return fail(connect,
                        connect->scarce      ? EX_OSERR
                        : connect->timed_out ? EX_TEMPFAIL
                                             : EX_UNAVAILABLE,
                        connect->notes, err);
        }
    }
}

int sc_connect_fd(const struct sc_connect *connect)
{
    return connect->resolved ? connect->fd : sc_resolve_fd(connect->resolve);
}

short sc_connect_events(const struct sc_connect *connect)
{
    return connect->resolved ? POLLOUT : POLLIN;
}

uint64_t sc_connect_deadline_ms(const struct sc_connect *connect)
{
    return connect->resolved ? connect->attempt_deadline_ms : connect->deadline_ms;
}

int sc_connect_wait(struct sc_connect *connect, const volatile sig_atomic_t *stop,
                    struct sc_err *err)
{
    enum sc_connect_state state;
    while ((state = sc_connect_step(connect, err)) == SC_CONNECT_UNDER_WAY) {
        struct pollfd ready = {.fd = sc_connect_fd(connect), .events = sc_connect_events(connect)};
        const uint64_t now_ms = sc_clock_ms(), at_ms = sc_connect_deadline_ms(connect);
        const uint64_t left_ms = at_ms > now_ms ? at_ms - now_ms : 0;
        if (stop && *stop) {
            (void)fail(connect, SC_EXIT_INTERRUPTED, "interrupted", err);
            return -1;
        }
        (void)poll(&ready, 1, left_ms < LOOK_MS ? (int)left_ms : LOOK_MS);
    }
    return state == SC_CONNECT_DONE ? 0 : -1;
}

int sc_connect_take(struct sc_connect *connect)
{
    const int fd = connect->fd;
    const int yes = 1;
    connect->fd = -1;
    if (!connect->address.is_unix) {
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
    }
    return fd;
}

const char *sc_connect_peer(const struct sc_connect *connect)
{
    return connect->peer_text;
}

const struct sockaddr *sc_connect_peer_address(const struct sc_connect *connect, socklen_t *length)
{
    *length = connect->peer_length;
    return (const struct sockaddr *)&connect->peer;
}

struct sc_connect *sc_connect_start(const struct sc_address *address, uint64_t timeout_ms,
                                    struct sc_err *err)
{
    struct sc_connect *connect = calloc(1, sizeof(*connect));
    if (!connect) {
        (void)sc_err_set(err, EX_OSERR, "can't connect: out of memory");
        return NULL;
    }
    *connect = (struct sc_connect){.address = *address,
                                   .fd = -1,
                                   .resolved = address->is_unix,
                                   .deadline_ms = sc_clock_ms() + timeout_ms};
    if (!address->is_unix &&
        !(connect->resolve = sc_resolve_start(address->host, address->port, err))) {
        sc_connect_free(connect);
        return NULL;
    }
    return connect;
}

void sc_connect_free(struct sc_connect *connect)
{
    if (connect) {
        if (connect->fd >= 0) {
            (void)close(connect->fd);
        }
        sc_resolve_free(connect->resolve);
        free(connect);
    }
}

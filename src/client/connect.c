#include "config.h"

#include "client/connect.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "client/resolve.h"

#define TEXT_BYTES 300 /* of an address, base/parse.h */

struct sc_connect {
    struct event_base *base;
    struct sc_address address;
    uint64_t deadline_ms;
    struct sc_resolve *resolve;
    const struct addrinfo *next; /* not tried yet; owned by resolve */
    unsigned left; /* how many that are */
    struct event *timer;
    struct event *event; /* of the attempt that is under way */
    int fd; /* of it, -1: none */
    char peer_text[TEXT_BYTES];
    char notes[480]; /* why each address failed */
    bool timed_out; /* one of them did */
    bool refused; /* one of them was */
    sc_connect_done *done;
    void *arg;
};

static void try_next(struct sc_connect *connect);

static void close_attempt(struct sc_connect *connect)
{
    if (connect->event) {
        event_free(connect->event);
        connect->event = NULL;
    }
    if (connect->fd >= 0) {
        (void)close(connect->fd);
        connect->fd = -1;
    }
}

/* The last thing that a callback of ours does: `done` may free the connect. */
static void fail(struct sc_connect *connect, int status, const char *text)
{
    char target[TEXT_BYTES];
    struct sc_err err;
    sc_format_address(&connect->address, target, sizeof(target));
    (void)evtimer_del(connect->timer);
    sc_err_set(&err, status, "can't connect to %s: %s%s", target, text,
               connect->refused ? "; is the server running there?" : "");
    connect->done(connect->arg,
                  &(const struct sc_connect_result){.fd = -1, .peer_text = "", .err = &err});
}

static void note(struct sc_connect *connect, int error_number)
{
    char target[TEXT_BYTES];
    char reason[128];
    const size_t used = strlen(connect->notes);
    sc_format_address(&connect->address, target, sizeof(target));
    const char *where = strcmp(target, connect->peer_text) == 0 ? "" : connect->peer_text;
    connect->timed_out |= error_number == ETIMEDOUT;
    connect->refused |= error_number == ECONNREFUSED;
    (void)snprintf(connect->notes + used, sizeof(connect->notes) - used, "%s%s%s%s",
                   used > 0 ? "; " : "", where, *where ? ": " : "",
                   sc_err_errno_text(error_number, reason, sizeof(reason)));
}

static void succeed(struct sc_connect *connect)
{
    const int fd = connect->fd;
    const int yes = 1;
    connect->fd = -1;
    close_attempt(connect);
    (void)evtimer_del(connect->timer);
    if (!connect->address.is_unix) {
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
    }
    connect->done(connect->arg,
                  &(const struct sc_connect_result){.fd = fd, .peer_text = connect->peer_text});
}

static void on_attempt(evutil_socket_t fd, short what, void *arg)
{
    struct sc_connect *connect = arg;
    int error = 0;
    socklen_t length = sizeof(error);
    if (what & EV_TIMEOUT) {
        error = ETIMEDOUT;
    } else if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) != 0) {
        error = errno;
    }
    if (error == 0) {
        succeed(connect);
        return;
    }
    note(connect, error);
    close_attempt(connect);
    try_next(connect);
}

/* Returns 0 when the connection is there or under way. */
static int connect_to(int fd, const struct sockaddr *address, socklen_t length)
{
    return connect(fd, address, length) == 0 || errno == EINPROGRESS ? 0 : -1;
}

/* This attempt's part of the time that is left. */
static struct timeval share(const struct sc_connect *connect)
{
    const uint64_t now = sc_clock_ms();
    const uint64_t left = connect->deadline_ms > now ? connect->deadline_ms - now : 0;
    return sc_clock_timeval(left / (connect->left + 1U) + 1U);
}

/* Returns 0 when the attempt is under way. */
static int attempt(struct sc_connect *connect, const struct sockaddr *address, socklen_t length)
{
    const struct timeval wait = share(connect);
    connect->fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (connect->fd >= 0 && (connect_to(connect->fd, address, length) == 0)) {
        connect->event = event_new(connect->base, connect->fd, EV_WRITE, on_attempt, connect);
        if (connect->event && event_add(connect->event, &wait) == 0) {
            return 0;
        }
        errno = ENOMEM;
    }
    note(connect, errno);
    close_attempt(connect);
    return -1;
}

static void name_peer(struct sc_connect *connect, const struct addrinfo *info)
{
    struct sc_address peer = {0};
    if (getnameinfo(info->ai_addr, info->ai_addrlen, peer.host, sizeof(peer.host), peer.port,
                    sizeof(peer.port), NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
        peer = connect->address;
    }
    sc_format_address(&peer, connect->peer_text, sizeof(connect->peer_text));
}

static void try_next(struct sc_connect *connect)
{
    while (connect->next) {
        const struct addrinfo *info = connect->next;
        connect->next = info->ai_next;
        connect->left--;
        name_peer(connect, info);
        if (attempt(connect, info->ai_addr, info->ai_addrlen) == 0) {
            return;
        }
    }
    fail(connect, connect->timed_out ? EX_TEMPFAIL : EX_UNAVAILABLE, connect->notes);
}

static void on_resolved(void *arg, int gai_error, int error_number, const struct addrinfo *list)
{
    struct sc_connect *connect = arg;
    (void)evtimer_del(connect->timer);
    if (gai_error != 0) {
        char reason[128];
        char text[256];
        (void)snprintf(text, sizeof(text), "no address is known for this name: %s",
                       gai_error == EAI_SYSTEM
                           ? sc_err_errno_text(error_number, reason, sizeof(reason))
                           : gai_strerror(gai_error));
        fail(connect, EX_UNAVAILABLE, text);
        return;
    }
    connect->next = list;
    for (const struct addrinfo *info = list; info; info = info->ai_next) {
        connect->left++;
    }
    try_next(connect);
}

static void try_unix(struct sc_connect *connect)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%.107s", connect->address.host);
    sc_format_address(&connect->address, connect->peer_text, sizeof(connect->peer_text));
    if (attempt(connect, (const struct sockaddr *)&address, sizeof(address)) != 0) {
        fail(connect, EX_UNAVAILABLE, connect->notes);
    }
}

/* The start of a unix socket's attempt, or the end of a look-up that takes too long. */
static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct sc_connect *connect = arg;
    if (connect->address.is_unix) {
        try_unix(connect);
        return;
    }
    sc_resolve_free(connect->resolve);
    connect->resolve = NULL;
    fail(connect, EX_TEMPFAIL, "the look-up of the name timed out");
}

struct sc_connect *sc_connect_start(struct event_base *base, const struct sc_address *address,
                                    uint64_t timeout_ms, sc_connect_done *done, void *arg,
                                    struct sc_err *err)
{
    struct sc_connect *connect = calloc(1, sizeof(*connect));
    if (connect) {
        *connect = (struct sc_connect){
            .base = base, .address = *address, .fd = -1, .done = done, .arg = arg};
        connect->timer = evtimer_new(base, on_timer, connect);
    }
    const struct timeval wait = sc_clock_timeval(address->is_unix ? 0 : timeout_ms);
    if (!connect || !connect->timer || evtimer_add(connect->timer, &wait) != 0) {
        sc_err_set(err, EX_OSERR, "can't connect: out of memory");
        sc_connect_free(connect);
        return NULL;
    }
    connect->deadline_ms = sc_clock_ms() + timeout_ms;
    if (!address->is_unix &&
        !(connect->resolve =
              sc_resolve_start(base, address->host, address->port, on_resolved, connect, err))) {
        sc_connect_free(connect);
        return NULL;
    }
    return connect;
}

void sc_connect_free(struct sc_connect *connect)
{
    if (!connect) {
        return;
    }
    close_attempt(connect);
    sc_resolve_free(connect->resolve);
    if (connect->timer) {
        event_free(connect->timer);
    }
    free(connect);
}

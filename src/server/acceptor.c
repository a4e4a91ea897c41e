#include "config.h"

#include "server/acceptor.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

#include <event2/listener.h>

#include "base/clock.h"
#include "base/log.h"
#include "net/addr.h"
#include "server/address_limits.h"

#define MAX_ACCEPTS_A_PASS 64U /* then other events are handled */

#define LINES_PER_SECOND 1U /* of each kind */

/* Why a connection is refused. */
enum refusal { REFUSAL_MAX_CONNECTIONS, REFUSAL_PER_ADDRESS, REFUSAL_DESCRIPTORS, REFUSAL_COUNT };

struct sc_acceptor {
    struct event_base *base;
    struct evconnlistener **listeners;
    size_t listener_count;
    struct sc_worker *const *workers;
    size_t worker_count;
    struct sc_acceptor_limits limits;
    struct sc_address_limits *address_limits;
    struct sc_stats stats;
    _Atomic uint32_t open;
    uint64_t next_id;
    struct event *again; /* enables the listeners */
    unsigned accepted_in_pass;
    int reserve_fd; /* -1: gone */
    struct sc_log_rate log_rates[REFUSAL_COUNT], accept_failed_log_rate;
};

static int open_reserve(void)
{
    return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

/* --- Refusing --- */

static void log_refusal(struct sc_acceptor *acceptor, enum refusal refusal,
                        const struct sc_addr *peer)
{
    static const struct {
        const char *reason, *hint;
    } rows[] = {
        [REFUSAL_MAX_CONNECTIONS] = {"max_connections", "max-connections is reached"},
        [REFUSAL_PER_ADDRESS] = {"max_connections_per_address",
                                 "max-connections-per-address is reached"},
        [REFUSAL_DESCRIPTORS] = {"descriptors",
                                 "out of file descriptors: raise the limit (LimitNOFILE=, ulimit "
                                 "-n) or lower max-connections"},
    };
    struct sc_log_line line;
    if (!sc_log_begin_limited(&line, &acceptor->log_rates[refusal], LINES_PER_SECOND,
                              SC_EVENT_CONNECTION_REFUSED)) {
        return;
    }
    if (peer) {
        char text[SC_ADDR_TEXT_BYTES];
        sc_addr_format_packed(peer, text);
        sc_log_str(&line, "peer", text);
    }
    sc_log_str(&line, "reason", rows[refusal].reason);
    sc_log_str(&line, "hint", rows[refusal].hint);
    sc_log_end(&line);
}

static void log_accept_failed(struct sc_acceptor *acceptor, int errnum)
{
    struct sc_log_line line;
    if (sc_log_begin_limited(&line, &acceptor->accept_failed_log_rate, LINES_PER_SECOND,
                             SC_EVENT_ACCEPT_FAILED)) {
        sc_log_str(&line, "message", evutil_socket_error_to_string(errnum));
        sc_log_end(&line);
    }
}

static void pause_accept(struct sc_acceptor *acceptor, unsigned ms)
{
    const struct timeval delay = sc_clock_timeval(ms);
    for (size_t i = 0; i < acceptor->listener_count; i++) {
        evconnlistener_disable(acceptor->listeners[i]);
    }
    event_add(acceptor->again, &delay);
}

static void on_again(evutil_socket_t fd, short what, void *arg)
{
    struct sc_acceptor *acceptor = arg;
    (void)fd;
    (void)what;
    if (acceptor->reserve_fd < 0) {
        acceptor->reserve_fd = open_reserve();
    }
    acceptor->accepted_in_pass = 0;
    for (size_t i = 0; i < acceptor->listener_count; i++) {
        evconnlistener_enable(acceptor->listeners[i]);
    }
}

/*
 * The listening socket stays readable as long as somebody waits on it, so doing nothing would
 * spin. The reserve makes room to accept and close one; without it nothing is done for a tenth of
 * a second.
 */
static void on_accept_error(struct evconnlistener *listener, void *arg)
{
    struct sc_acceptor *acceptor = arg;
    const int errnum = EVUTIL_SOCKET_ERROR();
    const bool out = errnum == EMFILE || errnum == ENFILE;
    if (out) {
        log_refusal(acceptor, REFUSAL_DESCRIPTORS, NULL);
    } else {
        log_accept_failed(acceptor, errnum);
    }
    if (out && acceptor->reserve_fd >= 0) {
        (void)close(acceptor->reserve_fd);
        const int fd = accept(evconnlistener_get_fd(listener), NULL, NULL);
        if (fd >= 0) {
            (void)close(fd);
            sc_stats_add(&acceptor->stats.refused_descriptors, 1);
        }
        acceptor->reserve_fd = open_reserve();
        if (fd >= 0 && acceptor->reserve_fd >= 0) {
            return;
        }
    }
    pause_accept(acceptor, 100);
}

/* --- Accepting --- */

static struct sc_worker *least_loaded(const struct sc_acceptor *acceptor)
{
    struct sc_worker *best = acceptor->workers[0];
    for (size_t i = 1; i < acceptor->worker_count; i++) {
        if (sc_worker_load(acceptor->workers[i]) < sc_worker_load(best)) {
            best = acceptor->workers[i];
        }
    }
    return best;
}

static bool may_enter(struct sc_acceptor *acceptor, struct sc_conn_origin *origin)
{
    if (sc_acceptor_open(acceptor) >= acceptor->limits.max_connections) {
        sc_stats_add(&acceptor->stats.refused_max_connections, 1);
        log_refusal(acceptor, REFUSAL_MAX_CONNECTIONS, &origin->peer);
        return false;
    }
    if (sc_address_limits_acquire(acceptor->address_limits, &origin->peer,
                                  acceptor->limits.max_connections_per_address,
                                  &origin->address_entry) != 0) {
        sc_stats_add(&acceptor->stats.refused_per_address, 1);
        log_refusal(acceptor, REFUSAL_PER_ADDRESS, &origin->peer);
        return false;
    }
    return true;
}

static void on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *address,
                      int length, void *arg)
{
    struct sc_acceptor *acceptor = arg;
    struct sc_conn_origin origin = {.id = ++acceptor->next_id};
    (void)listener;
    origin.peer = sc_addr_pack(address, (socklen_t)length);
    if (!may_enter(acceptor, &origin)) {
        (void)evutil_closesocket(fd);
    } else {
        atomic_fetch_add_explicit(&acceptor->open, 1, memory_order_relaxed);
        if (sc_worker_give(least_loaded(acceptor), fd, &origin) != 0) {
            sc_stats_add(&acceptor->stats.refused_memory, 1);
            sc_acceptor_on_gone(acceptor, &origin);
        }
    }
    if (++acceptor->accepted_in_pass >= MAX_ACCEPTS_A_PASS) {
        pause_accept(acceptor, 0);
    }
}

/* --- Life --- */

struct sc_acceptor *sc_acceptor_new(struct event_base *base, const evutil_socket_t *fds,
                                    size_t fd_count, struct sc_worker *const *workers,
                                    size_t worker_count, const struct sc_acceptor_limits *limits,
                                    struct sc_err *err)
{
    struct sc_acceptor *acceptor = calloc(1, sizeof(*acceptor));
    if (!acceptor) {
        goto no_memory;
    }
    acceptor->base = base;
    acceptor->workers = workers;
    acceptor->worker_count = worker_count;
    acceptor->limits = *limits;
    acceptor->reserve_fd = open_reserve();
    acceptor->address_limits = sc_address_limits_new();
    acceptor->again = evtimer_new(base, on_again, acceptor);
    acceptor->listeners = calloc(fd_count, sizeof(struct evconnlistener *));
    if (!acceptor->address_limits || !acceptor->again || !acceptor->listeners) {
        goto no_memory;
    }
    for (size_t i = 0; i < fd_count; i++) {
        /* Backlog 0: it listens already. No CLOSE_ON_FREE: the socket is the caller's. */
        struct evconnlistener *listener =
            evconnlistener_new(base, on_accept, acceptor, LEV_OPT_CLOSE_ON_EXEC, 0, fds[i]);
        if (!listener) {
            goto no_memory;
        }
        evconnlistener_set_error_cb(listener, on_accept_error);
        acceptor->listeners[acceptor->listener_count++] = listener;
    }
    return acceptor;

no_memory:
    (void)sc_err_set(err, EX_OSERR, "cannot start to accept connections: out of memory");
    sc_acceptor_free(acceptor);
    return NULL;
}

void sc_acceptor_set_limits(struct sc_acceptor *acceptor, const struct sc_acceptor_limits *limits)
{
    acceptor->limits = *limits;
}

void sc_acceptor_stop(struct sc_acceptor *acceptor)
{
    for (size_t i = 0; i < acceptor->listener_count; i++) {
        evconnlistener_free(acceptor->listeners[i]);
    }
    acceptor->listener_count = 0;
    event_del(acceptor->again);
}

void sc_acceptor_on_gone(struct sc_acceptor *acceptor, const struct sc_conn_origin *origin)
{
    sc_address_limits_release(acceptor->address_limits, origin->address_entry);
    atomic_fetch_sub_explicit(&acceptor->open, 1, memory_order_relaxed);
}

uint32_t sc_acceptor_open(const struct sc_acceptor *acceptor)
{
    return atomic_load_explicit(&acceptor->open, memory_order_relaxed);
}

const struct sc_stats *sc_acceptor_stats(const struct sc_acceptor *acceptor)
{
    return &acceptor->stats;
}

void sc_acceptor_free(struct sc_acceptor *acceptor)
{
    if (!acceptor) {
        return;
    }
    if (acceptor->listeners) {
        for (size_t i = 0; i < acceptor->listener_count; i++) {
            evconnlistener_free(acceptor->listeners[i]);
        }
        free(acceptor->listeners);
    }
    if (acceptor->again) {
        event_free(acceptor->again);
    }
    if (acceptor->reserve_fd >= 0) {
        (void)close(acceptor->reserve_fd);
    }
    sc_address_limits_free(acceptor->address_limits);
    free(acceptor);
}

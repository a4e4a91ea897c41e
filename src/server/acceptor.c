/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "server/acceptor.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

#include <event2/listener.h>

#include "base/clock.h"
#include "base/log.h"
#include "net/addr.h"
#include "net/loop.h"
#include "server/address_limits.h"
#include "server/proxy_wait.h"

#define MAX_ACCEPTS_A_PASS 64U /* then other events are handled */

#define LINES_PER_SECOND 1U /* of each kind */
#define DEBUG_LINES_PER_SECOND 200U

/* Why a connection is refused. */
enum refusal {
    REFUSAL_MAX_CONNECTIONS,
    REFUSAL_PER_ADDRESS,
    REFUSAL_DESCRIPTORS,
    REFUSAL_PROXY_HEADER,
    REFUSAL_COUNT
};

struct sc_acceptor {
    struct evconnlistener **listeners;
    size_t listener_count;
    struct sc_worker *const *workers;
    size_t worker_count;
    struct sc_acceptor_limits limits;
    struct sc_address_limits *address_limits;
    struct sc_proxy_waits *proxy_waits;
    struct sc_stats stats;
    _Atomic uint32_t open, waiting; /* waiting: of those, without a PROXY header yet */
    uint64_t next_id;
    struct event *again; /* enables the listeners */
    unsigned accepted_in_pass;
    int reserve_fd; /* -1: gone */
    struct sc_log_rate log_rates[REFUSAL_COUNT], accept_failed_log_rate, header_log_rate;
};

static int open_reserve(void)
{
    return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

/* --- Refusing --- */

/* `origin` NULL: no connection could be accepted. `hint` NULL: that of the reason. */
static void log_refusal(struct sc_acceptor *acceptor, enum refusal refusal,
                        const struct sc_conn_origin *origin, const char *hint)
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
        [REFUSAL_PROXY_HEADER] = {"proxy_header", ""},
    };
    struct sc_log_line line;
    if (!sc_log_begin_limited(&line, &acceptor->log_rates[refusal], LINES_PER_SECOND,
                              SC_EVENT_CONNECTION_REFUSED)) {
        return;
    }
    if (origin) {
        char text[SC_ADDR_TEXT_BYTES];
        sc_addr_format_packed(&origin->peer, text);
        sc_log_u64(&line, "conn", origin->id);
        sc_log_str(&line, "peer", text);
    }
    sc_log_str(&line, "reason", rows[refusal].reason);
    sc_log_str(&line, "hint", hint ? hint : rows[refusal].hint);
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

/* Takes one in by means of the reserve, and closes it. False: there was none. */
static bool reject_one(struct sc_acceptor *acceptor, evutil_socket_t listener)
{
    struct sockaddr_storage address;
    socklen_t length = sizeof(address);
    if (acceptor->reserve_fd < 0) {
        return false;
    }
    (void)close(acceptor->reserve_fd);
    const int fd = accept(listener, (struct sockaddr *)&address, &length);
    if (fd >= 0) {
        (void)close(fd);
    }
    acceptor->reserve_fd = open_reserve();
    if (fd < 0) {
        return false;
    }
    const struct sc_conn_origin origin = {
        .id = ++acceptor->next_id, .peer = sc_addr_pack((struct sockaddr *)&address, length)};
    sc_stats_add(&acceptor->stats.refused_descriptors, 1);
    log_refusal(acceptor, REFUSAL_DESCRIPTORS, &origin, NULL);
    return true;
}

/*
 * The listening socket stays readable as long as a connection waits on it, so doing nothing would
 * spin. The reserve makes room to accept and close one; without it nothing is done for a tenth of
 * a second.
 */
static void on_accept_error(struct evconnlistener *listener, void *arg)
{
    struct sc_acceptor *acceptor = arg;
    const int errnum = EVUTIL_SOCKET_ERROR();
    if (errnum != EMFILE && errnum != ENFILE) {
        log_accept_failed(acceptor, errnum);
    } else if (!reject_one(acceptor, evconnlistener_get_fd(listener))) {
        log_refusal(acceptor, REFUSAL_DESCRIPTORS, NULL, NULL);
    } else if (acceptor->reserve_fd >= 0) {
        return;
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

static bool is_balancer(const struct sc_acceptor *acceptor, const struct sc_addr *peer)
{
    const struct sc_acceptor_limits *limits = &acceptor->limits;
    return limits->balancer_count > 0 &&
           sc_networks_have(limits->balancers, limits->balancer_count, peer);
}

static bool has_room(struct sc_acceptor *acceptor, const struct sc_conn_origin *origin)
{
    if (sc_acceptor_open(acceptor) < acceptor->limits.max_connections) {
        return true;
    }
    sc_stats_add(&acceptor->stats.refused_max_connections, 1);
    log_refusal(acceptor, REFUSAL_MAX_CONNECTIONS, origin, NULL);
    return false;
}

/* A connection that counts among the open ones, and whose client is known. */
static void enter(struct sc_acceptor *acceptor, evutil_socket_t fd, struct sc_conn_origin *origin)
{
    if (sc_address_limits_acquire(acceptor->address_limits, &origin->peer,
                                  acceptor->limits.max_connections_per_address,
                                  &origin->address_entry) != 0) {
        (void)evutil_closesocket(fd);
        sc_stats_add(&acceptor->stats.refused_per_address, 1);
        log_refusal(acceptor, REFUSAL_PER_ADDRESS, origin, NULL);
        sc_acceptor_on_gone(acceptor, origin);
    } else if (sc_worker_give(least_loaded(acceptor), fd, origin) != 0) {
        sc_stats_add(&acceptor->stats.refused_memory, 1);
        sc_acceptor_on_gone(acceptor, origin);
    }
}

static void count_waiting(struct sc_acceptor *acceptor, int more)
{
    const uint32_t waiting = atomic_load_explicit(&acceptor->waiting, memory_order_relaxed);
    atomic_store_explicit(&acceptor->waiting, waiting + (uint32_t)more, memory_order_relaxed);
}

static void wait_for_header(struct sc_acceptor *acceptor, evutil_socket_t fd,
                            const struct sc_conn_origin *balancer)
{
    count_waiting(acceptor, 1);
    if (sc_proxy_waits_add(acceptor->proxy_waits, fd, balancer,
                           acceptor->limits.header_timeout_ms) != 0) {
        count_waiting(acceptor, -1);
        sc_stats_add(&acceptor->stats.refused_memory, 1);
        sc_acceptor_on_gone(acceptor, balancer);
    }
}

static void on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *address,
                      int length, void *arg)
{
    struct sc_acceptor *acceptor = arg;
    struct sc_conn_origin origin = {.id = ++acceptor->next_id, .accepted_ns = sc_clock_ns()};
    (void)listener;
    origin.peer = sc_addr_pack(address, (socklen_t)length);
    if (!has_room(acceptor, &origin)) {
        (void)evutil_closesocket(fd);
    } else {
        atomic_fetch_add_explicit(&acceptor->open, 1, memory_order_relaxed);
        if (is_balancer(acceptor, &origin.peer)) {
            wait_for_header(acceptor, fd, &origin);
        } else {
            enter(acceptor, fd, &origin);
        }
    }
    if (++acceptor->accepted_in_pass >= MAX_ACCEPTS_A_PASS) {
        pause_accept(acceptor, 0);
    }
}

/* --- Behind a load balancer --- */

static void on_proxy_header(void *arg, evutil_socket_t fd, const struct sc_conn_origin *client,
                            const struct sc_conn_origin *balancer)
{
    struct sc_acceptor *acceptor = arg;
    struct sc_conn_origin origin = *client;
    struct sc_log_line line;
    if (sc_log_begin_limited(&line, &acceptor->header_log_rate, DEBUG_LINES_PER_SECOND,
                             SC_EVENT_PROXY_HEADER)) {
        char text[SC_ADDR_TEXT_BYTES];
        sc_log_u64(&line, "conn", origin.id);
        sc_addr_format_packed(&origin.peer, text);
        sc_log_str(&line, "peer", text);
        sc_addr_format_packed(&balancer->peer, text);
        sc_log_str(&line, "balancer", text);
        sc_log_end(&line);
    }
    count_waiting(acceptor, -1);
    enter(acceptor, fd, &origin);
}

static void on_proxy_refused(void *arg, const struct sc_conn_origin *balancer, const char *hint)
{
    struct sc_acceptor *acceptor = arg;
    count_waiting(acceptor, -1);
    sc_stats_add(&acceptor->stats.refused_proxy_header, 1);
    log_refusal(acceptor, REFUSAL_PROXY_HEADER, balancer, hint);
    sc_acceptor_on_gone(acceptor, balancer);
}

static const struct sc_proxy_waits_callbacks proxy_callbacks = {.on_header = on_proxy_header,
                                                                .on_refused = on_proxy_refused};

/* --- Creating and freeing --- */

struct sc_acceptor *sc_acceptor_new(struct event_base *base, const evutil_socket_t *fds,
                                    size_t fd_count, struct sc_worker *const *workers,
                                    size_t worker_count, const struct sc_acceptor_limits *limits,
                                    struct sc_err *err)
{
    struct sc_acceptor *acceptor = calloc(1, sizeof(*acceptor));
    if (!acceptor) {
        goto no_memory;
    }
    acceptor->workers = workers;
    acceptor->worker_count = worker_count;
    acceptor->limits = *limits;
    acceptor->reserve_fd = open_reserve();
    acceptor->address_limits = sc_address_limits_new();
    acceptor->proxy_waits = sc_proxy_waits_new(base, &proxy_callbacks, acceptor);
    acceptor->again = evtimer_new(base, on_again, acceptor);
    acceptor->listeners = calloc(fd_count, sizeof(struct evconnlistener *));
    if (!acceptor->address_limits || !acceptor->proxy_waits || !acceptor->again ||
        !acceptor->listeners) {
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
    (void)sc_err_set(err, EX_OSERR, "can't start to accept connections: out of memory");
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
    sc_proxy_waits_stop(acceptor->proxy_waits);
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

uint32_t sc_acceptor_waiting(const struct sc_acceptor *acceptor)
{
    return atomic_load_explicit(&acceptor->waiting, memory_order_relaxed);
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
    sc_loop_free_event(acceptor->again);
    if (acceptor->reserve_fd >= 0) {
        (void)close(acceptor->reserve_fd);
    }
    sc_proxy_waits_free(acceptor->proxy_waits);
    sc_address_limits_free(acceptor->address_limits);
    free(acceptor);
}

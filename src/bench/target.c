/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "bench/target.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

/* Files that are open beside the connections, generously. */
#define DESCRIPTORS_BESIDE 64U
/* From one source address: Linux has 28,232 ports for it unless told otherwise. */
#define CONNECTIONS_OF_ONE 20000U
/* Closed connections hold their port for a minute (TIME_WAIT). */
#define HANDSHAKE_SOURCES 8U

static const char unreachable[] = "cannot connect to";

/* An errno value, 0: it accepts connections. */
static int try_address(const struct sockaddr *address, socklen_t length, int timeout_ms)
{
    int error = 0;
    socklen_t size = sizeof(error);
    const int fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return errno;
    }
    if (connect(fd, address, length) != 0) {
        struct pollfd wait = {.fd = fd, .events = POLLOUT};
        error = errno;
        if (error == EINPROGRESS) {
            const int ready = poll(&wait, 1, timeout_ms);
            error = ready < 0                                                  ? errno
                    : ready == 0                                               ? ETIMEDOUT
                    : getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0 ? errno
                                                                               : error;
        }
    }
    (void)close(fd);
    return error;
}

static int say_unreachable(struct sc_err *err, const char *address, int error)
{
    const int status = error == ETIMEDOUT ? EX_TEMPFAIL : EX_UNAVAILABLE;
    return error == ECONNREFUSED || error == ENOENT
               ? sc_err_set(err, status, "%s %s: nothing listens there; is the server running?",
                            unreachable, address)
               : sc_err_set_errno(err, status, error, "%s %s", unreachable, address);
}

static int find_unix(struct sc_bench_target *target, const struct sc_bench_plan *plan,
                     struct sc_err *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    /* The parser has refused what is longer. */
    memcpy(address.sun_path, plan->address->host,
           strnlen(plan->address->host, sizeof(address.sun_path) - 1U));
    memcpy(&target->address, &address, sizeof(address));
    target->length = sizeof(address);
    target->host = "localhost"; /* a unix socket is on this host */
    memcpy(target->text, target->name, sizeof(target->text));
    const int error =
        try_address((const struct sockaddr *)&address, sizeof(address), (int)plan->timeout_ms);
    return error == 0 ? 0 : say_unreachable(err, target->name, error);
}

static int find_tcp(struct sc_bench_target *target, const struct sc_bench_plan *plan,
                    struct sc_err *err)
{
    const struct sc_address *address = plan->address;
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    struct addrinfo *list = NULL;
    char host[INET6_ADDRSTRLEN], port[8];
    const int why = getaddrinfo(address->host, address->port, &hints, &list);
    if (why != 0) {
        return sc_err_set(err, EX_UNAVAILABLE, "%s %s: %s", unreachable, target->name,
                          gai_strerror(why));
    }
    int error = ENOENT;
    for (const struct addrinfo *one = list; one && error != 0; one = one->ai_next) {
        error = try_address(one->ai_addr, one->ai_addrlen, (int)plan->timeout_ms);
        if (error == 0) {
            memcpy(&target->address, one->ai_addr, one->ai_addrlen);
            target->length = one->ai_addrlen;
        }
    }
    freeaddrinfo(list);
    if (error != 0) {
        return say_unreachable(err, target->name, error);
    }
    target->host = address->host;
    if (getnameinfo((const struct sockaddr *)&target->address, target->length, host, sizeof(host),
                    port, sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV) == 0) {
        (void)snprintf(target->text, sizeof(target->text),
                       target->address.ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
    }
    return 0;
}

static void set_sni(struct sc_bench_target *target)
{
    uint8_t bytes[16];
    if (inet_pton(AF_INET, target->host, bytes) == 1 ||
        inet_pton(AF_INET6, target->host, bytes) == 1) {
        return;
    }
    (void)snprintf(target->sni, sizeof(target->sni), "%s", target->host);
    const size_t length = strlen(target->sni);
    if (length > 0 && target->sni[length - 1] == '.') {
        target->sni[length - 1] = '\0';
    }
}

static int add_source(struct sc_bench_target *target, const char *text, struct sc_err *err)
{
    struct sockaddr_storage *to = &target->sources[target->source_count];
    memset(to, 0, sizeof(*to));
    if (inet_pton(AF_INET, text, &((struct sockaddr_in *)to)->sin_addr) == 1) {
        to->ss_family = AF_INET;
    } else if (inet_pton(AF_INET6, text, &((struct sockaddr_in6 *)to)->sin6_addr) == 1) {
        to->ss_family = AF_INET6;
    } else {
        return sc_err_set(err, EX_USAGE,
                          "--source: invalid value \"%.64s\": expected an IPv4 or IPv6 address of "
                          "this machine",
                          text);
    }
    if (to->ss_family != target->address.ss_family) {
        return sc_err_set(err, EX_USAGE, "--source %s: the server's address is of another family",
                          text);
    }
    target->source_count++;
    return 0;
}

static int add_sources(struct sc_bench_target *target, const struct sc_bench_plan *plan,
                       struct sc_err *err)
{
    for (size_t i = 0; i < plan->source_count; i++) {
        if (add_source(target, plan->sources[i], err) != 0) {
            return -1;
        }
    }
    const struct sockaddr_in *to = (const struct sockaddr_in *)&target->address;
    if (plan->source_count > 0 || target->address.ss_family != AF_INET ||
        ntohl(to->sin_addr.s_addr) >> 24 != 127) {
        return 0;
    }
    unsigned count = plan->connections / CONNECTIONS_OF_ONE + 1U;
    if (plan->mode == SC_BENCH_HANDSHAKES && count < HANDSHAKE_SOURCES) {
        count = HANDSHAKE_SOURCES;
    }
    for (unsigned i = 0; count > 1U && i < count && i < SC_BENCH_MAX_SOURCES; i++) {
        char text[32];
        (void)snprintf(text, sizeof(text), "127.0.0.%u", 2U + i);
        if (add_source(target, text, err) != 0) {
            return -1;
        }
    }
    return 0;
}

int sc_bench_target_find(struct sc_bench_target *target, const struct sc_bench_plan *plan,
                         struct sc_err *err)
{
    memset(target, 0, sizeof(*target));
    sc_format_address(plan->address, target->name, sizeof(target->name));
    if ((plan->address->is_unix ? find_unix(target, plan, err) : find_tcp(target, plan, err)) !=
        0) {
        return -1;
    }
    set_sni(target);
    return add_sources(target, plan, err);
}

int sc_bench_target_raise_limit(const struct sc_bench_plan *plan, struct sc_err *err)
{
    struct rlimit limit;
    const rlim_t need = (rlim_t)plan->connections + DESCRIPTORS_BESIDE + 4U * plan->threads;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= need) {
        return 0;
    }
    const rlim_t hard = limit.rlim_max;
    limit.rlim_cur = need;
    limit.rlim_max = hard < need ? need : hard; /* root may go above it */
    if (setrlimit(RLIMIT_NOFILE, &limit) == 0) {
        return 0;
    }
    return sc_err_set(err, EX_OSERR,
                      "%u connections need %llu open files, and the hard limit is %llu; raise it "
                      "(ulimit -Hn) or use fewer",
                      plan->connections, (unsigned long long)need, (unsigned long long)hard);
}

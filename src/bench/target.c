/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "bench/target.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sysexits.h>

#include "base/connect.h"

/* Files that are open beside the connections, generously. */
#define DESCRIPTORS_BESIDE 64U
/* From one source address: Linux has 28,232 ports for it unless told otherwise. */
#define CONNECTIONS_OF_ONE 20000U
/* Closed connections hold their port for a minute (TIME_WAIT). */
#define HANDSHAKE_SOURCES 8U

static int find_address(struct sc_bench_target *target, const struct sc_bench_plan *plan,
                        const volatile sig_atomic_t *stop, struct sc_err *err)
{
    struct sc_connect *connect = sc_connect_start(plan->address, plan->timeout_ms, err);
    if (!connect || sc_connect_wait(connect, stop, err) != 0) {
        sc_connect_free(connect);
        return -1;
    }
    const struct sockaddr *peer = sc_connect_peer_address(connect, &target->length);
    memcpy(&target->address, peer, target->length);
    (void)snprintf(target->text, sizeof(target->text), "%s", sc_connect_peer(connect));
    sc_connect_free(connect);
    return 0;
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
                         const volatile sig_atomic_t *stop, struct sc_err *err)
{
    memset(target, 0, sizeof(*target));
    sc_format_address(plan->address, target->name, sizeof(target->name));
    target->host = plan->address->is_unix ? "localhost" : plan->address->host;
    if (find_address(target, plan, stop, err) != 0) {
        return -1;
    }
    sc_host_server_name(target->host, target->sni);
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
    return sc_err_set(
        err, EX_OSERR,
        "--connections %u needs %llu open files, and the hard limit is %llu; raise it "
        "(ulimit -Hn) or use fewer",
        plan->connections, (unsigned long long)need, (unsigned long long)hard);
}

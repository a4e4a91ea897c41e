/* SPDX-License-Identifier: MIT */
/*
 * A load plan: what sc-bench is asked to do. Filled by bench/options, read by everything else, and
 * not changed during a run.
 */
#ifndef SC_BENCH_PLAN_H
#define SC_BENCH_PLAN_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/parse.h"
#include "bench/stream.h"

struct sc_tls_context;
struct sc_pin_set;

enum sc_bench_mode {
    SC_BENCH_REQUESTS, /* requests over connections that stay open */
    SC_BENCH_HANDSHAKES, /* an operation is a connection: handshake, one request, close */
    SC_BENCH_HOLD, /* idle connections; at the end each must still answer one request */
};

#define SC_BENCH_MAX_THREADS 64U
#define SC_BENCH_MAX_SOURCES 64U
#define SC_BENCH_MAX_PIDS 64U

struct sc_bench_plan {
    const struct sc_address *address;
    struct sc_tls_context *context; /* of a client; borrowed */
    const struct sc_pin_set *pins; /* borrowed */

    enum sc_bench_mode mode;
    const struct sc_handler *type; /* NULL: a mix */
    size_t size_bytes; /* of the body of requests that have one; 0: none has */
    unsigned connections; /* at the same time */
    unsigned depth; /* requests in flight on each */
    unsigned threads; /* 1 to SC_BENCH_MAX_THREADS */
    double rate; /* open loop: operations a second of all threads; 0: closed loop */
    unsigned resume_percent; /* HANDSHAKES: this share of them offers a session */
    uint64_t warm_up_ms;
    uint64_t duration_ms; /* of the measured phase; 0 when `requests` is set */
    uint64_t requests; /* operations to measure; 0: by duration */
    uint64_t timeout_ms; /* for a connection, and for a reply */

    /* Local addresses to connect from, in rotation; none: chosen when ports could run out. */
    const char *sources[SC_BENCH_MAX_SOURCES];
    size_t source_count;

    pid_t server_pids[SC_BENCH_MAX_PIDS]; /* whose processor time and memory are read */
    size_t server_pid_count;
};

#endif

/* SPDX-License-Identifier: MIT */
/*
 * A run: carries out a plan and returns the figures. Prints nothing and knows no argv.
 *
 * Each thread of the generator has an event_base and its share of the connections. Requests are
 * slices of one constant stream, replies are compared with another (bench/stream.h), so that a
 * request costs no allocation and no formatting. The generator drives OpenSSL on the socket itself:
 * it must be lighter than the server it measures, and a fault in the server's network code must
 * not be shared by the program that looks for it.
 *
 * Phases: connect (all connections, no requests), warm-up (not counted), measure, and finish (what
 * was sent is answered; counted in the latencies, not in the rate).
 */
#ifndef SC_BENCH_RUN_H
#define SC_BENCH_RUN_H

#include <signal.h>
#include <stdint.h>

#include "base/err.h"
#include "bench/plan.h"
#include "bench/stats.h"

struct sc_bench_progress {
    const char *phase; /* "connecting", "warming up", "measuring", "finishing" */
    double phase_s; /* seconds since it began */
    double goal_s; /* how long it lasts; 0: until something else is reached */
    uint64_t open; /* connections with a finished handshake */
    uint64_t operations; /* answered, all phases */
    uint64_t in_time; /* those of the measured phase */
    uint64_t p99_ns; /* of their latencies so far; 0: not known */
    uint64_t errors;
};

struct sc_bench_observer {
    /* Called about four times a second from the caller's thread; NULL is fine. */
    void (*on_progress)(void *arg, const struct sc_bench_plan *plan,
                        const struct sc_bench_progress *progress);
    void *arg;

    /* Set by a signal handler: the run ends early, with the figures so far. NULL is fine. */
    const volatile sig_atomic_t *interrupted;
};

/*
 * Runs the plan. `result` is to be freed with sc_bench_result_fini() either way. Blocks; returns 0
 * and fills `result`, or -1 with the exit status of the client programs: when no connection has
 * been made, when a connection of the connect phase fails, when a pin does not match, and when the
 * system refuses descriptors or threads. Later failures are counted in the result.
 */
int sc_bench_run(const struct sc_bench_plan *plan, const struct sc_bench_observer *observer,
                 struct sc_bench_result *result, struct sc_err *err) SC_NODISCARD;

#endif

/* SPDX-License-Identifier: MIT */
/*
 * The seconds of a run, each with figures of its own: what the threads have counted is handed to
 * the run while they go on, and put together about once a second. How much these figures differ
 * among each other is the noise of a run.
 */
#ifndef SC_BENCH_SECONDS_H
#define SC_BENCH_SECONDS_H

#include <stddef.h>
#include <stdint.h>

#include "base/hist.h"

/* Of one thread: what it has counted and the run has not taken. Guarded by the lock of the run. */
struct sc_bench_handed {
    struct sc_hist latency;
    uint64_t operations;
    uint64_t from_ns, until_ns; /* the time that it covers; until_ns 0: nothing yet */
};

struct sc_bench_second {
    double length_s; /* about 1 */
    uint64_t operations;
    double rate; /* operations a second */
    uint64_t p50_ns, p99_ns; /* 0: no latency was measured in it */
};

/* Those of a long run: 24 hours. */
#define SC_BENCH_MAX_SECONDS ((size_t)24 * 3600)

struct sc_bench_seconds {
    struct sc_bench_second *list;
    size_t count, room;
    struct sc_hist so_far; /* of all that was taken */
};

void sc_bench_seconds_init(struct sc_bench_seconds *seconds);
void sc_bench_seconds_fini(struct sc_bench_seconds *seconds);

/* One more second, from `count` threads; what they handed over begins anew. The caller locks. */
void sc_bench_seconds_take(struct sc_bench_seconds *seconds, struct sc_bench_handed *handed[],
                           size_t count);

#endif

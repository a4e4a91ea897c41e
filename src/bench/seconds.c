/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "bench/seconds.h"

#include <stdlib.h>
#include <string.h>

/* A shorter one, as at the end of a run, says too little. */
#define SHORTEST_S 0.5

void sc_bench_seconds_init(struct sc_bench_seconds *seconds)
{
    memset(seconds, 0, sizeof(*seconds));
    sc_hist_init(&seconds->so_far);
}

void sc_bench_seconds_fini(struct sc_bench_seconds *seconds)
{
    free(seconds->list);
    seconds->list = NULL;
    seconds->count = seconds->room = 0;
}

/* Without memory, or after a day, the run goes on and has no more of them. */
static void append(struct sc_bench_seconds *seconds, const struct sc_bench_second *second)
{
    if (seconds->count == SC_BENCH_MAX_SECONDS) {
        return;
    }
    if (seconds->count == seconds->room) {
        const size_t room = seconds->room == 0 ? 64 : 2 * seconds->room;
        struct sc_bench_second *list = realloc(seconds->list, room * sizeof(*list));
        if (!list) {
            return;
        }
        seconds->list = list;
        seconds->room = room;
    }
    seconds->list[seconds->count++] = *second;
}

void sc_bench_seconds_take(struct sc_bench_seconds *seconds, struct sc_bench_handed *handed[],
                           size_t count)
{
    struct sc_bench_second second = {0};
    struct sc_hist latency;
    sc_hist_init(&latency);
    for (size_t i = 0; i < count; i++) {
        struct sc_bench_handed *one = handed[i];
        if (one->until_ns <= one->from_ns) {
            continue;
        }
        const double length = (double)(one->until_ns - one->from_ns) / 1e9;
        second.length_s = length > second.length_s ? length : second.length_s;
        second.operations += one->operations;
        second.rate += (double)one->operations / length;
        sc_hist_merge(&latency, &one->latency);
        one->from_ns = one->until_ns;
        one->operations = 0;
        sc_hist_init(&one->latency);
    }
    sc_hist_merge(&seconds->so_far, &latency);
    if (second.length_s >= SHORTEST_S) {
        second.p50_ns = sc_hist_percentile(&latency, 50.0);
        second.p99_ns = sc_hist_percentile(&latency, 99.0);
        append(seconds, &second);
    }
}

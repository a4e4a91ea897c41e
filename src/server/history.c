/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "server/history.h"

#include <string.h>

#include "base/compiler.h"

#define SUM_EVERY 5U /* seconds */

static void add_sum(struct sc_history *history, const struct sc_stats *stats)
{
    struct sc_stats *sum = &history->sums[history->next_sum];
    memset(sum, 0, sizeof(*sum));
    sc_stats_sum(sum, stats);
    history->next_sum = (history->next_sum + 1) % SC_COUNT_OF(history->sums);
    history->sum_count += history->sum_count < SC_COUNT_OF(history->sums);
}

void sc_history_add(struct sc_history *history, const struct sc_stats *stats, uint64_t now_ms)
{
    const uint64_t requests = sc_stats_total(stats->requests, SC_COUNT_OF(stats->requests));
    if (history->sum_count > 0 && now_ms > history->at_ms) {
        const uint64_t rate = (requests - history->requests) * 1000 / (now_ms - history->at_ms);
        history->rates[history->next] = rate < UINT32_MAX ? (uint32_t)rate : UINT32_MAX;
        history->next = (history->next + 1) % SC_HISTORY_SECONDS;
        history->count += history->count < SC_HISTORY_SECONDS;
    }
    history->requests = requests;
    history->at_ms = now_ms;
    if (history->until_sum == 0) {
        add_sum(history, stats);
        history->until_sum = SUM_EVERY;
    }
    history->until_sum--;
}

uint32_t sc_history_rate(const struct sc_history *history, size_t index)
{
    const size_t oldest = history->count < SC_HISTORY_SECONDS ? 0 : history->next;
    return history->rates[(oldest + index) % SC_HISTORY_SECONDS];
}

const struct sc_stats *sc_history_minute_ago(const struct sc_history *history)
{
    return history->sum_count == SC_COUNT_OF(history->sums) ? &history->sums[history->next_sum]
                                                            : NULL;
}

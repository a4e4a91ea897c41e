/* SPDX-License-Identifier: MIT */
/*
 * The last minutes, kept in fixed memory so that a status page that is opened now has a past:
 * requests in each of the last 300 seconds, and all counters of a minute ago. Thread: one.
 */
#ifndef SC_SERVER_HISTORY_H
#define SC_SERVER_HISTORY_H

#include <stddef.h>
#include <stdint.h>

#include "server/stats.h"

#define SC_HISTORY_SECONDS 300U
#define SC_HISTORY_MINUTE 12U /* one sum of all counters every five seconds */

/* Zero-initialised: empty. */
struct sc_history {
    uint32_t rates[SC_HISTORY_SECONDS]; /* requests a second */
    size_t count, next; /* of rates: how many there are, and where the next goes */
    uint64_t requests, at_ms; /* in all, at the last call */
    struct sc_stats sums[SC_HISTORY_MINUTE + 1];
    size_t sum_count, next_sum;
    unsigned until_sum; /* seconds until the next sum is kept */
};

/* To be called about every second. `now_ms`: sc_clock_ms(). */
void sc_history_add(struct sc_history *history, const struct sc_stats *stats, uint64_t now_ms);

/* Requests a second in the `index`th of the seconds that there are, 0 the oldest. */
uint32_t sc_history_rate(const struct sc_history *history, size_t index);

/* The counters of a minute ago. NULL: the server is younger, all of them were 0. */
const struct sc_stats *sc_history_minute_ago(const struct sc_history *history);

#endif

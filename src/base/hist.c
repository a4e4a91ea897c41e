/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "base/hist.h"

#include <string.h>

void sc_hist_init(struct sc_hist *hist)
{
    memset(hist, 0, sizeof(*hist));
    hist->min_ns = UINT64_MAX;
}

uint64_t sc_hist_bucket_max(size_t index)
{
    const size_t direct = (size_t)2 << SC_HIST_SUB_BITS;
    if (index < direct) {
        return index;
    }
    const size_t shift = (index >> SC_HIST_SUB_BITS) - 1U;
    const uint64_t top = index - (shift << SC_HIST_SUB_BITS);
    return ((top + 1U) << shift) - 1U;
}

void sc_hist_merge(struct sc_hist *into, const struct sc_hist *from)
{
    for (size_t i = 0; i < SC_HIST_BUCKETS; i++) {
        into->buckets[i] += from->buckets[i];
    }
    into->count += from->count;
    into->sum_ns += from->sum_ns;
    into->min_ns = from->min_ns < into->min_ns ? from->min_ns : into->min_ns;
    into->max_ns = from->max_ns > into->max_ns ? from->max_ns : into->max_ns;
}

/* How many values are at or below the percentile: rounded up, at least one. */
static uint64_t rank_of(const struct sc_hist *hist, double percent)
{
    const double exact = (double)hist->count * percent / 100.0;
    const uint64_t whole = (uint64_t)exact;
    /* 99.9 has no exact double: what is a whole number but for that error is not rounded up. */
    const uint64_t rank = whole + (exact - (double)whole > 1e-6 ? 1U : 0U);
    return rank == 0 ? 1 : rank;
}

uint64_t sc_hist_percentile(const struct sc_hist *hist, double percent)
{
    if (hist->count == 0 || percent <= 0.0) {
        return sc_hist_min(hist);
    }
    const uint64_t rank = rank_of(hist, percent);
    uint64_t seen = 0;
    /* The last bucket has no upper end. */
    for (size_t i = 0; i < SC_HIST_BUCKETS - 1U && rank < hist->count; i++) {
        seen += hist->buckets[i];
        if (seen >= rank) {
            const uint64_t max = sc_hist_bucket_max(i);
            return max < hist->max_ns ? max : hist->max_ns;
        }
    }
    return hist->max_ns;
}

double sc_hist_mean(const struct sc_hist *hist)
{
    return hist->count == 0 ? 0.0 : (double)hist->sum_ns / (double)hist->count;
}

uint64_t sc_hist_min(const struct sc_hist *hist)
{
    return hist->count == 0 ? 0 : hist->min_ns;
}

uint64_t sc_hist_max(const struct sc_hist *hist)
{
    return hist->max_ns;
}

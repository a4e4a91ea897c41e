/* SPDX-License-Identifier: MIT */
/*
 * A histogram of times in nanoseconds: log-linear buckets in the manner of HdrHistogram, two
 * significant digits, fixed memory (39 KiB).
 *
 * A value below 256 has a bucket of its own; above, each power of two is cut into 128 equal
 * buckets, so that a bucket is less than 0.8 % of its values wide. Values from SC_HIST_MAX_NS (9.7
 * hours) up are counted in the last bucket; min, max and mean stay exact.
 *
 * Thread: none; one writer at a time.
 */
#ifndef SC_BASE_HIST_H
#define SC_BASE_HIST_H

#include <stddef.h>
#include <stdint.h>

#define SC_HIST_SUB_BITS 7U
#define SC_HIST_TOP_BITS 45U
#define SC_HIST_MAX_NS (UINT64_C(1) << SC_HIST_TOP_BITS)
#define SC_HIST_BUCKETS (((size_t)(SC_HIST_TOP_BITS - SC_HIST_SUB_BITS) + 1U) << SC_HIST_SUB_BITS)

/* All zero is an empty histogram, except `min`: use sc_hist_init(). */
struct sc_hist {
    uint64_t count;
    uint64_t sum_ns;
    uint64_t min_ns, max_ns; /* exact */
    uint64_t buckets[SC_HIST_BUCKETS];
};

void sc_hist_init(struct sc_hist *hist);

/* The bucket of a value. */
static inline size_t sc_hist_index(uint64_t ns)
{
    if (ns >= SC_HIST_MAX_NS) {
        return SC_HIST_BUCKETS - 1U;
    }
    if (ns < (2U << SC_HIST_SUB_BITS)) {
        return (size_t)ns;
    }
    const unsigned shift = 63U - SC_HIST_SUB_BITS - (unsigned)__builtin_clzll(ns);
    return ((size_t)shift << SC_HIST_SUB_BITS) + (size_t)(ns >> shift);
}

/* The largest value that a bucket counts. */
uint64_t sc_hist_bucket_max(size_t index);

static inline void sc_hist_record(struct sc_hist *hist, uint64_t ns)
{
    hist->buckets[sc_hist_index(ns)]++;
    hist->count++;
    hist->sum_ns += ns;
    hist->min_ns = ns < hist->min_ns ? ns : hist->min_ns;
    hist->max_ns = ns > hist->max_ns ? ns : hist->max_ns;
}

/* Adds what `from` has counted. */
void sc_hist_merge(struct sc_hist *into, const struct sc_hist *from);

/*
 * The value that `percent` (0 to 100) of all recorded values are not above: the upper end of its
 * bucket, but never more than the maximum. 0 gives the minimum, 100 the maximum. An empty
 * histogram gives 0.
 */
uint64_t sc_hist_percentile(const struct sc_hist *hist, double percent);

/* Nanoseconds; 0 when empty. */
double sc_hist_mean(const struct sc_hist *hist);
uint64_t sc_hist_min(const struct sc_hist *hist);
uint64_t sc_hist_max(const struct sc_hist *hist);

#endif

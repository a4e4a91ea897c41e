/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <stdlib.h>

#include "base/hist.h"
#include "suite.h"

START_TEST(buckets_are_contiguous_and_narrow)
{
    /* Each bucket starts right after the one before, and is less than 0.8 % wide. */
    for (size_t i = 1; i < SC_HIST_BUCKETS; i++) {
        const uint64_t first = sc_hist_bucket_max(i - 1) + 1;
        const uint64_t last = sc_hist_bucket_max(i);
        ck_assert_uint_eq(sc_hist_index(first), i);
        ck_assert_uint_eq(sc_hist_index(last), i);
        ck_assert_uint_le((last - first) * 125, first);
    }
    ck_assert_uint_eq(sc_hist_bucket_max(SC_HIST_BUCKETS - 1), SC_HIST_MAX_NS - 1);
    ck_assert_uint_eq(sc_hist_index(SC_HIST_MAX_NS), SC_HIST_BUCKETS - 1);
    ck_assert_uint_eq(sc_hist_index(UINT64_MAX), SC_HIST_BUCKETS - 1);
}
END_TEST

START_TEST(an_empty_one_is_all_zero)
{
    struct sc_hist hist;
    sc_hist_init(&hist);
    ck_assert_uint_eq(sc_hist_min(&hist), 0);
    ck_assert_uint_eq(sc_hist_max(&hist), 0);
    ck_assert_uint_eq(sc_hist_percentile(&hist, 99.0), 0);
    ck_assert(sc_hist_mean(&hist) == 0.0);
}
END_TEST

static int compare(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

/* Against the sorted values themselves: at or above the exact one, by less than 0.8 %. */
START_TEST(percentiles_agree_with_a_sort)
{
    enum { COUNT = 20000 };
    static uint64_t values[COUNT];
    static const double percents[] = {0.1, 1, 25, 50, 75, 90, 99, 99.9, 99.99};
    struct sc_hist hist;
    uint64_t state = 88172645463325252U, sum = 0;
    sc_hist_init(&hist);
    for (size_t i = 0; i < COUNT; i++) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        values[i] = (state >> 8) >> (state % 40 + 12);
        sum += values[i];
        sc_hist_record(&hist, values[i]);
    }
    qsort(values, COUNT, sizeof(values[0]), compare);
    for (size_t i = 0; i < sizeof(percents) / sizeof(percents[0]); i++) {
        const size_t rank = (size_t)(percents[i] * COUNT / 100.0 + 0.5);
        const uint64_t exact = values[rank - 1], got = sc_hist_percentile(&hist, percents[i]);
        ck_assert_uint_ge(got, exact);
        ck_assert_uint_le((got - exact) * 125, exact);
    }
    ck_assert_uint_eq(sc_hist_percentile(&hist, 0), values[0]);
    ck_assert_uint_eq(sc_hist_percentile(&hist, 100), values[COUNT - 1]);
    ck_assert_uint_eq(sc_hist_min(&hist), values[0]);
    ck_assert_uint_eq(sc_hist_max(&hist), values[COUNT - 1]);
    ck_assert(sc_hist_mean(&hist) == (double)sum / COUNT);
}
END_TEST

START_TEST(ranks_are_exact_for_small_counts)
{
    struct sc_hist hist;
    sc_hist_init(&hist);
    for (uint64_t ns = 1; ns <= 100; ns++) {
        sc_hist_record(&hist, ns);
    }
    ck_assert_uint_eq(sc_hist_percentile(&hist, 1), 1);
    ck_assert_uint_eq(sc_hist_percentile(&hist, 50), 50);
    ck_assert_uint_eq(sc_hist_percentile(&hist, 50.5), 51);
    ck_assert_uint_eq(sc_hist_percentile(&hist, 99), 99);
    ck_assert_uint_eq(sc_hist_percentile(&hist, 99.9), 100);
    ck_assert_uint_eq(sc_hist_percentile(&hist, 1e-9), 1);
}
END_TEST

/* 41,000 * 99.9 / 100 is 40,959, and a little more as a double. */
START_TEST(a_rank_is_not_rounded_up_for_an_error_of_doubles)
{
    struct sc_hist hist;
    sc_hist_init(&hist);
    for (unsigned i = 0; i < 41000; i++) {
        sc_hist_record(&hist, i < 40959 ? 1 : 2);
    }
    ck_assert_uint_eq(sc_hist_percentile(&hist, 99.9), 1);
}
END_TEST

/* A bucket is wider than what was counted in it: no percentile is outside of the extremes. */
START_TEST(percentiles_stay_between_minimum_and_maximum)
{
    struct sc_hist hist;
    sc_hist_init(&hist);
    sc_hist_record(&hist, 1001);
    sc_hist_record(&hist, 1002);
    ck_assert_uint_gt(sc_hist_bucket_max(sc_hist_index(1001)), 1002);
    ck_assert_uint_eq(sc_hist_percentile(&hist, 0), 1001);
    ck_assert_uint_eq(sc_hist_percentile(&hist, 50), 1002);
}
END_TEST

START_TEST(merging_is_counting_together)
{
    struct sc_hist one, two, both;
    sc_hist_init(&one);
    sc_hist_init(&two);
    sc_hist_init(&both);
    for (uint64_t i = 0; i < 5000; i++) {
        const uint64_t ns = i * i * 37;
        sc_hist_record(i % 3 ? &one : &two, ns);
        sc_hist_record(&both, ns);
    }
    sc_hist_record(&two, SC_HIST_MAX_NS);
    sc_hist_record(&both, SC_HIST_MAX_NS);
    sc_hist_merge(&one, &two);
    ck_assert_mem_eq(&one, &both, sizeof(one));
    sc_hist_init(&two);
    sc_hist_merge(&one, &two);
    ck_assert_mem_eq(&one, &both, sizeof(one));
    sc_hist_merge(&two, &both);
    ck_assert_mem_eq(&two, &both, sizeof(two));
}
END_TEST

START_TEST(hours_and_more_keep_the_exact_maximum)
{
    struct sc_hist hist;
    sc_hist_init(&hist);
    sc_hist_record(&hist, UINT64_C(3600000000000) * 9);
    ck_assert_uint_eq(sc_hist_percentile(&hist, 50), UINT64_C(3600000000000) * 9);
    sc_hist_record(&hist, SC_HIST_MAX_NS * 3);
    sc_hist_record(&hist, SC_HIST_MAX_NS * 2);
    ck_assert_uint_eq(sc_hist_max(&hist), SC_HIST_MAX_NS * 3);
    ck_assert_uint_eq(sc_hist_percentile(&hist, 60), SC_HIST_MAX_NS * 3);
}
END_TEST

SUITE_MAIN("hist", buckets_are_contiguous_and_narrow, an_empty_one_is_all_zero,
           percentiles_agree_with_a_sort, ranks_are_exact_for_small_counts,
           a_rank_is_not_rounded_up_for_an_error_of_doubles,
           percentiles_stay_between_minimum_and_maximum, merging_is_counting_together,
           hours_and_more_keep_the_exact_maximum)

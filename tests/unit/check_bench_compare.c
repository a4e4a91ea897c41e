/* SPDX-License-Identifier: MIT */
/* When the difference of two runs is more than their noise; the report is in test-bench-compare.sh.
 */
#include "config.h"

#include "bench/compare.h"

#include "base/compiler.h"
#include "suite.h"

static struct sc_bench_sample sample_of(const double *values, size_t count)
{
    struct sc_bench_sample sample = {0};
    for (size_t i = 0; i < count; i++) {
        sc_bench_sample_add(&sample, values[i]);
    }
    return sample;
}

static enum sc_bench_difference compare(const double *a, size_t a_count, const double *b,
                                        size_t b_count)
{
    const struct sc_bench_sample one = sample_of(a, a_count), other = sample_of(b, b_count);
    const enum sc_bench_difference verdict = sc_bench_sample_compare(&one, &other);
    ck_assert_int_eq(sc_bench_sample_compare(&other, &one), verdict);
    return verdict;
}
#define COMPARE(a, b) compare(a, SC_COUNT_OF(a), b, SC_COUNT_OF(b))

START_TEST(two_seconds_say_nothing)
{
    static const double two[] = {100, 101}, three[] = {200, 201, 202};
    ck_assert_int_eq(COMPARE(two, three), SC_BENCH_TOO_SHORT);
    ck_assert_int_eq(compare(two, 0, three, 3), SC_BENCH_TOO_SHORT);
}
END_TEST

START_TEST(a_difference_is_measured_by_the_noise)
{
    static const double base[] = {100, 102, 98, 101, 99}, same[] = {101, 99, 100, 102, 98},
                        faster[] = {110, 112, 108, 111, 109};
    static const double wild[] = {60, 150, 90, 140, 110};
    ck_assert_int_eq(COMPARE(base, same), SC_BENCH_WITHIN_NOISE);
    ck_assert_int_eq(COMPARE(base, faster), SC_BENCH_MORE_THAN_NOISE);
    /* The same 10 % in a run whose seconds differ by that much themselves. */
    ck_assert_int_eq(COMPARE(base, wild), SC_BENCH_WITHIN_NOISE);
}
END_TEST

/*
 * Means 100 and 103.3, variance 2.5 in five seconds each: the standard error is 1, and t for 8
 * degrees of freedom is 3.36.
 */
START_TEST(the_limit_is_that_of_welch)
{
    static const double base[] = {98, 99, 100, 101, 102};
    double other[5];
    for (size_t i = 0; i < 5; i++) {
        other[i] = base[i] + 3.35;
    }
    ck_assert_int_eq(COMPARE(base, other), SC_BENCH_WITHIN_NOISE);
    for (size_t i = 0; i < 5; i++) {
        other[i] = base[i] + 3.37;
    }
    ck_assert_int_eq(COMPARE(base, other), SC_BENCH_MORE_THAN_NOISE);
}
END_TEST

START_TEST(without_noise_each_difference_counts)
{
    static const double a[] = {5, 5, 5}, b[] = {5, 5, 5, 5}, c[] = {6, 6, 6};
    ck_assert_int_eq(COMPARE(a, b), SC_BENCH_WITHIN_NOISE);
    ck_assert_int_eq(COMPARE(a, c), SC_BENCH_MORE_THAN_NOISE);
}
END_TEST

SUITE_MAIN("bench_compare", two_seconds_say_nothing, a_difference_is_measured_by_the_noise,
           the_limit_is_that_of_welch, without_noise_each_difference_counts)

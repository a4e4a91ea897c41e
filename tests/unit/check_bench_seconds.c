/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "bench/seconds.h"

#include "base/compiler.h"
#include "suite.h"

#define MS UINT64_C(1000000)

static struct sc_bench_handed one, two;
static struct sc_bench_handed *both[] = {&one, &two};
static struct sc_bench_seconds seconds;

static void begin(void)
{
    sc_bench_seconds_init(&seconds);
    one = two = (struct sc_bench_handed){.from_ns = 5000 * MS};
    sc_hist_init(&one.latency);
    sc_hist_init(&two.latency);
}

/* A thread has measured `count` operations that took `latency_ns` until then. */
static void hand_over(struct sc_bench_handed *handed, uint64_t until_ns, unsigned count,
                      uint64_t latency_ns)
{
    for (unsigned i = 0; i < count; i++) {
        sc_hist_record(&handed->latency, latency_ns);
    }
    handed->operations += count;
    handed->until_ns = until_ns;
}

START_TEST(threads_add_up_each_over_its_own_time)
{
    begin();
    hand_over(&one, 6000 * MS, 100, 100);
    hand_over(&two, 5500 * MS, 100, 200); /* its tick is late: 200 a second */
    sc_bench_seconds_take(&seconds, both, 2);
    ck_assert_uint_eq(seconds.count, 1);
    ck_assert_uint_eq(seconds.list[0].operations, 200);
    ck_assert_double_eq_tol(seconds.list[0].rate, 300.0, 1e-6);
    ck_assert_double_eq_tol(seconds.list[0].length_s, 1.0, 1e-9);
    ck_assert_uint_eq(seconds.list[0].p50_ns, 100);
    ck_assert_uint_eq(seconds.list[0].p99_ns, 200);

    /* The next second counts from there, and nothing twice. */
    hand_over(&one, 7000 * MS, 10, 50);
    hand_over(&two, 7000 * MS, 10, 50);
    sc_bench_seconds_take(&seconds, both, 2);
    ck_assert_uint_eq(seconds.count, 2);
    ck_assert_uint_eq(seconds.list[1].operations, 20);
    ck_assert_double_eq_tol(seconds.list[1].rate, 10.0 + 10.0 / 1.5, 1e-6);
    ck_assert_uint_eq(seconds.list[1].p99_ns, 50);
    ck_assert_uint_eq(seconds.so_far.count, 220);
    sc_bench_seconds_fini(&seconds);
}
END_TEST

START_TEST(what_is_too_short_is_no_second)
{
    begin();
    hand_over(&one, 5499 * MS, 7, 100);
    sc_bench_seconds_take(&seconds, both, 2);
    ck_assert_uint_eq(seconds.count, 0);
    ck_assert_uint_eq(seconds.so_far.count, 7);
    sc_bench_seconds_take(&seconds, both, 2); /* nothing since then */
    ck_assert_uint_eq(seconds.count, 0);
    sc_bench_seconds_fini(&seconds);
}
END_TEST

START_TEST(a_second_without_a_reply_has_a_rate_of_zero)
{
    begin();
    hand_over(&one, 6000 * MS, 0, 0);
    sc_bench_seconds_take(&seconds, both, 1);
    ck_assert_uint_eq(seconds.count, 1);
    ck_assert_double_eq(seconds.list[0].rate, 0.0);
    ck_assert_uint_eq(seconds.list[0].p99_ns, 0);
    sc_bench_seconds_fini(&seconds);
}
END_TEST

START_TEST(there_is_an_end_to_them)
{
    begin();
    for (uint64_t i = 1; i <= SC_BENCH_MAX_SECONDS + 2; i++) {
        one.until_ns = one.from_ns + 1000 * MS;
        sc_bench_seconds_take(&seconds, both, 1);
    }
    ck_assert_uint_eq(seconds.count, SC_BENCH_MAX_SECONDS);
    sc_bench_seconds_fini(&seconds);
}
END_TEST

SUITE_MAIN("bench_seconds", threads_add_up_each_over_its_own_time, what_is_too_short_is_no_second,
           a_second_without_a_reply_has_a_rate_of_zero, there_is_an_end_to_them)

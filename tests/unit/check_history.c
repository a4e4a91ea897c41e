/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "server/history.h"

#include "suite.h"

static struct sc_history history;
static struct sc_stats stats;

static void second(uint64_t number, uint64_t requests)
{
    sc_stats_add(&stats.requests[0], requests);
    sc_history_add(&history, &stats, 1000 * number);
}

START_TEST(rates_are_those_of_the_last_five_minutes)
{
    second(0, 50);
    ck_assert_uint_eq(history.count, 0); /* there is no second yet */
    second(1, 7);
    ck_assert_uint_eq(history.count, 1);
    ck_assert_uint_eq(sc_history_rate(&history, 0), 7);
    for (uint64_t i = 2; i <= SC_HISTORY_SECONDS + 20; i++) {
        second(i, i);
    }
    ck_assert_uint_eq(history.count, SC_HISTORY_SECONDS);
    ck_assert_uint_eq(sc_history_rate(&history, 0), 21);
    ck_assert_uint_eq(sc_history_rate(&history, SC_HISTORY_SECONDS - 1), SC_HISTORY_SECONDS + 20);
}
END_TEST

START_TEST(a_rate_is_by_the_time_that_has_passed)
{
    sc_history_add(&history, &stats, 5000);
    sc_stats_add(&stats.requests[0], 1000);
    sc_stats_add(&stats.requests[1], 1000);
    sc_history_add(&history, &stats, 7000);
    ck_assert_uint_eq(sc_history_rate(&history, 0), 1000);
    sc_history_add(&history, &stats, 7000); /* no time: nothing to say */
    ck_assert_uint_eq(history.count, 1);
    sc_stats_add(&stats.requests[0], UINT64_C(5000000000));
    sc_history_add(&history, &stats, 8000);
    ck_assert_uint_eq(sc_history_rate(&history, 1), UINT32_MAX);
}
END_TEST

START_TEST(a_minute_ago)
{
    for (uint64_t i = 0; i <= 60; i++) {
        ck_assert_ptr_null(sc_history_minute_ago(&history));
        second(i, 1);
    }
    ck_assert_uint_eq(sc_stats_get(&sc_history_minute_ago(&history)->requests[0]), 1);
    for (uint64_t i = 61; i <= 600; i++) {
        second(i, 1);
        const uint64_t then = sc_stats_get(&sc_history_minute_ago(&history)->requests[0]);
        ck_assert_uint_ge(i + 1 - then, 60);
        ck_assert_uint_le(i + 1 - then, 64);
    }
}
END_TEST

SUITE_MAIN("history", rates_are_those_of_the_last_five_minutes,
           a_rate_is_by_the_time_that_has_passed, a_minute_ago)

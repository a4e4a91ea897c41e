/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "base/clock.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "suite.h"

START_TEST(clocks_run_forward)
{
    const uint64_t first_ms = sc_clock_ms(), first_ns = sc_clock_ns();
    uint64_t last_ms = first_ms, last_ns = first_ns;
    while (sc_clock_ns() - first_ns < 20000000U || sc_clock_ms() == first_ms) {
        const uint64_t ms = sc_clock_ms(), ns = sc_clock_ns();
        ck_assert_uint_ge(ms, last_ms);
        ck_assert_uint_ge(ns, last_ns);
        last_ms = ms;
        last_ns = ns;
    }
    /* Both clocks count from the same point; the cheap one lags by a tick at most. */
    ck_assert_uint_le(sc_clock_ms(), sc_clock_ns() / 1000000U + 1U);
    ck_assert_uint_le(sc_clock_ns() / 1000000U, sc_clock_ms() + 100U);
}
END_TEST

START_TEST(the_wall_clock_is_that_of_the_system)
{
    struct timespec real;
    ck_assert_int_eq(clock_gettime(CLOCK_REALTIME, &real), 0);
    const struct timespec wall = sc_clock_wall();
    ck_assert_int_ge(wall.tv_sec - real.tv_sec, 0);
    ck_assert_int_lt(wall.tv_sec - real.tv_sec, 60);
    ck_assert(wall.tv_nsec >= 0 && wall.tv_nsec < 1000000000);
}
END_TEST

START_TEST(tests_set_both_clocks)
{
    const uint64_t ns = UINT64_C(7000999999);
    const struct timespec then = {.tv_sec = 100, .tv_nsec = 5};
    sc_clock_fake(&ns, &then);
    ck_assert_uint_eq(sc_clock_ms(), 7000);
    ck_assert_uint_eq(sc_clock_ns(), ns);
    ck_assert_int_eq(sc_clock_wall().tv_sec, 100);
    ck_assert_int_eq(sc_clock_wall().tv_nsec, 5);
    sc_clock_fake(NULL, &then);
    ck_assert_uint_ne(sc_clock_ns(), ns);
    ck_assert_int_eq(sc_clock_wall().tv_sec, 100);
    sc_clock_fake(NULL, NULL);
    ck_assert_int_gt(sc_clock_wall().tv_sec, 100);
}
END_TEST

static void is(time_t second, long nanosecond, const char *expected)
{
    char text[SC_CLOCK_RFC3339_BYTES + 1];
    const struct timespec wall = {.tv_sec = second, .tv_nsec = nanosecond};
    memset(text, '?', sizeof(text));
    sc_clock_rfc3339(wall, text);
    ck_assert_str_eq(text, expected);
    ck_assert_uint_eq(strlen(text), SC_CLOCK_RFC3339_BYTES);
}

START_TEST(dates)
{
    is(0, 0, "1970-01-01T00:00:00.000000Z");
    is(1, 999, "1970-01-01T00:00:01.000000Z");
    is(1, 1000, "1970-01-01T00:00:01.000001Z");
    is(68169599, 999999999, "1972-02-28T23:59:59.999999Z");
    is(68169600, 0, "1972-02-29T00:00:00.000000Z");
    is(1795224123, 123456789, "2026-11-21T01:22:03.123456Z");
    is(2147483647, 0, "2038-01-19T03:14:07.000000Z");
    if (sizeof(time_t) > 4) {
        is((time_t)INT64_C(4107542400), 0, "2100-03-01T00:00:00.000000Z"); /* not a leap year */
        is((time_t)INT64_C(253402300799), 0, "9999-12-31T23:59:59.000000Z");
    }
}
END_TEST

/* A machine without a battery for its clock may start before 1970. */
START_TEST(the_second_before_1970)
{
    is(-1, 0, "1969-12-31T23:59:59.000000Z");
}
END_TEST

START_TEST(seconds_change_back_and_forth)
{
    is(1798761599, 999999999, "2026-12-31T23:59:59.999999Z");
    is(1798761600, 0, "2027-01-01T00:00:00.000000Z");
    is(1798761600, 42000, "2027-01-01T00:00:00.000042Z");
    is(1798761599, 7000, "2026-12-31T23:59:59.000007Z");
}
END_TEST

static void *in_a_thread(void *arg)
{
    const time_t second = *(const time_t *)arg;
    char text[SC_CLOCK_RFC3339_BYTES + 1], expected[32];
    struct tm tm;
    ck_assert_ptr_nonnull(gmtime_r(&second, &tm));
    ck_assert_uint_eq(strftime(expected, sizeof(expected), "%Y-%m-%dT%H:%M:%S", &tm), 19);
    for (int i = 0; i < 10000; i++) {
        sc_clock_rfc3339((struct timespec){.tv_sec = second, .tv_nsec = 0}, text);
        if (strncmp(text, expected, 19) != 0) {
            return arg;
        }
    }
    return NULL;
}

START_TEST(each_thread_keeps_its_own_second)
{
    pthread_t threads[4];
    time_t seconds[4] = {0, 1000000000, 1795224123, 2000000000};
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(pthread_create(&threads[i], NULL, in_a_thread, &seconds[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        void *wrong;
        ck_assert_int_eq(pthread_join(threads[i], &wrong), 0);
        ck_assert_ptr_null(wrong);
    }
}
END_TEST

static void *in_another_second(void *arg)
{
    const time_t second = *(const time_t *)arg;
    char text[SC_CLOCK_RFC3339_BYTES + 1];
    sc_clock_rfc3339((struct timespec){.tv_sec = second, .tv_nsec = 0}, text);
    return NULL;
}

/* One after the other: no race is needed to see that a thread's text is its own. */
START_TEST(another_thread_changes_nothing_here)
{
    pthread_t thread;
    time_t second = 1798761600;
    is(1795224123, 0, "2026-11-21T01:22:03.000000Z");
    ck_assert_int_eq(pthread_create(&thread, NULL, in_another_second, &second), 0);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    is(1795224123, 0, "2026-11-21T01:22:03.000000Z");
    ck_assert_int_eq(pthread_create(&thread, NULL, in_another_second, &second), 0);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    is(1798761600, 0, "2027-01-01T00:00:00.000000Z");
}
END_TEST

START_TEST(durations_for_libevent)
{
    const struct timeval none = sc_clock_timeval(0), some = sc_clock_timeval(86461234);
    ck_assert_int_eq(none.tv_sec, 0);
    ck_assert_int_eq(none.tv_usec, 0);
    ck_assert_int_eq(some.tv_sec, 86461);
    ck_assert_int_eq(some.tv_usec, 234000);
}
END_TEST

SUITE_MAIN("clock", clocks_run_forward, the_wall_clock_is_that_of_the_system, tests_set_both_clocks,
           dates, the_second_before_1970, seconds_change_back_and_forth,
           each_thread_keeps_its_own_second, another_thread_changes_nothing_here,
           durations_for_libevent)

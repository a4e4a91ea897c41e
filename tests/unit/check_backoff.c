/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "base/backoff.h"

#include "suite.h"

#define DRAWS 200

/* The shortest and the longest of many waits after so many failures. */
static void waits_after(unsigned failures, uint32_t *least_ms, uint32_t *most_ms)
{
    *least_ms = UINT32_MAX;
    *most_ms = 0;
    for (unsigned i = 0; i < DRAWS; i++) {
        struct sc_backoff backoff = {.failures = failures};
        const uint32_t wait_ms = sc_backoff_next_ms(&backoff, 0);
        *least_ms = wait_ms < *least_ms ? wait_ms : *least_ms;
        *most_ms = wait_ms > *most_ms ? wait_ms : *most_ms;
    }
}

START_TEST(each_wait_is_twice_the_one_before_up_to_a_bound)
{
    struct sc_backoff backoff = {0};
    uint32_t most_ms = SC_BACKOFF_FIRST_MS;
    for (unsigned i = 0; i < 100; i++) {
        const uint32_t wait_ms = sc_backoff_next_ms(&backoff, 0);
        ck_assert_uint_ge(wait_ms, most_ms / 2);
        ck_assert_uint_le(wait_ms, most_ms);
        most_ms = 2 * most_ms < SC_BACKOFF_MAX_MS ? 2 * most_ms : SC_BACKOFF_MAX_MS;
    }
    sc_backoff_reset(&backoff);
    ck_assert_uint_le(sc_backoff_next_ms(&backoff, 0), SC_BACKOFF_FIRST_MS);
}
END_TEST

/* Between half and all of the time: two hundred are in both quarters of that. */
START_TEST(waits_are_spread)
{
    uint32_t least_ms, most_ms;
    waits_after(0, &least_ms, &most_ms);
    ck_assert_uint_lt(least_ms, SC_BACKOFF_FIRST_MS * 5 / 8);
    ck_assert_uint_gt(most_ms, SC_BACKOFF_FIRST_MS * 7 / 8);
    waits_after(100, &least_ms, &most_ms);
    ck_assert_uint_ge(least_ms, SC_BACKOFF_MAX_MS / 2);
    ck_assert_uint_lt(least_ms, SC_BACKOFF_MAX_MS * 5 / 8);
    ck_assert_uint_gt(most_ms, SC_BACKOFF_MAX_MS * 7 / 8);
    ck_assert_uint_le(most_ms, SC_BACKOFF_MAX_MS);
}
END_TEST

START_TEST(the_advice_of_the_server_counts_when_it_is_longer)
{
    struct sc_backoff backoff = {0};
    const uint32_t longer_ms = SC_BACKOFF_FIRST_MS + 12345;
    ck_assert_uint_eq(sc_backoff_next_ms(&backoff, longer_ms), longer_ms);
    backoff.failures = 100;
    ck_assert_uint_ge(sc_backoff_next_ms(&backoff, 1), SC_BACKOFF_MAX_MS / 2);
}
END_TEST

START_TEST(no_server_is_left_alone_for_longer_than_is_allowed)
{
    struct sc_backoff backoff = {0};
    ck_assert_uint_eq(sc_backoff_next_ms(&backoff, SC_BACKOFF_MAX_ADVICE_MS),
                      SC_BACKOFF_MAX_ADVICE_MS);
    ck_assert_uint_eq(sc_backoff_next_ms(&backoff, SC_BACKOFF_MAX_ADVICE_MS + 1),
                      SC_BACKOFF_MAX_ADVICE_MS);
    ck_assert_uint_eq(sc_backoff_next_ms(&backoff, UINT32_MAX), SC_BACKOFF_MAX_ADVICE_MS);
}
END_TEST

SUITE_MAIN("backoff", each_wait_is_twice_the_one_before_up_to_a_bound, waits_are_spread,
           the_advice_of_the_server_counts_when_it_is_longer,
           no_server_is_left_alone_for_longer_than_is_allowed)

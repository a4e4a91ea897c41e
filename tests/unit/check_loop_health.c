/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "server/loop_health.h"

#include "base/clock.h"
#include "kept_log.h"
#include "net/loop.h"
#include "suite.h"
#include "worker_stand_in.h"

static struct event_base *base;
static struct sc_stats stats;
static struct sc_loop_health *health;
static uint64_t now_ns;

static void pass(uint64_t ms)
{
    now_ns += ms * 1000000;
    sc_clock_fake(&now_ns, NULL);
}

static void begin(size_t worker_count)
{
    struct sc_err err;
    pass(1000);
    sc_loop_init();
    base = sc_loop_new_base(&err);
    health = sc_loop_health_new(base, &stats, workers, worker_count, &err);
    ck_assert_ptr_nonnull(health);
}

static void end(void)
{
    sc_loop_health_free(health);
    event_base_free(base);
    sc_loop_fini();
}

START_TEST(all_answer)
{
    begin(2);
    ck_assert_uint_eq(sc_loop_health_silent_ms(health), 0);
    for (uint32_t i = 1; i <= 3; i++) {
        sc_loop_health_ask(health);
        pass(20);
        event_base_loop(base, EVLOOP_NONBLOCK);
        ck_assert_uint_eq(sc_loop_health_silent_ms(health), 0);
        ck_assert_uint_eq(first.pings, i);
        ck_assert_uint_eq(second.pings, i);
    }
    /* The main loop was 20 ms late each time. */
    ck_assert_uint_eq(sc_stats_total(stats.loop_lag.buckets, SC_STATS_BUCKETS), 3);
    ck_assert_uint_eq(sc_stats_get(&stats.loop_lag.sum_ns), 60000000);
    end();
}
END_TEST

START_TEST(the_main_loop_is_silent)
{
    begin(2);
    sc_loop_health_ask(health);
    pass(700);
    sc_loop_health_ask(health); /* it has not answered: nothing more is posted */
    ck_assert_uint_eq(sc_loop_health_silent_ms(health), 700);
    pass(300);
    ck_assert_uint_eq(sc_loop_health_silent_ms(health), 1000);
    event_base_loop(base, EVLOOP_NONBLOCK);
    ck_assert_uint_eq(sc_loop_health_silent_ms(health), 0);
    ck_assert_uint_eq(sc_stats_total(stats.loop_lag.buckets, SC_STATS_BUCKETS), 1);
    end();
}
END_TEST

START_TEST(a_worker_is_silent)
{
    begin(2);
    second.stands_still = true;
    sc_loop_health_ask(health);
    event_base_loop(base, EVLOOP_NONBLOCK);
    pass(400);
    sc_loop_health_ask(health);
    event_base_loop(base, EVLOOP_NONBLOCK);
    pass(400);
    ck_assert_uint_eq(sc_loop_health_silent_ms(health), 800);
    ck_assert_uint_eq(second.pings, 1);
    ck_assert_uint_eq(first.pings, 2);
    second.answered++;
    ck_assert_uint_eq(sc_loop_health_silent_ms(health), 0);
    end();
}
END_TEST

START_TEST(the_log_says_who_is_silent)
{
    begin(2);
    kept_start(SC_LOG_INFO);
    second.stands_still = true;
    sc_loop_health_ask(health);
    event_base_loop(base, EVLOOP_NONBLOCK);
    pass(999);
    sc_loop_health_ask(health);
    ck_assert_uint_eq(kept_count, 0);
    event_base_loop(base, EVLOOP_NONBLOCK);
    pass(1);
    for (int i = 0; i < 3; i++) {
        sc_loop_health_ask(health);
        event_base_loop(base, EVLOOP_NONBLOCK);
    }
    ck_assert_uint_eq(kept_count, 1);
    ck_assert_ptr_nonnull(
        strstr(kept_last(), " warning event_loop_blocked loop=worker-1 ms=1000 "));
    second.answered++;
    pass(500);
    for (int i = 0; i < 3; i++) {
        sc_loop_health_ask(health);
        event_base_loop(base, EVLOOP_NONBLOCK);
    }
    ck_assert_uint_eq(kept_count, 2);
    ck_assert_ptr_nonnull(strstr(kept_last(), " info event_loop_runs loop=worker-1 ms=1500 "));
    second.stands_still = false;
    second.answered++;
    sc_loop_health_ask(health);
    pass(1000);
    sc_loop_health_ask(health);
    ck_assert_uint_eq(kept_count, 3);
    ck_assert_ptr_nonnull(strstr(kept_last(), " event_loop_blocked loop=main ms=1000 "));
    end();
}
END_TEST

/* It has no loop of its own. */
START_TEST(a_single_worker_is_not_asked)
{
    begin(1);
    first.stands_still = true;
    sc_loop_health_ask(health);
    event_base_loop(base, EVLOOP_NONBLOCK);
    pass(400);
    ck_assert_uint_eq(sc_loop_health_silent_ms(health), 0);
    ck_assert_uint_eq(first.pings, 0);
    end();
}
END_TEST

SUITE_MAIN("loop_health", all_answer, the_main_loop_is_silent, a_worker_is_silent,
           the_log_says_who_is_silent, a_single_worker_is_not_asked)

/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "server/memory_trim.h"

#include "base/clock.h"
#include "net/loop.h"
#include "suite.h"

static struct event_base *base;
static struct sc_memory_trim trim;
static unsigned trims;
static uint64_t now_ns = 1000000000000U, trim_takes_ns;

static void pass_ms(uint64_t ms)
{
    now_ns += ms * 1000000U;
    sc_clock_fake(&now_ns, NULL);
}

static void count_trim(void)
{
    trims++;
    now_ns += trim_takes_ns;
    sc_clock_fake(&now_ns, NULL);
}

static void begin(void)
{
    struct sc_err err;
    sc_loop_init();
    base = sc_loop_new_base(&err);
    pass_ms(100000);
    ck_assert_int_eq(sc_memory_trim_init(&trim, base, &err), 0);
    trim.trim = count_trim;
    trims = 0;
    trim_takes_ns = 0;
}

static void end(void)
{
    sc_memory_trim_fini(&trim);
    sc_memory_trim_fini(&trim);
    event_base_free(base);
    sc_loop_fini();
}

static struct timeval changed_at; /* before the last change */

static unsigned timer_after_ms(const struct timeval *then)
{
    struct timeval due;
    if (!event_pending(trim.timer, EV_TIMEOUT, &due)) {
        return 0;
    }
    evutil_timersub(&due, then, &due);
    return due.tv_sec < 0 ? 1 : (unsigned)(due.tv_sec * 1000 + due.tv_usec / 1000 + 1);
}

/*
 * In about how many ms the timer fires, by clocks that differ by ticks: no fewer than the first, no
 * more than the second, however long this thread had to wait for a processor. 0: it is not set.
 */
static unsigned timer_ms(void)
{
    struct timeval now;
    evutil_gettimeofday(&now, NULL);
    return timer_after_ms(&now);
}

static unsigned timer_most_ms(void)
{
    return timer_after_ms(&changed_at);
}

/* `ms` later the timer fires. */
static void fire_after(uint64_t ms)
{
    ck_assert_uint_gt(timer_ms(), 0);
    evutil_gettimeofday(&changed_at, NULL);
    pass_ms(ms);
    event_active(trim.timer, EV_TIMEOUT, 0);
    ck_assert_int_ge(event_base_loop(base, EVLOOP_NONBLOCK), 0);
}

static void open_connections(unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        sc_memory_trim_opened(&trim);
    }
}

static void close_connections(unsigned count)
{
    evutil_gettimeofday(&changed_at, NULL);
    for (unsigned i = 0; i < count; i++) {
        sc_memory_trim_closed(&trim);
    }
}

START_TEST(a_second_after_the_last_has_ended)
{
    begin();
    open_connections(3);
    ck_assert_uint_eq(timer_ms(), 0);
    close_connections(1);
    ck_assert_uint_gt(timer_most_ms(), 500);
    ck_assert_uint_lt(timer_ms(), 1500);
    pass_ms(800);
    close_connections(1);
    fire_after(200);
    ck_assert_uint_eq(trims, 0);
    fire_after(1000);
    ck_assert_uint_eq(trims, 1);
    ck_assert_uint_eq(timer_ms(), 0);
    sc_memory_trim_later(&trim);
    fire_after(1000);
    ck_assert_uint_eq(trims, 2);
    end();
}
END_TEST

START_TEST(ten_seconds_of_ends)
{
    begin();
    open_connections(100);
    close_connections(1);
    for (unsigned i = 0; i < 9; i++) {
        pass_ms(1000);
        close_connections(1);
        fire_after(0);
        ck_assert_uint_eq(trims, 0);
    }
    pass_ms(1000);
    close_connections(1);
    fire_after(0);
    ck_assert_uint_eq(trims, 1);
    end();
}
END_TEST

START_TEST(a_peak_in_steps)
{
    begin();
    open_connections(2000);
    close_connections(511);
    ck_assert_uint_gt(timer_most_ms(), 500);
    close_connections(1);
    ck_assert_uint_lt(timer_ms(), 500);
    fire_after(10);
    ck_assert_uint_eq(trims, 1);
    ck_assert_uint_gt(timer_most_ms(), 500); /* what libevent frees later */
    close_connections(400);
    open_connections(300);
    close_connections(411);
    fire_after(10);
    ck_assert_uint_eq(trims, 1); /* it is 511 fewer */
    close_connections(1);
    fire_after(10);
    ck_assert_uint_eq(trims, 2);
    fire_after(1000);
    ck_assert_uint_eq(trims, 3);
    ck_assert_uint_eq(timer_ms(), 0);
    end();
}
END_TEST

/* A slow trim is not repeated soon, in no thread. */
START_TEST(slow_ones_are_rare)
{
    begin();
    trim_takes_ns = 20000000;
    open_connections(5000);
    close_connections(600);
    fire_after(10);
    ck_assert_uint_eq(trims, 1);
    close_connections(600);
    fire_after(150);
    ck_assert_uint_eq(trims, 1);
    ck_assert_uint_lt(timer_ms(), 500);
    fire_after(50);
    ck_assert_uint_eq(trims, 2);
    fire_after(1000);
    ck_assert_uint_eq(trims, 3);
    sc_memory_trim_later(&trim);
    fire_after(1000);
    ck_assert_uint_eq(trims, 3);
    fire_after(2900);
    ck_assert_uint_eq(trims, 3);
    fire_after(100);
    ck_assert_uint_eq(trims, 4);
    end();
}
END_TEST

SUITE_MAIN("memory_trim", a_second_after_the_last_has_ended, ten_seconds_of_ends, a_peak_in_steps,
           slow_ones_are_rare)

/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "net/wheel.h"

#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "leaks.h"
#include "net/loop.h"
#include "suite.h"

enum { TIMERS = 5000 };

static struct event_base *base;
static struct sc_wheel *wheel;
static struct sc_wheel_timer timers[TIMERS];
static uint64_t fired_at_ms[TIMERS];
static size_t fired;
static uint64_t now_ns;

/* Every test begins at a time that is not a round number of ticks. */
static void begin(void (*on_due)(struct sc_wheel_timer *timer))
{
    struct sc_err err;
    now_ns = UINT64_C(1000003) * 1000000;
    sc_clock_fake(&now_ns, NULL);
    sc_loop_init();
    base = sc_loop_new_base(&err);
    wheel = sc_wheel_new(base, on_due, &err);
    ck_assert_ptr_nonnull(wheel);
    fired = 0;
    for (size_t i = 0; i < TIMERS; i++) {
        sc_wheel_timer_init(&timers[i]);
        fired_at_ms[i] = 0;
    }
}

static void end(void)
{
    sc_wheel_free(wheel);
    event_base_free(base);
    sc_loop_fini();
}

static void go_to(uint64_t ms)
{
    now_ns = ms * 1000000;
    sc_clock_fake(&now_ns, NULL);
    sc_wheel_run(wheel);
}

static void note(struct sc_wheel_timer *timer)
{
    ck_assert_uint_eq(timer->due_ms, SC_WHEEL_NEVER);
    fired_at_ms[timer - timers] = sc_clock_ms();
    fired++;
}

/* Deadlines from now to four turns of the wheel ahead, and a clock that jumps by anything. */
START_TEST(fires_late_by_a_tick_at_most_and_never_early)
{
    uint64_t due[TIMERS], seed = 1;
    begin(note);
    const uint64_t start = sc_clock_ms();
    for (size_t i = 0; i < TIMERS; i++) {
        seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
        due[i] = start + (seed >> 33) % (UINT64_C(4) * SC_WHEEL_BUCKETS * SC_WHEEL_TICK_MS);
        sc_wheel_set(wheel, &timers[i], due[i]);
    }
    uint64_t before = start;
    for (uint64_t at = start; fired < TIMERS; at += 1 + at % 97) {
        go_to(at);
        for (size_t i = 0; i < TIMERS; i++) {
            if (fired_at_ms[i] == at) {
                ck_assert_uint_ge(at, due[i]);
                ck_assert(before < due[i] + SC_WHEEL_TICK_MS);
            }
        }
        before = at;
    }
    end();
}
END_TEST

START_TEST(is_moved_and_cleared)
{
    begin(note);
    const uint64_t start = sc_clock_ms();
    sc_wheel_set(wheel, &timers[0], start + 1000);
    sc_wheel_set(wheel, &timers[0], start + 5000);
    sc_wheel_set(wheel, &timers[1], start + 5000);
    sc_wheel_set(wheel, &timers[1], start + 1000);
    sc_wheel_set(wheel, &timers[2], start + 1000);
    sc_wheel_clear(&timers[2]);
    sc_wheel_clear(&timers[2]);
    sc_wheel_set(wheel, &timers[3], SC_WHEEL_NEVER);
    go_to(start + 1100);
    ck_assert_uint_eq(fired, 1);
    ck_assert_uint_ne(fired_at_ms[1], 0);
    go_to(start + 5100);
    ck_assert_uint_eq(fired, 2);
    ck_assert_uint_ne(fired_at_ms[0], 0);
    end();
}
END_TEST

/* The machine slept for a day: everything is due at once, and the wheel goes on. */
START_TEST(a_long_sleep)
{
    begin(note);
    const uint64_t start = sc_clock_ms();
    for (size_t i = 0; i < 100; i++) {
        sc_wheel_set(wheel, &timers[i], start + i * 3000);
    }
    go_to(start + UINT64_C(86400000));
    ck_assert_uint_eq(fired, 100);
    sc_wheel_set(wheel, &timers[0], sc_clock_ms() + 200);
    go_to(start + UINT64_C(86400000) + 300);
    ck_assert_uint_eq(fired, 101);
    /* One in each bucket: none is left out. */
    const uint64_t again = sc_clock_ms();
    for (size_t i = 0; i < SC_WHEEL_BUCKETS; i++) {
        sc_wheel_set(wheel, &timers[i], again + i * SC_WHEEL_TICK_MS);
    }
    go_to(again + UINT64_C(86400000));
    ck_assert_uint_eq(fired, 101 + SC_WHEEL_BUCKETS);
    end();
}
END_TEST

static int pending(void)
{
    return event_base_get_num_events(base, EVENT_BASE_COUNT_ADDED);
}

static int how_long(const struct event_base *of, const struct event *event, void *arg)
{
    struct timeval now, due;
    (void)of;
    ck_assert(event_pending(event, EV_TIMEOUT, &due));
    evutil_gettimeofday(&now, NULL);
    evutil_timersub(&due, &now, (struct timeval *)arg);
    return 0;
}

/* The loop sleeps for as long as there is to the first deadline. */
START_TEST(the_event_is_set_to_the_first_deadline)
{
    static const uint64_t ahead_ms[] = {50000, 5500};
    begin(note);
    for (size_t i = 0; i < sizeof(ahead_ms) / sizeof(ahead_ms[0]); i++) {
        struct timeval left;
        sc_wheel_set(wheel, &timers[i], sc_clock_ms() + ahead_ms[i]);
        ck_assert_int_eq(event_base_foreach_event(base, how_long, &left), 0);
        ck_assert_int_ge(left.tv_sec, (time_t)(ahead_ms[i] / 1000) - 3);
        ck_assert_int_le(left.tv_sec, (time_t)(ahead_ms[i] / 1000));
    }
    end();
}
END_TEST

/* The loop is not woken when there is nothing to wait for. */
START_TEST(without_deadlines_there_is_no_event)
{
    begin(note);
    const uint64_t start = sc_clock_ms();
    ck_assert_int_eq(pending(), 0);
    sc_wheel_set(wheel, &timers[0], SC_WHEEL_NEVER);
    ck_assert_int_eq(pending(), 0);
    sc_wheel_set(wheel, &timers[0], start + 1000);
    sc_wheel_set(wheel, &timers[1], start + 2000);
    ck_assert_int_eq(pending(), 1);
    event_base_loop(base, EVLOOP_NONBLOCK);
    go_to(start + 1100);
    ck_assert_uint_eq(fired, 1);
    ck_assert_int_eq(pending(), 1);
    sc_wheel_clear(&timers[1]);
    struct sc_wheel *first = wheel;
    struct sc_err err;
    wheel = sc_wheel_new(base, note, &err);
    sc_wheel_free(first);
    ck_assert_int_eq(pending(), 0);
    end();
}
END_TEST

/* The loop is late, and somebody sets another deadline before the wheel has run. */
START_TEST(a_deadline_that_is_set_late_hides_no_other)
{
    begin(note);
    const uint64_t start = sc_clock_ms();
    sc_wheel_set(wheel, &timers[0], start + 100);
    now_ns = (start + 500) * 1000000;
    sc_clock_fake(&now_ns, NULL);
    sc_wheel_set(wheel, &timers[1], start + 1000);
    sc_wheel_run(wheel);
    ck_assert_uint_eq(fired, 1);
    ck_assert_uint_ne(fired_at_ms[0], 0);
    go_to(start + 1100);
    ck_assert_uint_eq(fired, 2);
    end();
}
END_TEST

/* A deadline that has passed already fires in the next pass. */
START_TEST(the_past_is_due)
{
    begin(note);
    const uint64_t start = sc_clock_ms();
    sc_wheel_set(wheel, &timers[0], start - 100000);
    sc_wheel_set(wheel, &timers[1], 1);
    go_to(start + SC_WHEEL_TICK_MS);
    ck_assert_uint_eq(fired, 2);
    end();
}
END_TEST

START_TEST(a_wheel_is_given_back)
{
    struct sc_err err;
    begin(note);
    ASSERT_KEEPS_NOTHING(sc_wheel_free(sc_wheel_new(base, note, &err)));
    sc_wheel_free(NULL);
    end();
}
END_TEST

/* Of three that are due together the first clears the second and sets itself again. */
static void meddle(struct sc_wheel_timer *timer)
{
    fired++;
    for (size_t i = 0; i < 3; i++) {
        if (&timers[i] != timer) {
            sc_wheel_clear(&timers[i]);
        }
    }
    if (fired == 1) {
        sc_wheel_set(wheel, timer,
                     sc_clock_ms()); /* due already: in the next pass, not in this one */
    }
}

START_TEST(timers_are_changed_while_they_fire)
{
    begin(meddle);
    const uint64_t start = sc_clock_ms();
    for (size_t i = 0; i < 3; i++) {
        sc_wheel_set(wheel, &timers[i], start + 10);
    }
    go_to(start + 100);
    ck_assert_uint_eq(fired, 1);
    go_to(start + 200);
    ck_assert_uint_eq(fired, 2);
    end();
}
END_TEST

/*
 * The first of them sets itself again; what is due in the buckets after it must not wait for the
 * next turn of the wheel.
 */
static void set_again(struct sc_wheel_timer *timer)
{
    note(timer);
    if (timer == &timers[0]) {
        sc_wheel_set(wheel, timer, sc_clock_ms() + 5000);
    }
}

START_TEST(a_late_pass_skips_no_bucket)
{
    begin(set_again);
    const uint64_t start = sc_clock_ms();
    sc_wheel_set(wheel, &timers[0], start + 100);
    sc_wheel_set(wheel, &timers[1], start + 164);
    sc_wheel_set(wheel, &timers[2], start + 230);
    go_to(start + 400);
    ck_assert_uint_eq(fired, 3);
    end();
}
END_TEST

static void stop(struct sc_wheel_timer *timer)
{
    (void)timer;
    event_base_loopbreak(base);
}

/* With the system's clock: the loop wakes by itself, also after it had nothing to wait for. */
START_TEST(the_loop_wakes)
{
    begin(stop);
    sc_clock_fake(NULL, NULL);
    for (size_t i = 0; i < 3; i++) {
        const uint64_t start = sc_clock_ms();
        sc_wheel_set(wheel, &timers[1], start + 3600000);
        sc_wheel_set(wheel, &timers[0], start + 30);
        ck_assert_int_eq(event_base_dispatch(base), 0);
        ck_assert_uint_ge(sc_clock_ms(), start + 30);
        ck_assert_uint_eq(timers[0].due_ms, SC_WHEEL_NEVER);
        sc_wheel_clear(&timers[1]);
    }
    end();
}
END_TEST

/* It wakes when something is due, and not all the time until then. */
START_TEST(the_loop_sleeps_until_then)
{
    static const uint64_t ahead_ms[] = {200, 1100};
    begin(note);
    sc_clock_fake(NULL, NULL);
    for (size_t i = 0; i < sizeof(ahead_ms) / sizeof(ahead_ms[0]); i++) {
        unsigned passes = 0;
        sc_wheel_set(wheel, &timers[i], sc_clock_ms() + ahead_ms[i]);
        for (; fired == i; passes++) {
            ck_assert_int_eq(event_base_loop(base, EVLOOP_ONCE), 0);
        }
        ck_assert_uint_le(passes, 8); /* the cheap clock lags by a tick of the kernel's */
    }
    end();
}
END_TEST

static bool was_read;

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    char byte;
    (void)what;
    (void)arg;
    ck_assert_int_eq(read(fd, &byte, 1), 1);
    was_read = true;
}

static void note_after_reading(struct sc_wheel_timer *timer)
{
    ck_assert_msg(was_read, "a deadline comes before what has arrived");
    note(timer);
}

static int wake(const struct event_base *of, const struct event *event, void *arg)
{
    (void)of;
    (void)arg;
    if (event_pending(event, EV_TIMEOUT, NULL)) {
        event_active((struct event *)(uintptr_t)event, EV_TIMEOUT, 1);
    }
    return 0;
}

/* As when the process is stopped in epoll_wait(2), which returns without what is ready then. */
static void wake_first(void)
{
    (void)event_base_foreach_event(base, wake, NULL);
    ck_assert_int_ge(event_base_loop(base, EVLOOP_NONBLOCK), 0);
}

START_TEST(after_a_standstill_sockets_come_first)
{
    int ends[2];
    begin(note_after_reading);
    was_read = true;
    sc_wheel_set(wheel, &timers[0], sc_clock_ms() + 1000);
    now_ns += UINT64_C(1400) * 1000000;
    sc_clock_fake(&now_ns, NULL);
    wake_first(); /* that late it may be on a busy machine */
    ck_assert_uint_eq(fired, 1);

    ck_assert_int_eq(pipe(ends), 0);
    struct event *readable = event_new(base, ends[0], EV_READ | EV_PERSIST, on_readable, NULL);
    ck_assert_int_eq(event_add(readable, NULL), 0);
    for (unsigned round = 1; round <= 3; round++) {
        was_read = false;
        ck_assert_int_eq(write(ends[1], "x", 1), 1);
        sc_wheel_set(wheel, &timers[0], sc_clock_ms() + 1000);
        now_ns += UINT64_C(5000) * 1000000;
        sc_clock_fake(&now_ns, NULL);
        wake_first();
        ck_assert(was_read);
        ck_assert_uint_eq(fired, round);
        now_ns += UINT64_C(5000) * 1000000;
        sc_clock_fake(&now_ns, NULL);
        wake_first(); /* and deadlines come next, however late it is */
        ck_assert_uint_eq(fired, round + 1);
    }
    event_free(readable);
    (void)close(ends[0]);
    (void)close(ends[1]);
    end();
}
END_TEST

SUITE_MAIN("wheel", fires_late_by_a_tick_at_most_and_never_early, is_moved_and_cleared,
           a_long_sleep, without_deadlines_there_is_no_event,
           the_event_is_set_to_the_first_deadline, a_deadline_that_is_set_late_hides_no_other,
           the_past_is_due, a_wheel_is_given_back, the_loop_sleeps_until_then,
           a_late_pass_skips_no_bucket, timers_are_changed_while_they_fire, the_loop_wakes,
           after_a_standstill_sockets_come_first)

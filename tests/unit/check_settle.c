#include "config.h"

#include "server/settle.h"

#include "net/loop.h"
#include "suite.h"

static struct event_base *base;
static struct sc_settle settle;
static unsigned some, all;

static void give_some(void)
{
    some++;
}

static void give_all(void)
{
    all++;
}

static void begin(void)
{
    struct sc_err err;
    sc_loop_init();
    base = sc_loop_new_base(&err);
    ck_assert_int_eq(sc_settle_init(&settle, base, &err), 0);
    settle.give_some = give_some;
    settle.give_all = give_all;
    some = all = 0;
}

static void end(void)
{
    sc_settle_fini(&settle);
    sc_settle_fini(&settle);
    event_base_free(base);
    sc_loop_fini();
}

static bool is_waiting(void)
{
    return event_pending(settle.timer, EV_TIMEOUT, NULL);
}

/* The second is over. */
static void fire(void)
{
    ck_assert(is_waiting());
    event_active(settle.timer, EV_TIMEOUT, 0);
    ck_assert_int_ge(event_base_loop(base, EVLOOP_NONBLOCK), 0);
}

static void come(unsigned connections)
{
    for (unsigned i = 0; i < connections; i++) {
        sc_settle_opened(&settle);
    }
}

static void leave(unsigned connections)
{
    for (unsigned i = 0; i < connections; i++) {
        sc_settle_closed(&settle);
    }
}

static void expect(unsigned expected_some, unsigned expected_all, bool expected_waiting)
{
    ck_assert_uint_eq(some, expected_some);
    ck_assert_uint_eq(all, expected_all);
    ck_assert_int_eq(is_waiting(), expected_waiting);
}

START_TEST(once_a_second_however_often_it_is_asked)
{
    struct timeval now, due;
    begin();
    expect(0, 0, false);
    sc_settle_later(&settle);
    ck_assert(event_pending(settle.timer, EV_TIMEOUT, &due));
    evutil_gettimeofday(&now, NULL);
    evutil_timersub(&due, &now, &now);
    ck_assert(now.tv_sec == 0 || (now.tv_sec == 1 && now.tv_usec < 100000));
    for (int i = 0; i < 10; i++) {
        sc_settle_later(&settle);
    }
    fire();
    expect(1, 0, false);
    sc_settle_later(&settle);
    fire();
    expect(2, 0, false);
    end();
}
END_TEST

START_TEST(a_crowd_that_was_away_for_a_second)
{
    begin();
    come(1000);
    expect(0, 0, false);
    leave(750);
    fire();
    expect(1, 0, true); /* it looks again by itself */
    fire();
    expect(1, 1, false);
    leave(1);
    fire();
    expect(2, 1, false); /* 249 are no crowd */
    end();
}
END_TEST

START_TEST(a_crowd_that_comes_back)
{
    begin();
    come(1000);
    leave(900);
    fire();
    come(151);
    fire();
    expect(2, 0, false);
    leave(1);
    fire();
    expect(3, 0, true);
    fire();
    expect(3, 1, false);
    end();
}
END_TEST

/* 300 are left of a crowd, and its memory has been given back. */
static void begin_after_a_crowd(void)
{
    begin();
    come(2000);
    leave(1700);
    fire();
    fire();
    expect(1, 1, false);
}

/* After a trim the crowd is what was left, and what has come since. */
START_TEST(the_next_crowd_is_counted_anew)
{
    begin_after_a_crowd();
    leave(200);
    fire();
    expect(2, 1, false); /* a third of 300 */
    leave(25);
    fire();
    fire();
    expect(3, 2, false);
    end();
}
END_TEST

/* ... and it has to be away for a whole second like the first. */
START_TEST(a_crowd_soon_after_another)
{
    begin_after_a_crowd();
    leave(230);
    fire();
    expect(2, 1, true);
    fire();
    expect(2, 2, false);
    end();
}
END_TEST

START_TEST(few_are_no_crowd)
{
    begin();
    come(255);
    leave(255);
    fire();
    expect(1, 0, false);
    come(256);
    leave(256);
    fire();
    fire();
    expect(2, 1, false);
    end();
}
END_TEST

SUITE_MAIN("settle", once_a_second_however_often_it_is_asked, a_crowd_that_was_away_for_a_second,
           a_crowd_that_comes_back, the_next_crowd_is_counted_anew, a_crowd_soon_after_another,
           few_are_no_crowd)

/* SPDX-License-Identifier: MIT */
/* The shutdown: what its timer waits for, without waiting; and what a signal does. */
#include "config.h"

#include "server/drain.h"

#include <dlfcn.h>
#include <signal.h>

#include "base/compiler.h"
#include "kept_log.h"
#include "suite.h"

enum { MAX_WAITS = 8 };

static struct event_base *base;
static struct sc_drain *drain;
static uint64_t limit_ms;
static uint64_t waits_ms[MAX_WAITS];
static unsigned waits, begun;

/* In place of libevent's: the time is over at once. */
int event_add(struct event *event, const struct timeval *wait)
{
    static const struct timeval none = {0};
    int (*real)(struct event *, const struct timeval *);
    *(void **)&real = dlsym(RTLD_NEXT, "event_add");
    if (!wait) {
        return real(event, NULL);
    }
    ck_assert_uint_lt(waits, MAX_WAITS);
    waits_ms[waits++] = (uint64_t)wait->tv_sec * 1000 + (uint64_t)wait->tv_usec / 1000;
    return real(event, &none);
}

static uint64_t begin_drain(void *arg)
{
    (void)arg;
    begun++;
    return limit_ms;
}

static unsigned open_connections(void *arg)
{
    (void)arg;
    return 3;
}

static const struct sc_drain_callbacks callbacks = {begin_drain, open_connections};

static void start(uint64_t limit)
{
    struct sc_err err;
    limit_ms = limit;
    waits = begun = 0;
    kept_start(SC_LOG_DEBUG);
    ck_assert_ptr_nonnull(base = event_base_new());
    ck_assert_ptr_nonnull(drain = sc_drain_new(base, &callbacks, NULL, &err));
    ck_assert_int_eq(sc_drain_since(drain), 0);
}

static void finish(void)
{
    sc_drain_free(drain);
    event_base_free(base);
}

/* A line after 5, 10, 20, ... seconds, or after half of less; the limit is kept. */
START_TEST(slow_clients_are_logged_and_then_cut)
{
    static const struct {
        uint64_t limit_ms, waits_ms[MAX_WAITS];
    } rows[] = {{500, {500}},
                {8000, {4000, 4000}},
                {12000, {5000, 5000, 2000}},
                {60000, {5000, 5000, 10000, 20000, 20000}}};
    for (size_t i = 0; i < SC_COUNT_OF(rows); i++) {
        unsigned count = 0;
        start(rows[i].limit_ms);
        ck_assert_int_eq(raise(SIGTERM), 0);
        ck_assert_int_eq(event_base_dispatch(base), 0);
        ck_assert(event_base_got_break(base));
        ck_assert_uint_eq(begun, 1);
        for (; rows[i].waits_ms[count] > 0; count++) {
            ck_assert_uint_eq(waits_ms[count], rows[i].waits_ms[count]);
        }
        ck_assert_uint_eq(waits, count);
        ck_assert_uint_eq(kept_count, 1 + count); /* stopping, drain_slow ..., drain_timeout */
        ASSERT_HAS(kept_lines[0], " stopping message=\"SIGTERM: draining 3 connections\"");
        for (unsigned line = 1; line < count; line++) {
            ASSERT_HAS(kept_lines[line], " drain_slow message=\"3 connections still open after");
        }
        if (rows[i].limit_ms == 8000) {
            ASSERT_HAS(kept_lines[1], "after 4.0 s; drain-timeout cuts what is left after 8.0 s");
        }
        ASSERT_HAS(kept_last(), " drain_timeout message=\"3 connections did not end in time");
        finish();
    }
}
END_TEST

START_TEST(a_second_signal_ends_it_at_once)
{
    static const int signals[][2] = {
        {SIGTERM, SIGTERM}, {SIGTERM, SIGINT}, {SIGINT, SIGTERM}, {SIGINT, SIGINT}};
    for (size_t i = 0; i < SC_COUNT_OF(signals); i++) {
        start(60000);
        ck_assert_int_eq(raise(signals[i][0]), 0);
        while (begun == 0) {
            ck_assert_int_eq(event_base_loop(base, EVLOOP_ONCE), 0);
        }
        ck_assert_int_ne(sc_drain_since(drain), 0);
        ck_assert_int_eq(raise(signals[i][1]), 0);
        while (!event_base_got_break(base)) {
            ck_assert_int_eq(event_base_loop(base, EVLOOP_ONCE), 0);
        }
        ASSERT_HAS(kept_last(), signals[i][1] == SIGINT
                                    ? " stopping_now message=\"second signal (SIGINT): "
                                    : " stopping_now message=\"second signal (SIGTERM): ");
        ck_assert_uint_eq(begun, 1);
        finish();
    }
}
END_TEST

SUITE_MAIN("drain", slow_clients_are_logged_and_then_cut, a_second_signal_ends_it_at_once)

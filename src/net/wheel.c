/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "net/wheel.h"

#include <stdbool.h>
#include <stdlib.h>
#include <sysexits.h>

#include "base/clock.h"

#define WORD_BITS 64U
#define LATE_MS 500U

LIST_HEAD(bucket, sc_wheel_timer);

struct sc_wheel {
    struct event *event;
    void (*on_due)(struct sc_wheel_timer *timer);
    uint64_t tick; /* every bucket before this one's has been looked at */
    uint64_t wake_ms; /* when the event fires; SC_WHEEL_NEVER: it does not */
    bool postponed; /* it has fired late, and fires again */
    uint64_t used[SC_WHEEL_BUCKETS / WORD_BITS]; /* buckets that may hold something */
    struct bucket buckets[SC_WHEEL_BUCKETS];
};

/* The first tick at whose start the deadline has passed. */
static uint64_t tick_of(uint64_t due_ms)
{
    return due_ms / SC_WHEEL_TICK_MS + 1;
}

static void wake_at(struct sc_wheel *wheel, uint64_t tick)
{
    const uint64_t at_ms = tick * SC_WHEEL_TICK_MS;
    if (at_ms >= wheel->wake_ms) {
        return;
    }
    const uint64_t now_ms = sc_clock_ms();
    const uint64_t left_ms = at_ms > now_ms ? at_ms - now_ms : 0;
    const struct timeval left = sc_clock_timeval(left_ms);
    if (event_add(wheel->event, &left) == 0) { /* else the next deadline that is set tries again */
        wheel->wake_ms = at_ms;
    }
}

/* The next used bucket, as a tick from wheel->tick on; false: all are empty. */
static bool next_used(const struct sc_wheel *wheel, uint64_t *tick)
{
    for (uint64_t ahead = 0; ahead < SC_WHEEL_BUCKETS;) {
        const unsigned index = (unsigned)((wheel->tick + ahead) % SC_WHEEL_BUCKETS);
        const uint64_t rest = wheel->used[index / WORD_BITS] >> (index % WORD_BITS);
        if (rest != 0) {
            *tick = wheel->tick + ahead + (uint64_t)__builtin_ctzll(rest);
            return true;
        }
        ahead += WORD_BITS - index % WORD_BITS;
    }
    return false;
}

/* Those that are due; the others, whose tick is one or more revolutions away, stay. */
static void run_bucket(struct sc_wheel *wheel, unsigned index, uint64_t now_ms)
{
    struct bucket due = LIST_HEAD_INITIALIZER(due);
    struct sc_wheel_timer *timer, *next;
    for (timer = LIST_FIRST(&wheel->buckets[index]); timer; timer = next) {
        next = LIST_NEXT(timer, link);
        if (timer->due_ms <= now_ms) {
            LIST_REMOVE(timer, link);
            LIST_INSERT_HEAD(&due, timer, link);
        }
    }
    if (LIST_EMPTY(&wheel->buckets[index])) {
        wheel->used[index / WORD_BITS] &= ~(UINT64_C(1) << (index % WORD_BITS));
    }
    while ((timer = LIST_FIRST(&due)) != NULL) {
        sc_wheel_clear(timer);
        wheel->on_due(timer);
    }
}

void sc_wheel_run(struct sc_wheel *wheel)
{
    const uint64_t now_ms = sc_clock_ms();
    const uint64_t now_tick = now_ms / SC_WHEEL_TICK_MS;
    uint64_t tick;
    wheel->wake_ms =
        0; /* awake: deadlines that are set meanwhile neither wake it nor move its hand */
    /* After a long sleep of the machine every bucket is looked at once. */
    if (now_tick >= wheel->tick + SC_WHEEL_BUCKETS) {
        wheel->tick = now_tick - SC_WHEEL_BUCKETS + 1;
    }
    while (next_used(wheel, &tick) && tick <= now_tick) {
        wheel->tick = tick + 1;
        run_bucket(wheel, (unsigned)(tick % SC_WHEEL_BUCKETS), now_ms);
    }
    if (wheel->tick <= now_tick) {
        wheel->tick = now_tick + 1;
    }
    wheel->wake_ms = SC_WHEEL_NEVER;
    if (next_used(wheel, &tick)) {
        wake_at(wheel, tick);
    }
}

/*
 * Late by that much: the process was stopped, or its thread did not run, and what has come to its
 * sockets meanwhile was not looked at. That has as long again to be read before deadlines count.
 */
static void on_wake(evutil_socket_t fd, short what, void *arg)
{
    static const struct timeval pause = {.tv_usec = LATE_MS * 1000};
    struct sc_wheel *wheel = arg;
    (void)fd;
    (void)what;
    if (!wheel->postponed && sc_clock_ms() >= wheel->wake_ms + LATE_MS &&
        event_add(wheel->event, &pause) == 0) {
        wheel->postponed = true;
        return;
    }
    wheel->postponed = false;
    sc_wheel_run(wheel);
}

struct sc_wheel *sc_wheel_new(struct event_base *base, void (*on_due)(struct sc_wheel_timer *timer),
                              struct sc_err *err)
{
    struct sc_wheel *wheel = calloc(1, sizeof(*wheel));
    if (!wheel || !(wheel->event = event_new(base, -1, 0, on_wake, wheel))) {
        free(wheel);
        (void)sc_err_set(err, EX_OSERR, "can't set up timers: out of memory");
        return NULL;
    }
    wheel->on_due = on_due;
    wheel->wake_ms = SC_WHEEL_NEVER;
    return wheel;
}

void sc_wheel_free(struct sc_wheel *wheel)
{
    if (wheel) {
        event_free(wheel->event);
        free(wheel);
    }
}

void sc_wheel_timer_init(struct sc_wheel_timer *timer)
{
    timer->due_ms = SC_WHEEL_NEVER;
}

void sc_wheel_set(struct sc_wheel *wheel, struct sc_wheel_timer *timer, uint64_t due_ms)
{
    sc_wheel_clear(timer);
    if (due_ms == SC_WHEEL_NEVER) {
        return;
    }
    if (wheel->wake_ms == SC_WHEEL_NEVER) {
        wheel->tick = sc_clock_ms() /
                      SC_WHEEL_TICK_MS; /* it stood still while there was nothing to wait for */
    }
    uint64_t tick = tick_of(due_ms);
    if (tick < wheel->tick) {
        tick = wheel->tick;
    }
    const unsigned index = (unsigned)(tick % SC_WHEEL_BUCKETS);
    timer->due_ms = due_ms;
    LIST_INSERT_HEAD(&wheel->buckets[index], timer, link);
    wheel->used[index / WORD_BITS] |= UINT64_C(1) << (index % WORD_BITS);
    /* One that is revolutions away wakes the wheel when its bucket comes by first. */
    wake_at(wheel, tick < wheel->tick + SC_WHEEL_BUCKETS
                       ? tick
                       : wheel->tick + (index - wheel->tick) % SC_WHEEL_BUCKETS);
}

void sc_wheel_clear(struct sc_wheel_timer *timer)
{
    if (timer->due_ms != SC_WHEEL_NEVER) {
        timer->due_ms = SC_WHEEL_NEVER;
        LIST_REMOVE(timer, link);
    }
}

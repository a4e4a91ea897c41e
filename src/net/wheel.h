/* SPDX-License-Identifier: MIT */
/*
 * Deadlines of many connections on one event: a wheel of buckets, each for a tick of time. A
 * libevent timer for each connection would be 128 bytes and a place in a heap; a place in the
 * wheel is 24 bytes, and moving it takes the same time whatever the number of others.
 *
 * A deadline fires up to SC_WHEEL_TICK_MS late, never early. One beyond the horizon is looked at
 * once in each revolution of the wheel. After a time in which the loop did not run, sockets come
 * first for half a second. Thread: that of the event_base.
 */
#ifndef SC_NET_WHEEL_H
#define SC_NET_WHEEL_H

#include <stdint.h>
#include <sys/queue.h>

#include <event2/event.h>

#include "base/err.h"

#define SC_WHEEL_TICK_MS 64U
#define SC_WHEEL_BUCKETS 1024U /* a revolution is 65 seconds */
#define SC_WHEEL_NEVER UINT64_MAX

struct sc_wheel;

/* A member of the one that waits. */
struct sc_wheel_timer {
    LIST_ENTRY(sc_wheel_timer) link;
    uint64_t due_ms; /* of sc_clock_ms(); SC_WHEEL_NEVER: it is not set */
};

/*
 * `on_due` is called from the loop with a timer that is not set any more; it may set, clear and
 * free any timer. NULL on failure.
 */
struct sc_wheel *sc_wheel_new(struct event_base *base, void (*on_due)(struct sc_wheel_timer *timer),
                              struct sc_err *err) SC_NODISCARD;
void sc_wheel_free(struct sc_wheel *wheel); /* no timer is set; NULL is fine */

void sc_wheel_timer_init(struct sc_wheel_timer *timer);

/* Sets or moves. `due_ms` may be in the past: then it fires in the next iteration of the loop. */
void sc_wheel_set(struct sc_wheel *wheel, struct sc_wheel_timer *timer, uint64_t due_ms);

/* Fires what is due. Called from the loop; by itself only with a clock that is not the system's. */
void sc_wheel_run(struct sc_wheel *wheel);

void sc_wheel_clear(struct sc_wheel_timer *timer); /* fine if it is not set */

#endif

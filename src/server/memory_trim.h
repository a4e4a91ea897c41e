/* SPDX-License-Identifier: MIT */
/*
 * Gives the memory that connections have left back to the system (malloc_trim(3)). malloc() keeps
 * most of it otherwise, since blocks that are still in use lie above it on the heap.
 *
 * A trim stops every thread that allocates, for 0.15 to 0.25 ms per MB and some more where many
 * connections stay. So there is one
 *
 *   - whenever 512 connections more have ended than begun: a peak of 15,000 goes in steps of 2 to
 *     20 ms, where a trim at its end takes 35 to 60;
 *   - when no handshake and no connection has ended and no large reply was sent for a second, at
 *     the latest after ten seconds.
 *
 * All threads together spend no more than 1/10 of the time on the former, 1/200 on the latter.
 *
 * Thread: that of the event base.
 */
#ifndef SC_SERVER_MEMORY_TRIM_H
#define SC_SERVER_MEMORY_TRIM_H

#include <stdbool.h>
#include <stdint.h>

#include <event2/event.h>

#include "base/err.h"

/* Private to the functions below. */
struct sc_memory_trim {
    struct event *timer;
    bool is_armed; /* the timer */
    uint32_t open; /* connections */
    uint32_t peak; /* the most of them since the last trim */
    uint64_t first_ms, last_ms; /* of the sc_memory_trim_later() since the last trim */
    void (*trim)(void); /* malloc_trim(0); tests replace it */
};

/* Settings of malloc() for a process that serves. Once, before the second thread. */
void sc_memory_trim_setup(void);

int sc_memory_trim_init(struct sc_memory_trim *trim, struct event_base *base,
                        struct sc_err *err) SC_NODISCARD;
void sc_memory_trim_fini(struct sc_memory_trim *trim); /* before the base; twice is fine */

void sc_memory_trim_opened(struct sc_memory_trim *trim); /* a connection has begun */
void sc_memory_trim_closed(struct sc_memory_trim *trim); /* ... has ended */
void sc_memory_trim_later(struct sc_memory_trim *trim); /* much memory was freed */

#endif

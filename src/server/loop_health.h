/* SPDX-License-Identifier: MIT */
/*
 * Whether the event loops run: each is asked at intervals, answers when it gets to it, and counts
 * how late that was. Thread: made and freed in the main one; asking and looking in one other.
 */
#ifndef SC_SERVER_LOOP_HEALTH_H
#define SC_SERVER_LOOP_HEALTH_H

#include <stddef.h>
#include <stdint.h>

#include <event2/event.h>

#include "base/err.h"
#include "server/stats.h"
#include "server/worker.h"

struct sc_loop_health;

/*
 * For the main thread's loop and those of the workers that have one of their own. `main_stats`
 * counts for the main thread. All is borrowed. NULL on failure.
 */
struct sc_loop_health *sc_loop_health_new(struct event_base *main_base, struct sc_stats *main_stats,
                                          struct sc_worker *const *workers, size_t worker_count,
                                          struct sc_err *err) SC_NODISCARD;

/*
 * Asks every loop that has answered. The log says which has not for a second, and when it has
 * again.
 */
void sc_loop_health_ask(struct sc_loop_health *health);

/* For how long the one that is longest has not answered, milliseconds; 0: all have. */
uint64_t sc_loop_health_silent_ms(const struct sc_loop_health *health);

void sc_loop_health_free(struct sc_loop_health *health); /* after the last ask; NULL is fine */

#endif

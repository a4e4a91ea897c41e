/*
 * Counters. Each thread that serves has its own struct and is the only one that writes it; anybody
 * may read and add up. All of them only grow. The list is stats.def: a new counter is a line
 * there.
 */
#ifndef SC_SERVER_STATS_H
#define SC_SERVER_STATS_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/handler.h"

#define SC_STATS_ERROR_CODES 6U /* ERROR codes are 1 to 5; 0 is none */

typedef _Atomic uint64_t sc_counter;

struct sc_stats {
#define SC_COUNTER(field, help) sc_counter field;
#include "server/stats.def"
#undef SC_COUNTER
    sc_counter requests[SC_HANDLER_MAX];
    sc_counter errors[SC_STATS_ERROR_CODES];
};

/* One writer, so no locked instruction is needed. */
static inline void sc_stats_add(sc_counter *counter, uint64_t n)
{
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + n,
                          memory_order_relaxed);
}

static inline uint64_t sc_stats_get(const sc_counter *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

/* Adds every counter of `from` to `sum`, which only the caller uses. Thread: any. */
void sc_stats_sum(struct sc_stats *sum, const struct sc_stats *from);

/*
 * Calls `each` with the name and value of every counter, those of requests ("requests_echo") and
 * errors ("errors_body_too_large") too.
 */
void sc_stats_each(const struct sc_stats *stats,
                   void (*each)(const char *name, uint64_t value, void *arg), void *arg);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Which operation begins when: on which connection, from which source address, in a closed loop
 * (the next request leaves when a reply has come) or an open one (at a rate, whatever the server
 * does).
 *
 * Thread: that of the worker. Connections may fail inside these functions; their callbacks run.
 */
#ifndef SC_BENCH_SCHEDULE_H
#define SC_BENCH_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

#include "bench/worker.h"

/*
 * What falls to `count` connections, the first of them number `first`, of a total that is spread
 * evenly over `all`: neighbouring shares add up to the total.
 */
uint64_t sc_bench_share(uint64_t total, unsigned all, unsigned first, unsigned count);

/* Operations may begin from now on: the phase has changed to warm-up or measure. */
void sc_bench_schedule_start(struct sc_bench_worker *worker);

/* Opens connections that are to be open, begins operations that may; cheap when there are none. */
void sc_bench_schedule_run(struct sc_bench_worker *worker);
/* The same from the event loop, soon. */
void sc_bench_schedule_run_later(struct sc_bench_worker *worker);

/* The connection can take an operation, or no longer. */
void sc_bench_schedule_add(struct sc_bench_worker *worker, struct sc_bench_conn *conn);
void sc_bench_schedule_remove(struct sc_bench_worker *worker, struct sc_bench_conn *conn);

/* An established connection of a REQUESTS plan has room again. */
void sc_bench_schedule_refill(struct sc_bench_worker *worker, struct sc_bench_conn *conn,
                              uint64_t now_ns);

/* Opens a connection from the next source address. */
void sc_bench_schedule_open(struct sc_bench_worker *worker, struct sc_bench_conn *conn,
                            bool resume);

#endif

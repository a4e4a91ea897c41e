/* SPDX-License-Identifier: MIT */
/*
 * What connections report to the thread that owns them, and what is counted of it. An operation
 * belongs to the measured phase when its intended start does: replies to what the warm-up sent are
 * not counted in the latencies, replies in the finish phase are.
 *
 * Thread: that of the worker.
 */
#ifndef SC_BENCH_CALLBACKS_H
#define SC_BENCH_CALLBACKS_H

#include "bench/worker.h"

/* Makes the worker the owner of the connections of worker->io. */
void sc_bench_callbacks_install(struct sc_bench_worker *worker);

/* Tells the run when this thread's part of the phase is done. */
void sc_bench_check_phase_done(struct sc_bench_worker *worker);

/* Ends the run with an error; the first one counts. */
void sc_bench_fail_run(struct sc_bench_worker *worker, int status, const char *text);

/* Opens a closed connection again if the plan wants it; fails one that has waited too long. */
void sc_bench_check_conn(struct sc_bench_worker *worker, struct sc_bench_conn *conn,
                         uint64_t now_ns);

#endif

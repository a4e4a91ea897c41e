/* SPDX-License-Identifier: MIT */
/* One thread of the generator: follows the phase of the run until that is STOP. */
#ifndef SC_BENCH_THREAD_H
#define SC_BENCH_THREAD_H

#include "bench/worker.h"

/*
 * Starts it. Everything up to `budget` is set by the caller, the rest is zero. Returns an errno
 * value, 0 when it runs. The caller joins `id` and closes `wakeup_fd`.
 */
int sc_bench_thread_start(struct sc_bench_thread *thread);

/* Tells it that shared->phase has changed. Thread: any. */
void sc_bench_thread_wake(struct sc_bench_thread *thread);

#endif

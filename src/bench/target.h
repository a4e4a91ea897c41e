/*
 * Where the load goes, where it comes from, and what the system must grant first. Thread: that of
 * sc_bench_run(). Blocks.
 */
#ifndef SC_BENCH_TARGET_H
#define SC_BENCH_TARGET_H

#include "base/err.h"
#include "bench/thread.h"

/*
 * Finds the address of the plan that answers (EX_UNAVAILABLE, EX_TEMPFAIL: none), fills target and
 * host of the run.
 */
int sc_bench_target_find(struct sc_bench_run *run, struct sc_err *err) SC_NODISCARD;

/*
 * Fills the source addresses of the run: the plan's, or, for a target on 127.0.0.0/8, as many as
 * the ports of one do not suffice.
 */
int sc_bench_target_sources(struct sc_bench_run *run, struct sc_err *err) SC_NODISCARD;

/*
 * Raises the limit of open files to what the plan needs; EX_OSERR with the figures when that is
 * not allowed.
 */
int sc_bench_target_raise_limit(const struct sc_bench_plan *plan, struct sc_err *err) SC_NODISCARD;

/* The target, numeric. */
void sc_bench_target_text(const struct sc_bench_run *run, char *out, size_t out_size);

#endif

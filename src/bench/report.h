/* SPDX-License-Identifier: MIT */
/*
 * How sc-bench prints a result: as text, as JSON, as a drawing. Output errors of a FILE stay in it
 * (ferror(3)). Thread: the main one.
 */
#ifndef SC_BENCH_REPORT_H
#define SC_BENCH_REPORT_H

#include <stdint.h>
#include <stdio.h>

#include "base/err.h"
#include "bench/options.h"
#include "bench/run.h"
#include "bench/stats.h"

/* "12.3 us", "1.05 ms", "2.00 s". */
void sc_bench_format_ns(double ns, char out[32]);

/* Operations a second in three digits or more: "20400", "48.5", "0.50". */
void sc_bench_format_rate(double rate, char out[32]);

/* What that many of the plan's operations are: "requests", "handshake" (of 1), "connections". */
const char *sc_bench_operations_name(const struct sc_bench_plan *plan, uint64_t count);

/* "64 connections, 1 in flight on each, echo of 64 bytes, 5000 a second wanted" */
void sc_bench_print_plan(FILE *out, const struct sc_bench_plan *plan);

void sc_bench_report_text(FILE *out, const struct sc_bench_options *options,
                          const struct sc_bench_result *result);

/* One object, schema "space-captain-bench/1" (sc-bench(1)). */
void sc_bench_report_json(FILE *out, const struct sc_bench_options *options,
                          const struct sc_bench_result *result);

/* Whether the drawing can be created: asked before the run. -1: EX_CANTCREAT. */
int sc_bench_report_svg_check(const char *path, struct sc_err *err) SC_NODISCARD;

/*
 * A self-contained SVG: latency by percentile; for an open loop both figures. -1: EX_CANTCREAT,
 * EX_IOERR.
 */
int sc_bench_report_svg(const char *path, const struct sc_bench_options *options,
                        const struct sc_bench_result *result, struct sc_err *err) SC_NODISCARD;

/* What the progress line remembers; zero at the start. */
struct sc_bench_shown {
    uint64_t operations;
    double at_s; /* in the phase */
};

/* One line on a terminal, each over the last; `arg` is a struct sc_bench_shown. */
void sc_bench_report_progress(void *arg, const struct sc_bench_plan *plan,
                              const struct sc_bench_progress *progress);

#endif

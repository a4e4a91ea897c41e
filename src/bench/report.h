/* How sc-bench shows a result: text, JSON, SVG. */
#ifndef SC_BENCH_REPORT_H
#define SC_BENCH_REPORT_H

#include <stdint.h>
#include <stdio.h>

#include "base/err.h"
#include "bench/bench.h"
#include "bench/options.h"

/* The percentiles of every report, ascending. */
struct sc_bench_percentile {
    double percent;
    const char *name;
};
#define SC_BENCH_PERCENTILES 7U
extern const struct sc_bench_percentile sc_bench_percentiles[SC_BENCH_PERCENTILES];

/* "12.3 us", "1.05 ms", "2.00 s". */
void sc_bench_format_ns(double ns, char out[32]);

/* "requests", "handshakes" or "connections": what the plan's operations are. */
const char *sc_bench_operations_name(const struct sc_bench_plan *plan);

void sc_bench_report_text(FILE *out, const struct sc_bench_options *options,
                          const struct sc_bench_result *result);

/* One object, schema "space-captain-bench/1" (sc-bench(1)). */
void sc_bench_report_json(FILE *out, const struct sc_bench_options *options,
                          const struct sc_bench_result *result);

/* Whether the drawing can be created, to be known before the run. EX_CANTCREAT. */
int sc_bench_report_svg_check(const char *path, struct sc_err *err) SC_NODISCARD;

/*
 * A drawing that needs nothing else: latency by percentile; of an open loop both figures.
 * EX_CANTCREAT.
 */
int sc_bench_report_svg(const char *path, const struct sc_bench_options *options,
                        const struct sc_bench_result *result, struct sc_err *err) SC_NODISCARD;

/* One line on a terminal, over itself. */
void sc_bench_report_progress(void *arg, const struct sc_bench_progress *progress);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Expectations about a run, "p99<5ms,errors=0,rate>=10000": a list of FIGURE OPERATOR VALUE.
 * Thread: any.
 */
#ifndef SC_BENCH_EXPECT_H
#define SC_BENCH_EXPECT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "bench/stats.h"

#define SC_BENCH_MAX_EXPECTATIONS 32U

struct sc_bench_expectation {
    char text[64]; /* as written */
    char figure[24];
    char op[3];
    double value; /* times in nanoseconds */
};

struct sc_bench_expectations {
    struct sc_bench_expectation list[SC_BENCH_MAX_EXPECTATIONS];
    size_t count;
};

/*
 * Adds the expectations of one list. Figures: pN (a percentile: p50, p99.9), min, mean, max: a
 * time in ns, us, ms or s; rate, requests, resumed (per cent), cpu-rate (operations for each second
 * of the server's processor): a number, with K, M or not; errors, errors.KIND. Operators: < <= >
 * >= =. -1, and EX_USAGE, for what is not one; the list then holds those before it.
 */
int sc_bench_expect_add(struct sc_bench_expectations *expectations, const char *text,
                        struct sc_err *err) SC_NODISCARD;

/* The figure of a run that the expectation is about: times in nanoseconds. */
double sc_bench_expect_figure(const struct sc_bench_expectation *expectation,
                              const struct sc_bench_result *result);
/*
 * Whether the run has measured it: no latency without an answer, no cpu-rate without the server's
 * processor time.
 */
bool sc_bench_expect_has_figure(const struct sc_bench_expectation *expectation,
                                const struct sc_bench_result *result);
/* A figure that was not measured meets no expectation. */
bool sc_bench_expect_is_met(const struct sc_bench_expectation *expectation,
                            const struct sc_bench_result *result);
/* Whether figure and value are times. */
bool sc_bench_expect_is_time(const struct sc_bench_expectation *expectation);

/*
 * The exit status of a finished run: SC_EXIT_THRESHOLD when an expectation was missed; else that of
 * the gravest kind of error that was counted, unless an expectation is about errors; else
 * SC_EXIT_INTERRUPTED, EX_UNAVAILABLE when the server did not come back, or 0.
 */
int sc_bench_expect_status(const struct sc_bench_expectations *expectations,
                           const struct sc_bench_result *result);

#endif

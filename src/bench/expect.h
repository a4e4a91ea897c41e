/*
 * What a run is expected to reach, "p99<5ms,errors=0,rate>=10000": a list of FIGURE OPERATOR
 * VALUE. Knows no argv and prints nothing. Thread: any.
 */
#ifndef SC_BENCH_EXPECT_H
#define SC_BENCH_EXPECT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "bench/bench.h"

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
 * time with us, ms or s; rate, requests, resumed (per cent), cpu-rate (operations for each second
 * of the server's processor): a number, with K, M or not; errors, errors.KIND. Operators: < <= >
 * >= =. EX_USAGE says what is allowed.
 */
int sc_bench_expect_add(struct sc_bench_expectations *expectations, const char *text,
                        struct sc_err *err) SC_NODISCARD;

/* The figure of a run that an expectation is about, in its unit. */
double sc_bench_expect_figure(const struct sc_bench_expectation *expectation,
                              const struct sc_bench_result *result);
/*
 * Whether the run has measured it: no latency without an answer, no cpu-rate without the server's
 * processor time.
 */
bool sc_bench_expect_has_figure(const struct sc_bench_expectation *expectation,
                                const struct sc_bench_result *result);
/* What was not measured meets nothing. */
bool sc_bench_expect_is_met(const struct sc_bench_expectation *expectation,
                            const struct sc_bench_result *result);
/* Whether it is about a time: figure and value are nanoseconds. */
bool sc_bench_expect_is_time(const struct sc_bench_expectation *expectation);
/* Whether one of them is about errors: then they decide which errors are too many. */
bool sc_bench_expect_errors(const struct sc_bench_expectations *expectations);

#endif

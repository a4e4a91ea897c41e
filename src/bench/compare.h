/* SPDX-License-Identifier: MIT */
/*
 * Two results of --json side by side, with ratios, and whether a difference is more than the noise
 * of the two runs: the method is in sc-bench(1). Thread: the main one.
 */
#ifndef SC_BENCH_COMPARE_H
#define SC_BENCH_COMPARE_H

#include <stdio.h>

#include "base/err.h"

/* -1: EX_NOINPUT, or EX_DATAERR for a file that is not a result. */
int sc_bench_compare(FILE *out, const char *path_a, const char *path_b,
                     struct sc_err *err) SC_NODISCARD;

/* What a figure was in the seconds of a run. */
struct sc_bench_sample {
    size_t count;
    double sum, sum_of_squares;
};

void sc_bench_sample_add(struct sc_bench_sample *sample, double value);

enum sc_bench_difference { SC_BENCH_TOO_SHORT, SC_BENCH_WITHIN_NOISE, SC_BENCH_MORE_THAN_NOISE };

/* Welch's t-test of the two means at 99 %. */
enum sc_bench_difference sc_bench_sample_compare(const struct sc_bench_sample *a,
                                                 const struct sc_bench_sample *b);

#endif

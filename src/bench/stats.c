/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "bench/stats.h"

#include <string.h>

const struct sc_bench_error_kind sc_bench_error_kinds[SC_BENCH_ERROR_COUNT] = {
#define KIND(name, status, word, text) {status, word, text},
    SC_BENCH_ERRORS(KIND)
#undef KIND
};

const struct sc_bench_column sc_bench_columns[SC_BENCH_COLUMNS] = {
    {"min", 0.0},  {"mean", -1.0}, {"p50", 50.0},   {"p75", 75.0},     {"p90", 90.0},
    {"p95", 95.0}, {"p99", 99.0},  {"p99.9", 99.9}, {"p99.99", 99.99}, {"max", 100.0}};

double sc_bench_column_ns(const struct sc_bench_column *column, const struct sc_hist *hist)
{
    return column->percent < 0.0 ? sc_hist_mean(hist)
                                 : (double)sc_hist_percentile(hist, column->percent);
}

void sc_bench_stats_init(struct sc_bench_stats *stats)
{
    memset(stats, 0, sizeof(*stats));
    sc_hist_init(&stats->latency);
    sc_hist_init(&stats->raw);
    sc_hist_init(&stats->handshake);
    sc_hist_init(&stats->lag);
}

void sc_bench_stats_merge(struct sc_bench_stats *into, const struct sc_bench_stats *from)
{
    sc_hist_merge(&into->latency, &from->latency);
    sc_hist_merge(&into->raw, &from->raw);
    sc_hist_merge(&into->handshake, &from->handshake);
    sc_hist_merge(&into->lag, &from->lag);
    into->in_time += from->in_time;
    into->handshakes += from->handshakes;
    into->resumed += from->resumed;
    for (size_t i = 0; i < SC_BENCH_ERROR_COUNT; i++) {
        if (into->errors[i] == 0) {
            memcpy(into->first_error[i], from->first_error[i], sizeof(into->first_error[i]));
        }
        into->errors[i] += from->errors[i];
    }
}

void sc_bench_result_fini(struct sc_bench_result *result)
{
    sc_bench_seconds_fini(&result->seconds);
}

double sc_bench_rate(const struct sc_bench_result *result)
{
    return result->elapsed_s > 0.0 ? (double)result->stats.in_time / result->elapsed_s : 0.0;
}

uint64_t sc_bench_errors(const struct sc_bench_result *result)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < SC_BENCH_ERROR_COUNT; i++) {
        sum += result->stats.errors[i];
    }
    return sum;
}

double sc_bench_per_cpu_second(const struct sc_bench_result *result)
{
    return result->has_server && result->server_cpu_s > 0.0
               ? (double)result->stats.in_time / result->server_cpu_s
               : 0.0;
}

/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "bench/report.h"

#include <inttypes.h>
#include <string.h>

#include "base/escape.h"
#include "base/parse.h"

#define BAR_WIDTH 40U

void sc_bench_format_ns(double ns, char out[32])
{
    static const struct {
        double factor;
        const char *unit;
    } units[] = {{1e9, "s"}, {1e6, "ms"}, {1e3, "us"}, {1.0, "ns"}};
    size_t i = 0;
    while (i + 1 < SC_COUNT_OF(units) && ns < units[i].factor) {
        i++;
    }
    const double value = ns / units[i].factor;
    (void)snprintf(out, 32, "%.*f %s",
                   units[i].factor <= 1.0 || value >= 100.0 ? 0
                   : value >= 10.0                          ? 1
                                                            : 2,
                   value, units[i].unit);
}

void sc_bench_format_rate(double rate, char out[32])
{
    (void)snprintf(out, 32, "%.*f", rate >= 100.0 ? 0 : rate >= 10.0 ? 1 : 2, rate);
}

const char *sc_bench_operations_name(const struct sc_bench_plan *plan, uint64_t count)
{
    static const char *const names[][2] = {
        {"requests", "request"}, {"handshakes", "handshake"}, {"connections", "connection"}};
    return names[plan->mode][count == 1];
}

/* --- Plan and figures --- */

void sc_bench_print_plan(FILE *out, const struct sc_bench_plan *plan)
{
    char size[32];
    sc_format_size(plan->size_bytes, size);
    (void)fprintf(out, "%u connection%s", plan->connections, sc_plural(plan->connections));
    if (plan->mode == SC_BENCH_HOLD) {
        (void)fprintf(out, ", idle");
    } else if (plan->mode == SC_BENCH_HANDSHAKES) {
        (void)fprintf(
            out,
            " at a time, each for a handshake (%u %% to be resumed) and one request (%s, %s bytes)",
            plan->resume_percent, sc_bench_type_name(plan->type), size);
    } else {
        (void)fprintf(out, ", %u in flight on each, %s of %s bytes", plan->depth,
                      sc_bench_type_name(plan->type), size);
    }
    if (plan->rate > 0.0) {
        (void)fprintf(out, ", %.10g a second wanted", plan->rate);
    }
}

static void print_head(FILE *out, const struct sc_bench_plan *plan,
                       const struct sc_bench_result *result)
{
    if (*result->tls.version) {
        (void)fprintf(out, "%s, %s %s%s%s, pin %s\n", result->target, result->tls.version,
                      result->tls.cipher, *result->tls.group ? " " : "", result->tls.group,
                      result->tls.pin);
    } else {
        (void)fprintf(out, "%s, no connection was made\n", result->target);
    }
    sc_bench_print_plan(out, plan);
    (void)fprintf(out, ", %u thread%s\n\n", plan->threads, sc_plural(plan->threads));
}

static void print_bytes(FILE *out, const struct sc_bench_plan *plan, double rate)
{
    const struct sc_bench_bytes bytes = sc_bench_type_bytes(plan->type, plan->size_bytes);
    const double up = rate * bytes.request / 1048576.0, down = rate * bytes.reply / 1048576.0;
    if (bytes.request < bytes.reply || bytes.request > bytes.reply) {
        (void)fprintf(out, ", %.1f MiB a second to the server, %.1f from it", up, down);
    } else if (bytes.request > 0.0) {
        (void)fprintf(out, ", %.1f MiB a second each way", up);
    }
}

static void print_rate(FILE *out, const struct sc_bench_plan *plan,
                       const struct sc_bench_result *result)
{
    const struct sc_bench_stats *stats = &result->stats;
    if (plan->mode == SC_BENCH_HOLD) {
        (void)fprintf(out, "%" PRIu64 " connection%s open after %.2f s (made in %.2f s)\n",
                      result->open, sc_plural(result->open), result->elapsed_s, result->connect_s);
        return;
    }
    char rate[32];
    sc_bench_format_rate(sc_bench_rate(result), rate);
    (void)fprintf(out, "%" PRIu64 " %s in %.2f s: %s a second", stats->in_time,
                  sc_bench_operations_name(plan, stats->in_time), result->elapsed_s, rate);
    if (plan->rate > 0.0) {
        (void)fprintf(out, " of %.10g wanted", plan->rate);
    }
    if (plan->mode == SC_BENCH_HANDSHAKES) {
        (void)fprintf(out, ", %" PRIu64 " resumed", stats->resumed);
    } else {
        print_bytes(out, plan, sc_bench_rate(result));
    }
    (void)fprintf(out, "\n");
}

static void print_server(FILE *out, const struct sc_bench_plan *plan,
                         const struct sc_bench_result *result)
{
    const double rss = (double)result->server_rss_bytes,
                 before = (double)result->server_rss_before_bytes;
    if (!result->has_server) {
        (void)fprintf(out, "%s%s%s", *result->no_server ? "server: no figures: " : "",
                      result->no_server, *result->no_server ? "\n" : "");
        return;
    }
    (void)fprintf(out, "server: %.3f s of processor time", result->server_cpu_s);
    if (plan->mode != SC_BENCH_HOLD && result->server_cpu_s > 0.0) {
        const uint64_t each = (uint64_t)(sc_bench_per_cpu_second(result) + 0.5);
        (void)fprintf(out, ", %" PRIu64 " %s for each second of it", each,
                      sc_bench_operations_name(plan, each));
    }
    (void)fprintf(out, ", %.1f MiB resident", rss / 1048576.0);
    if (plan->mode != SC_BENCH_HANDSHAKES && result->open > 0 && rss > before) {
        (void)fprintf(out, " (%.1f KiB more for each connection)",
                      (rss - before) / 1024.0 / (double)result->open);
    }
    (void)fprintf(out, "\n");
}

static void print_errors(FILE *out, const struct sc_bench_plan *plan,
                         const struct sc_bench_result *result)
{
    if (sc_bench_errors(result) == 0) {
        const bool answered =
            result->stats.latency.count > 0 || (plan->mode == SC_BENCH_HOLD && result->open > 0);
        (void)fprintf(out, "errors: none%s\n", answered ? ", every reply was right" : "");
        return;
    }
    (void)fprintf(out, "errors: %" PRIu64 "\n", sc_bench_errors(result));
    for (size_t i = 0; i < SC_BENCH_ERROR_COUNT; i++) {
        const char *first = result->stats.first_error[i]; /* it may be the server's text */
        char line[4 * SC_BENCH_ERROR_TEXT_BYTES];
        if (result->stats.errors[i] > 0) {
            (void)sc_escape_line(line, sizeof(line), first, strlen(first));
            (void)fprintf(out, "  %-12s %8" PRIu64 "  %s; the first: %s\n",
                          sc_bench_error_kinds[i].word, result->stats.errors[i],
                          sc_bench_error_kinds[i].text, line);
        }
    }
}

/* --- Latencies --- */

static void print_row(FILE *out, const char *name, const struct sc_hist *hist)
{
    (void)fprintf(out, "%-10s", name);
    if (hist->count == 0) {
        (void)fprintf(out, "  nothing was measured\n");
        return;
    }
    for (size_t i = 0; i < SC_BENCH_COLUMNS; i++) {
        char text[32];
        sc_bench_format_ns(sc_bench_column_ns(&sc_bench_columns[i], hist), text);
        (void)fprintf(out, "%9s", text);
    }
    (void)fprintf(out, "\n");
}

static void print_latencies(FILE *out, const struct sc_bench_plan *plan,
                            const struct sc_bench_result *result)
{
    (void)fprintf(out, "\n%-10s", "latency");
    for (size_t i = 0; i < SC_BENCH_COLUMNS; i++) {
        (void)fprintf(out, "%9s", sc_bench_columns[i].name);
    }
    (void)fprintf(out, "\n");
    if (plan->rate > 0.0) {
        print_row(out, "intended", &result->stats.latency);
        print_row(out, "raw", &result->stats.raw);
    } else if (plan->mode != SC_BENCH_HOLD) {
        print_row(out, plan->mode == SC_BENCH_HANDSHAKES ? "whole" : "request",
                  &result->stats.latency);
    }
    if (result->stats.handshake.count > 0) {
        print_row(out, "handshake", &result->stats.handshake);
    }
    if (plan->rate > 0.0) {
        (void)fprintf(
            out, "intended: from when the schedule wanted it sent; raw: from when it was sent\n");
    }
}

/*
 * Powers of two of microseconds: a line for each that holds something, or lies between two that
 * do.
 */
static void print_histogram(FILE *out, const struct sc_hist *hist)
{
    enum { ROWS = 36 };
    uint64_t counts[ROWS] = {0}, most = 0;
    int first = ROWS, last = -1;
    for (size_t i = 0; i < SC_HIST_BUCKETS; i++) {
        if (hist->buckets[i] > 0) {
            int row = 0;
            while (row + 1 < ROWS && sc_hist_bucket_max(i) / 1000U >= UINT64_C(1) << row) {
                row++;
            }
            counts[row] += hist->buckets[i];
            most = counts[row] > most ? counts[row] : most;
            first = row < first ? row : first;
            last = row > last ? row : last;
        }
    }
    (void)fprintf(out, "\n");
    for (int row = first; row <= last; row++) {
        static const char bar[BAR_WIDTH + 1] = "########################################";
        char limit[32];
        const unsigned width = (unsigned)((double)counts[row] / (double)most * BAR_WIDTH + 0.5);
        sc_bench_format_ns((double)(UINT64_C(1000) << row), limit);
        (void)fprintf(out, "  below %8s %-*.*s %6.2f %%\n", limit, (int)BAR_WIDTH, (int)width, bar,
                      100.0 * (double)counts[row] / (double)hist->count);
    }
}

static void print_expectations(FILE *out, const struct sc_bench_options *options,
                               const struct sc_bench_result *result)
{
    for (size_t i = 0; i < options->expectations.count; i++) {
        const struct sc_bench_expectation *one = &options->expectations.list[i];
        const double figure = sc_bench_expect_figure(one, result);
        char text[32];
        if (!sc_bench_expect_has_figure(one, result)) {
            (void)snprintf(text, sizeof(text), "not measured");
        } else if (sc_bench_expect_is_time(one)) {
            sc_bench_format_ns(figure, text);
        } else {
            (void)snprintf(text, sizeof(text), "%.6g", figure);
        }
        (void)fprintf(out, "%s %s: it was %s\n",
                      sc_bench_expect_is_met(one, result) ? "met   " : "MISSED", one->text, text);
    }
}

void sc_bench_report_text(FILE *out, const struct sc_bench_options *options,
                          const struct sc_bench_result *result)
{
    const struct sc_bench_plan *plan = &options->plan;
    print_head(out, plan, result);
    print_rate(out, plan, result);
    print_server(out, plan, result);
    if (plan->mode != SC_BENCH_HOLD) {
        (void)fprintf(out, "generator: %.0f %% of a processor (its busiest thread)\n",
                      100.0 * result->generator_cpu);
    }
    print_errors(out, plan, result);
    print_latencies(out, plan, result);
    if (result->stats.latency.count > 0) {
        print_histogram(out, &result->stats.latency);
    }
    if (*result->limit) {
        (void)fprintf(out, "\nnote: %s\n", result->limit);
    }
    if (result->interrupted) {
        (void)fprintf(out, "\nnote: interrupted; these are the figures until then\n");
    }
    if (options->expectations.count > 0) {
        (void)fprintf(out, "\n");
        print_expectations(out, options, result);
    }
}

/* --- Progress --- */

/* How far the phase is: "3.2 of 10 s", or "640 of 1000 requests, 3.2 s". */
static void print_goal(FILE *out, const struct sc_bench_plan *plan,
                       const struct sc_bench_progress *progress, bool measures)
{
    if (measures && plan->requests > 0) {
        (void)fprintf(out, "%" PRIu64 " of %" PRIu64 " %s, %.1f s", progress->in_time,
                      plan->requests, sc_bench_operations_name(plan, plan->requests),
                      progress->phase_s);
    } else if (progress->goal_s > 0.0) {
        (void)fprintf(out, "%.1f of %.10g s", progress->phase_s, progress->goal_s);
    } else {
        (void)fprintf(out, "%.1f s", progress->phase_s);
    }
}

/* The rate since the last line, and the one that --rate asks for. */
static void print_current_rate(FILE *out, const struct sc_bench_plan *plan,
                               const struct sc_bench_progress *progress,
                               const struct sc_bench_shown *shown)
{
    char rate[32];
    const double passed = progress->phase_s - shown->at_s;
    if (passed <= 0.0) {
        return; /* another phase */
    }
    sc_bench_format_rate((double)(progress->operations - shown->operations) / passed, rate);
    (void)fprintf(out, ", %s", rate);
    if (plan->rate > 0.0) {
        (void)fprintf(out, " of %.10g", plan->rate);
    }
    (void)fputs(" a second", out);
}

void sc_bench_report_progress(void *arg, const struct sc_bench_plan *plan,
                              const struct sc_bench_progress *progress)
{
    struct sc_bench_shown *shown = arg;
    const bool measures = strcmp(progress->phase, "measuring") == 0;
    (void)fprintf(stderr, "\r\033[K%s: ", progress->phase);
    print_goal(stderr, plan, progress, measures);
    if (plan->mode != SC_BENCH_HANDSHAKES && progress->open < plan->connections) {
        (void)fprintf(stderr, ", %" PRIu64 " of %u connection%s", progress->open, plan->connections,
                      sc_plural(plan->connections));
    }
    if (plan->mode != SC_BENCH_HOLD && progress->operations > 0) {
        print_current_rate(stderr, plan, progress, shown);
    }
    if (progress->p99_ns > 0) {
        char p99[32];
        sc_bench_format_ns((double)progress->p99_ns, p99);
        (void)fprintf(stderr, ", p99 %s", p99);
    }
    (void)fprintf(stderr, ", %" PRIu64 " error%s", progress->errors, sc_plural(progress->errors));
    (void)fflush(stderr);
    shown->operations = progress->operations;
    shown->at_s = progress->phase_s;
}

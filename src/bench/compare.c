/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "bench/compare.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/escape.h"
#include "base/file.h"
#include "base/json.h"
#include "base/parse.h"
#include "bench/report.h"

#define SCHEMA "space-captain-bench/1"
#define MAX_FILE_BYTES ((size_t)32 << 20) /* a run of a day has 10 MiB */
/* Fewer seconds of a run say nothing about how much they differ. */
#define FEWEST_SECONDS 3U

/* --- What is compared --- */

enum { RATE, P50, P99, SAMPLES };

static const struct figure {
    const char *name, *path;
    enum { A_RATE, A_TIME, A_COUNT } kind;
    const char *second; /* its name in each second; NULL: it has none, and no verdict */
    int sample;
} figures[] = {
    {"rate", "rate", A_RATE, "rate", RATE},
    {"mean", "latency_ns.mean", A_TIME, NULL, 0},
    {"p50", "latency_ns.p50", A_TIME, "p50_ns", P50},
    {"p90", "latency_ns.p90", A_TIME, NULL, 0},
    {"p99", "latency_ns.p99", A_TIME, "p99_ns", P99},
    {"p99.9", "latency_ns.p99.9", A_TIME, NULL, 0},
    {"max", "latency_ns.max", A_TIME, NULL, 0},
    {"handshake", "handshake_ns.p50", A_TIME, NULL, 0},
    {"cpu-rate", "server.operations_per_cpu_second", A_RATE, NULL, 0},
    {"errors", "errors.total", A_COUNT, NULL, 0},
};

/* What makes two loads the same. */
static const char *const plan_keys[] = {"mode",    "type", "size_bytes",     "connections", "depth",
                                        "threads", "rate", "resume_percent", "warm_up_ms",  NULL};

struct run {
    char schema[64], target[256], finished[64], limit[256];
    char plan[SC_COUNT_OF(plan_keys)][32];
    double values[SC_COUNT_OF(figures)];
    bool has_value[SC_COUNT_OF(figures)];
    struct sc_bench_sample samples[SAMPLES];
};

/* --- Reading --- */

static void copy_text(char *out, size_t out_size, const char *text, size_t length)
{
    (void)sc_escape_line(out, out_size, text, length);
}

static void take_second(struct run *run, const char *key, double value)
{
    for (size_t i = 0; i < SC_COUNT_OF(figures); i++) {
        if (figures[i].second && strcmp(figures[i].second, key) == 0) {
            sc_bench_sample_add(&run->samples[figures[i].sample], value);
        }
    }
}

static void on_value(void *arg, const char *path, const char *text, size_t length)
{
    struct run *run = arg;
    const struct {
        const char *path;
        char *out;
        size_t size;
    } texts[] = {{"schema", run->schema, sizeof(run->schema)},
                 {"target", run->target, sizeof(run->target)},
                 {"finished", run->finished, sizeof(run->finished)},
                 {"generator.limit", run->limit, sizeof(run->limit)}};
    for (size_t i = 0; i < SC_COUNT_OF(texts); i++) {
        if (strcmp(path, texts[i].path) == 0) {
            copy_text(texts[i].out, texts[i].size, text, length);
        }
    }
    for (size_t i = 0; strncmp(path, "plan.", 5) == 0 && plan_keys[i]; i++) {
        if (strcmp(path + 5, plan_keys[i]) == 0) {
            copy_text(run->plan[i], sizeof(run->plan[i]), text, length);
        }
    }
    char *end;
    const double number = strtod(text, &end);
    if (end != text + length || length == 0) {
        return; /* null, or no figure */
    }
    for (size_t i = 0; i < SC_COUNT_OF(figures); i++) {
        if (strcmp(path, figures[i].path) == 0) {
            run->values[i] = number;
            run->has_value[i] = true;
        }
    }
    if (strncmp(path, "seconds.", 8) == 0) {
        take_second(run, strrchr(path, '.') + 1, number);
    }
}

static int read_run(const char *path, struct run *run, struct sc_err *err)
{
    struct sc_file file;
    memset(run, 0, sizeof(*run));
    if (sc_file_read(path, MAX_FILE_BYTES, &file, err) != 0) {
        return -1;
    }
    int result = sc_json_read(file.bytes, file.length, on_value, run, err);
    if (result != 0) {
        (void)sc_err_prefix(err, "%s", path);
    } else if (strcmp(run->schema, SCHEMA) != 0 || !run->has_value[RATE]) {
        result = sc_err_set(err, EX_DATAERR, "%s: not a result of sc-bench --json, schema " SCHEMA,
                            path);
    }
    sc_file_fini(&file);
    return result;
}

/* --- Noise --- */

void sc_bench_sample_add(struct sc_bench_sample *sample, double value)
{
    sample->count++;
    sample->sum += value;
    sample->sum_of_squares += value * value;
}

static double mean_of(const struct sc_bench_sample *sample)
{
    return sample->sum / (double)sample->count;
}

/* Of the mean: the variance among the seconds by their number. */
static double variance_of_mean(const struct sc_bench_sample *sample)
{
    const double n = (double)sample->count;
    const double variance = (sample->sum_of_squares - sample->sum * sample->sum / n) / (n - 1.0);
    return variance > 0.0 ? variance / n : 0.0;
}

/* Student's t for 99 %, two-sided, by degrees of freedom. */
static double critical_t(double freedom)
{
    static const double table[] = {63.66, 9.92, 5.84, 4.60, 4.03, 3.71, 3.50, 3.36, 3.25, 3.17,
                                   3.11,  3.05, 3.01, 2.98, 2.95, 2.92, 2.90, 2.88, 2.86, 2.85};
    const size_t index = freedom < 1.0 ? 0 : (size_t)freedom - 1;
    return index < SC_COUNT_OF(table) ? table[index] : freedom < 60.0 ? 2.85 : 2.66;
}

enum sc_bench_difference sc_bench_sample_compare(const struct sc_bench_sample *a,
                                                 const struct sc_bench_sample *b)
{
    if (a->count < FEWEST_SECONDS || b->count < FEWEST_SECONDS) {
        return SC_BENCH_TOO_SHORT;
    }
    const double va = variance_of_mean(a), vb = variance_of_mean(b);
    const double difference = fabs(mean_of(a) - mean_of(b));
    const double denominator =
        va * va / (double)(a->count - 1U) + vb * vb / (double)(b->count - 1U);
    /* Welch and Satterthwaite; without any variance each difference is one. */
    const double freedom = denominator > 0.0 ? (va + vb) * (va + vb) / denominator : 1e9;
    return difference > critical_t(freedom) * sqrt(va + vb) ? SC_BENCH_MORE_THAN_NOISE
                                                            : SC_BENCH_WITHIN_NOISE;
}

/* --- Printing --- */

static void format(const struct figure *figure, const struct run *run, char out[32])
{
    const size_t index = (size_t)(figure - figures);
    if (!run->has_value[index]) {
        (void)snprintf(out, 32, "-");
    } else if (figure->kind == A_TIME) {
        sc_bench_format_ns(run->values[index], out);
    } else if (figure->kind == A_RATE) {
        sc_bench_format_rate(run->values[index], out);
    } else {
        (void)snprintf(out, 32, "%.0f", run->values[index]);
    }
}

static void print_figure(FILE *out, const struct figure *figure, const struct run *a,
                         const struct run *b)
{
    static const char *const verdicts[] = {"", "within the noise", "more than the noise"};
    const size_t index = (size_t)(figure - figures);
    char in_a[32], in_b[32], ratio[32] = "-";
    if (!a->has_value[index] && !b->has_value[index]) {
        return;
    }
    format(figure, a, in_a);
    format(figure, b, in_b);
    if (a->has_value[index] && b->has_value[index] && a->values[index] > 0.0) {
        (void)snprintf(ratio, sizeof(ratio), "%.3f", b->values[index] / a->values[index]);
    }
    const char *verdict = figure->second
                              ? verdicts[sc_bench_sample_compare(&a->samples[figure->sample],
                                                                 &b->samples[figure->sample])]
                              : "";
    (void)fprintf(out, "%-10s %12s %12s %9s%s%s\n", figure->name, in_a, in_b, ratio,
                  *verdict ? "   " : "", verdict);
}

static void print_run(FILE *out, char name, const char *path, const struct run *run)
{
    (void)fprintf(out, "%c  %s: %s, %s, %zu second%s\n", name, path, run->target, run->finished,
                  run->samples[RATE].count, sc_plural(run->samples[RATE].count));
}

static void print_notes(FILE *out, const struct run *a, const struct run *b)
{
    const char *start = "\nnote: "; /* of the first: a line is left free */
    for (size_t i = 0; plan_keys[i]; i++) {
        if (strcmp(a->plan[i], b->plan[i]) != 0) {
            (void)fprintf(out, "%sthe loads are not the same: %s is %s in A and %s in B\n", start,
                          plan_keys[i], a->plan[i], b->plan[i]);
            start = "note: ";
        }
    }
    for (const struct run *run = a; run; run = run == a ? b : NULL) {
        if (*run->limit) {
            (void)fprintf(out, "%s%c: %s\n", start, run == a ? 'A' : 'B', run->limit);
            start = "note: ";
        }
    }
    if (a->samples[RATE].count < FEWEST_SECONDS || b->samples[RATE].count < FEWEST_SECONDS) {
        (void)fprintf(out,
                      "%stoo short to tell a difference from noise: each run needs %u seconds or "
                      "more\n",
                      start, FEWEST_SECONDS);
    }
}

int sc_bench_compare(FILE *out, const char *path_a, const char *path_b, struct sc_err *err)
{
    static struct run a, b;
    if (read_run(path_a, &a, err) != 0 || read_run(path_b, &b, err) != 0) {
        return -1;
    }
    print_run(out, 'A', path_a, &a);
    print_run(out, 'B', path_b, &b);
    (void)fprintf(out, "\n%-10s %12s %12s %9s\n", "", "A", "B", "B/A");
    for (size_t i = 0; i < SC_COUNT_OF(figures); i++) {
        print_figure(out, &figures[i], &a, &b);
    }
    print_notes(out, &a, &b);
    return 0;
}

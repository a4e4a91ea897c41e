/* SPDX-License-Identifier: MIT */
/*
 * A result as JSON. Times are in the unit that the key ends with, and every key is always there
 * (null: not measured).
 */
#include "config.h"

#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/escape.h"
#include "bench/report.h"

static void put_named(FILE *out, const char *name, const char *text, const char *after)
{
    (void)fprintf(out, "\"%s\": ", name);
    sc_escape_json(out, text, strlen(text));
    (void)fputs(after, out);
}

/* A line of the object: null when the text is empty. */
static void put_text_or_null(FILE *out, const char *name, const char *text)
{
    if (*text) {
        (void)fputs("  ", out);
        put_named(out, name, text, ",\n");
    } else {
        (void)fprintf(out, "  \"%s\": null,\n", name);
    }
}

static void put_hist(FILE *out, const char *name, const struct sc_hist *hist)
{
    (void)fprintf(out, "  \"%s\": ", name);
    if (hist->count == 0) {
        (void)fputs("null,\n", out);
        return;
    }
    (void)fprintf(out, "{\"count\": %" PRIu64, hist->count);
    for (size_t i = 0; i < SC_BENCH_COLUMNS; i++) {
        (void)fprintf(out, ", \"%s\": %.0f", sc_bench_columns[i].name,
                      sc_bench_column_ns(&sc_bench_columns[i], hist));
    }
    (void)fputs(",\n    \"buckets\": [", out);
    const char *comma = "";
    for (size_t i = 0; i < SC_HIST_BUCKETS; i++) {
        if (hist->buckets[i] > 0) {
            (void)fprintf(out, "%s[%" PRIu64 ", %" PRIu64 "]", comma, sc_hist_bucket_max(i),
                          hist->buckets[i]);
            comma = ", ";
        }
    }
    (void)fputs("]},\n", out);
}

static void put_number_or_null(FILE *out, uint64_t number)
{
    if (number > 0) {
        (void)fprintf(out, "%" PRIu64, number);
    } else {
        (void)fputs("null", out);
    }
}

static void put_seconds(FILE *out, const struct sc_bench_seconds *seconds)
{
    (void)fputs("  \"seconds\": [", out);
    for (size_t i = 0; i < seconds->count; i++) {
        const struct sc_bench_second *one = &seconds->list[i];
        (void)fprintf(
            out, "%s{\"length_s\": %.3f, \"operations\": %" PRIu64 ", \"rate\": %.3f, \"p50_ns\": ",
            i > 0 ? ",\n    " : "", one->length_s, one->operations, one->rate);
        put_number_or_null(out, one->p50_ns);
        (void)fputs(", \"p99_ns\": ", out);
        put_number_or_null(out, one->p99_ns);
        (void)fputc('}', out);
    }
    (void)fputs("],\n", out);
}

static void put_plan(FILE *out, const struct sc_bench_plan *plan)
{
    static const char *const modes[] = {"requests", "handshakes", "hold"};
    (void)fprintf(out,
                  "  \"plan\": {\"mode\": \"%s\", \"type\": \"%s\", \"size_bytes\": %zu, "
                  "\"connections\": %u, \"depth\": %u, \"threads\": %u, ",
                  modes[plan->mode], sc_bench_type_name(plan->type), plan->size_bytes,
                  plan->connections, plan->depth, plan->threads);
    (void)fprintf(out,
                  "\"rate\": %.10g, \"resume_percent\": %u, \"warm_up_ms\": %" PRIu64
                  ", \"duration_ms\": %" PRIu64 ", \"requests\": %" PRIu64 "},\n",
                  plan->rate, plan->resume_percent, plan->warm_up_ms, plan->duration_ms,
                  plan->requests);
}

static void put_errors(FILE *out, const struct sc_bench_result *result)
{
    (void)fprintf(out, "  \"errors\": {\"total\": %" PRIu64, sc_bench_errors(result));
    for (size_t i = 0; i < SC_BENCH_ERROR_COUNT; i++) {
        (void)fprintf(out, ", \"%s\": %" PRIu64, sc_bench_error_kinds[i].word,
                      result->stats.errors[i]);
    }
    (void)fputs("},\n  \"first_errors\": {", out);
    const char *comma = "";
    for (size_t i = 0; i < SC_BENCH_ERROR_COUNT; i++) {
        if (result->stats.errors[i] > 0) {
            (void)fputs(comma, out);
            put_named(out, sc_bench_error_kinds[i].word, result->stats.first_error[i], "");
            comma = ", ";
        }
    }
    (void)fputs("},\n", out);
}

static void put_server(FILE *out, const struct sc_bench_plan *plan,
                       const struct sc_bench_result *result)
{
    if (!result->has_server) {
        (void)fputs("  \"server\": null,\n", out);
        return;
    }
    const double more = (double)result->server_rss_bytes - (double)result->server_rss_before_bytes;
    (void)fprintf(out,
                  "  \"server\": {\"cpu_s\": %.6f, \"operations_per_cpu_second\": %.1f, "
                  "\"rss_before_bytes\": %" PRIu64 ", \"rss_bytes\": %" PRIu64
                  ", \"rss_per_connection_bytes\": ",
                  result->server_cpu_s, sc_bench_per_cpu_second(result),
                  result->server_rss_before_bytes, result->server_rss_bytes);
    /* Of connections that come and go nothing is left to be divided by. */
    if (plan->mode != SC_BENCH_HANDSHAKES && result->open > 0) {
        (void)fprintf(out, "%.0f},\n", more / (double)result->open);
    } else {
        (void)fputs("null},\n", out);
    }
}

static void put_expectations(FILE *out, const struct sc_bench_options *options,
                             const struct sc_bench_result *result)
{
    (void)fputs("  \"expectations\": [", out);
    for (size_t i = 0; i < options->expectations.count; i++) {
        const struct sc_bench_expectation *one = &options->expectations.list[i];
        (void)fprintf(out, "%s{", i > 0 ? ", " : "");
        put_named(out, "text", one->text, ", ");
        if (sc_bench_expect_has_figure(one, result)) {
            (void)fprintf(out, "\"figure\": %.10g, ", sc_bench_expect_figure(one, result));
        } else {
            (void)fputs("\"figure\": null, ", out);
        }
        (void)fprintf(out, "\"met\": %s}", sc_bench_expect_is_met(one, result) ? "true" : "false");
    }
    (void)fputs("]\n", out);
}

void sc_bench_report_json(FILE *out, const struct sc_bench_options *options,
                          const struct sc_bench_result *result)
{
    const struct sc_bench_stats *stats = &result->stats;
    char now[SC_CLOCK_RFC3339_BYTES + 1];
    sc_clock_rfc3339(sc_clock_wall(), now);
    (void)fprintf(out,
                  "{\n  \"schema\": \"space-captain-bench/1\", \"version\": \"%s\", \"finished\": "
                  "\"%s\",\n  ",
                  VERSION, now);
    put_named(out, "target", result->target, ",\n");
    put_plan(out, &options->plan);
    (void)fputs("  \"tls\": {", out);
    put_named(out, "version", result->tls.version, ", ");
    put_named(out, "cipher", result->tls.cipher, ", ");
    put_named(out, "group", result->tls.group, ", ");
    put_named(out, "pin", result->tls.pin, ", ");
    put_named(out, "certificate", result->tls.validity, "},\n");
    (void)fprintf(
        out,
        "  \"interrupted\": %s, \"connect_s\": %.6f, \"elapsed_s\": %.6f, \"operations\": %" PRIu64
        ", \"rate\": %.3f,\n",
        result->interrupted ? "true" : "false", result->connect_s, result->elapsed_s,
        stats->in_time, sc_bench_rate(result));
    (void)fprintf(out,
                  "  \"open_connections\": %" PRIu64 ", \"handshakes\": %" PRIu64
                  ", \"resumed\": %" PRIu64 ", \"never_sent\": %" PRIu64 ",\n",
                  result->open, stats->handshakes, stats->resumed, result->never_sent);
    put_seconds(out, &result->seconds);
    put_hist(out, "latency_ns", &stats->latency);
    put_hist(out, "latency_raw_ns", &stats->raw);
    put_hist(out, "handshake_ns", &stats->handshake);
    put_hist(out, "schedule_lag_ns", &stats->lag);
    put_errors(out, result);
    (void)fprintf(out, "  \"generator\": {\"cpu\": %.4f, \"wait\": %.4f, ", result->generator_cpu,
                  result->generator_wait);
    put_named(out, "limit", result->limit, "},\n");
    put_server(out, &options->plan, result);
    put_text_or_null(out, "no_server", result->no_server);
    put_expectations(out, options, result);
    (void)fputs("}\n", out);
}

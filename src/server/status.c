/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "server/status.h"

#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/compiler.h"
#include "base/escape.h"
#include "base/parse.h"
#include "tls/pin.h"

#define DAY_S 86400
#define LOOP_SILENT_MS 1000U /* an event loop that answers later is shown */

/* What both forms are made of. */
struct summary {
    const struct sc_stats *stats, *before; /* now, and a minute ago */
    uint64_t open, in_progress, completed, completed_minute, failed, failed_minute;
    uint64_t locked_out, locked_out_minute; /* of those that failed */
    uint64_t requests, requests_minute;
    uint32_t rate; /* requests in the last second */
    uint64_t delayed_minute, pauses_minute; /* handshakes; clients that did not read */
    double handshake_p50, handshake_p99, lag_p50, lag_p99; /* of the last minute, seconds */
};

static const struct sc_stats nothing;

static uint64_t all_requests(const struct sc_stats *stats)
{
    return sc_stats_total(stats->requests, SC_COUNT_OF(stats->requests));
}

static void summarize(const struct sc_metrics *metrics, const struct sc_history *history,
                      struct summary *out)
{
    const struct sc_stats *stats = &metrics->stats;
    const struct sc_stats *before = sc_history_minute_ago(history);
    before = before ? before : &nothing;
    *out = (struct summary){
        .stats = stats,
        .before = before,
        .open = sc_metrics_open(metrics),
        .in_progress = sc_stats_handshakes_in_progress(stats),
        .completed = sc_stats_handshakes_completed(stats),
        .failed = sc_stats_handshakes_failed(stats),
        .locked_out = sc_stats_get(&stats->handshakes_failed[SC_TLS_REASON_BAD_CERTIFICATE]),
        .requests = all_requests(stats),
        .rate = history->count > 0 ? sc_history_rate(history, history->count - 1) : 0,
        .handshake_p50 = sc_stats_percentile(&stats->handshake_time, &before->handshake_time, 50),
        .handshake_p99 = sc_stats_percentile(&stats->handshake_time, &before->handshake_time, 99),
        .lag_p50 = sc_stats_percentile(&stats->loop_lag, &before->loop_lag, 50),
        .lag_p99 = sc_stats_percentile(&stats->loop_lag, &before->loop_lag, 99),
    };
    out->completed_minute = out->completed - sc_stats_handshakes_completed(before);
    out->failed_minute = out->failed - sc_stats_handshakes_failed(before);
    out->locked_out_minute =
        out->locked_out - sc_stats_get(&before->handshakes_failed[SC_TLS_REASON_BAD_CERTIFICATE]);
    out->requests_minute = out->requests - all_requests(before);
    out->delayed_minute =
        sc_stats_get(&stats->handshakes_delayed) - sc_stats_get(&before->handshakes_delayed);
    out->pauses_minute = sc_stats_get(&stats->paused) - sc_stats_get(&before->paused);
}

static const char *reload_word(enum sc_reload_result result)
{
    switch (result) {
    case SC_RELOAD_NONE: break;
    case SC_RELOAD_SUCCESS: return "success";
    case SC_RELOAD_UNCHANGED: return "unchanged";
    case SC_RELOAD_FAILURE: return "failure";
    }
    return "none";
}

/* Rounded down, so that "0 days left" is less than one; negative: past. */
static long days_left(const struct sc_metrics *metrics, time_t until)
{
    const time_t left = until - metrics->now;
    return (long)(left >= 0 ? left / DAY_S : -((-left + DAY_S - 1) / DAY_S));
}

/* The first row of a family of the table of counters; the others follow until the next family. */
static const struct sc_stats_row *family_rows(const char *family)
{
    const struct sc_stats_row *row = sc_stats_rows;
    while (row->kind != SC_STATS_FAMILY || strcmp(row->name, family) != 0) {
        row++;
    }
    return row + 1;
}

/* What is not 0 since the start: "timeout 5, plaintext 1", or objects. False: all of it is 0. */
static bool write_counters(FILE *out, const char *family, const struct summary *summary, bool json)
{
    const char *separator = "";
    for (const struct sc_stats_row *row = family_rows(family); row->kind == SC_STATS_COUNTERS;
         row++) {
        const sc_counter *now = sc_stats_counters(summary->stats, row);
        const sc_counter *before = sc_stats_counters(summary->before, row);
        for (size_t i = 0; i < row->count; i++) {
            const char *name = sc_stats_value(row, i);
            const uint64_t total = sc_stats_get(&now[i]);
            if (total == 0 || !name) {
                continue;
            }
            if (json) {
                (void)fprintf(out,
                              "%s{\"name\":\"%s\",\"total\":%" PRIu64 ",\"minute\":%" PRIu64 "}",
                              separator, name, total, total - sc_stats_get(&before[i]));
            } else {
                (void)fprintf(out, "%s%s %" PRIu64, separator, name, total);
            }
            separator = json ? "," : ", ";
        }
    }
    return *separator != '\0';
}

/* --- JSON --- */

static void json_string(FILE *out, const char *text)
{
    const size_t length = strlen(text);
    if (sc_escape_is_utf8((const uint8_t *)text, length)) {
        sc_escape_json(out, text, length);
    } else {
        char line[1024];
        sc_escape_json(out, line, sc_escape_line(line, sizeof(line), text, length));
    }
}

/* "key":[{"name":"timeout","total":5,"minute":1},...] */
static void json_counters(FILE *out, const char *key, const char *family,
                          const struct summary *summary)
{
    (void)fprintf(out, ",\"%s\":[", key);
    (void)write_counters(out, family, summary, true);
    (void)fputc(']', out);
}

static void json_history(FILE *out, const struct sc_history *history)
{
    (void)fputs(",\"rates\":[", out);
    for (size_t i = 0; i < history->count; i++) {
        (void)fprintf(out, "%s%" PRIu32, i > 0 ? "," : "", sc_history_rate(history, i));
    }
    (void)fputc(']', out);
}

/* The keys, and what clients have said of the next one. */
static void json_pins(FILE *out, const struct sc_metrics *metrics)
{
    const struct sc_metrics_facts *facts = &metrics->facts;
    const struct sc_pin_meter_figures *pins = &metrics->pins;
    struct sc_pin_formats as;
    (void)fprintf(out, ",\"pins\":{\"current\":\"%s\"", sc_pin_text(facts->current_pin, &as));
    if (facts->has_next_key) {
        (void)fprintf(out, ",\"next\":\"%s\"", sc_pin_text(facts->next_pin, &as));
    }
    if (facts->next_key_since != 0) {
        (void)fprintf(out, ",\"announced\":%lld", (long long)facts->next_key_since);
    }
    (void)fprintf(out, ",\"clients\":{\"total\":%" PRIu64, pins->clients);
    for (size_t i = 0; i < SC_PIN_SAID_COUNT; i++) {
        (void)fprintf(out, ",\"%s\":%" PRIu64, sc_pin_said_word(i), pins->said[i]);
    }
    (void)fprintf(out, ",\"not_asked_since\":%" PRIu64 "},\"one_in\":%" PRIu32 ",\"days\":%u}",
                  pins->not_since, pins->one_in, SC_PIN_METER_DAYS);
}

static void json_files(FILE *out, const struct sc_metrics *metrics)
{
    const struct sc_metrics_facts *facts = &metrics->facts;
    (void)fprintf(out, ",\"certificate\":{\"not_after\":%lld,\"days_left\":%ld}",
                  (long long)facts->certificate_not_after,
                  days_left(metrics, facts->certificate_not_after));
    (void)fprintf(out, ",\"next_key\":%s", facts->has_next_key ? "true" : "false");
    if (facts->next_certificate_not_after != 0) {
        (void)fprintf(out, ",\"next_certificate\":{\"not_after\":%lld,\"days_left\":%ld}",
                      (long long)facts->next_certificate_not_after,
                      days_left(metrics, facts->next_certificate_not_after));
    }
    json_pins(out, metrics);
    if (facts->has_ocsp_response) {
        (void)fprintf(out, ",\"ocsp\":{\"this_update\":%lld,\"next_update\":%lld}",
                      (long long)facts->ocsp_this_update, (long long)facts->ocsp_next_update);
    }
    (void)fprintf(out, ",\"ticket_key_age\":%" PRIu64 ",\"reload\":{\"result\":\"%s\",\"at\":%lld",
                  metrics->ticket_key_age_s, reload_word(facts->reload),
                  (long long)facts->reload_at);
    (void)fputs(",\"failure\":", out);
    json_string(out, facts->reload_failure);
    (void)fputc('}', out);
}

void sc_status_write_json(const struct sc_metrics *metrics, const struct sc_history *history,
                          FILE *out)
{
    struct summary summary;
    summarize(metrics, history, &summary);
    (void)fprintf(out,
                  "{\"version\":\"%s\",\"openssl\":\"%s\",\"libevent\":\"%s\",\"state\":\"%s\","
                  "\"now\":%lld,\"started\":%lld,\"draining_since\":%lld",
                  metrics->version, metrics->openssl, metrics->libevent,
                  sc_metrics_state_word(metrics->facts.state), (long long)metrics->now,
                  (long long)metrics->started_at, (long long)metrics->facts.draining_since);
    (void)fprintf(out,
                  ",\"connections\":{\"open\":%" PRIu64 ",\"limit\":%" PRIu32
                  ",\"accepted\":%" PRIu64 ",\"waiting\":%" PRIu32 "},\"workers\":[",
                  summary.open, metrics->facts.max_connections,
                  sc_stats_get(&metrics->stats.connections_accepted), metrics->waiting);
    for (size_t i = 0; i < metrics->worker_count; i++) {
        (void)fprintf(out, "%s%" PRIu32, i > 0 ? "," : "", metrics->worker_open[i]);
    }
    (void)fprintf(
        out, "],\"requests\":{\"total\":%" PRIu64 ",\"minute\":%" PRIu64 ",\"rate\":%" PRIu32 "}",
        summary.requests, summary.requests_minute, summary.rate);
    (void)fprintf(out,
                  ",\"handshakes\":{\"in_progress\":%" PRIu64 ",\"completed\":%" PRIu64
                  ",\"completed_minute\":%" PRIu64 ",\"failed\":%" PRIu64
                  ",\"failed_minute\":%" PRIu64 ",\"delayed_minute\":%" PRIu64
                  ",\"p50\":%.6f,\"p99\":%.6f}",
                  summary.in_progress, summary.completed, summary.completed_minute, summary.failed,
                  summary.failed_minute, summary.delayed_minute, summary.handshake_p50,
                  summary.handshake_p99);
    (void)fprintf(out,
                  ",\"loop_lag\":{\"p50\":%.6f,\"p99\":%.6f,\"silent\":%.3f}"
                  ",\"pauses_minute\":%" PRIu64,
                  summary.lag_p50, summary.lag_p99, (double)metrics->loop_silent_ms / 1000,
                  summary.pauses_minute);
    json_counters(out, "failures", "handshakes_failed", &summary);
    /* Also when there are none, for the page. */
    (void)fprintf(out, ",\"locked_out\":{\"total\":%" PRIu64 ",\"minute\":%" PRIu64 "}",
                  summary.locked_out, summary.locked_out_minute);
    json_counters(out, "closed", "connections_closed", &summary);
    json_counters(out, "refused", "connections_refused", &summary);
    json_files(out, metrics);
    (void)fprintf(out,
                  ",\"bytes\":{\"received\":%" PRIu64 ",\"sent\":%" PRIu64 "},\"memory\":%" PRIu64
                  ",\"files\":{\"open\":%" PRIu64 ",\"limit\":%" PRIu64 "}",
                  sc_stats_get(&metrics->stats.bytes_received),
                  sc_stats_get(&metrics->stats.bytes_sent), metrics->process.resident_bytes,
                  metrics->process.open_files, metrics->process.max_files);
    json_history(out, history);
    (void)fputs("}\n", out);
}

/* --- Text --- */

#define NAME "%-20s"

static void text_time(FILE *out, double seconds)
{
    if (seconds < 1) {
        (void)fprintf(out, "%.2f ms", seconds * 1000);
    } else {
        (void)fprintf(out, "%.2f s", seconds);
    }
}

static void text_times(FILE *out, const char *name, double p50, double p99)
{
    if (p99 <= 0) {
        (void)fprintf(out, NAME "not measured in the last minute\n", name);
        return;
    }
    (void)fprintf(out, NAME "half below ", name);
    text_time(out, p50);
    (void)fputs(", 99 % below ", out);
    text_time(out, p99);
    (void)fputs(" (last minute)\n", out);
}

static void text_date(FILE *out, time_t when)
{
    const struct timespec at = {.tv_sec = when, .tv_nsec = 0};
    char text[SC_CLOCK_RFC3339_BYTES + 1];
    sc_clock_rfc3339(at, text);
    (void)fprintf(out, "%.19sZ", text);
}

static void text_counters(FILE *out, const char *name, const char *family,
                          const struct summary *summary)
{
    (void)fprintf(out, NAME, name);
    (void)fputs(write_counters(out, family, summary, false) ? "\n" : "none\n", out);
}

static void text_next_key(FILE *out, const struct sc_metrics *metrics)
{
    const struct sc_metrics_facts *facts = &metrics->facts;
    const struct sc_pin_meter_figures *pins = &metrics->pins;
    const uint64_t *said = pins->said;
    (void)fprintf(out, NAME "%s", "next key",
                  facts->has_next_key ? "announced to clients" : "none");
    if (facts->has_next_key && facts->next_key_since != 0) {
        (void)fputs(" since ", out);
        text_date(out, facts->next_key_since);
    }
    (void)fprintf(out, "\n" NAME "%s%" PRIu64 " have asked for pins in %u days", "clients",
                  pins->one_in > 1 ? "about " : "", pins->clients, SC_PIN_METER_DAYS);
    if (facts->has_next_key && pins->clients > 0) {
        (void)fprintf(out,
                      ": %" PRIu64 " accept the next key, %" PRIu64 " only others, %" PRIu64
                      " did not say, %" PRIu64 " not since it was announced",
                      said[SC_PIN_SAID_NEXT], said[SC_PIN_SAID_OTHERS], said[SC_PIN_SAID_NOTHING],
                      pins->not_since);
    }
    if (pins->one_in > 1) {
        (void)fprintf(out, " (estimated from one address in %" PRIu32 ")", pins->one_in);
    }
    (void)fputc('\n', out);
}

/* "ends 2036-11-19T01:21:00Z, 3649 days left" */
static void text_end(FILE *out, const struct sc_metrics *metrics, const char *name, time_t until)
{
    const long days = days_left(metrics, until);
    const bool past = until <= metrics->now;
    (void)fprintf(out, NAME "%s ", name, past ? "ended" : "ends");
    text_date(out, until);
    const long shown = past ? -days : days;
    (void)fprintf(out, ", %ld day%s %s\n", shown, sc_plural((uint64_t)shown),
                  past ? "ago" : "left");
}

static void text_files(FILE *out, const struct sc_metrics *metrics)
{
    const struct sc_metrics_facts *facts = &metrics->facts;
    text_end(out, metrics, "certificate", facts->certificate_not_after);
    text_next_key(out, metrics);
    if (facts->next_certificate_not_after != 0) {
        text_end(out, metrics, "next certificate", facts->next_certificate_not_after);
    }
    if (facts->has_ocsp_response) {
        text_end(out, metrics, "OCSP response", facts->ocsp_next_update);
    }
    (void)fprintf(out, NAME "%" PRIu64 " s old\n", "ticket key", metrics->ticket_key_age_s);
}

static void text_reload(FILE *out, const struct sc_metrics *metrics)
{
    const struct sc_metrics_facts *facts = &metrics->facts;
    (void)fprintf(out, NAME, "last reload");
    if (facts->reload == SC_RELOAD_NONE) {
        (void)fputs("none since the start\n", out);
        return;
    }
    text_date(out, facts->reload_at);
    (void)fprintf(out, ", %s%s", reload_word(facts->reload), *facts->reload_failure ? ": " : "");
    char line[2048];
    (void)sc_escape_line(line, sizeof(line), facts->reload_failure, strlen(facts->reload_failure));
    (void)fprintf(out, "%s\n", line);
}

static void text_connections(FILE *out, const struct sc_metrics *metrics)
{
    (void)fprintf(out, NAME "%" PRIu64 " of %" PRIu32 ", %" PRIu64 " accepted since the start",
                  "connections", sc_metrics_open(metrics), metrics->facts.max_connections,
                  sc_stats_get(&metrics->stats.connections_accepted));
    if (metrics->waiting > 0) {
        (void)fprintf(out, ", %" PRIu32 " wait for a PROXY header", metrics->waiting);
    }
    (void)fprintf(out, "\n" NAME, "by worker");
    for (size_t i = 0; i < metrics->worker_count; i++) {
        (void)fprintf(out, "%s%" PRIu32, i > 0 ? " " : "", metrics->worker_open[i]);
    }
    (void)fputc('\n', out);
}

void sc_status_write_text(const struct sc_metrics *metrics, const struct sc_history *history,
                          FILE *out)
{
    struct summary summary;
    summarize(metrics, history, &summary);
    (void)fprintf(out, NAME "%s, since ", "state", sc_metrics_state_word(metrics->facts.state));
    text_date(out, metrics->started_at);
    if (metrics->facts.draining_since != 0) {
        (void)fputs(", draining since ", out);
        text_date(out, metrics->facts.draining_since);
    }
    (void)fputc('\n', out);
    text_connections(out, metrics);
    (void)fprintf(out,
                  NAME "%" PRIu32 " a second, %" PRIu64 " in the last minute, %" PRIu64
                       " since the start\n",
                  "requests", summary.rate, summary.requests_minute, summary.requests);
    (void)fprintf(out,
                  NAME "%" PRIu64 " under way, %" PRIu64 " completed and %" PRIu64
                       " failed in the last minute, %" PRIu64 " and %" PRIu64 " since the start\n",
                  "handshakes", summary.in_progress, summary.completed_minute,
                  summary.failed_minute, summary.completed, summary.failed);
    text_counters(out, "failed handshakes", "handshakes_failed", &summary);
    (void)fprintf(
        out, NAME "%" PRIu64 " in the last minute, %" PRIu64 " since the start (handshake-rate)\n",
        "delayed handshakes", summary.delayed_minute,
        sc_stats_get(&metrics->stats.handshakes_delayed));
    (void)fprintf(out,
                  NAME "%" PRIu64 " handshakes in the last minute, %" PRIu64
                       " since the start (bad_certificate)\n",
                  "locked out", summary.locked_out_minute, summary.locked_out);
    text_counters(out, "refused connections", "connections_refused", &summary);
    text_times(out, "handshake time", summary.handshake_p50, summary.handshake_p99);
    text_times(out, "event-loop lag", summary.lag_p50, summary.lag_p99);
    if (metrics->loop_silent_ms >= LOOP_SILENT_MS) {
        (void)fprintf(out, NAME "one has not answered for %" PRIu64 " s\n", "",
                      metrics->loop_silent_ms / 1000);
    }
    text_counters(out, "ended connections", "connections_closed", &summary);
    (void)fprintf(out, NAME "%" PRIu64 " in the last minute, %" PRIu64 " since the start\n",
                  "output pauses", summary.pauses_minute, sc_stats_get(&metrics->stats.paused));
    (void)fprintf(out, NAME "%" PRIu64 " received, %" PRIu64 " sent\n", "bytes",
                  sc_stats_get(&metrics->stats.bytes_received),
                  sc_stats_get(&metrics->stats.bytes_sent));
    text_files(out, metrics);
    text_reload(out, metrics);
    (void)fprintf(out, NAME "%" PRIu64 " MiB resident, %" PRIu64 " of %" PRIu64 " descriptors\n",
                  "process", metrics->process.resident_bytes >> 20, metrics->process.open_files,
                  metrics->process.max_files);
    (void)fprintf(out, NAME "sc-server %s, OpenSSL %s, libevent %s\n", "version", metrics->version,
                  metrics->openssl, metrics->libevent);
}

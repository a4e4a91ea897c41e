/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "server/prometheus.h"

#include <inttypes.h>

#define PREFIX "spacecaptain_"

struct writer {
    FILE *out;
    bool openmetrics;
};

const char *sc_prometheus_content_type(enum sc_prometheus_format format)
{
    return format == SC_PROMETHEUS_OPENMETRICS
               ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
               : "text/plain; version=0.0.4; charset=utf-8";
}

/* --- Families --- */

/*
 * `name` with its prefix and without `suffix`, which the samples have. OpenMetrics names a family
 * without it.
 */
static void begin_family(const struct writer *writer, const char *name, const char *suffix,
                         const char *type, const char *help)
{
    const char *shown = writer->openmetrics ? "" : suffix;
    (void)fprintf(writer->out, "# HELP %s%s %s\n# TYPE %s%s %s\n", name, shown, help, name, shown,
                  type);
}

static void gauge(const struct writer *writer, const char *name, const char *help, int64_t value)
{
    begin_family(writer, name, "", "gauge", help);
    (void)fprintf(writer->out, "%s %" PRId64 "\n", name, value);
}

/* --- The table of counters --- */

/* {label="value",more}, or nothing. Words of ours: nothing needs an escape, blanks become "_". */
static void write_labels(const struct writer *writer, const struct sc_stats_row *row,
                         const char *value)
{
    if (*row->label == '\0') {
        return;
    }
    (void)fprintf(writer->out, "{%s=\"", row->label);
    for (; *value; value++) {
        (void)fputc(*value == ' ' ? '_' : *value, writer->out);
    }
    (void)fprintf(writer->out, "\"%s%s}", *row->more ? "," : "", row->more);
}

static void write_counters(const struct writer *writer, const char *family,
                           const struct sc_stats_row *row, const sc_counter *counters)
{
    for (size_t i = 0; i < row->count; i++) {
        const char *value = sc_stats_value(row, i);
        if (value) {
            (void)fprintf(writer->out, PREFIX "%s_total", family);
            write_labels(writer, row, value);
            (void)fprintf(writer->out, " %" PRIu64 "\n", sc_stats_get(&counters[i]));
        }
    }
}

/* Seconds, without the zeros at the end, but with one decimal as OpenMetrics wants bounds. */
static void format_bound(uint64_t ns, char *out, size_t out_size)
{
    int length =
        snprintf(out, out_size, "%" PRIu64 ".%09" PRIu64, ns / 1000000000, ns % 1000000000);
    while (length > 2 && out[length - 1] == '0' && out[length - 2] != '.') {
        out[--length] = '\0';
    }
}

static void write_histogram(const struct writer *writer, const char *family,
                            const sc_counter *counters)
{
    const struct sc_stats_histogram *histogram = (const void *)counters;
    const uint64_t sum_ns = sc_stats_get(&histogram->sum_ns);
    uint64_t count = 0;
    for (size_t i = 0; i < SC_STATS_BUCKETS; i++) {
        char bound[32] = "+Inf";
        if (i < SC_STATS_BUCKETS - 1) {
            format_bound(sc_stats_bounds_ns[i], bound, sizeof(bound));
        }
        count += sc_stats_get(&histogram->buckets[i]);
        (void)fprintf(writer->out, PREFIX "%s_bucket{le=\"%s\"} %" PRIu64 "\n", family, bound,
                      count);
    }
    (void)fprintf(writer->out,
                  PREFIX "%s_sum %" PRIu64 ".%09" PRIu64 "\n" PREFIX "%s_count %" PRIu64 "\n",
                  family, sum_ns / 1000000000, sum_ns % 1000000000, family, count);
}

static void write_table(const struct writer *writer, const struct sc_stats *stats)
{
    const char *family = "";
    for (size_t i = 0; i < sc_stats_row_count; i++) {
        const struct sc_stats_row *row = &sc_stats_rows[i];
        char name[128];
        switch (row->kind) {
        case SC_STATS_FAMILY:
            family = row->name;
            (void)snprintf(name, sizeof(name), PREFIX "%s", family);
            if (sc_stats_rows[i + 1].kind == SC_STATS_HISTOGRAM) {
                begin_family(writer, name, "", "histogram", row->help);
            } else {
                begin_family(writer, name, "_total", "counter", row->help);
            }
            break;
        case SC_STATS_COUNTERS:
            write_counters(writer, family, row, sc_stats_counters(stats, row));
            break;
        case SC_STATS_HISTOGRAM:
            write_histogram(writer, family, sc_stats_counters(stats, row));
            break;
        }
    }
}

/* --- What is not a counter --- */

static void write_connections(const struct writer *writer, const struct sc_metrics *metrics)
{
    gauge(writer, PREFIX "connections",
          "Connections that are open, with those that wait for their PROXY header",
          (int64_t)sc_metrics_open(metrics));
    gauge(writer, PREFIX "connections_waiting",
          "Open connections whose PROXY header has not come, and that no worker has yet",
          metrics->waiting);
    gauge(writer, PREFIX "connections_limit", "Connections above which new ones are refused",
          metrics->facts.max_connections);
    begin_family(writer, PREFIX "worker_connections", "", "gauge",
                 "Connections that are open, by worker");
    for (size_t i = 0; i < metrics->worker_count; i++) {
        (void)fprintf(writer->out, PREFIX "worker_connections{worker=\"%zu\"} %" PRIu32 "\n", i,
                      metrics->worker_open[i]);
    }
    gauge(writer, PREFIX "handshakes_in_progress", "TLS handshakes that are under way",
          (int64_t)sc_stats_handshakes_in_progress(&metrics->stats));
}

static void write_files(const struct writer *writer, const struct sc_metrics *metrics)
{
    const struct sc_metrics_facts *facts = &metrics->facts;
    begin_family(writer, PREFIX "certificate_not_after_timestamp_seconds", "", "gauge",
                 "When the certificate, and that of the next key, ends, also when that is past");
    (void)fprintf(writer->out,
                  PREFIX "certificate_not_after_timestamp_seconds{certificate=\"current\"} %lld\n",
                  (long long)facts->certificate_not_after);
    if (facts->next_certificate_not_after != 0) {
        (void)fprintf(writer->out,
                      PREFIX "certificate_not_after_timestamp_seconds{certificate=\"next\"} %lld\n",
                      (long long)facts->next_certificate_not_after);
    }
    gauge(writer, PREFIX "next_key", "1 when a next key is announced to clients, else 0",
          facts->has_next_key);
    if (facts->has_ocsp_response) {
        gauge(writer, PREFIX "ocsp_response_this_update_timestamp_seconds",
              "When the OCSP response to staple was made", facts->ocsp_this_update);
        gauge(writer, PREFIX "ocsp_response_next_update_timestamp_seconds",
              "When the OCSP response to staple ends; it is not sent any more after that",
              facts->ocsp_next_update);
    }
    gauge(writer, PREFIX "ticket_key_age_seconds", "Age of the key that makes new session tickets",
          (int64_t)metrics->ticket_key_age_s);
    gauge(writer, PREFIX "loaded_timestamp_seconds",
          "When the active configuration, certificate and keys were loaded", facts->loaded_at);
    gauge(writer, PREFIX "reload_failed",
          "1 when the last reload failed and what was active before stays, else 0",
          facts->reload == SC_RELOAD_FAILURE);
    gauge(writer, PREFIX "ready", "1 when new connections are accepted, else 0",
          facts->state == SC_METRICS_READY);
    gauge(writer, PREFIX "draining",
          "1 while the server stops: it waits for its clients (drain-timeout), else 0",
          facts->state == SC_METRICS_DRAINING);
}

static void write_loops(const struct writer *writer, const struct sc_metrics *metrics)
{
    begin_family(writer, PREFIX "event_loop_silent_seconds", "", "gauge",
                 "For how long an event loop has not answered, the longest; near 0: all run");
    (void)fprintf(writer->out, PREFIX "event_loop_silent_seconds %" PRIu64 ".%03" PRIu64 "\n",
                  metrics->loop_silent_ms / 1000, metrics->loop_silent_ms % 1000);
}

_Static_assert(SC_PIN_METER_DAYS == 7, "the help names the days");

/* By what they have said that they accept. */
static void write_pins_clients(const struct writer *writer, const struct sc_metrics *metrics)
{
    const struct sc_pin_meter_figures *pins = &metrics->pins;
    if (metrics->facts.next_key_since != 0) {
        gauge(writer, PREFIX "next_key_announced_timestamp_seconds",
              "When the next key was announced first", metrics->facts.next_key_since);
    }
    begin_family(writer, PREFIX "pins_clients", "", "gauge",
                 "Addresses (IPv6: /64) that have asked for PINS in the last 7 days, by what they "
                 "accept; lost in a restart");
    for (size_t i = 0; i < SC_PIN_SAID_COUNT; i++) {
        (void)fprintf(writer->out, PREFIX "pins_clients{accepts=\"%s\"} %" PRIu64 "\n",
                      sc_pin_said_word(i), pins->said[i]);
    }
    (void)fprintf(writer->out, PREFIX "pins_clients{accepts=\"not_asked_since\"} %" PRIu64 "\n",
                  pins->not_since);
    gauge(writer, PREFIX "pins_clients_one_in",
          "1 when every address is counted; N when one in N is, and stands for N", pins->one_in);
}

static void write_build(const struct writer *writer, const struct sc_metrics *metrics)
{
    begin_family(writer, PREFIX "build", "_info", writer->openmetrics ? "info" : "gauge",
                 "Versions of the server and of the libraries that it runs on");
    (void)fprintf(writer->out,
                  PREFIX "build_info{version=\"%s\",openssl=\"%s\",libevent=\"%s\"} 1\n",
                  metrics->version, metrics->openssl, metrics->libevent);
}

static void write_process(const struct writer *writer, const struct sc_metrics *metrics)
{
    const struct sc_process *process = &metrics->process;
    begin_family(writer, "process_cpu_seconds", "_total", "counter",
                 "Processor time, user and system");
    (void)fprintf(writer->out, "process_cpu_seconds_total %.6f\n", process->cpu_seconds);
    gauge(writer, "process_start_time_seconds", "When the process started", metrics->started_at);
    gauge(writer, "process_resident_memory_bytes", "Resident memory",
          (int64_t)process->resident_bytes);
    gauge(writer, "process_virtual_memory_bytes", "Virtual memory",
          (int64_t)process->virtual_bytes);
    gauge(writer, "process_open_fds", "Open file descriptors", (int64_t)process->open_files);
    gauge(writer, "process_max_fds", "Limit of open file descriptors", (int64_t)process->max_files);
    gauge(writer, "process_threads", "Threads", (int64_t)process->threads);
}

void sc_prometheus_write(const struct sc_metrics *metrics, enum sc_prometheus_format format,
                         FILE *out)
{
    const struct writer writer = {out, format == SC_PROMETHEUS_OPENMETRICS};
    write_build(&writer, metrics);
    write_connections(&writer, metrics);
    write_table(&writer, &metrics->stats);
    write_loops(&writer, metrics);
    write_files(&writer, metrics);
    write_pins_clients(&writer, metrics);
    write_process(&writer, metrics);
    if (writer.openmetrics) {
        (void)fputs("# EOF\n", out);
    }
}

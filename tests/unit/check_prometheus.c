/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "server/prometheus.h"

#include <stdlib.h>
#include <string.h>

#include "suite.h"

/*
 * Every counter has another value, so that none can be taken for another. What should come out is
 * in tests/unit/golden; what did is left in the working directory when it is something else.
 */
static void make_metrics(struct sc_metrics *metrics)
{
    sc_counter *counters = (sc_counter *)(void *)&metrics->stats;
    memset(metrics, 0, sizeof(*metrics));
    for (size_t i = 0; i < sizeof(metrics->stats) / sizeof(*counters); i++) {
        sc_stats_add(&counters[i], 1000 + i);
    }
    /* More have begun than ended. */
    sc_stats_add(&metrics->stats.connections_accepted, 100000);
    sc_stats_add(&metrics->stats.handshakes_started, 200000);
    /* Sums beyond what a double holds. */
    sc_stats_add(&metrics->stats.bytes_sent, UINT64_C(18000000000000000001) - 1);
    metrics->facts = (struct sc_metrics_facts){.state = SC_METRICS_READY,
                                               .max_connections = 10000,
                                               .certificate_not_after = 1700000000,
                                               .has_next_key = true,
                                               .next_certificate_not_after = 1700000005,
                                               .next_key_since = 1600000000,
                                               .has_ocsp_response = true,
                                               .ocsp_this_update = 1700000001,
                                               .ocsp_next_update = 1700000002,
                                               .reload = SC_RELOAD_FAILURE,
                                               .loaded_at = 1700000003};
    metrics->pins = (struct sc_pin_meter_figures){
        .said = {51, 52, 53}, .not_since = 54, .clients = 210, .one_in = 1};
    metrics->worker_count = 2;
    metrics->waiting = 6;
    metrics->worker_open[0] = 7;
    metrics->worker_open[1] = 8;
    metrics->ticket_key_age_s = 9;
    metrics->loop_silent_ms = 1016;
    metrics->now = 1700000009;
    metrics->started_at = 1700000004;
    metrics->process = (struct sc_process){.cpu_seconds = 1.25,
                                           .resident_bytes = 11,
                                           .virtual_bytes = 12,
                                           .open_files = 13,
                                           .max_files = 14,
                                           .threads = 15};
    metrics->version = "0.0.1";
    metrics->openssl = "3.0.0";
    metrics->libevent = "2.1.0";
}

static char *write_text(const struct sc_metrics *metrics, enum sc_prometheus_format format)
{
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    sc_prometheus_write(metrics, format, out);
    ck_assert_int_eq(fclose(out), 0);
    return text;
}

static void compare(const char *name, char *text)
{
    static char golden[65536], path[4096];
    (void)snprintf(path, sizeof(path), "%s/tests/unit/golden/%s", getenv("SC_SRCDIR"), name);
    FILE *file = fopen(path, "r");
    ck_assert_msg(file != NULL, "%s is not there", path);
    golden[fread(golden, 1, sizeof(golden) - 1, file)] = '\0';
    ck_assert_int_eq(fclose(file), 0);
    if (strcmp(text, golden) != 0) {
        (void)snprintf(path, sizeof(path), "%s.new", name);
        file = fopen(path, "w");
        ck_assert(file && fputs(text, file) >= 0 && fclose(file) == 0);
        ck_abort_msg("the text is not that of tests/unit/golden/%s; it is in %s", name, path);
    }
    free(text);
}

START_TEST(text_format)
{
    static struct sc_metrics metrics;
    make_metrics(&metrics);
    compare("metrics.txt", write_text(&metrics, SC_PROMETHEUS_TEXT));
}
END_TEST

START_TEST(openmetrics)
{
    static struct sc_metrics metrics;
    make_metrics(&metrics);
    compare("openmetrics.txt", write_text(&metrics, SC_PROMETHEUS_OPENMETRICS));
}
END_TEST

START_TEST(what_is_not_there_has_no_metric)
{
    static struct sc_metrics metrics;
    make_metrics(&metrics);
    metrics.facts.has_ocsp_response = false;
    metrics.facts.next_certificate_not_after = 0;
    metrics.facts.reload = SC_RELOAD_SUCCESS;
    metrics.facts.state = SC_METRICS_DRAINING;
    char *text = write_text(&metrics, SC_PROMETHEUS_TEXT);
    ck_assert_ptr_null(strstr(text, "ocsp"));
    ck_assert_ptr_null(strstr(text, "\"next\"} 0"));
    ck_assert_ptr_nonnull(strstr(text, "\nspacecaptain_reload_failed 0\n"));
    ck_assert_ptr_nonnull(strstr(text, "\nspacecaptain_ready 0\n"));
    ck_assert_ptr_nonnull(strstr(text, "\nspacecaptain_draining 1\n"));
    ck_assert_ptr_null(strstr(text, "type=\"\""));
    free(text);
    metrics.facts.next_key_since = 0;
    metrics.facts.reload = SC_RELOAD_UNCHANGED;
    metrics.facts.state = SC_METRICS_STARTING;
    text = write_text(&metrics, SC_PROMETHEUS_TEXT);
    ck_assert_ptr_null(strstr(text, "next_key_announced"));
    ck_assert_ptr_nonnull(strstr(text, "\nspacecaptain_reload_failed 0\n"));
    ck_assert_ptr_nonnull(strstr(text, "\nspacecaptain_ready 0\n"));
    ck_assert_ptr_nonnull(strstr(text, "\nspacecaptain_draining 0\n"));
    free(text);
}
END_TEST

SUITE_MAIN("prometheus", text_format, openmetrics, what_is_not_there_has_no_metric)

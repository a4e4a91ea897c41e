/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "server/stats.h"

#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#include "proto/frame.h"
#include "suite.h"

/* The struct is nothing but counters, so a test can fill those that come later, too. */
enum { COUNT = sizeof(struct sc_stats) / sizeof(sc_counter) };

static void fill(struct sc_stats *stats, uint64_t step)
{
    sc_counter *counters = (sc_counter *)(void *)stats;
    for (size_t i = 0; i < COUNT; i++) {
        sc_stats_add(&counters[i], step * (i + 1));
    }
}

struct seen {
    size_t count;
    char names[COUNT][64];
    uint64_t values[COUNT];
};

static void see(const char *name, uint64_t value, void *arg)
{
    struct seen *seen = arg;
    ck_assert_uint_lt(seen->count, COUNT);
    ck_assert_uint_lt(strlen(name), sizeof(seen->names[0]));
    (void)strcpy(seen->names[seen->count], name);
    seen->values[seen->count++] = value;
}

START_TEST(a_sum_takes_every_counter_once)
{
    struct sc_stats one = {0}, two = {0}, sum = {0};
    const sc_counter *counters = (const sc_counter *)(const void *)&sum;
    fill(&one, 1);
    fill(&two, UINT64_C(1) << 33);
    sc_stats_sum(&sum, &one);
    sc_stats_sum(&sum, &two);
    for (size_t i = 0; i < COUNT; i++) {
        ck_assert_uint_eq(sc_stats_get(&counters[i]), (1 + (UINT64_C(1) << 33)) * (i + 1));
    }
}
END_TEST

START_TEST(every_counter_has_a_name_of_its_own)
{
    struct sc_stats stats = {0};
    struct seen seen = {0};
    fill(&stats, 1);
    sc_stats_each(&stats, see, &seen);
    size_t rows = 0;
    while (sc_handler_at(rows)) {
        rows++;
    }
    /*
     * There is no ERROR code 0, there are counters for more rows than there are, and histograms are
     * not in the log.
     */
    const size_t of_histograms = 2 * sizeof(struct sc_stats_histogram) / sizeof(sc_counter);
    ck_assert_uint_eq(seen.count, COUNT - 1 - (SC_HANDLER_MAX - rows) - of_histograms);
    for (size_t i = 0; i < seen.count; i++) {
        ck_assert_uint_gt(strlen(seen.names[i]), 0);
        ck_assert_uint_eq(strspn(seen.names[i], "abcdefghijklmnopqrstuvwxyz0123456789_"),
                          strlen(seen.names[i])); /* a key of the log */
        for (size_t j = 0; j < i; j++) {
            ck_assert_str_ne(seen.names[i], seen.names[j]);
            ck_assert_uint_ne(seen.values[i], seen.values[j]);
        }
    }
}
END_TEST

static uint64_t value_of(const struct sc_stats *stats, const char *name)
{
    struct seen seen = {0};
    sc_stats_each(stats, see, &seen);
    for (size_t i = 0; i < seen.count; i++) {
        if (strcmp(seen.names[i], name) == 0) {
            return seen.values[i];
        }
    }
    ck_abort_msg("no counter %s", name);
}

START_TEST(names_are_those_of_what_is_counted)
{
    struct sc_stats stats = {0};
    sc_stats_add(&stats.handshakes_failed[SC_TLS_REASON_PLAINTEXT], 2);
    sc_stats_add(&stats.closed[SC_CLOSE_IDLE_TIMEOUT], 5);
    sc_stats_add(&stats.ciphers[0], 6);
    sc_stats_add(&stats.requests[sc_handler_index(sc_handler_find(SC_FRAME_REVERSE))], 3);
    sc_stats_add(&stats.errors[SC_ERROR_BODY_TOO_LARGE], 4);
    ck_assert_uint_eq(value_of(&stats, "handshakes_failed_plaintext"), 2);
    ck_assert_uint_eq(value_of(&stats, "closed_idle_timeout"), 5);
    ck_assert_uint_eq(value_of(&stats, "ciphers_tls_aes_256_gcm_sha384"), 6);
    ck_assert_uint_eq(value_of(&stats, "requests_reverse"), 3);
    ck_assert_uint_eq(value_of(&stats, "errors_body_too_large"), 4);
    ck_assert_uint_eq(value_of(&stats, "requests_echo"), 0);
}
END_TEST

START_TEST(a_histogram_counts_each_value_in_one_bucket)
{
    struct sc_stats stats = {0};
    const struct sc_stats_histogram *times = &stats.handshake_time;
    sc_stats_record(&stats.handshake_time, 0);
    sc_stats_record(&stats.handshake_time, sc_stats_bounds_ns[0]); /* an upper end is inside */
    sc_stats_record(&stats.handshake_time, sc_stats_bounds_ns[0] + 1);
    sc_stats_record(&stats.handshake_time, UINT64_C(3600) * 1000000000);
    ck_assert_uint_eq(sc_stats_get(&times->buckets[0]), 2);
    ck_assert_uint_eq(sc_stats_get(&times->buckets[1]), 1);
    ck_assert_uint_eq(sc_stats_get(&times->buckets[SC_STATS_BUCKETS - 1]), 1);
    ck_assert_uint_eq(sc_stats_total(times->buckets, SC_STATS_BUCKETS), 4);
    ck_assert_uint_eq(sc_stats_get(&times->sum_ns),
                      2 * sc_stats_bounds_ns[0] + 1 + UINT64_C(3600) * 1000000000);
    sc_stats_record(&stats.loop_lag, UINT64_MAX);
    ck_assert_uint_eq(sc_stats_get(&stats.loop_lag.buckets[SC_STATS_BUCKETS - 1]), 1);
    for (size_t i = 1; i < SC_STATS_BUCKETS - 1; i++) {
        ck_assert_uint_gt(sc_stats_bounds_ns[i], sc_stats_bounds_ns[i - 1]);
    }
}
END_TEST

static bool is_about(double value, double expected)
{
    return value > expected - 1e-9 && value < expected + 1e-9;
}

START_TEST(percentiles_are_spread_over_a_bucket)
{
    struct sc_stats stats = {0}, before = {0};
    ck_assert(is_about(sc_stats_percentile(&stats.loop_lag, NULL, 99), 0));
    for (unsigned i = 0; i < 100; i++) {
        sc_stats_record(&stats.loop_lag, 2000000); /* from 1 to 2.5 ms */
    }
    ck_assert(is_about(sc_stats_percentile(&stats.loop_lag, NULL, 50), 0.00175));
    ck_assert(is_about(sc_stats_percentile(&stats.loop_lag, NULL, 100), 0.0025));
    sc_stats_sum(&before, &stats);
    ck_assert(is_about(sc_stats_percentile(&stats.loop_lag, &before.loop_lag, 99), 0));
    sc_stats_record(&stats.loop_lag, UINT64_C(60000000000));
    ck_assert(is_about(sc_stats_percentile(&stats.loop_lag, &before.loop_lag, 99), 10));
    ck_assert(is_about(sc_stats_percentile(&stats.loop_lag, NULL, 50), 0.0017575));
    /* What is in the buckets below has taken its part of the rank. */
    for (unsigned i = 0; i < 99; i++) {
        sc_stats_record(&stats.loop_lag, 3000000); /* from 2.5 to 5 ms */
    }
    ck_assert(is_about(sc_stats_percentile(&stats.loop_lag, NULL, 75), 0.0025 * (1 + 50.0 / 99)));
}
END_TEST

START_TEST(what_is_under_way_is_what_has_begun_and_not_ended)
{
    struct sc_stats stats = {0};
    sc_stats_add(&stats.connections_accepted, 10);
    sc_stats_add(&stats.handshakes_started, 10);
    sc_stats_add(&stats.handshakes_full[0], 1);
    sc_stats_add(&stats.handshakes_full[SC_TLS_VERSION_WORDS - 1], 1);
    sc_stats_add(&stats.handshakes_resumed[1], 2);
    sc_stats_add(&stats.handshakes_failed[0], 1);
    sc_stats_add(&stats.handshakes_failed[SC_TLS_REASON_COUNT - 1], 2);
    sc_stats_add(&stats.closed[0], 1);
    sc_stats_add(&stats.closed[SC_CLOSE_COUNT - 1], 3);
    ck_assert_uint_eq(sc_stats_handshakes_completed(&stats), 4);
    ck_assert_uint_eq(sc_stats_handshakes_failed(&stats), 3);
    ck_assert_uint_eq(sc_stats_handshakes_in_progress(&stats), 3);
    ck_assert_uint_eq(sc_stats_open(&stats), 6);
}
END_TEST

/* A writer and a reader: what has begun is never less than what has ended. */
static struct sc_stats shared;
static _Atomic bool enough;

static void *write_counters(void *arg)
{
    (void)arg;
    for (size_t i = 0; !enough; i++) {
        sc_stats_add(&shared.connections_accepted, 1);
        sc_stats_add(&shared.handshakes_started, 1);
        sc_stats_add(i % 2 ? &shared.handshakes_full[0] : &shared.handshakes_failed[3], 1);
        sc_stats_add(&shared.closed[i % SC_CLOSE_COUNT], 1);
    }
    return NULL;
}

START_TEST(a_sum_never_shows_an_end_without_its_beginning)
{
    const uint64_t many = UINT64_C(1) << 40; /* what a difference below 0 would be above */
    pthread_t writer;
    uint64_t before = 0;
    ck_assert_int_eq(pthread_create(&writer, NULL, write_counters, NULL), 0);
    for (unsigned looks = 0; looks < 50000 || before == 0; looks++) {
        struct sc_stats sum = {0};
        sc_stats_sum(&sum, &shared);
        ck_assert_uint_lt(sc_stats_handshakes_in_progress(&sum), many);
        ck_assert_uint_lt(sc_stats_open(&sum), many);
        ck_assert_uint_ge(sc_stats_closed(&sum), before);
        before = sc_stats_closed(&sum);
    }
    enough = true;
    (void)pthread_join(writer, NULL);
}
END_TEST

SUITE_MAIN("stats", a_histogram_counts_each_value_in_one_bucket,
           percentiles_are_spread_over_a_bucket, what_is_under_way_is_what_has_begun_and_not_ended,
           a_sum_never_shows_an_end_without_its_beginning, a_sum_takes_every_counter_once,
           every_counter_has_a_name_of_its_own, names_are_those_of_what_is_counted)

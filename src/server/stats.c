/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "server/stats.h"

#include <ctype.h>
#include <stdio.h>

#include "base/compiler.h"
#include "proto/frame.h"

#define COUNTERS (sizeof(struct sc_stats) / sizeof(sc_counter))

const uint64_t sc_stats_bounds_ns[SC_STATS_BUCKETS - 1] = {
    100000,   250000,    500000,    1000000,   2500000,    5000000,    10000000,   25000000,
    50000000, 100000000, 250000000, 500000000, 1000000000, 2500000000, 5000000000, 10000000000};

/* --- The words of labels --- */

static const char *close_word(size_t index)
{
    static const char *const words[] = {
#define SC_CLOSE_REASON_WORD(name, word) word,
        SC_CLOSE_REASONS(SC_CLOSE_REASON_WORD)
#undef SC_CLOSE_REASON_WORD
    };
    return index < SC_COUNT_OF(words) ? words[index] : NULL;
}

static const char *reason_word(size_t index)
{
    return index < SC_TLS_REASON_COUNT ? sc_tls_reason_name((enum sc_tls_reason)index) : NULL;
}

static const char *request_word(size_t index)
{
    const struct sc_handler *handler = sc_handler_at(index);
    return handler ? handler->name : NULL;
}

static const char *error_word(size_t index)
{
    return index > 0 && index < SC_STATS_ERROR_CODES ? sc_error_code_name((uint32_t)index) : NULL;
}

/* --- The table --- */

const struct sc_stats_row sc_stats_rows[] = {
#define SC_FAMILY(kind, name, help) {SC_STATS_FAMILY, name, help, 0, 0, NULL, NULL, NULL, NULL},
#define SC_COUNTER(field, label, value) \
    {SC_STATS_COUNTERS, #field, NULL, offsetof(struct sc_stats, field), 1, label, value, NULL, ""},
#define SC_COUNTERS(field, count, label, word, more) \
    {SC_STATS_COUNTERS, \
     #field, \
     NULL, \
     offsetof(struct sc_stats, field), \
     count, \
     label, \
     NULL, \
     word, \
     more},
#define SC_HISTOGRAM(field) \
    {SC_STATS_HISTOGRAM, #field, NULL, offsetof(struct sc_stats, field), 1, "", "", NULL, ""},
#include "server/stats.def"
};
const size_t sc_stats_row_count = SC_COUNT_OF(sc_stats_rows);

const char *sc_stats_value(const struct sc_stats_row *row, size_t index)
{
    return row->word ? row->word(index) : row->value;
}

/* --- Counting --- */

void sc_stats_record(struct sc_stats_histogram *histogram, uint64_t ns)
{
    size_t i = 0;
    while (i < SC_STATS_BUCKETS - 1 && ns > sc_stats_bounds_ns[i]) {
        i++;
    }
    sc_stats_add(&histogram->buckets[i], 1);
    sc_stats_add(&histogram->sum_ns, ns);
}

/* --- Adding up --- */

void sc_stats_sum(struct sc_stats *sum, const struct sc_stats *from)
{
    sc_counter *to = (sc_counter *)(void *)sum;
    const sc_counter *counters = (const sc_counter *)(const void *)from;
    for (size_t i = COUNTERS; i-- > 0;) {
        sc_stats_add(&to[i], sc_stats_get(&counters[i]));
    }
}

uint64_t sc_stats_total(const sc_counter *counters, size_t count)
{
    uint64_t total = 0;
    for (size_t i = 0; i < count; i++) {
        total += sc_stats_get(&counters[i]);
    }
    return total;
}

uint64_t sc_stats_handshakes_completed(const struct sc_stats *stats)
{
    return sc_stats_total(stats->handshakes_full, SC_COUNT_OF(stats->handshakes_full)) +
           sc_stats_total(stats->handshakes_resumed, SC_COUNT_OF(stats->handshakes_resumed));
}

uint64_t sc_stats_handshakes_failed(const struct sc_stats *stats)
{
    return sc_stats_total(stats->handshakes_failed, SC_COUNT_OF(stats->handshakes_failed));
}

uint64_t sc_stats_closed(const struct sc_stats *stats)
{
    return sc_stats_total(stats->closed, SC_COUNT_OF(stats->closed));
}

uint64_t sc_stats_handshakes_in_progress(const struct sc_stats *stats)
{
    return sc_stats_get(&stats->handshakes_started) - sc_stats_handshakes_completed(stats) -
           sc_stats_handshakes_failed(stats);
}

uint64_t sc_stats_open(const struct sc_stats *stats)
{
    return sc_stats_get(&stats->connections_accepted) - sc_stats_closed(stats);
}

double sc_stats_percentile(const struct sc_stats_histogram *histogram,
                           const struct sc_stats_histogram *before, double percent)
{
    uint64_t counts[SC_STATS_BUCKETS], total = 0;
    for (size_t i = 0; i < SC_STATS_BUCKETS; i++) {
        counts[i] =
            sc_stats_get(&histogram->buckets[i]) - (before ? sc_stats_get(&before->buckets[i]) : 0);
        total += counts[i];
    }
    const double rank = (double)total * percent / 100;
    double seen = 0, low = 0;
    for (size_t i = 0; i < SC_STATS_BUCKETS - 1 && total > 0; i++) {
        const double high = (double)sc_stats_bounds_ns[i] / 1e9;
        if (counts[i] > 0 && seen + (double)counts[i] >= rank) {
            return low + (high - low) * (rank - seen) / (double)counts[i];
        }
        seen += (double)counts[i];
        low = high;
    }
    return low * (total > 0);
}

/* --- Names for the log --- */

/* "requests" and "echo": "requests_echo"; "ciphers" and "TLS_...": in lower case. */
static void log_name(const struct sc_stats_row *row, size_t index, char *out, size_t out_size)
{
    (void)snprintf(out, out_size, "%s%s%s", row->name, row->word ? "_" : "",
                   row->word ? row->word(index) : "");
    for (char *p = out; *p; p++) {
        *p = isalnum((unsigned char)*p) ? (char)tolower((unsigned char)*p) : '_';
    }
}

void sc_stats_each(const struct sc_stats *stats,
                   void (*each)(const char *name, uint64_t value, void *arg), void *arg)
{
    char name[64];
    for (const struct sc_stats_row *row = sc_stats_rows; row < sc_stats_rows + sc_stats_row_count;
         row++) {
        for (size_t i = 0; row->kind == SC_STATS_COUNTERS && i < row->count; i++) {
            if (sc_stats_value(row, i)) {
                log_name(row, i, name, sizeof(name));
                each(name, sc_stats_get(&sc_stats_counters(stats, row)[i]), arg);
            }
        }
    }
}

/* SPDX-License-Identifier: MIT */
/*
 * Counters. Each thread that serves has its own struct and is the only one that writes it; any
 * thread may read and add up. All of them only grow. The list is stats.def: a new counter is a
 * line there.
 */
#ifndef SC_SERVER_STATS_H
#define SC_SERVER_STATS_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/handler.h"
#include "server/pin_meter.h"
#include "tls/explain.h"
#include "tls/info.h"

#define SC_STATS_ERROR_CODES 6U /* ERROR codes are 1 to 5; 0 is not used */

/*
 * Why an accepted connection has ended, the enumerator and the word: one for each connection, the
 * first that is known. The first row is for those of which nothing else is known.
 */
#define SC_CLOSE_REASONS(X) \
    X(SERVER_STOPPED, "server_stopped") /* cut, after drain-timeout or a second signal */ \
    X(DRAINED, "drained") /* told to go away, when the server stopped */ \
    X(HANDSHAKE_FAILED, "handshake_failed") /* why: the reason of the failed handshake */ \
    X(PEER_CLOSED, "peer_closed") /* the client ended it, after its last request */ \
    X(TRUNCATED, "truncated") /* the client ended it in the middle of a frame */ \
    X(RESET, "reset") /* the TCP connection was reset or lost */ \
    X(TLS_ERROR, "tls_error") /* what came was not TLS any more, or the client sent an alert */ \
    X(KEY_UPDATE_FLOOD, "key_update_flood") \
    X(RENEGOTIATION, "renegotiation") \
    X(BODY_TOO_LARGE, "body_too_large") /* ERROR 2 */ \
    X(FRAME_TIMEOUT, "frame_timeout") \
    X(IDLE_TIMEOUT, "idle_timeout") \
    X(WRITE_TIMEOUT, "write_timeout")

enum sc_close_reason {
#define SC_CLOSE_REASON_ENUM(name, word) SC_CLOSE_##name,
    SC_CLOSE_REASONS(SC_CLOSE_REASON_ENUM)
#undef SC_CLOSE_REASON_ENUM
        SC_CLOSE_COUNT
};

typedef _Atomic uint64_t sc_counter;

/*
 * Histograms of seconds: upper ends of their buckets, from 100 microseconds to 10 seconds; the last
 * bucket has none.
 */
#define SC_STATS_BUCKETS 17U
extern const uint64_t sc_stats_bounds_ns[SC_STATS_BUCKETS - 1];

struct sc_stats_histogram {
    sc_counter buckets[SC_STATS_BUCKETS]; /* each for itself, not cumulative */
    sc_counter sum_ns;
};

struct sc_stats {
#define SC_COUNTER(field, label, value) sc_counter field;
#define SC_COUNTERS(field, count, label, word, more) sc_counter field[count];
#define SC_HISTOGRAM(field) struct sc_stats_histogram field;
#include "server/stats.def"
};

/*
 * One writer, so no locked instruction is needed. A thread that sees this sees all that was
 * counted before (release; a plain store on x86).
 */
static inline void sc_stats_add(sc_counter *counter, uint64_t n)
{
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + n,
                          memory_order_release);
}

static inline uint64_t sc_stats_get(const sc_counter *counter)
{
    return atomic_load_explicit(counter, memory_order_acquire);
}

void sc_stats_record(struct sc_stats_histogram *histogram, uint64_t ns);

/* Adds every counter of `from` to `sum`, which only the caller uses. Thread: any. */
void sc_stats_sum(struct sc_stats *sum, const struct sc_stats *from);

/* All counters of an array together. */
uint64_t sc_stats_total(const sc_counter *counters, size_t count);

/*
 * In numbers of connections: handshakes that completed, and that failed; connections that have
 * ended. Of a sum: those that have not, never less than 0.
 */
uint64_t sc_stats_handshakes_completed(const struct sc_stats *stats);
uint64_t sc_stats_handshakes_failed(const struct sc_stats *stats);
uint64_t sc_stats_closed(const struct sc_stats *stats);
uint64_t sc_stats_handshakes_in_progress(const struct sc_stats *stats);
uint64_t sc_stats_open(const struct sc_stats *stats);

/*
 * The time that `percent` of what a histogram has counted since `before` (NULL: since the start)
 * are not above, in seconds, as Prometheus estimates it: evenly spread within a bucket. Beyond the
 * last bound: that bound. 0 when nothing was counted.
 */
double sc_stats_percentile(const struct sc_stats_histogram *histogram,
                           const struct sc_stats_histogram *before, double percent);

/* The table as data: families, each followed by its rows. */
enum sc_stats_kind { SC_STATS_FAMILY, SC_STATS_COUNTERS, SC_STATS_HISTOGRAM };
struct sc_stats_row {
    enum sc_stats_kind kind;
    const char *name; /* of the family; of the field */
    const char *help; /* of a family */
    size_t offset, count; /* in struct sc_stats */
    const char *label, *value; /* "": none; value: of a single counter */
    const char *(*word)(size_t index); /* values of the label; NULL: a single counter */
    const char *more;
};
extern const struct sc_stats_row sc_stats_rows[];
extern const size_t sc_stats_row_count;

/* The value of a row's label for one of its counters. NULL: there is no such counter. */
const char *sc_stats_value(const struct sc_stats_row *row, size_t index);

/* The counters, or the histogram, of a row. */
static inline const sc_counter *sc_stats_counters(const struct sc_stats *stats,
                                                  const struct sc_stats_row *row)
{
    return (const sc_counter *)(const void *)((const char *)stats + row->offset);
}

/*
 * Calls `each` with a name for the log ("requests_echo", "errors_body_too_large") and the value of
 * every counter that is not of a histogram.
 */
void sc_stats_each(const struct sc_stats *stats,
                   void (*each)(const char *name, uint64_t value, void *arg), void *arg);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * What is counted, and the figures that follow from it.
 *
 * Each thread of the generator writes statistics of its own; they are merged when it has ended.
 * Thread: none; one writer at a time.
 */
#ifndef SC_BENCH_STATS_H
#define SC_BENCH_STATS_H

#include <stdbool.h>
#include <stdint.h>
#include <sysexits.h>
#include <time.h>

#include "base/err.h"
#include "tls/pin_mismatch.h"
#include "base/hist.h"
#include "bench/seconds.h"

/*
 * Kinds of errors: the enumerator, the exit status, the word in JSON and --expect, the text of the
 * report.
 */
#define SC_BENCH_ERRORS(X) \
    X(CONNECT, EX_UNAVAILABLE, "connect", "can't connect") \
    X(TIMEOUT, EX_TEMPFAIL, "timeout", "timed out") \
    X(TLS, SC_EXIT_HANDSHAKE, "tls", "TLS handshake failed, or an alert") \
    X(PIN, SC_EXIT_PIN, "pin", "the certificate matched no pin") \
    X(CLOSED, EX_UNAVAILABLE, "closed", "the server closed the connection") \
    X(SERVER, 1, "server", "the server answered ERROR") \
    X(PROTOCOL, EX_PROTOCOL, "protocol", "the reply is not a frame of the protocol") \
    X(WRONG_REPLY, EX_PROTOCOL, "wrong_reply", "wrong type, length, order or content")

enum sc_bench_error {
#define SC_BENCH_ERROR_ENUM(name, status, word, text) SC_BENCH_ERROR_##name,
    SC_BENCH_ERRORS(SC_BENCH_ERROR_ENUM)
#undef SC_BENCH_ERROR_ENUM
        SC_BENCH_ERROR_COUNT
};

struct sc_bench_error_kind {
    int status; /* exit status of a run that has counted it */
    const char *word, *text;
};
extern const struct sc_bench_error_kind sc_bench_error_kinds[SC_BENCH_ERROR_COUNT];

#define SC_BENCH_ERROR_TEXT_BYTES sizeof(((struct sc_err *)0)->text)

struct sc_bench_stats {
    struct sc_hist latency; /* from the intended start: in an open loop, the schedule's */
    struct sc_hist raw; /* open loop only: from the actual start */
    struct sc_hist handshake; /* from connect(2) to the pin check; HANDSHAKES: as `handshakes` */
    struct sc_hist lag; /* open loop only: how late the generator itself was */
    uint64_t in_time; /* operations answered within the measured phase */
    uint64_t handshakes, resumed; /* HANDSHAKES: within the measured phase; else all */
    uint64_t errors[SC_BENCH_ERROR_COUNT];
    char first_error[SC_BENCH_ERROR_COUNT][SC_BENCH_ERROR_TEXT_BYTES]; /* of each kind */
};

void sc_bench_stats_init(struct sc_bench_stats *stats);
/* Adds what `from` has counted; the first text of a kind stays. */
void sc_bench_stats_merge(struct sc_bench_stats *into, const struct sc_bench_stats *from);

/* What the first connection has negotiated. */
struct sc_bench_tls {
    char version[16], cipher[64], group[32]; /* empty: none */
    char pin[128]; /* that matched */
    char validity[80]; /* of the certificate, "valid until 2036-11-18, 3649 more days" */
    bool outdated; /* the certificate is outside its dates; pinned, it is accepted */
};

/* A finished run. */
struct sc_bench_result {
    struct sc_bench_stats stats;
    struct sc_bench_seconds seconds; /* of the measured phase */
    struct timespec started; /* when it began */
    double connect_s; /* until all connections were open */
    double elapsed_s; /* the measured phase */
    bool interrupted;
    bool gave_up; /* ended with fewer operations than asked for: the server did not come back */
    uint64_t never_sent; /* open loop: due before the end, but no connection was free */

    struct sc_bench_tls tls;
    char target[300]; /* numeric address */
    struct sc_pin_mismatch mismatch; /* of a run that a pin has ended; else empty */
    char limit[256]; /* what other than the server limited the run or ended it; empty: nothing */

    double generator_cpu; /* of the busiest thread: processor time / elapsed time */
    double generator_wait; /* of the same thread: time ready to run without a processor / elapsed */

    bool has_server;
    char no_server[160]; /* why there are no figures of the server; empty: not asked for */
    double server_cpu_s; /* in the measured phase */
    uint64_t server_rss_before_bytes; /* before the first connection */
    uint64_t server_rss_bytes; /* at the end of the measured phase */
    uint64_t open; /* connections at the end of the measured phase */
};

void sc_bench_result_fini(struct sc_bench_result *result);

/* Operations a second. */
double sc_bench_rate(const struct sc_bench_result *result);
/* Errors of all kinds. */
uint64_t sc_bench_errors(const struct sc_bench_result *result);
/* Operations for each second of the server's processor time; 0: not known. */
double sc_bench_per_cpu_second(const struct sc_bench_result *result);

/* The columns of a histogram, the same in every report: min, mean, p50 ... p99.99, max. */
#define SC_BENCH_COLUMNS 10U
struct sc_bench_column {
    const char *name;
    double percent; /* negative: the mean */
};
extern const struct sc_bench_column sc_bench_columns[SC_BENCH_COLUMNS];

/* Nanoseconds; 0 when the histogram is empty. */
double sc_bench_column_ns(const struct sc_bench_column *column, const struct sc_hist *hist);

#endif

/*
 * A load on a server: what sc-bench does, without argv and without printing. A plan goes in,
 * figures come out.
 *
 * Every thread of the generator has an event_base and its share of the connections. Requests are
 * slices of one constant stream, replies are compared with another (bench/stream.h), so
 * that a request costs no allocation and no formatting. The generator drives OpenSSL on the socket
 * itself: it must be lighter than the server that it measures, and it shall not hide a fault by
 * sharing the server's code.
 *
 * Phases: connect (all connections, no requests), warm-up (not counted), measure, drain (what was
 * sent is answered, and counted in the latencies but not in the rate).
 *
 * Thread: sc_bench_run() blocks its caller, which must be the only one of the process that uses
 * the plan.
 */
#ifndef SC_BENCH_BENCH_H
#define SC_BENCH_BENCH_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/hist.h"
#include "base/parse.h"
#include "bench/stream.h"

struct sc_tls_context;
struct sc_pin_set;

enum sc_bench_mode {
    SC_BENCH_REQUESTS, /* requests over connections that stay */
    SC_BENCH_HANDSHAKES, /* for each operation a connection: handshake, one request, close */
    SC_BENCH_HOLD, /* connections that stay and say nothing; at the end each must still answer one
                      request */
};

struct sc_bench_progress {
    const char *phase; /* "connecting", "warming up", "measuring", "finishing" */
    double phase_s; /* seconds since it began */
    uint64_t open; /* connections with a finished handshake */
    uint64_t operations; /* answered, all phases */
    uint64_t errors;
};

#define SC_BENCH_MAX_THREADS 64U
#define SC_BENCH_MAX_SOURCES 64U
#define SC_BENCH_MAX_PIDS 64U

struct sc_bench_plan {
    const struct sc_address *address;
    struct sc_tls_context *context; /* of a client; borrowed */
    const struct sc_pin_set *pins; /* borrowed */

    enum sc_bench_mode mode;
    enum sc_bench_type type;
    size_t size_bytes; /* of a request's body */
    unsigned connections; /* at the same time */
    unsigned depth; /* requests in flight on each */
    unsigned threads; /* 1 to SC_BENCH_MAX_THREADS */
    double rate; /* operations a second of all threads; 0: as fast as replies come (closed loop) */
    unsigned resume_percent; /* HANDSHAKES: this share of them offers a session */
    uint64_t warm_up_ms;
    uint64_t duration_ms; /* of the measuring; not used when `requests` is set */
    uint64_t requests; /* operations to measure; 0: by duration */
    uint64_t timeout_ms; /* for a connection, and for a reply */

    const char *sources[SC_BENCH_MAX_SOURCES]; /* local addresses to connect from, in turn; none:
                                                  chosen when ports could run out */
    size_t source_count;

    pid_t server_pids[SC_BENCH_MAX_PIDS]; /* whose use of processor and memory is taken */
    size_t server_pid_count;

    /* Called about four times a second from the caller's thread; NULL is fine. */
    void (*on_progress)(void *arg, const struct sc_bench_progress *progress);
    void *progress_arg;

    /* Set by a signal handler: the run ends early, with the figures so far. NULL is fine. */
    const volatile sig_atomic_t *interrupted;
};

/* Kinds of errors: the enumerator, the word of JSON and --expect, words for a person. */
#define SC_BENCH_ERRORS(X) \
    X(CONNECT, "connect", "cannot connect") \
    X(TIMEOUT, "timeout", "timed out") \
    X(TLS, "tls", "TLS handshake failed, or an alert") \
    X(PIN, "pin", "the certificate matched no pin") \
    X(CLOSED, "closed", "the server closed the connection") \
    X(SERVER, "server", "the server answered ERROR") \
    X(PROTOCOL, "protocol", "the reply is no frame of the protocol") \
    X(WRONG_REPLY, "wrong_reply", "wrong type, length, order or content")

enum sc_bench_error {
#define SC_BENCH_ERROR_ENUM(name, word, text) SC_BENCH_ERROR_##name,
    SC_BENCH_ERRORS(SC_BENCH_ERROR_ENUM)
#undef SC_BENCH_ERROR_ENUM
        SC_BENCH_ERROR_COUNT
};

const char *sc_bench_error_word(enum sc_bench_error kind);
const char *sc_bench_error_text(enum sc_bench_error kind);
/* The exit status that goes with it. */
int sc_bench_error_status(enum sc_bench_error kind);

/* What the threads count; merged, what the run has counted. */
struct sc_bench_stats {
    struct sc_hist
        latency; /* from the intended start: of an open loop the schedule's, else the real one */
    struct sc_hist raw; /* open loop: from the real start */
    struct sc_hist handshake; /* from connect(2) to the end of the TLS handshake and the pin check;
                                 all phases */
    struct sc_hist lag; /* open loop: how late the generator itself was */
    uint64_t in_time; /* operations that were answered within the measured time */
    uint64_t handshakes, resumed; /* HANDSHAKES: within the measured time; else all */
    uint64_t errors[SC_BENCH_ERROR_COUNT];
    char first_error[SC_BENCH_ERROR_COUNT][192]; /* of each kind */
};

struct sc_bench_result {
    struct sc_bench_stats stats;
    double connect_s; /* until all connections were there */
    double elapsed_s; /* measured time */
    bool interrupted;
    bool gave_up; /* not all that was asked for is done: the server was gone for good */

    char tls_version[16], tls_cipher[64], tls_group[32];
    char pin[128]; /* that matched */
    char target[300]; /* numeric address */
    char limit[256]; /* what was the limit beside the server, or ended the run early; empty: nothing
                      */

    double generator_cpu; /* of the busiest thread: processor time / elapsed time */
    double generator_wait; /* of the same: time that it was ready to run and had no processor /
                              elapsed time */

    bool has_server;
    char no_server[128]; /* why not, although it was asked for; empty: it was not */
    double server_cpu_s;
    uint64_t server_rss_before_bytes,
        server_rss_bytes; /* before the first connection; at the end of the measured time */
    uint64_t open; /* connections at the end of the measured time */
};

/* Operations a second. */
double sc_bench_rate(const struct sc_bench_result *result);
/* All kinds. */
uint64_t sc_bench_errors(const struct sc_bench_result *result);
/* Operations for each second of the server's processor time; 0: not known. */
double sc_bench_per_cpu_second(const struct sc_bench_result *result);

/*
 * Runs the plan. Failures before the first connection worked, pins that do not match, and too few
 * descriptors end it: -1, with the exit status of the client programs. Later failures are counted.
 */
int sc_bench_run(const struct sc_bench_plan *plan, struct sc_bench_result *result,
                 struct sc_err *err) SC_NODISCARD;

#endif

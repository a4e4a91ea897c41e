/*
 * One thread of the generator: its connections, when each gets its next request, and what is
 * counted. It follows the phase that the run is in, and tells the run (bench/run.c) when its
 * part of a phase is done.
 */
#ifndef SC_BENCH_THREAD_H
#define SC_BENCH_THREAD_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "bench/bench.h"
#include "bench/conn.h"
#include "bench/stream.h"

enum sc_bench_phase {
    SC_BENCH_CONNECT,
    SC_BENCH_WARM_UP,
    SC_BENCH_MEASURE,
    SC_BENCH_DRAIN,
    SC_BENCH_STOP
};

/* What the threads of a run share. `lock` guards what follows it. */
struct sc_bench_run {
    const struct sc_bench_plan *plan;
    const struct sc_bench_stream *stream;
    const char *host;
    struct sockaddr_storage target;
    socklen_t target_length;
    struct sockaddr_storage sources[SC_BENCH_MAX_SOURCES];
    size_t source_count;
    atomic_int phase; /* enum sc_bench_phase; written by the run's thread alone */

    pthread_mutex_t lock;
    pthread_cond_t changed; /* a thread has done its part, or the run has failed */
    bool described; /* the TLS parameters are there */
    char tls_version[16], tls_cipher[64], tls_group[32], pin[128];
    bool failed; /* the run must end */
    struct sc_err err;
};

struct sc_bench_thread {
    struct sc_bench_run *run;
    unsigned connections; /* its share */
    unsigned first; /* number of its first connection */
    double rate; /* its share; 0: closed loop */
    uint64_t budget; /* its share of plan->requests */
    pthread_t id;
    int wake_fd; /* an eventfd: the phase has changed */
    struct sc_bench_stats stats; /* to be read when the thread has ended */
    double cpu, wait; /* shares of the measured time */
    uint64_t measure_ns, measured_ns; /* when it began and ended here */
    uint64_t server_before_ns, server_after_ns; /* what the servers had used by then */
    uint64_t open_at_end;
    bool gave_up; /* the server was gone for good */
    uint64_t never_sent; /* open loop: was due before the end, and waited for a free connection */

    /* Read by the run while the thread writes them. */
    atomic_uint_fast64_t open, operations, error_count;
    atomic_int done_phase; /* the last phase that it has done its part of; -1: none */
};

/*
 * What falls to `count` connections, the first of them number `first` of all, of a total that is
 * spread evenly over `all`: shares of neighbours add up to the total.
 */
uint64_t sc_bench_share(uint64_t total, unsigned all, unsigned first, unsigned count);

void sc_bench_stats_init(struct sc_bench_stats *stats);
/* Adds what `from` has counted. */
void sc_bench_stats_merge(struct sc_bench_stats *into, const struct sc_bench_stats *from);

/*
 * Starts it. Everything up to `wake_fd` is set by the caller, the rest zero. Returns an errno
 * value, 0: runs.
 */
int sc_bench_thread_start(struct sc_bench_thread *thread);

/* Tells it that run->phase has changed. */
void sc_bench_thread_wake(struct sc_bench_thread *thread);

#endif

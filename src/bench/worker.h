/* SPDX-License-Identifier: MIT */
/*
 * The state of a generator thread, and of what it shares with the run. Data only: thread.c sets it
 * up and follows the phases, callbacks.c counts what connections report, schedule.c decides which
 * operation begins when.
 *
 * Thread: struct sc_bench_worker belongs to the generator thread; what the run reads meanwhile is
 * atomic or under `lock`.
 */
#ifndef SC_BENCH_WORKER_H
#define SC_BENCH_WORKER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/err.h"
#include "bench/conn.h"
#include "bench/plan.h"
#include "bench/seconds.h"
#include "bench/stats.h"
#include "bench/stream.h"
#include "bench/target.h"
#include "bench/usage.h"

enum sc_bench_phase {
    SC_BENCH_CONNECT,
    SC_BENCH_WARM_UP,
    SC_BENCH_MEASURE,
    SC_BENCH_FINISH, /* what was sent is answered */
    SC_BENCH_STOP
};

/* What the threads of a run share. `lock` guards what follows it. */
struct sc_bench_shared {
    const struct sc_bench_plan *plan;
    const struct sc_bench_stream *stream;
    struct sc_bench_target target;
    atomic_int phase; /* enum sc_bench_phase; written by the run alone */

    pthread_mutex_t lock;
    pthread_cond_t changed; /* a thread has finished its part of a phase, or the run has failed */
    bool described; /* the TLS parameters are set */
    struct sc_bench_tls tls;
    bool failed; /* the run must end, with `err` */
    struct sc_err err;
    struct sc_pin_mismatch mismatch; /* when that is a pin; else empty */
};

/* A thread as the run sees it. */
struct sc_bench_thread {
    struct sc_bench_shared *shared;
    unsigned connections; /* its share */
    unsigned first; /* number of its first connection */
    double rate; /* its share; 0: closed loop */
    uint64_t budget; /* its share of plan->requests */
    pthread_t id;
    int wakeup_fd; /* an eventfd: the phase has changed */

    /* To be read when the thread has ended. */
    struct sc_bench_stats stats;
    double cpu, wait; /* shares of the measured phase */
    uint64_t measure_ns, measured_ns; /* when it began and ended here */
    uint64_t server_before_ns, server_after_ns; /* processor time of the servers by then */
    uint64_t open_at_end;
    uint64_t never_sent;
    bool gave_up;

    struct sc_bench_handed handed; /* guarded by the lock */

    /* Read by the run while the thread writes them. */
    atomic_uint_fast64_t open, operations, error_count;
    atomic_uint_fast64_t in_time; /* as in `stats` */
    atomic_int done_phase; /* the last phase that it has finished its part of; -1: none */
};

TAILQ_HEAD(sc_bench_conn_list, sc_bench_conn);

struct sc_bench_worker {
    struct sc_bench_thread *thread;
    struct sc_bench_shared *shared;
    const struct sc_bench_plan *plan;
    struct sc_bench_stats *stats;
    struct sc_hist recent; /* latencies that are neither in `stats` nor handed over */
    uint64_t in_time_handed; /* of stats->in_time */
    struct sc_bench_io io;
    struct sc_bench_conn *conns;
    struct event *wakeup_event, *tick_event, *run_event, *due_event;
    enum sc_bench_phase phase;
    bool has_worked; /* a handshake has succeeded */

    /* Connections being made in the connect phase. */
    unsigned opened, connecting;

    uint64_t open, operations, errors; /* all phases */
    uint64_t under_way; /* operations that have begun and not ended */
    uint64_t gone_since_ns; /* nothing has been open since then; 0: something is */

    /* Which operations may begin. */
    struct sc_bench_conn_list available; /* connections with room; closed loop: HANDSHAKES only */
    uint64_t budget; /* measured operations that may still begin; UINT64_MAX: unlimited */
    double due_every_ns, due_fraction; /* open loop; 0: closed loop */
    uint64_t next_due_ns;
    bool starved; /* the schedule waits for an available connection */
    unsigned next_source, resume_sum;

    struct sc_bench_usage usage; /* of this thread, when the measured phase began */
};

#endif

/*
 * The inside of a thread of the generator, for bench_thread.c (life, phases, counting) and
 * bench_schedule.c (what begins when).
 */
#ifndef SC_BENCH_WORKER_H
#define SC_BENCH_WORKER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "bench/conn.h"
#include "bench/thread.h"
#include "bench/usage.h"

TAILQ_HEAD(sc_bench_conn_list, sc_bench_conn);

struct sc_bench_worker {
    struct sc_bench_thread *thread;
    struct sc_bench_run *run;
    const struct sc_bench_plan *plan;
    struct sc_bench_stats *stats;
    struct sc_bench_io io;
    struct sc_bench_conn *conns;
    struct event *wake_event, *tick_event, *pump_event, *schedule_event;
    enum sc_bench_phase phase;
    bool has_worked; /* a handshake was good */

    /* Connections being made in the connect phase. */
    unsigned opened, connecting;

    /* All phases. */
    uint64_t open, operations, errors;
    uint64_t under_way; /* operations that have begun and not ended */
    uint64_t gone_since_ns; /* nothing is open, and every attempt since has failed; 0: not so */

    /* What may begin. */
    struct sc_bench_conn_list
        free_list; /* can take an operation now; of a closed loop only HANDSHAKES uses it */
    uint64_t budget; /* measured operations that may still begin; UINT64_MAX: no end */
    double due_every_ns, due_fraction; /* open loop; 0: closed */
    uint64_t next_due_ns;
    bool starved; /* the schedule waits for a free connection */
    unsigned next_source, resume_dice;

    struct sc_bench_usage usage; /* when the measuring began */
};

/* --- bench_schedule.c --- */

/* Opens what is to be open, begins what may begin; cheap when there is nothing. */
void sc_bench_worker_pump(struct sc_bench_worker *worker);
/* The same, soon, from the loop. */
void sc_bench_worker_pump_later(struct sc_bench_worker *worker);

/* The connection can take an operation, or no more. */
void sc_bench_worker_offer(struct sc_bench_worker *worker, struct sc_bench_conn *conn);
void sc_bench_worker_take_off(struct sc_bench_worker *worker, struct sc_bench_conn *conn);

/* An established connection of a REQUESTS plan has room again. */
void sc_bench_worker_feed(struct sc_bench_worker *worker, struct sc_bench_conn *conn,
                          uint64_t now_ns);

/* Operations may begin from now on. */
void sc_bench_worker_kick(struct sc_bench_worker *worker);

/* Opens a connection from the next source address. */
void sc_bench_worker_open(struct sc_bench_worker *worker, struct sc_bench_conn *conn, bool resume);

#endif

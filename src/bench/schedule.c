/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "bench/schedule.h"

#include "base/clock.h"

/* Handshakes under way in the connect phase: fewer than any listen backlog. */
#define MAX_CONNECTING 64U
/* Of the open loop's timer. */
#define MIN_WAIT_US 50U

/* What falls to the first `count` connections. */
static uint64_t share_of_first(uint64_t total, unsigned all, unsigned count)
{
    return total / all * count + total % all * count / all;
}

uint64_t sc_bench_share(uint64_t total, unsigned all, unsigned first, unsigned count)
{
    return share_of_first(total, all, first + count) - share_of_first(total, all, first);
}

static bool is_closed_loop(const struct sc_bench_worker *worker)
{
    return worker->due_every_ns <= 0.0;
}

static bool may_begin(const struct sc_bench_worker *worker)
{
    return worker->plan->mode != SC_BENCH_HOLD &&
           (worker->phase == SC_BENCH_WARM_UP ||
            (worker->phase == SC_BENCH_MEASURE && worker->budget > 0));
}

/* How many of the wanted operations may begin. */
static unsigned spend(struct sc_bench_worker *worker, unsigned wanted)
{
    if (!may_begin(worker)) {
        return 0;
    }
    if (worker->phase != SC_BENCH_MEASURE || worker->budget == UINT64_MAX) {
        return wanted;
    }
    const unsigned granted = worker->budget < wanted ? (unsigned)worker->budget : wanted;
    worker->budget -= granted;
    return granted;
}

void sc_bench_schedule_add(struct sc_bench_worker *worker, struct sc_bench_conn *conn)
{
    if (!conn->linked) {
        TAILQ_INSERT_TAIL(&worker->available, conn, link);
        conn->linked = true;
    }
}

void sc_bench_schedule_remove(struct sc_bench_worker *worker, struct sc_bench_conn *conn)
{
    if (conn->linked) {
        TAILQ_REMOVE(&worker->available, conn, link);
        conn->linked = false;
    }
}

void sc_bench_schedule_open(struct sc_bench_worker *worker, struct sc_bench_conn *conn, bool resume)
{
    const size_t count = worker->shared->target.source_count;
    sc_bench_conn_open(
        conn, count == 0 ? NULL : &worker->shared->target.sources[worker->next_source++ % count],
        resume);
}

/* Evenly spread: of every hundred connections exactly the share. */
static bool wants_resumption(struct sc_bench_worker *worker)
{
    worker->resume_sum += worker->plan->resume_percent;
    const bool resume = worker->resume_sum >= 100U;
    worker->resume_sum -= resume ? 100U : 0U;
    return resume;
}

static void begin_handshake(struct sc_bench_worker *worker, struct sc_bench_conn *conn,
                            const struct sc_bench_start *start)
{
    sc_bench_schedule_remove(worker, conn);
    conn->operation = *start;
    conn->is_busy = true;
    worker->under_way++;
    sc_bench_schedule_open(worker, conn, wants_resumption(worker));
}

static void begin_requests(struct sc_bench_worker *worker, struct sc_bench_conn *conn,
                           unsigned count, const struct sc_bench_start *start)
{
    worker->under_way += count;
    sc_bench_conn_request(conn, count, start);
}

/* --- Open loop --- */

static void advance_schedule(struct sc_bench_worker *worker)
{
    worker->due_fraction += worker->due_every_ns;
    const uint64_t whole = (uint64_t)worker->due_fraction;
    worker->due_fraction -= (double)whole;
    worker->next_due_ns += whole;
}

static void begin_due(struct sc_bench_worker *worker, struct sc_bench_conn *conn, uint64_t now)
{
    const struct sc_bench_start start = {.intended_ns = worker->next_due_ns, .real_ns = now};
    if (!worker->starved && worker->phase == SC_BENCH_MEASURE) {
        sc_hist_record(&worker->stats->lag, now - worker->next_due_ns);
    }
    if (worker->plan->mode == SC_BENCH_HANDSHAKES) {
        begin_handshake(worker, conn, &start);
        return;
    }
    /* Round robin: to the end of the list when there is room left. */
    sc_bench_schedule_remove(worker, conn);
    begin_requests(worker, conn, 1, &start);
    if (conn->in_flight < worker->plan->depth) {
        sc_bench_schedule_add(worker, conn);
    }
    sc_bench_conn_flush(conn);
}

static void begin_all_due(struct sc_bench_worker *worker)
{
    uint64_t now = sc_clock_ns();
    while (worker->next_due_ns <= now) {
        struct sc_bench_conn *conn = TAILQ_FIRST(&worker->available);
        if (!conn && may_begin(worker)) {
            worker->starved = true; /* until a connection is available */
            return;
        }
        if (spend(worker, 1) == 0) {
            return;
        }
        begin_due(worker, conn, now);
        advance_schedule(worker);
        if (worker->next_due_ns > now) {
            now = sc_clock_ns();
        }
    }
    worker->starved = false;
    if (may_begin(worker)) {
        const uint64_t wait_us = (worker->next_due_ns - now) / 1000U;
        const uint64_t us = wait_us > MIN_WAIT_US ? wait_us : MIN_WAIT_US;
        const struct timeval wait = {.tv_sec = (time_t)(us / 1000000U),
                                     .tv_usec = (suseconds_t)(us % 1000000U)};
        (void)event_add(worker->due_event, &wait);
    }
}

/* --- Open and closed loop --- */

static void begin_up_to_depth(struct sc_bench_worker *worker, struct sc_bench_conn *conn,
                              uint64_t now)
{
    const unsigned count = spend(worker, worker->plan->depth - conn->in_flight);
    if (count > 0) {
        begin_requests(worker, conn, count,
                       &(const struct sc_bench_start){.intended_ns = now, .real_ns = now});
    }
}

void sc_bench_schedule_refill(struct sc_bench_worker *worker, struct sc_bench_conn *conn,
                              uint64_t now_ns)
{
    if (is_closed_loop(worker)) {
        begin_up_to_depth(worker, conn, now_ns);
        return;
    }
    sc_bench_schedule_add(worker, conn);
    if (worker->starved) {
        sc_bench_schedule_run_later(worker);
    }
}

/*
 * Only connections that are available now: one that fails at once comes back to the list, and would
 * be tried forever in here.
 */
static void begin_handshakes(struct sc_bench_worker *worker)
{
    const uint64_t now = sc_clock_ns();
    struct sc_bench_conn *last = TAILQ_LAST(&worker->available, sc_bench_conn_list);
    struct sc_bench_conn *conn = TAILQ_FIRST(&worker->available);
    while (conn && spend(worker, 1) > 0) {
        struct sc_bench_conn *next = conn == last ? NULL : TAILQ_NEXT(conn, link);
        begin_handshake(worker, conn,
                        &(const struct sc_bench_start){.intended_ns = now, .real_ns = now});
        conn = next;
    }
}

void sc_bench_schedule_run(struct sc_bench_worker *worker)
{
    if (worker->phase == SC_BENCH_CONNECT) {
        while (worker->plan->mode != SC_BENCH_HANDSHAKES && worker->connecting < MAX_CONNECTING &&
               worker->opened < worker->thread->connections) {
            worker->connecting++;
            sc_bench_schedule_open(worker, &worker->conns[worker->opened++], false);
        }
    } else if (!is_closed_loop(worker)) {
        if (may_begin(worker)) {
            begin_all_due(worker);
        }
    } else if (worker->plan->mode == SC_BENCH_HANDSHAKES) {
        begin_handshakes(worker);
    }
}

void sc_bench_schedule_run_later(struct sc_bench_worker *worker)
{
    event_active(worker->run_event, EV_TIMEOUT, 0);
}

void sc_bench_schedule_start(struct sc_bench_worker *worker)
{
    const uint64_t now = sc_clock_ns();
    worker->next_due_ns = now;
    for (unsigned i = 0; i < worker->thread->connections; i++) {
        struct sc_bench_conn *conn = &worker->conns[i];
        if (worker->plan->mode == SC_BENCH_HANDSHAKES && conn->state == SC_BENCH_CONN_CLOSED) {
            sc_bench_schedule_add(worker, conn);
        } else if (worker->plan->mode == SC_BENCH_REQUESTS && conn->state == SC_BENCH_CONN_READY) {
            sc_bench_schedule_refill(worker, conn, now);
            sc_bench_conn_flush(conn);
        }
    }
    sc_bench_schedule_run(worker);
}

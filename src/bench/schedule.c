#include "config.h"

#include "bench/worker.h"

#include "base/clock.h"

#define MOST_CONNECTING \
    64U /* handshakes under way while the connections are made: no backlog overflows */
#define SHORTEST_WAIT_US 50U /* of the open loop's timer */

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

void sc_bench_worker_offer(struct sc_bench_worker *worker, struct sc_bench_conn *conn)
{
    if (!conn->linked) {
        TAILQ_INSERT_TAIL(&worker->free_list, conn, link);
        conn->linked = true;
    }
}

void sc_bench_worker_take_off(struct sc_bench_worker *worker, struct sc_bench_conn *conn)
{
    if (conn->linked) {
        TAILQ_REMOVE(&worker->free_list, conn, link);
        conn->linked = false;
    }
}

void sc_bench_worker_open(struct sc_bench_worker *worker, struct sc_bench_conn *conn, bool resume)
{
    const size_t count = worker->run->source_count;
    sc_bench_conn_open(
        conn, count == 0 ? NULL : &worker->run->sources[worker->next_source++ % count], resume);
}

/* An even spread: every hundred connections have exactly the share. */
static bool shall_resume(struct sc_bench_worker *worker)
{
    worker->resume_dice += worker->plan->resume_percent;
    const bool resume = worker->resume_dice >= 100U;
    worker->resume_dice -= resume ? 100U : 0U;
    return resume;
}

static void begin_handshake(struct sc_bench_worker *worker, struct sc_bench_conn *conn,
                            const struct sc_bench_start *start)
{
    sc_bench_worker_take_off(worker, conn);
    conn->operation = *start;
    conn->is_busy = true;
    worker->under_way++;
    sc_bench_worker_open(worker, conn, shall_resume(worker));
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
    /* Round robin: to the end of the list, if there is still room. */
    sc_bench_worker_take_off(worker, conn);
    begin_requests(worker, conn, 1, &start);
    if (conn->in_flight < worker->plan->depth) {
        sc_bench_worker_offer(worker, conn);
    }
    sc_bench_conn_flush(conn);
}

static void keep_schedule(struct sc_bench_worker *worker)
{
    uint64_t now = sc_clock_ns();
    while (worker->next_due_ns <= now) {
        struct sc_bench_conn *conn = TAILQ_FIRST(&worker->free_list);
        if (!conn && may_begin(worker)) {
            worker->starved = true; /* the next free connection comes back here */
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
        const uint64_t us = wait_us > SHORTEST_WAIT_US ? wait_us : SHORTEST_WAIT_US;
        const struct timeval wait = {.tv_sec = (time_t)(us / 1000000U),
                                     .tv_usec = (suseconds_t)(us % 1000000U)};
        (void)event_add(worker->schedule_event, &wait);
    }
}

/* --- Both --- */

static void fill_up(struct sc_bench_worker *worker, struct sc_bench_conn *conn, uint64_t now)
{
    const unsigned count = spend(worker, worker->plan->depth - conn->in_flight);
    if (count > 0) {
        begin_requests(worker, conn, count,
                       &(const struct sc_bench_start){.intended_ns = now, .real_ns = now});
    }
}

void sc_bench_worker_feed(struct sc_bench_worker *worker, struct sc_bench_conn *conn,
                          uint64_t now_ns)
{
    if (is_closed_loop(worker)) {
        fill_up(worker, conn, now_ns);
        return;
    }
    sc_bench_worker_offer(worker, conn);
    if (worker->starved) {
        sc_bench_worker_pump_later(worker);
    }
}

/*
 * Closed loop of connections: only those that are free now, so that one that fails at once is not
 * tried for ever in here.
 */
static void begin_handshakes(struct sc_bench_worker *worker)
{
    const uint64_t now = sc_clock_ns();
    struct sc_bench_conn *last = TAILQ_LAST(&worker->free_list, sc_bench_conn_list);
    struct sc_bench_conn *conn = TAILQ_FIRST(&worker->free_list);
    while (conn && spend(worker, 1) > 0) {
        struct sc_bench_conn *next = conn == last ? NULL : TAILQ_NEXT(conn, link);
        begin_handshake(worker, conn,
                        &(const struct sc_bench_start){.intended_ns = now, .real_ns = now});
        conn = next;
    }
}

void sc_bench_worker_pump(struct sc_bench_worker *worker)
{
    if (worker->phase == SC_BENCH_CONNECT) {
        while (worker->plan->mode != SC_BENCH_HANDSHAKES && worker->connecting < MOST_CONNECTING &&
               worker->opened < worker->thread->connections) {
            worker->connecting++;
            sc_bench_worker_open(worker, &worker->conns[worker->opened++], false);
        }
    } else if (!is_closed_loop(worker)) {
        if (may_begin(worker)) {
            keep_schedule(worker);
        }
    } else if (worker->plan->mode == SC_BENCH_HANDSHAKES) {
        begin_handshakes(worker);
    }
}

void sc_bench_worker_pump_later(struct sc_bench_worker *worker)
{
    event_active(worker->pump_event, EV_TIMEOUT, 0);
}

void sc_bench_worker_kick(struct sc_bench_worker *worker)
{
    const uint64_t now = sc_clock_ns();
    worker->next_due_ns = now;
    for (unsigned i = 0; i < worker->thread->connections; i++) {
        struct sc_bench_conn *conn = &worker->conns[i];
        if (worker->plan->mode == SC_BENCH_HANDSHAKES && conn->state == SC_BENCH_CONN_CLOSED) {
            sc_bench_worker_offer(worker, conn);
        } else if (worker->plan->mode == SC_BENCH_REQUESTS && conn->state == SC_BENCH_CONN_READY) {
            sc_bench_worker_feed(worker, conn, now);
            sc_bench_conn_flush(conn);
        }
    }
    sc_bench_worker_pump(worker);
}

/* SPDX-License-Identifier: MIT */
/* What replies, handshakes and failures count for, by phase: on connections without sockets. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "bench/callbacks.h"
#include "bench/schedule.h"
#include "suite.h"

#define MS UINT64_C(1000000)
#define MEASURE_NS (1000 * MS) /* when the measured phase began */

static struct sc_bench_plan plan;
static struct sc_bench_shared shared;
static struct sc_bench_thread thread;
static struct sc_bench_worker worker;
static struct sc_bench_conn conn;
static struct sc_bench_start starts[8];

static void begin(enum sc_bench_mode mode, uint64_t requests, double due_every_ns)
{
    plan = (struct sc_bench_plan){.mode = mode,
                                  .requests = requests,
                                  .connections = 1,
                                  .depth = SC_COUNT_OF(starts),
                                  .timeout_ms = 500};
    memset(&shared, 0, sizeof(shared));
    memset(&thread, 0, sizeof(thread));
    shared.plan = &plan;
    ck_assert_int_eq(pthread_mutex_init(&shared.lock, NULL), 0);
    ck_assert_int_eq(pthread_cond_init(&shared.changed, NULL), 0);
    atomic_init(&thread.done_phase, -1);
    thread.connections = 1;
    thread.measure_ns = MEASURE_NS;
    sc_bench_stats_init(&thread.stats);
    worker = (struct sc_bench_worker){.thread = &thread,
                                      .shared = &shared,
                                      .plan = &plan,
                                      .stats = &thread.stats,
                                      .has_worked = true,
                                      .budget = requests > 0 ? 0 : UINT64_MAX,
                                      .due_every_ns = due_every_ns};
    sc_hist_init(&worker.recent);
    worker.io.plan = &plan;
    worker.io.target = &shared.target;
    TAILQ_INIT(&worker.available);
    sc_bench_callbacks_install(&worker);
    conn = (struct sc_bench_conn){
        .io = &worker.io, .state = SC_BENCH_CONN_READY, .fd = -1, .starts = starts};
}

/* A reply in that phase, 30 ms after the intended start and 10 ms after the real one. */
static void reply(enum sc_bench_phase phase, uint64_t intended_ns)
{
    const struct sc_bench_start start = {.intended_ns = intended_ns,
                                         .real_ns = intended_ns + 20 * MS};
    worker.phase = phase;
    conn.in_flight = 0;
    conn.unsent = 0;
    conn.oldest = 0;
    worker.under_way = 1;
    sc_bench_conn_request(&conn, 1, &start);
    worker.io.on_replies(&conn, 1, intended_ns + 30 * MS);
}

static void assert_counts(uint64_t latencies, uint64_t in_time)
{
    ck_assert_uint_eq(worker.recent.count, latencies);
    ck_assert_uint_eq(thread.stats.in_time, in_time);
}

START_TEST(latency_counts_from_the_intended_start)
{
    begin(SC_BENCH_REQUESTS, 10, 1e6);
    reply(SC_BENCH_MEASURE, MEASURE_NS + MS);
    ck_assert_uint_eq(sc_hist_max(&worker.recent), 30 * MS);
    ck_assert_uint_eq(sc_hist_max(&thread.stats.raw), 10 * MS);

    /* A closed loop has one figure. */
    begin(SC_BENCH_REQUESTS, 10, 0.0);
    reply(SC_BENCH_MEASURE, MEASURE_NS + MS);
    ck_assert_uint_eq(worker.recent.count, 1);
    ck_assert_uint_eq(thread.stats.raw.count, 0);
}
END_TEST

START_TEST(the_warm_up_is_not_counted)
{
    for (uint64_t requests = 0; requests <= 10; requests += 10) {
        begin(SC_BENCH_REQUESTS, requests, 0.0);
        reply(SC_BENCH_WARM_UP, MEASURE_NS - 100 * MS);
        assert_counts(0, 0);
    }
    /* Begun in the warm-up, answered in the measured phase: an operation of its duration only. */
    begin(SC_BENCH_REQUESTS, 10, 0.0);
    reply(SC_BENCH_MEASURE, MEASURE_NS - MS);
    assert_counts(0, 0);
    begin(SC_BENCH_REQUESTS, 0, 0.0);
    reply(SC_BENCH_MEASURE, MEASURE_NS - MS);
    assert_counts(0, 1);
}
END_TEST

START_TEST(the_finish_counts_in_latencies_only)
{
    for (uint64_t requests = 0; requests <= 10; requests += 10) {
        begin(SC_BENCH_REQUESTS, requests, 0.0);
        reply(SC_BENCH_MEASURE, MEASURE_NS);
        assert_counts(1, 1);
        reply(SC_BENCH_FINISH, MEASURE_NS + MS);
        assert_counts(2, 1);
        reply(SC_BENCH_FINISH, MEASURE_NS - MS);
        assert_counts(2, 1);
    }
    begin(SC_BENCH_HOLD, 0, 0.0);
    reply(SC_BENCH_FINISH, MEASURE_NS + MS);
    assert_counts(0, 0);
    ck_assert_uint_eq(worker.operations, 1);
}
END_TEST

static void ready(enum sc_bench_phase phase, uint64_t intended_ns)
{
    worker.phase = phase;
    conn.operation.intended_ns = intended_ns;
    conn.in_flight = 0;
    conn.opened_ns = intended_ns;
    conn.ready_ns = intended_ns + 5 * MS;
    worker.io.on_ready(&conn);
}

START_TEST(handshakes_count_in_the_measured_phase)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    SSL *ssl = SSL_new(ctx);
    ck_assert_ptr_nonnull(ssl);
    for (uint64_t requests = 0; requests <= 10; requests += 10) {
        begin(SC_BENCH_HANDSHAKES, requests, 0.0);
        conn.ssl = ssl;
        ready(SC_BENCH_WARM_UP, MEASURE_NS - 100 * MS);
        ready(SC_BENCH_FINISH, MEASURE_NS + MS);
        ck_assert_uint_eq(thread.stats.handshakes, 0);
        ready(SC_BENCH_MEASURE, MEASURE_NS - MS);
        ck_assert_uint_eq(thread.stats.handshakes, requests > 0 ? 0 : 1);
        ready(SC_BENCH_MEASURE, MEASURE_NS + MS);
        ck_assert_uint_eq(thread.stats.handshakes, requests > 0 ? 1 : 2);
        ck_assert_uint_eq(thread.stats.handshake.count, thread.stats.handshakes);
        ck_assert_uint_eq(sc_hist_max(&thread.stats.handshake), 5 * MS);
        ck_assert_uint_eq(thread.stats.resumed, 0);
    }
    SSL_free(ssl);
    SSL_CTX_free(ctx);
}
END_TEST

static void fail_conn(enum sc_bench_phase phase, enum sc_bench_error kind)
{
    struct sc_bench_failure failure = {.kind = kind};
    (void)snprintf(failure.text, sizeof(failure.text), "failure %d", (int)kind);
    worker.phase = phase;
    conn.lost = 0;
    conn.ready_ns = 0;
    worker.io.on_closed(&conn, &failure);
}

START_TEST(failures_count_by_their_kind)
{
    begin(SC_BENCH_REQUESTS, 0, 0.0);
    worker.operations = 1;
    for (int kind = 0; kind < SC_BENCH_ERROR_COUNT; kind++) {
        fail_conn(SC_BENCH_MEASURE, (enum sc_bench_error)kind);
        ck_assert_uint_eq(thread.stats.errors[kind], 1);
        ck_assert_uint_eq(worker.errors, (unsigned)kind + 1U);
        ck_assert(strstr(thread.stats.first_error[kind], "failure") != NULL);
    }
    /* Only the pin ended the run. */
    ck_assert(shared.failed);
    ck_assert_int_eq(shared.err.status, 90);
    ck_assert_str_eq(shared.err.text, "failure 3");
}
END_TEST

START_TEST(early_failures_end_the_run)
{
    static const int statuses[] = {69, 75, 35, 90, 69, 1, 76, 76};
    for (int kind = 0; kind < SC_BENCH_ERROR_COUNT; kind++) {
        /* Nothing has worked yet. */
        begin(SC_BENCH_REQUESTS, 0, 0.0);
        worker.has_worked = false;
        fail_conn(SC_BENCH_MEASURE, (enum sc_bench_error)kind);
        ck_assert(shared.failed);
        ck_assert_int_eq(shared.err.status, statuses[kind]);

        /* Not all connections are there. */
        begin(SC_BENCH_REQUESTS, 0, 0.0);
        worker.open = 0;
        fail_conn(SC_BENCH_CONNECT, (enum sc_bench_error)kind);
        ck_assert(shared.failed);
        ck_assert_int_eq(shared.err.status, statuses[kind]);

        /* Refused after the handshake, before any reply. */
        begin(SC_BENCH_REQUESTS, 0, 0.0);
        fail_conn(SC_BENCH_MEASURE, (enum sc_bench_error)kind);
        ck_assert_int_eq(shared.failed, kind == SC_BENCH_ERROR_TLS || kind == SC_BENCH_ERROR_PIN);
    }
}
END_TEST

START_TEST(the_refill_stays_in_the_budget)
{
    static const struct {
        enum sc_bench_phase phase;
        uint64_t budget;
        unsigned in_flight, expected;
    } rows[] = {{SC_BENCH_MEASURE, UINT64_MAX, 3, 8}, {SC_BENCH_MEASURE, 2, 3, 5},
                {SC_BENCH_MEASURE, 0, 3, 3},          {SC_BENCH_WARM_UP, 2, 3, 8},
                {SC_BENCH_FINISH, UINT64_MAX, 3, 3},  {SC_BENCH_CONNECT, UINT64_MAX, 0, 0}};
    for (size_t i = 0; i < SC_COUNT_OF(rows); i++) {
        begin(SC_BENCH_REQUESTS, 0, 0.0);
        worker.phase = rows[i].phase;
        worker.budget = rows[i].budget;
        conn.in_flight = rows[i].in_flight;
        sc_bench_schedule_refill(&worker, &conn, 77);
        ck_assert_uint_eq(conn.in_flight, rows[i].expected);
        if (rows[i].expected > rows[i].in_flight) {
            ck_assert_uint_eq(starts[rows[i].in_flight].intended_ns, 77);
            ck_assert_uint_eq(worker.under_way, rows[i].expected - rows[i].in_flight);
        }
    }
}
END_TEST

/* Each request has a start of its own, in a ring of the depth. */
START_TEST(starts_are_kept_in_a_ring)
{
    begin(SC_BENCH_REQUESTS, 0, 0.0);
    memset(starts, 0, sizeof(starts));
    conn.oldest = 6;
    conn.in_flight = 1;
    sc_bench_conn_request(&conn, 4, &(const struct sc_bench_start){.intended_ns = 77});
    for (unsigned i = 0; i < SC_COUNT_OF(starts); i++) {
        ck_assert_uint_eq(starts[i].intended_ns, i == 7 || i < 3 ? 77 : 0);
    }
    ck_assert_uint_eq(conn.in_flight, 5);
}
END_TEST

/* The time of a reply is that of the oldest request. */
START_TEST(a_reply_has_its_time)
{
    begin(SC_BENCH_REQUESTS, 0, 0.0);
    worker.phase = SC_BENCH_MEASURE;
    worker.operations = 1;
    conn.oldest = 3;
    conn.in_flight = 2;
    memset(starts, 0, sizeof(starts));
    starts[3].real_ns = MEASURE_NS;
    starts[4].real_ns = MEASURE_NS + MS;
    sc_bench_check_conn(&worker, &conn, MEASURE_NS + 500 * MS);
    ck_assert_int_eq(conn.state, SC_BENCH_CONN_READY);
    sc_bench_check_conn(&worker, &conn, MEASURE_NS + 501 * MS);
    ck_assert_int_eq(conn.state, SC_BENCH_CONN_CLOSED);
    ck_assert_uint_eq(thread.stats.errors[SC_BENCH_ERROR_TIMEOUT], 1);
}
END_TEST

/* A connection that was there, or was not, ends at this time. */
static void lose_at(uint64_t now_ns, bool was_there)
{
    const struct sc_bench_failure failure = {.kind = SC_BENCH_ERROR_CLOSED};
    sc_clock_fake(&now_ns, NULL);
    worker.open = was_there ? 1 : 0;
    conn.ready_ns = was_there ? now_ns : 0;
    worker.io.on_closed(&conn, &failure);
}

/* With a number of operations to do; the time counts from the last connection that there was. */
START_TEST(a_server_that_is_gone_is_given_up)
{
    begin(SC_BENCH_REQUESTS, 10, 0.0);
    worker.phase = SC_BENCH_MEASURE;
    worker.operations = 1;
    worker.budget = 5;
    lose_at(1000 * MS, true);
    lose_at(1500 * MS, false);
    ck_assert(!thread.gave_up);
    conn.state = SC_BENCH_CONN_READY;
    conn.in_flight = plan.depth;
    worker.open = 0;
    worker.io.on_ready(&conn);
    ck_assert_uint_eq(worker.open, 1);
    lose_at(3000 * MS, true);
    lose_at(3500 * MS, false);
    ck_assert(!thread.gave_up);
    lose_at(3501 * MS, false);
    ck_assert(thread.gave_up);
    ck_assert_uint_eq(worker.budget, 0);
    sc_clock_fake(NULL, NULL);
}
END_TEST

SUITE_MAIN("bench_counting", latency_counts_from_the_intended_start, the_warm_up_is_not_counted,
           the_finish_counts_in_latencies_only, handshakes_count_in_the_measured_phase,
           failures_count_by_their_kind, early_failures_end_the_run, the_refill_stays_in_the_budget,
           starts_are_kept_in_a_ring, a_reply_has_its_time, a_server_that_is_gone_is_given_up)

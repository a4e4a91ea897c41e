/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "bench/callbacks.h"

#include <stdio.h>

#include "base/clock.h"
#include "bench/schedule.h"
#include "tls/certificate.h"

/* --- To the run --- */

void sc_bench_check_phase_done(struct sc_bench_worker *worker)
{
    struct sc_bench_shared *shared = worker->shared;
    bool done = false;
    if (worker->phase == SC_BENCH_CONNECT) {
        done = worker->plan->mode == SC_BENCH_HANDSHAKES ||
               worker->open == worker->thread->connections;
    } else if (worker->phase == SC_BENCH_MEASURE) {
        done = worker->budget == 0 && worker->under_way == 0;
    } else if (worker->phase == SC_BENCH_FINISH) {
        done = worker->under_way == 0;
    }
    if (done && atomic_load_explicit(&worker->thread->done_phase, memory_order_relaxed) !=
                    (int)worker->phase) {
        (void)pthread_mutex_lock(&shared->lock);
        atomic_store(&worker->thread->done_phase, (int)worker->phase);
        (void)pthread_cond_signal(&shared->changed);
        (void)pthread_mutex_unlock(&shared->lock);
    }
}

void sc_bench_fail_run(struct sc_bench_worker *worker, int status, const char *text)
{
    struct sc_bench_shared *shared = worker->shared;
    (void)pthread_mutex_lock(&shared->lock);
    if (!shared->failed) {
        shared->failed = true;
        (void)sc_err_set(&shared->err, status, "%s", text);
    }
    (void)pthread_cond_signal(&shared->changed);
    (void)pthread_mutex_unlock(&shared->lock);
}

static const char *group_of(SSL *ssl)
{
    const long id = SSL_get_negotiated_group(ssl);
    const char *name = id > 0 ? SSL_group_to_name(ssl, (int)id) : NULL;
    return name ? name : "";
}

/* What the first connection has negotiated is said of all. */
static void describe(struct sc_bench_worker *worker, struct sc_bench_conn *conn)
{
    struct sc_bench_shared *shared = worker->shared;
    struct sc_bench_tls *tls = &shared->tls;
    time_t from, to;
    (void)pthread_mutex_lock(&shared->lock);
    if (!shared->described) {
        shared->described = true;
        (void)snprintf(tls->version, sizeof(tls->version), "%s", SSL_get_version(conn->ssl));
        (void)snprintf(tls->cipher, sizeof(tls->cipher), "%s", SSL_get_cipher_name(conn->ssl));
        (void)snprintf(tls->group, sizeof(tls->group), "%s", group_of(conn->ssl));
        (void)snprintf(tls->pin, sizeof(tls->pin), "%s", conn->io->verify.pin.pin);
        sc_certificate_dates(SSL_get0_peer_certificate(conn->ssl), &from, &to);
        sc_certificate_describe_validity(from, to, sc_clock_wall().tv_sec, tls->validity);
        tls->outdated = conn->io->verify.pin.expired;
    }
    (void)pthread_mutex_unlock(&shared->lock);
}

/* --- From the connections --- */

/* Whether this handshake counts; with a number of operations, only theirs do. */
static bool is_measured(const struct sc_bench_worker *worker, const struct sc_bench_conn *conn)
{
    return worker->phase == SC_BENCH_MEASURE &&
           (worker->plan->requests == 0 ||
            conn->operation.intended_ns >= worker->thread->measure_ns);
}

static void on_ready(struct sc_bench_conn *conn)
{
    struct sc_bench_worker *worker = conn->io->owner;
    worker->open++;
    worker->gone_since_ns = 0;
    if (!worker->has_worked) {
        worker->has_worked = true;
        describe(worker, conn);
    }
    if (worker->plan->mode == SC_BENCH_HANDSHAKES) {
        if (is_measured(worker, conn)) {
            sc_hist_record(&worker->stats->handshake, conn->ready_ns - conn->opened_ns);
            worker->stats->handshakes++;
            worker->stats->resumed += SSL_session_reused(conn->ssl) ? 1U : 0U;
        }
        sc_bench_conn_request(conn, 1, &conn->operation);
        return;
    }
    sc_hist_record(&worker->stats->handshake, conn->ready_ns - conn->opened_ns);
    worker->stats->handshakes++;
    if (worker->phase == SC_BENCH_CONNECT) {
        worker->connecting--;
        sc_bench_schedule_run_later(worker);
        sc_bench_check_phase_done(worker);
    } else {
        sc_bench_schedule_refill(worker, conn, conn->ready_ns);
    }
}

/* Counts a reply whose operation began in the measured phase, also when it comes after it. */
static void count_reply(struct sc_bench_worker *worker, const struct sc_bench_start *start,
                        uint64_t now)
{
    const struct sc_bench_thread *thread = worker->thread;
    if (worker->phase >= SC_BENCH_MEASURE && start->intended_ns >= thread->measure_ns &&
        worker->plan->mode != SC_BENCH_HOLD) {
        worker->stats->in_time +=
            worker->phase == SC_BENCH_MEASURE && worker->plan->requests > 0 ? 1U : 0U;
        sc_hist_record(&worker->recent, now - start->intended_ns);
        if (worker->due_every_ns > 0.0) {
            sc_hist_record(&worker->stats->raw, now - start->real_ns);
        }
    }
}

static void on_replies(struct sc_bench_conn *conn, size_t count, uint64_t now_ns)
{
    struct sc_bench_worker *worker = conn->io->owner;
    for (size_t i = 0; i < count; i++) {
        count_reply(worker, &conn->starts[conn->oldest], now_ns);
        conn->oldest = conn->oldest + 1U == worker->plan->depth ? 0 : conn->oldest + 1U;
    }
    /*
     * The rate of a duration counts what is answered in it: what was sent before it makes up for
     * what is still in flight at its end.
     */
    worker->stats->in_time +=
        worker->phase == SC_BENCH_MEASURE && worker->plan->requests == 0 ? count : 0U;
    conn->in_flight -= (unsigned)count;
    worker->under_way -= count;
    worker->operations += count;
    if (worker->plan->mode == SC_BENCH_HANDSHAKES) {
        conn->is_busy = false;
        sc_bench_conn_close(conn, worker->plan->resume_percent > 0);
    } else if (worker->plan->mode == SC_BENCH_REQUESTS) {
        sc_bench_schedule_refill(worker, conn, now_ns);
    }
    sc_bench_check_phase_done(worker);
}

/* Both sides of a pin, for the program to show. */
static void keep_mismatch(struct sc_bench_shared *shared, const struct sc_pin_mismatch *mismatch)
{
    (void)pthread_mutex_lock(&shared->lock);
    if (!shared->failed) {
        shared->mismatch = *mismatch;
    }
    (void)pthread_mutex_unlock(&shared->lock);
}

static void count_failure(struct sc_bench_worker *worker, const struct sc_bench_failure *failure)
{
    const struct sc_bench_plan *plan = worker->plan;
    char *first = worker->stats->first_error[failure->kind];
    if (worker->stats->errors[failure->kind]++ == 0) {
        (void)snprintf(first, sizeof(worker->stats->first_error[0]), "%s", failure->text);
    }
    worker->errors++;
    if (failure->mismatch) {
        keep_mismatch(worker->shared, failure->mismatch);
    }
    /* With TLS 1.3 a server refuses a client, as for its certificate, after the handshake. */
    const bool refused = failure->kind == SC_BENCH_ERROR_TLS && worker->operations == 0;
    if (failure->kind == SC_BENCH_ERROR_PIN || !worker->has_worked || refused) {
        sc_bench_fail_run(worker, sc_bench_error_kinds[failure->kind].status, failure->text);
    } else if (worker->phase == SC_BENCH_CONNECT) {
        char text[sizeof(failure->text) + 40];
        (void)snprintf(text, sizeof(text), "connection %llu of %u: %s",
                       (unsigned long long)worker->open + 1U, plan->connections, failure->text);
        sc_bench_fail_run(worker, sc_bench_error_kinds[failure->kind].status, text);
    }
}

/* A run with a number of operations has no end of its own when the server does not come back. */
static void give_up_when_gone(struct sc_bench_worker *worker)
{
    const uint64_t now = sc_clock_ns();
    if (worker->open > 0) {
        return;
    }
    if (worker->gone_since_ns == 0) {
        worker->gone_since_ns = now;
    }
    if (worker->phase == SC_BENCH_MEASURE && worker->plan->requests > 0 && worker->budget > 0 &&
        now - worker->gone_since_ns > worker->plan->timeout_ms * 1000000U) {
        worker->budget = 0;
        worker->thread->gave_up = true;
    }
}

static void on_closed(struct sc_bench_conn *conn, const struct sc_bench_failure *failure)
{
    struct sc_bench_worker *worker = conn->io->owner;
    worker->open -= conn->ready_ns ? 1U : 0U;
    conn->ready_ns = 0;
    if (worker->plan->mode == SC_BENCH_HANDSHAKES) {
        worker->under_way -= conn->is_busy ? 1U : 0U;
    } else {
        worker->under_way -= conn->lost;
    }
    conn->is_busy = false;
    sc_bench_schedule_remove(worker, conn);
    if (failure) {
        count_failure(worker, failure); /* the next tick connects again */
        give_up_when_gone(worker);
    } else if (worker->plan->mode == SC_BENCH_HANDSHAKES) {
        sc_bench_schedule_add(worker, conn);
        sc_bench_schedule_run_later(worker);
    }
    sc_bench_check_phase_done(worker);
}

/* --- Each tick --- */

void sc_bench_check_conn(struct sc_bench_worker *worker, struct sc_bench_conn *conn,
                         uint64_t now_ns)
{
    const uint64_t limit_ns = worker->plan->timeout_ms * 1000000U;
    uint64_t since = now_ns;
    switch (conn->state) {
    case SC_BENCH_CONN_CLOSED:
        if (worker->phase == SC_BENCH_WARM_UP || worker->phase == SC_BENCH_MEASURE) {
            if (worker->plan->mode == SC_BENCH_HANDSHAKES) {
                sc_bench_schedule_add(worker, conn);
            } else if (worker->plan->mode == SC_BENCH_REQUESTS && worker->budget > 0) {
                sc_bench_schedule_open(worker, conn, false);
            }
        }
        return;
    case SC_BENCH_CONN_CONNECTING:
    case SC_BENCH_CONN_HANDSHAKE:
    case SC_BENCH_CONN_CLOSING: since = conn->opened_ns; break;
    case SC_BENCH_CONN_READY:
        since = conn->in_flight > 0 ? conn->starts[conn->oldest].real_ns : now_ns;
        break;
    }
    if (now_ns > since && now_ns - since > limit_ns) {
        sc_bench_conn_time_out(conn);
    }
}

void sc_bench_callbacks_install(struct sc_bench_worker *worker)
{
    worker->io.owner = worker;
    worker->io.on_ready = on_ready;
    worker->io.on_replies = on_replies;
    worker->io.on_closed = on_closed;
}

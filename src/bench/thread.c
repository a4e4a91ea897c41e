#include "config.h"

#include "bench/thread.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sysexits.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "base/clock.h"
#include "base/pool.h"
#include "bench/worker.h"
#include "tls/context.h"

#define TICK_MS 100
#define LEAN_ABOVE 1000U /* connections: more of them give their buffers back when idle */
#define READ_BYTES_SMALL ((size_t)17 << 10) /* one record */
#define READ_BYTES_LARGE ((size_t)64 << 10)

/* --- Telling the run --- */

static void check_part_done(struct sc_bench_worker *worker)
{
    struct sc_bench_run *run = worker->run;
    bool done = false;
    if (worker->phase == SC_BENCH_CONNECT) {
        done = worker->plan->mode == SC_BENCH_HANDSHAKES ||
               worker->open == worker->thread->connections;
    } else if (worker->phase == SC_BENCH_MEASURE) {
        done = worker->budget == 0 && worker->under_way == 0;
    } else if (worker->phase == SC_BENCH_DRAIN) {
        done = worker->under_way == 0;
    }
    if (done && atomic_load_explicit(&worker->thread->done_phase, memory_order_relaxed) !=
                    (int)worker->phase) {
        (void)pthread_mutex_lock(&run->lock);
        atomic_store(&worker->thread->done_phase, (int)worker->phase);
        (void)pthread_cond_signal(&run->changed);
        (void)pthread_mutex_unlock(&run->lock);
    }
}

static void fail_run(struct sc_bench_worker *worker, int status, const char *text)
{
    struct sc_bench_run *run = worker->run;
    (void)pthread_mutex_lock(&run->lock);
    if (!run->failed) {
        run->failed = true;
        (void)sc_err_set(&run->err, status, "%s", text);
    }
    (void)pthread_cond_signal(&run->changed);
    (void)pthread_mutex_unlock(&run->lock);
}

static void publish(struct sc_bench_worker *worker)
{
    atomic_store_explicit(&worker->thread->open, worker->open, memory_order_relaxed);
    atomic_store_explicit(&worker->thread->operations, worker->operations, memory_order_relaxed);
    atomic_store_explicit(&worker->thread->error_count, worker->errors, memory_order_relaxed);
}

static const char *group_of(SSL *ssl)
{
    const long id = SSL_get_negotiated_group(ssl);
    const char *name = id > 0 ? SSL_group_to_name(ssl, (int)id) : NULL;
    return name ? name : "";
}

/* The first good connection says what was negotiated. */
static void describe(struct sc_bench_worker *worker, struct sc_bench_conn *conn)
{
    struct sc_bench_run *run = worker->run;
    (void)pthread_mutex_lock(&run->lock);
    if (!run->described) {
        run->described = true;
        (void)snprintf(run->tls_version, sizeof(run->tls_version), "%s",
                       SSL_get_version(conn->ssl));
        (void)snprintf(run->tls_cipher, sizeof(run->tls_cipher), "%s",
                       SSL_get_cipher_name(conn->ssl));
        (void)snprintf(run->tls_group, sizeof(run->tls_group), "%s", group_of(conn->ssl));
        (void)snprintf(run->pin, sizeof(run->pin), "%s", conn->pin);
    }
    (void)pthread_mutex_unlock(&run->lock);
}

/* --- What the connections say --- */

/* Whether this handshake counts; of a number of operations only theirs. */
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
        sc_bench_worker_pump_later(worker);
        check_part_done(worker);
    } else {
        sc_bench_worker_feed(worker, conn, conn->ready_ns);
    }
}

/*
 * Answers count when their operation began in the measured time, also when they come a little
 * after it.
 */
static void count_answer(struct sc_bench_worker *worker, const struct sc_bench_start *start,
                         uint64_t now)
{
    const struct sc_bench_thread *thread = worker->thread;
    if (worker->phase >= SC_BENCH_MEASURE && start->intended_ns >= thread->measure_ns &&
        worker->plan->mode != SC_BENCH_HOLD) {
        worker->stats->in_time +=
            worker->phase == SC_BENCH_MEASURE && worker->plan->requests > 0 ? 1U : 0U;
        sc_hist_record(&worker->stats->latency, now - start->intended_ns);
        if (worker->due_every_ns > 0.0) {
            sc_hist_record(&worker->stats->raw, now - start->real_ns);
        }
    }
}

static void on_replies(struct sc_bench_conn *conn, size_t count, uint64_t now_ns)
{
    struct sc_bench_worker *worker = conn->io->owner;
    for (size_t i = 0; i < count; i++) {
        count_answer(worker, &conn->starts[conn->oldest], now_ns);
        conn->oldest = conn->oldest + 1U == worker->plan->depth ? 0 : conn->oldest + 1U;
    }
    /*
     * The rate of a duration is of what is answered in it: as many of those were sent before it as
     * are still out at its end.
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
        sc_bench_worker_feed(worker, conn, now_ns);
    }
    check_part_done(worker);
}

static void note_failure(struct sc_bench_worker *worker, const struct sc_bench_failure *failure)
{
    const struct sc_bench_plan *plan = worker->plan;
    char *first = worker->stats->first_error[failure->kind];
    if (worker->stats->errors[failure->kind]++ == 0) {
        (void)snprintf(first, sizeof(worker->stats->first_error[0]), "%s", failure->text);
    }
    worker->errors++;
    if (failure->kind == SC_BENCH_ERROR_PIN || !worker->has_worked) {
        fail_run(worker, sc_bench_error_status(failure->kind), failure->text);
    } else if (worker->phase == SC_BENCH_CONNECT) {
        char text[300];
        (void)snprintf(text, sizeof(text), "connection %llu of %u: %s",
                       (unsigned long long)worker->open + 1U, plan->connections, failure->text);
        fail_run(worker, sc_bench_error_status(failure->kind), text);
    }
}

/* A number of operations would be waited for as long as the server is gone: not for ever. */
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
    /* An operation of HANDSHAKES is one request once the handshake is done. */
    worker->under_way -= conn->is_busy                               ? 1U
                         : worker->plan->mode == SC_BENCH_HANDSHAKES ? 0U
                                                                     : conn->lost;
    conn->is_busy = false;
    sc_bench_worker_take_off(worker, conn);
    if (failure) {
        note_failure(worker, failure); /* the next tick tries again */
        give_up_when_gone(worker);
    } else if (worker->plan->mode == SC_BENCH_HANDSHAKES) {
        sc_bench_worker_offer(worker, conn);
        sc_bench_worker_pump_later(worker);
    }
    check_part_done(worker);
}

/* --- Time --- */

static void fail_late(struct sc_bench_conn *conn, uint64_t timeout_ms)
{
    static const char *const what[] = {[SC_BENCH_CONN_CONNECTING] = "connecting",
                                       [SC_BENCH_CONN_HANDSHAKE] = "the TLS handshake",
                                       [SC_BENCH_CONN_READY] = "waiting for a reply",
                                       [SC_BENCH_CONN_CLOSING] = "waiting for the server to close"};
    struct sc_bench_failure failure = {.kind = SC_BENCH_ERROR_TIMEOUT};
    char limit[32];
    sc_format_duration_ms(timeout_ms, limit);
    (void)snprintf(failure.text, sizeof(failure.text), "%s took longer than %s", what[conn->state],
                   limit);
    sc_bench_conn_fail(conn, &failure);
}

static void watch_conn(struct sc_bench_worker *worker, struct sc_bench_conn *conn, uint64_t now)
{
    const uint64_t limit_ns = worker->plan->timeout_ms * 1000000U;
    uint64_t since = now;
    switch (conn->state) {
    case SC_BENCH_CONN_CLOSED:
        if (worker->phase == SC_BENCH_WARM_UP || worker->phase == SC_BENCH_MEASURE) {
            if (worker->plan->mode == SC_BENCH_HANDSHAKES) {
                sc_bench_worker_offer(worker, conn);
            } else if (worker->plan->mode == SC_BENCH_REQUESTS && worker->budget > 0) {
                sc_bench_worker_open(worker, conn, false);
            }
        }
        return;
    case SC_BENCH_CONN_CONNECTING:
    case SC_BENCH_CONN_HANDSHAKE: since = conn->opened_ns; break;
    case SC_BENCH_CONN_CLOSING: since = conn->opened_ns; break;
    case SC_BENCH_CONN_READY:
        since = conn->in_flight > 0 ? conn->starts[conn->oldest].real_ns : now;
        break;
    }
    if (now > since && now - since > limit_ns) {
        fail_late(conn, worker->plan->timeout_ms);
    }
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
    struct sc_bench_worker *worker = arg;
    const uint64_t now = sc_clock_ns();
    (void)fd;
    (void)what;
    for (unsigned i = 0; i < worker->thread->connections; i++) {
        /* Not yet opened is not closed. */
        if (worker->phase != SC_BENCH_CONNECT || i < worker->opened) {
            watch_conn(worker, &worker->conns[i], now);
        }
    }
    sc_bench_worker_pump(worker);
    publish(worker);
    check_part_done(worker);
}

/* --- Phases --- */

static double share(uint64_t part_ns, uint64_t whole_ns)
{
    return whole_ns == 0 ? 0.0 : (double)part_ns / (double)whole_ns;
}

/*
 * With thousands of connections a pass of the loop takes tenths of a second: what the server used
 * has to be asked when the counting begins and ends here, not when that was decided.
 */
static uint64_t server_cpu_ns(const struct sc_bench_plan *plan)
{
    uint64_t all = 0;
    for (size_t i = 0; i < plan->server_pid_count; i++) {
        uint64_t one;
        all += sc_bench_usage_cpu(plan->server_pids[i], &one) == 0 ? one : 0U;
    }
    return all;
}

static void end_measuring(struct sc_bench_worker *worker)
{
    struct sc_bench_thread *thread = worker->thread;
    struct sc_bench_usage usage;
    if (thread->measure_ns == 0 || thread->measured_ns != 0) {
        return;
    }
    sc_bench_usage_thread(&usage);
    thread->server_after_ns = server_cpu_ns(worker->plan);
    thread->measured_ns = sc_clock_ns();
    thread->open_at_end = worker->open;
    const uint64_t elapsed = thread->measured_ns - thread->measure_ns;
    thread->cpu = share(usage.cpu_ns - worker->usage.cpu_ns, elapsed);
    thread->wait = share(usage.wait_ns - worker->usage.wait_ns, elapsed);
    if (worker->starved && worker->budget > 0 && thread->measured_ns > worker->next_due_ns) {
        thread->never_sent =
            (uint64_t)((double)(thread->measured_ns - worker->next_due_ns) / worker->due_every_ns);
    }
}

/* Connections that have said nothing until now must still answer. */
static void prove_alive(struct sc_bench_worker *worker)
{
    const uint64_t now = sc_clock_ns();
    const struct sc_bench_start start = {.intended_ns = now, .real_ns = now};
    for (unsigned i = 0; i < worker->thread->connections; i++) {
        struct sc_bench_conn *conn = &worker->conns[i];
        if (conn->state == SC_BENCH_CONN_READY) {
            worker->under_way++;
            sc_bench_conn_request(conn, 1, &start);
            sc_bench_conn_flush(conn);
        }
    }
}

static void enter(struct sc_bench_worker *worker, enum sc_bench_phase phase)
{
    const bool first = worker->phase == SC_BENCH_CONNECT;
    worker->phase = phase;
    switch (phase) {
    case SC_BENCH_CONNECT: sc_bench_worker_pump(worker); break;
    case SC_BENCH_WARM_UP: sc_bench_worker_kick(worker); break;
    case SC_BENCH_MEASURE:
        sc_bench_usage_thread(&worker->usage);
        worker->thread->server_before_ns = server_cpu_ns(worker->plan);
        worker->thread->measure_ns = sc_clock_ns();
        if (first) {
            sc_bench_worker_kick(worker);
        } else if (worker->next_due_ns < worker->thread->measure_ns) {
            /*
             * What the warm-up still owed is not measured, and does not stand in the way of what
             * is.
             */
            worker->next_due_ns = worker->thread->measure_ns;
        }
        break;
    case SC_BENCH_DRAIN:
        end_measuring(worker);
        if (worker->plan->mode == SC_BENCH_HOLD) {
            prove_alive(worker);
        }
        break;
    case SC_BENCH_STOP: event_base_loopbreak(worker->io.base); break;
    }
    publish(worker);
    check_part_done(worker);
}

static void on_wake(evutil_socket_t fd, short what, void *arg)
{
    struct sc_bench_worker *worker = arg;
    uint64_t value;
    (void)what;
    const ssize_t got = read(fd, &value, sizeof(value));
    const enum sc_bench_phase phase = (enum sc_bench_phase)atomic_load(&worker->run->phase);
    if (got > 0 && phase != worker->phase) {
        enter(worker, phase);
    }
}

static void on_pump(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    sc_bench_worker_pump(arg);
}

/* --- Life --- */

static int make_events(struct sc_bench_worker *worker)
{
    const struct timeval tick = {.tv_usec = TICK_MS * 1000};
    struct event_config *config = event_config_new();
    struct sc_bench_io *io = &worker->io;
    if (config) {
        /* No locks: one thread; timers finer than a millisecond: the schedule of an open loop. */
        (void)event_config_set_flag(
            config, EVENT_BASE_FLAG_NOLOCK |
                        (worker->due_every_ns > 0.0 ? EVENT_BASE_FLAG_PRECISE_TIMER : 0));
        io->base = event_base_new_with_config(config);
        event_config_free(config);
    }
    if (!io->base) {
        return -1;
    }
    worker->wake_event =
        event_new(io->base, worker->thread->wake_fd, EV_READ | EV_PERSIST, on_wake, worker);
    worker->tick_event = event_new(io->base, -1, EV_PERSIST, on_tick, worker);
    worker->pump_event = event_new(io->base, -1, 0, on_pump, worker);
    worker->schedule_event = event_new(io->base, -1, 0, on_pump, worker);
    return worker->wake_event && worker->tick_event && worker->pump_event &&
                   worker->schedule_event && event_add(worker->wake_event, NULL) == 0 &&
                   event_add(worker->tick_event, &tick) == 0
               ? 0
               : -1;
}

static int set_up(struct sc_bench_worker *worker, struct sc_bench_thread *thread)
{
    struct sc_bench_run *run = thread->run;
    const struct sc_bench_plan *plan = run->plan;
    struct sc_bench_io *io = &worker->io;
    worker->thread = thread;
    worker->run = run;
    worker->plan = plan;
    worker->stats = &thread->stats;
    worker->budget = plan->requests > 0 ? thread->budget : UINT64_MAX;
    worker->due_every_ns = thread->rate > 0.0 ? 1e9 / thread->rate : 0.0;
    TAILQ_INIT(&worker->free_list);
    *io = (struct sc_bench_io){.plan = plan,
                               .stream = run->stream,
                               .ssl_ctx = sc_tls_context_ssl_ctx(plan->context),
                               .host = run->host,
                               .target = run->target,
                               .target_length = run->target_length,
                               .lean = thread->connections > LEAN_ABOVE,
                               .owner = worker,
                               .on_ready = on_ready,
                               .on_replies = on_replies,
                               .on_closed = on_closed};
    io->scratch_bytes = plan->depth * (plan->size_bytes + SC_FRAME_HEADER_BYTES) > READ_BYTES_SMALL
                            ? READ_BYTES_LARGE
                            : READ_BYTES_SMALL;
    io->scratch = malloc(io->scratch_bytes);
    worker->conns = calloc(thread->connections, sizeof(*worker->conns));
    if (!io->scratch || !worker->conns || make_events(worker) != 0) {
        return -1;
    }
    for (unsigned i = 0; i < thread->connections; i++) {
        if (sc_bench_conn_init(&worker->conns[i], io,
                               (thread->first + i) % sc_bench_stream_slots(run->stream)) != 0) {
            return -1;
        }
    }
    return 0;
}

static void tear_down(struct sc_bench_worker *worker)
{
    struct event *events[] = {worker->wake_event, worker->tick_event, worker->pump_event,
                              worker->schedule_event};
    for (unsigned i = 0; worker->conns && i < worker->thread->connections; i++) {
        sc_bench_conn_fini(&worker->conns[i]);
    }
    for (size_t i = 0; i < SC_COUNT_OF(events); i++) {
        if (events[i]) {
            event_free(events[i]);
        }
    }
    if (worker->io.base) {
        event_base_free(worker->io.base);
    }
    free(worker->conns);
    free(worker->io.scratch);
}

static void *run_thread(void *arg)
{
    struct sc_bench_thread *thread = arg;
    struct sc_bench_worker worker = {.thread = thread};
    sc_bench_stats_init(&thread->stats);
    if (set_up(&worker, thread) == 0) {
        enter(&worker, SC_BENCH_CONNECT);
        (void)event_base_dispatch(worker.io.base);
        end_measuring(&worker);
        publish(&worker);
    } else {
        fail_run(&worker, EX_OSERR, "cannot start a thread of the generator: out of memory");
    }
    tear_down(&worker);
    OPENSSL_thread_stop();
    sc_pool_thread_end();
    return NULL;
}

int sc_bench_thread_start(struct sc_bench_thread *thread)
{
    thread->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (thread->wake_fd < 0) {
        return errno;
    }
    const int error = pthread_create(&thread->id, NULL, run_thread, thread);
    if (error != 0) {
        (void)close(thread->wake_fd);
    }
    return error;
}

void sc_bench_thread_wake(struct sc_bench_thread *thread)
{
    const uint64_t one = 1;
    /* Fails only when it is awake already. */
    const ssize_t written = write(thread->wake_fd, &one, sizeof(one));
    (void)written;
}

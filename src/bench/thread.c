/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "bench/thread.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sysexits.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "base/clock.h"
#include "bench/callbacks.h"
#include "bench/schedule.h"
#include "tls/context.h"

#define TICK_MS 100
/* With more connections the buffers of idle ones are freed. */
#define RELEASE_BUFFERS_ABOVE 1000U
#define READ_BYTES_SMALL ((size_t)17 << 10) /* one record */
#define READ_BYTES_LARGE ((size_t)64 << 10)

static void publish(struct sc_bench_worker *worker)
{
    atomic_store_explicit(&worker->thread->open, worker->open, memory_order_relaxed);
    atomic_store_explicit(&worker->thread->operations, worker->operations, memory_order_relaxed);
    atomic_store_explicit(&worker->thread->error_count, worker->errors, memory_order_relaxed);
    atomic_store_explicit(&worker->thread->in_time, worker->stats->in_time, memory_order_relaxed);
}

/* What was measured since the last time: into the statistics, and to the run while it measures. */
static void hand_over(struct sc_bench_worker *worker, uint64_t now)
{
    struct sc_bench_thread *thread = worker->thread;
    if (worker->phase == SC_BENCH_MEASURE) {
        (void)pthread_mutex_lock(&worker->shared->lock);
        sc_hist_merge(&thread->handed.latency, &worker->recent);
        thread->handed.operations += worker->stats->in_time - worker->in_time_handed;
        thread->handed.until_ns = now;
        (void)pthread_mutex_unlock(&worker->shared->lock);
        worker->in_time_handed = worker->stats->in_time;
    }
    sc_hist_merge(&worker->stats->latency, &worker->recent);
    sc_hist_init(&worker->recent);
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
    struct sc_bench_worker *worker = arg;
    const uint64_t now = sc_clock_ns();
    (void)fd;
    (void)what;
    for (unsigned i = 0; i < worker->thread->connections; i++) {
        /* In the connect phase the schedule opens them. */
        if (worker->phase != SC_BENCH_CONNECT || i < worker->opened) {
            sc_bench_check_conn(worker, &worker->conns[i], now);
        }
    }
    sc_bench_schedule_run(worker);
    publish(worker);
    hand_over(worker, now);
    sc_bench_check_phase_done(worker);
}

/* --- Phases --- */

static double share(uint64_t part_ns, uint64_t whole_ns)
{
    return whole_ns == 0 ? 0.0 : (double)part_ns / (double)whole_ns;
}

/*
 * Read by the thread when its measuring begins and ends, not by the run when it decides that: with
 * thousands of connections one event loop iteration takes tenths of a second.
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
    /* N operations on schedule fill N intervals: the last one does not end with its reply. */
    if (worker->plan->requests > 0 && worker->due_every_ns > 0.0 && worker->budget == 0 &&
        worker->next_due_ns > thread->measured_ns) {
        thread->measured_ns = worker->next_due_ns;
    }
    if (worker->starved && worker->budget > 0 && thread->measured_ns > worker->next_due_ns) {
        thread->never_sent =
            (uint64_t)((double)(thread->measured_ns - worker->next_due_ns) / worker->due_every_ns);
    }
}

/* Idle connections must still answer one request. */
static void ask_idle(struct sc_bench_worker *worker)
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
    if (worker->phase == SC_BENCH_MEASURE) {
        hand_over(worker, sc_clock_ns());
    }
    worker->phase = phase;
    switch (phase) {
    case SC_BENCH_CONNECT: sc_bench_schedule_run(worker); break;
    case SC_BENCH_WARM_UP: sc_bench_schedule_start(worker); break;
    case SC_BENCH_MEASURE:
        sc_bench_usage_thread(&worker->usage);
        worker->thread->server_before_ns = server_cpu_ns(worker->plan);
        worker->thread->measure_ns = sc_clock_ns();
        (void)pthread_mutex_lock(&worker->shared->lock);
        worker->thread->handed.from_ns = worker->thread->measure_ns;
        (void)pthread_mutex_unlock(&worker->shared->lock);
        if (first) {
            sc_bench_schedule_start(worker);
        } else if (worker->next_due_ns < worker->thread->measure_ns) {
            /* Operations that the warm-up still owes are dropped. */
            worker->next_due_ns = worker->thread->measure_ns;
        }
        break;
    case SC_BENCH_FINISH:
        end_measuring(worker);
        if (worker->plan->mode == SC_BENCH_HOLD) {
            ask_idle(worker);
        }
        break;
    case SC_BENCH_STOP: event_base_loopbreak(worker->io.base); break;
    }
    publish(worker);
    sc_bench_check_phase_done(worker);
}

static void on_wakeup(evutil_socket_t fd, short what, void *arg)
{
    struct sc_bench_worker *worker = arg;
    uint64_t value;
    (void)what;
    const ssize_t got = read(fd, &value, sizeof(value));
    const enum sc_bench_phase phase = (enum sc_bench_phase)atomic_load(&worker->shared->phase);
    /* On a busy machine this thread may not have run for all of the measured time. */
    if (got > 0 && phase == SC_BENCH_FINISH && worker->phase < SC_BENCH_MEASURE) {
        enter(worker, SC_BENCH_MEASURE);
    }
    if (got > 0 && phase != worker->phase) {
        enter(worker, phase);
    }
}

static void on_run(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    sc_bench_schedule_run(arg);
}

/* --- Setup --- */

static int make_events(struct sc_bench_worker *worker)
{
    const struct timeval tick = {.tv_usec = TICK_MS * 1000};
    struct event_config *config = event_config_new();
    struct sc_bench_io *io = &worker->io;
    if (config) {
        /* One thread: no locks. An open loop needs timers finer than a millisecond. */
        (void)event_config_set_flag(
            config, EVENT_BASE_FLAG_NOLOCK |
                        (worker->due_every_ns > 0.0 ? EVENT_BASE_FLAG_PRECISE_TIMER : 0));
        io->base = event_base_new_with_config(config);
        event_config_free(config);
    }
    if (!io->base) {
        return -1;
    }
    worker->wakeup_event =
        event_new(io->base, worker->thread->wakeup_fd, EV_READ | EV_PERSIST, on_wakeup, worker);
    worker->tick_event = event_new(io->base, -1, EV_PERSIST, on_tick, worker);
    worker->run_event = event_new(io->base, -1, 0, on_run, worker);
    worker->due_event = event_new(io->base, -1, 0, on_run, worker);
    return worker->wakeup_event && worker->tick_event && worker->run_event && worker->due_event &&
                   event_add(worker->wakeup_event, NULL) == 0 &&
                   event_add(worker->tick_event, &tick) == 0
               ? 0
               : -1;
}

static int set_up(struct sc_bench_worker *worker, struct sc_bench_thread *thread)
{
    struct sc_bench_shared *shared = thread->shared;
    const struct sc_bench_plan *plan = shared->plan;
    struct sc_bench_io *io = &worker->io;
    worker->thread = thread;
    worker->shared = shared;
    worker->plan = plan;
    worker->stats = &thread->stats;
    worker->budget = plan->requests > 0 ? thread->budget : UINT64_MAX;
    worker->due_every_ns = thread->rate > 0.0 ? 1e9 / thread->rate : 0.0;
    TAILQ_INIT(&worker->available);
    *io = (struct sc_bench_io){.plan = plan,
                               .stream = shared->stream,
                               .target = &shared->target,
                               .ssl_ctx = sc_tls_context_ssl_ctx(plan->context),
                               .release_buffers = thread->connections > RELEASE_BUFFERS_ABOVE};
    sc_bench_callbacks_install(worker);
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
                               (thread->first + i) % sc_bench_stream_slots(shared->stream)) != 0) {
            return -1;
        }
    }
    return 0;
}

static void tear_down(struct sc_bench_worker *worker)
{
    struct event *events[] = {worker->wakeup_event, worker->tick_event, worker->run_event,
                              worker->due_event};
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
    sc_hist_init(&worker.recent);
    if (set_up(&worker, thread) == 0) {
        enter(&worker, SC_BENCH_CONNECT);
        (void)event_base_dispatch(worker.io.base);
        end_measuring(&worker);
        publish(&worker);
        hand_over(&worker, sc_clock_ns());
    } else {
        sc_bench_fail_run(&worker, EX_OSERR,
                          "can't start a thread of the generator: out of memory");
    }
    tear_down(&worker);
    OPENSSL_thread_stop();
    return NULL;
}

int sc_bench_thread_start(struct sc_bench_thread *thread)
{
    thread->wakeup_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (thread->wakeup_fd < 0) {
        return errno;
    }
    const int error = pthread_create(&thread->id, NULL, run_thread, thread);
    if (error != 0) {
        (void)close(thread->wakeup_fd);
    }
    return error;
}

void sc_bench_thread_wake(struct sc_bench_thread *thread)
{
    const uint64_t one = 1;
    /* Fails only when it is awake already. */
    const ssize_t written = write(thread->wakeup_fd, &one, sizeof(one));
    (void)written;
}

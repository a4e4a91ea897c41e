/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "bench/run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "bench/schedule.h"
#include "bench/target.h"
#include "bench/thread.h"
#include "bench/usage.h"

/* A signal handler cannot wake the run: it looks for an interruption this often. */
#define WAIT_MS 100
#define PROGRESS_MS 250
#define SECOND_MS 1000
/* Share of a processor above which the generator had no reserve. */
#define BUSY 0.95
/* In a shorter run the kernel's accounting says nothing about a thread. */
#define SHORT_S 0.1

struct state {
    const struct sc_bench_plan *plan;
    const struct sc_bench_observer *observer;
    struct sc_bench_result *result;
    struct sc_bench_shared shared;
    struct sc_bench_thread *threads;
    unsigned started; /* threads */
    uint64_t phase_ms; /* when the phase began */
    uint64_t progress_ms;
    uint64_t goal_ms; /* how long the phase lasts; UINT64_MAX: not known */
    uint64_t taken_ms; /* when the last second was taken */
    struct sc_bench_handed **handed; /* those of the threads */
};

/* --- The server's memory --- */

static int read_server_rss(const struct sc_bench_plan *plan, uint64_t *rss_bytes,
                           struct sc_err *err)
{
    *rss_bytes = 0;
    for (size_t i = 0; i < plan->server_pid_count; i++) {
        uint64_t one;
        if (sc_bench_usage_rss(plan->server_pids[i], &one, err) != 0) {
            return sc_err_prefix(err, "--server-pid");
        }
        *rss_bytes += one;
    }
    return 0;
}

/* At the end of the measured phase. A server that has ended by then has no figures, the run has. */
static void measure_server(struct state *state)
{
    struct sc_bench_result *result = state->result;
    struct sc_err err;
    if (state->plan->server_pid_count == 0) {
        return;
    }
    result->has_server = read_server_rss(state->plan, &result->server_rss_bytes, &err) == 0;
    if (!result->has_server) {
        (void)snprintf(result->no_server, sizeof(result->no_server), "%.159s", err.text);
    }
}

/* --- Phases --- */

static bool is_phase_done(const struct state *state)
{
    for (unsigned i = 0; i < state->started; i++) {
        if (atomic_load(&state->threads[i].done_phase) != atomic_load(&state->shared.phase)) {
            return false;
        }
    }
    return true;
}

static bool is_interrupted(const struct state *state)
{
    return state->observer->interrupted && *state->observer->interrupted;
}

static void show_progress(struct state *state, uint64_t now_ms)
{
    static const char *const names[] = {"connecting", "warming up", "measuring", "finishing", ""};
    if (!state->observer->on_progress || now_ms - state->progress_ms < PROGRESS_MS) {
        return;
    }
    const enum sc_bench_phase phase = (enum sc_bench_phase)atomic_load(&state->shared.phase);
    const bool is_timed =
        (phase == SC_BENCH_WARM_UP || phase == SC_BENCH_MEASURE) && state->goal_ms != UINT64_MAX;
    struct sc_bench_progress progress = {
        .phase = names[phase],
        .phase_s = (double)(now_ms - state->phase_ms) / 1e3,
        .goal_s = is_timed ? (double)state->goal_ms / 1e3 : 0.0,
        .p99_ns = sc_hist_percentile(&state->result->seconds.so_far, 99.0)};
    for (unsigned i = 0; i < state->started; i++) {
        progress.open += atomic_load_explicit(&state->threads[i].open, memory_order_relaxed);
        progress.operations +=
            atomic_load_explicit(&state->threads[i].operations, memory_order_relaxed);
        progress.in_time += atomic_load_explicit(&state->threads[i].in_time, memory_order_relaxed);
        progress.errors +=
            atomic_load_explicit(&state->threads[i].error_count, memory_order_relaxed);
    }
    state->progress_ms = now_ms;
    state->observer->on_progress(state->observer->arg, state->plan, &progress);
}

/* With the lock. Idle connections have none. */
static void take_second(struct state *state)
{
    if (state->plan->mode == SC_BENCH_HOLD) {
        return;
    }
    sc_bench_seconds_take(&state->result->seconds, state->handed, state->started);
    state->taken_ms = sc_clock_ms();
}

static void begin_phase(struct state *state, enum sc_bench_phase phase)
{
    state->phase_ms = state->taken_ms = sc_clock_ms();
    atomic_store(&state->shared.phase, (int)phase);
    for (unsigned i = 0; i < state->started; i++) {
        sc_bench_thread_wake(&state->threads[i]);
    }
}

/*
 * Until every thread has done its part, the time is over, or it was interrupted. Returns -1 when
 * the run has failed.
 */
static int wait_phase(struct state *state, uint64_t limit_ms)
{
    struct sc_bench_shared *shared = &state->shared;
    int result = 0;
    state->goal_ms = limit_ms;
    (void)pthread_mutex_lock(&shared->lock);
    while (!shared->failed && !is_phase_done(state) && !is_interrupted(state)) {
        const uint64_t now = sc_clock_ms();
        if (now - state->phase_ms >= limit_ms) {
            break;
        }
        if (atomic_load(&shared->phase) == SC_BENCH_MEASURE && now - state->taken_ms >= SECOND_MS) {
            take_second(state);
        }
        const uint64_t left = limit_ms - (now - state->phase_ms);
        const uint64_t ms = left < WAIT_MS ? left : WAIT_MS;
        struct timespec until;
        (void)clock_gettime(CLOCK_MONOTONIC, &until);
        const uint64_t ns = (uint64_t)until.tv_nsec + ms * 1000000U;
        until.tv_sec += (time_t)(ns / 1000000000U);
        until.tv_nsec = (long)(ns % 1000000000U);
        (void)pthread_cond_timedwait(&shared->changed, &shared->lock, &until);
        (void)pthread_mutex_unlock(&shared->lock);
        show_progress(state, sc_clock_ms());
        (void)pthread_mutex_lock(&shared->lock);
    }
    result = shared->failed ? -1 : 0;
    (void)pthread_mutex_unlock(&shared->lock);
    return result;
}

static int run_phases(struct state *state)
{
    const struct sc_bench_plan *plan = state->plan;
    struct sc_bench_result *result = state->result;
    const uint64_t start_ns = sc_clock_ns();
    if (wait_phase(state, UINT64_MAX) != 0) {
        return -1;
    }
    result->connect_s = (double)(sc_clock_ns() - start_ns) / 1e9;
    if (plan->warm_up_ms > 0 && plan->mode != SC_BENCH_HOLD && !is_interrupted(state)) {
        begin_phase(state, SC_BENCH_WARM_UP);
        if (wait_phase(state, plan->warm_up_ms) != 0) {
            return -1;
        }
    }
    result->started = sc_clock_wall();
    begin_phase(state, SC_BENCH_MEASURE);
    if (wait_phase(state, plan->requests > 0 ? UINT64_MAX : plan->duration_ms) != 0) {
        return -1;
    }
    measure_server(state);
    result->interrupted = is_interrupted(state);
    begin_phase(state, SC_BENCH_FINISH);
    /* Every request has a deadline of its own; this one is for a thread that does not keep it. */
    return result->interrupted ? 0 : wait_phase(state, plan->timeout_ms + 2000U);
}

/* --- Threads --- */

static int start_threads(struct state *state, struct sc_err *err)
{
    const struct sc_bench_plan *plan = state->plan;
    unsigned first = 0;
    for (unsigned i = 0; i < plan->threads; i++) {
        struct sc_bench_thread *thread = &state->threads[i];
        thread->shared = &state->shared;
        sc_hist_init(&thread->handed.latency);
        state->handed[i] = &thread->handed;
        atomic_init(&thread->done_phase, -1);
        thread->first = first;
        thread->connections =
            plan->connections / plan->threads + (i < plan->connections % plan->threads ? 1U : 0U);
        thread->budget =
            sc_bench_share(plan->requests, plan->connections, first, thread->connections);
        thread->rate = plan->rate * thread->connections / plan->connections;
        first += thread->connections;
        const int error = sc_bench_thread_start(thread);
        if (error != 0) {
            return sc_err_set_errno(err, EX_OSERR, error, "can't start a thread");
        }
        state->started++;
    }
    return 0;
}

static void end_threads(struct state *state)
{
    begin_phase(state, SC_BENCH_STOP);
    for (unsigned i = 0; i < state->started; i++) {
        (void)pthread_join(state->threads[i].id, NULL);
        (void)close(state->threads[i].wakeup_fd);
    }
}

/* Puts into words what other than the server decided the figures. */
static void name_limit(const struct sc_bench_plan *plan, struct sc_bench_result *result)
{
    const double used = result->generator_cpu + result->generator_wait;
    const uint64_t lag_ns = sc_hist_percentile(&result->stats.lag, 99.0);
    if (plan->mode == SC_BENCH_HOLD) {
        return;
    }
    if (result->gave_up) {
        char limit[32];
        sc_format_duration_ms(plan->timeout_ms, limit);
        (void)snprintf(
            result->limit, sizeof(result->limit),
            "the server was gone for longer than %s: the run ended before all operations were done",
            limit);
    } else if (used >= BUSY && result->elapsed_s >= SHORT_S) {
        (void)snprintf(result->limit, sizeof(result->limit),
                       "the generator was the limit: its busiest thread used %.0f %% of a "
                       "processor and waited for one %.0f %% of the time%s",
                       100.0 * result->generator_cpu, 100.0 * result->generator_wait,
                       plan->threads < 2 ? "; with more processors, give it more --threads" : "");
    } else if (result->never_sent > plan->connections) {
        (void)snprintf(result->limit, sizeof(result->limit),
                       "the server did not keep up with the rate: %llu operations were due, found "
                       "no free connection, and are in no latency",
                       (unsigned long long)result->never_sent);
    } else if (lag_ns > 1000000U) {
        (void)snprintf(result->limit, sizeof(result->limit),
                       "the generator did not keep its own schedule: 1 %% of the requests began "
                       "%.1f ms late or more",
                       (double)lag_ns / 1e6);
    }
}

static void collect(struct state *state)
{
    struct sc_bench_result *result = state->result;
    double busiest = -1.0;
    uint64_t before_ns = UINT64_MAX, after_ns = 0;
    take_second(state); /* the last; the threads have ended */
    for (unsigned i = 0; i < state->started; i++) {
        const struct sc_bench_thread *thread = &state->threads[i];
        const double elapsed = (double)(thread->measured_ns - thread->measure_ns) / 1e9;
        sc_bench_stats_merge(&result->stats, &thread->stats);
        result->elapsed_s = elapsed > result->elapsed_s ? elapsed : result->elapsed_s;
        result->open += thread->open_at_end;
        result->never_sent += thread->never_sent;
        before_ns = thread->server_before_ns < before_ns ? thread->server_before_ns : before_ns;
        after_ns = thread->server_after_ns > after_ns ? thread->server_after_ns : after_ns;
        result->gave_up = result->gave_up || thread->gave_up;
        if (thread->cpu + thread->wait > busiest) {
            busiest = thread->cpu + thread->wait;
            result->generator_cpu = thread->cpu;
            result->generator_wait = thread->wait;
        }
    }
    if (result->has_server && after_ns > before_ns) {
        result->server_cpu_s = (double)(after_ns - before_ns) / 1e9;
    }
    result->tls = state->shared.tls;
    name_limit(state->plan, result);
}

static int prepare(struct state *state, struct sc_err *err)
{
    const struct sc_bench_plan *plan = state->plan;
    pthread_condattr_t attr;
    (void)pthread_mutex_init(&state->shared.lock, NULL);
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&state->shared.changed, &attr);
    (void)pthread_condattr_destroy(&attr);
    state->threads = calloc(plan->threads, sizeof(*state->threads));
    state->handed = calloc(plan->threads, sizeof(struct sc_bench_handed *));
    if (!state->threads || !state->handed) {
        return sc_err_set(err, EX_OSERR, "can't prepare the threads: out of memory");
    }
    if (read_server_rss(plan, &state->result->server_rss_before_bytes, err) != 0 ||
        sc_bench_target_raise_limit(plan, err) != 0 ||
        sc_bench_target_find(&state->shared.target, plan, state->observer->interrupted, err) != 0) {
        return -1;
    }
    (void)snprintf(state->result->target, sizeof(state->result->target), "%s",
                   state->shared.target.text);
    return 0;
}

int sc_bench_run(const struct sc_bench_plan *plan, const struct sc_bench_observer *observer,
                 struct sc_bench_result *result, struct sc_err *err)
{
    struct state state = {
        .plan = plan, .observer = observer, .result = result, .shared = {.plan = plan}};
    memset(result, 0, sizeof(*result));
    sc_bench_stats_init(&result->stats);
    sc_bench_seconds_init(&result->seconds);
    struct sc_bench_stream *stream =
        sc_bench_stream_new(plan->type, plan->size_bytes, plan->depth, err);
    state.shared.stream = stream;
    state.phase_ms = state.progress_ms = sc_clock_ms();
    int status = stream ? prepare(&state, err) : -1;
    if (status == 0) {
        state.phase_ms = sc_clock_ms();
        status = start_threads(&state, err) == 0 ? run_phases(&state) : -1;
        end_threads(&state);
        if (state.shared.failed && err) {
            *err = state.shared.err;
            result->mismatch = state.shared.mismatch;
        }
        collect(&state);
    }
    free(state.threads);
    free(state.handed);
    sc_bench_stream_free(stream);
    (void)pthread_cond_destroy(&state.shared.changed);
    (void)pthread_mutex_destroy(&state.shared.lock);
    return status;
}

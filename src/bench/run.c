#include "config.h"

#include "bench/bench.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "bench/target.h"
#include "bench/thread.h"
#include "bench/usage.h"

#define WAIT_MS \
    100 /* how often an interruption and the end of the duration are looked for at most */
#define PROGRESS_MS 250
#define BUSY 0.95 /* of a processor: the generator had no reserve */
#define SHORT_S 0.1 /* what a thread used of less cannot be told from how it is counted */

struct state {
    const struct sc_bench_plan *plan;
    struct sc_bench_result *result;
    struct sc_bench_run run;
    struct sc_bench_thread *threads;
    unsigned started; /* threads */
    uint64_t phase_ms; /* when the phase began */
    uint64_t progress_ms;
    uint64_t cpu_before_ns;
};

/* --- The server, from outside --- */

static int look_at_server(const struct sc_bench_plan *plan, uint64_t *cpu_ns, uint64_t *rss_bytes,
                          struct sc_err *err)
{
    *cpu_ns = *rss_bytes = 0;
    for (size_t i = 0; i < plan->server_pid_count; i++) {
        uint64_t cpu, rss;
        if (sc_bench_usage_process(plan->server_pids[i], &cpu, &rss, err) != 0) {
            return sc_err_prefix(err, "--server-pid");
        }
        *cpu_ns += cpu;
        *rss_bytes += rss;
    }
    return 0;
}

/* A server that has gone meanwhile takes its own figures along, not the others. */
static void look_again(struct state *state, uint64_t *cpu_ns, uint64_t *rss_bytes)
{
    struct sc_bench_result *result = state->result;
    struct sc_err err;
    if (look_at_server(state->plan, cpu_ns, rss_bytes, &err) != 0 && !*result->no_server) {
        (void)snprintf(result->no_server, sizeof(result->no_server), "%.127s", err.text);
    }
}

/* --- Phases --- */

static bool is_part_done(const struct state *state)
{
    for (unsigned i = 0; i < state->started; i++) {
        if (atomic_load(&state->threads[i].done_phase) != atomic_load(&state->run.phase)) {
            return false;
        }
    }
    return true;
}

static bool is_interrupted(const struct state *state)
{
    return state->plan->interrupted && *state->plan->interrupted;
}

static void show_progress(struct state *state, uint64_t now_ms)
{
    static const char *const names[] = {"connecting", "warming up", "measuring", "finishing", ""};
    if (!state->plan->on_progress || now_ms - state->progress_ms < PROGRESS_MS) {
        return;
    }
    struct sc_bench_progress progress = {.phase = names[atomic_load(&state->run.phase)],
                                         .phase_s = (double)(now_ms - state->phase_ms) / 1e3};
    for (unsigned i = 0; i < state->started; i++) {
        progress.open += atomic_load_explicit(&state->threads[i].open, memory_order_relaxed);
        progress.operations +=
            atomic_load_explicit(&state->threads[i].operations, memory_order_relaxed);
        progress.errors +=
            atomic_load_explicit(&state->threads[i].error_count, memory_order_relaxed);
    }
    state->progress_ms = now_ms;
    state->plan->on_progress(state->plan->progress_arg, &progress);
}

static void begin_phase(struct state *state, enum sc_bench_phase phase)
{
    state->phase_ms = sc_clock_ms();
    atomic_store(&state->run.phase, (int)phase);
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
    struct sc_bench_run *run = &state->run;
    int result = 0;
    (void)pthread_mutex_lock(&run->lock);
    while (!run->failed && !is_part_done(state) && !is_interrupted(state)) {
        const uint64_t now = sc_clock_ms();
        if (now - state->phase_ms >= limit_ms) {
            break;
        }
        const uint64_t left = limit_ms - (now - state->phase_ms);
        const uint64_t ms = left < WAIT_MS ? left : WAIT_MS;
        struct timespec until;
        (void)clock_gettime(CLOCK_MONOTONIC, &until);
        const uint64_t ns = (uint64_t)until.tv_nsec + ms * 1000000U;
        until.tv_sec += (time_t)(ns / 1000000000U);
        until.tv_nsec = (long)(ns % 1000000000U);
        (void)pthread_cond_timedwait(&run->changed, &run->lock, &until);
        (void)pthread_mutex_unlock(&run->lock);
        show_progress(state, sc_clock_ms());
        (void)pthread_mutex_lock(&run->lock);
    }
    result = run->failed ? -1 : 0;
    (void)pthread_mutex_unlock(&run->lock);
    return result;
}

static int run_phases(struct state *state)
{
    const struct sc_bench_plan *plan = state->plan;
    struct sc_bench_result *result = state->result;
    const uint64_t start_ns = sc_clock_ns();
    uint64_t cpu_ns, rss_bytes;
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
    look_again(state, &state->cpu_before_ns, &rss_bytes);
    begin_phase(state, SC_BENCH_MEASURE);
    if (wait_phase(state, plan->requests > 0 ? UINT64_MAX : plan->duration_ms) != 0) {
        return -1;
    }
    look_again(state, &cpu_ns, &rss_bytes);
    result->has_server = plan->server_pid_count > 0 && !*result->no_server;
    result->server_cpu_s = result->has_server ? (double)(cpu_ns - state->cpu_before_ns) / 1e9 : 0.0;
    result->server_rss_bytes = rss_bytes;
    result->interrupted = is_interrupted(state);
    begin_phase(state, SC_BENCH_DRAIN);
    /* Every request has its own deadline; this one is for a thread that could not keep it. */
    return result->interrupted ? 0 : wait_phase(state, plan->timeout_ms + 2000U);
}

/* --- Threads --- */

static int start_threads(struct state *state, struct sc_err *err)
{
    const struct sc_bench_plan *plan = state->plan;
    unsigned first = 0;
    for (unsigned i = 0; i < plan->threads; i++) {
        struct sc_bench_thread *thread = &state->threads[i];
        thread->run = &state->run;
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
            return sc_err_set_errno(err, EX_OSERR, error, "cannot start a thread");
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
        (void)close(state->threads[i].wake_fd);
    }
}

static void name_the_limit(const struct sc_bench_plan *plan, struct sc_bench_result *result,
                           uint64_t never_sent)
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
    } else if (never_sent > plan->connections) {
        (void)snprintf(result->limit, sizeof(result->limit),
                       "the server did not keep up with the rate: %llu operations were due, found "
                       "no free connection, and are in no figure",
                       (unsigned long long)never_sent);
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
    uint64_t never_sent = 0;
    double busiest = -1.0;
    uint64_t before_ns = UINT64_MAX, after_ns = 0;
    for (unsigned i = 0; i < state->started; i++) {
        const struct sc_bench_thread *thread = &state->threads[i];
        const double elapsed = (double)(thread->measured_ns - thread->measure_ns) / 1e9;
        sc_bench_stats_merge(&result->stats, &thread->stats);
        result->elapsed_s = elapsed > result->elapsed_s ? elapsed : result->elapsed_s;
        result->open += thread->open_at_end;
        never_sent += thread->never_sent;
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
    memcpy(result->tls_version, state->run.tls_version, sizeof(result->tls_version));
    memcpy(result->tls_cipher, state->run.tls_cipher, sizeof(result->tls_cipher));
    memcpy(result->tls_group, state->run.tls_group, sizeof(result->tls_group));
    memcpy(result->pin, state->run.pin, sizeof(result->pin));
    name_the_limit(state->plan, result, never_sent);
}

static int prepare(struct state *state, struct sc_err *err)
{
    const struct sc_bench_plan *plan = state->plan;
    uint64_t cpu_ns;
    pthread_condattr_t attr;
    (void)pthread_mutex_init(&state->run.lock, NULL);
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&state->run.changed, &attr);
    (void)pthread_condattr_destroy(&attr);
    state->threads = calloc(plan->threads, sizeof(*state->threads));
    if (!state->threads) {
        return sc_err_set(err, EX_OSERR, "cannot prepare %u threads: out of memory", plan->threads);
    }
    if (look_at_server(plan, &cpu_ns, &state->result->server_rss_before_bytes, err) != 0 ||
        sc_bench_target_raise_limit(plan, err) != 0 ||
        sc_bench_target_find(&state->run, err) != 0 ||
        sc_bench_target_sources(&state->run, err) != 0) {
        return -1;
    }
    sc_bench_target_text(&state->run, state->result->target, sizeof(state->result->target));
    return 0;
}

int sc_bench_run(const struct sc_bench_plan *plan, struct sc_bench_result *result,
                 struct sc_err *err)
{
    struct state state = {.plan = plan, .result = result, .run = {.plan = plan}};
    memset(result, 0, sizeof(*result));
    sc_bench_stats_init(&result->stats);
    struct sc_bench_stream *stream =
        sc_bench_stream_new(plan->type, plan->size_bytes, plan->depth, err);
    state.run.stream = stream;
    state.phase_ms = state.progress_ms = sc_clock_ms();
    int status = stream ? prepare(&state, err) : -1;
    if (status == 0) {
        state.phase_ms = sc_clock_ms();
        status = start_threads(&state, err) == 0 ? run_phases(&state) : -1;
        end_threads(&state);
        if (state.run.failed && err) {
            *err = state.run.err;
        }
        collect(&state);
    }
    free(state.threads);
    sc_bench_stream_free(stream);
    (void)pthread_cond_destroy(&state.run.changed);
    (void)pthread_mutex_destroy(&state.run.lock);
    return status;
}

/* SPDX-License-Identifier: MIT */
/* A run, with threads in the place of those of bench/thread.c, and with a clock of the test's. */
#include "config.h"

#include "bench/run.h"

#include <arpa/inet.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "bench/thread.h"
#include "proto/handler.h"
#include "suite.h"

#define STEP_MS 1000U

/* What a thread has measured. */
static struct figures {
    double cpu, wait;
    uint64_t elapsed_ms, server_before_ns, server_after_ns, never_sent, open, lag_ns;
    bool gave_up;
} figures[2];

static struct sc_address address;
static struct sc_bench_plan plan;
static struct sc_bench_result result;
static uint64_t now_ms;
static unsigned thread_count;
static double rates[2]; /* that each thread got */
static int never_done; /* the phase that no thread finishes its part of; -1: none */
static struct {
    int phase;
    uint64_t at_ms;
} begun[8]; /* phases after the first */
static size_t begun_count;

static void pass_ms(uint64_t ms)
{
    now_ms += ms;
    const uint64_t ns = now_ms * 1000000U;
    sc_clock_fake(&ns, NULL);
}

/* --- In the place of bench/thread.c --- */

static void *end_at_once(void *arg)
{
    return arg;
}

int sc_bench_thread_start(struct sc_bench_thread *thread)
{
    const struct figures *own = &figures[thread_count];
    rates[thread_count++] = thread->rate;
    sc_bench_stats_init(&thread->stats);
    thread->cpu = own->cpu;
    thread->wait = own->wait;
    thread->measure_ns = 1000000000U;
    thread->measured_ns = thread->measure_ns + own->elapsed_ms * 1000000U;
    thread->server_before_ns = own->server_before_ns;
    thread->server_after_ns = own->server_after_ns;
    thread->never_sent = own->never_sent;
    thread->open_at_end = own->open;
    thread->gave_up = own->gave_up;
    sc_hist_record(&thread->stats.lag, own->lag_ns);
    atomic_store(&thread->done_phase, SC_BENCH_CONNECT);
    thread->wakeup_fd = eventfd(0, EFD_CLOEXEC);
    return pthread_create(&thread->id, NULL, end_at_once, thread);
}

void sc_bench_thread_wake(struct sc_bench_thread *thread)
{
    const int phase = atomic_load(&thread->shared->phase);
    if (thread->first == 0) {
        ck_assert_uint_lt(begun_count, SC_COUNT_OF(begun));
        begun[begun_count].phase = phase;
        begun[begun_count++].at_ms = now_ms;
        pass_ms(STEP_MS);
    }
    if (phase != never_done) {
        atomic_store(&thread->done_phase, phase);
    }
}

/* --- Runs --- */

/* Time passes when the run looks; no phase lasts a minute. */
static void on_progress(void *arg, const struct sc_bench_plan *of,
                        const struct sc_bench_progress *progress)
{
    (void)arg;
    ck_assert_ptr_eq(of, &plan);
    ck_assert_msg(progress->phase_s < 60.0, "%s has no end", progress->phase);
    pass_ms(STEP_MS);
}

static void set_up(void)
{
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t length = sizeof(any);
    char text[32];
    struct sc_err err;
    const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(listener, (const struct sockaddr *)&any, sizeof(any)), 0);
    ck_assert_int_eq(listen(listener, 64), 0);
    ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&any, &length), 0);
    (void)snprintf(text, sizeof(text), "127.0.0.1:%u", ntohs(any.sin_port));
    ck_assert_int_eq(sc_parse_address(text, NULL, &address, &err), 0);
    plan = (struct sc_bench_plan){.address = &address,
                                  .type = sc_handler_find(SC_FRAME_ECHO),
                                  .connections = 2,
                                  .depth = 1,
                                  .threads = 1,
                                  .requests = 10,
                                  .timeout_ms = 3000};
    never_done = -1;
    pass_ms(1000);
}

static void run(void)
{
    const struct sc_bench_observer observer = {.on_progress = on_progress};
    struct sc_err err;
    thread_count = 0;
    begun_count = 0;
    sc_bench_result_fini(&result);
    ck_assert_msg(sc_bench_run(&plan, &observer, &result, &err) == 0, "%s", err.text);
}

static void expect_phases(size_t count, const enum sc_bench_phase *phases)
{
    ck_assert_uint_eq(begun_count, count);
    for (size_t i = 0; i < count; i++) {
        ck_assert_int_eq(begun[i].phase, phases[i]);
    }
}

START_TEST(a_phase_lasts_as_long_as_planned)
{
    static const enum sc_bench_phase phases[] = {SC_BENCH_WARM_UP, SC_BENCH_MEASURE,
                                                 SC_BENCH_FINISH, SC_BENCH_STOP};
    set_up();
    plan.requests = 0;
    plan.warm_up_ms = 2000;
    plan.duration_ms = 3000;
    never_done = SC_BENCH_WARM_UP;
    run();
    expect_phases(4, phases);
    ck_assert_uint_eq(begun[1].at_ms - begun[0].at_ms, 2000);
    never_done = SC_BENCH_MEASURE;
    run();
    ck_assert_uint_eq(begun[2].at_ms - begun[1].at_ms, 3000);
    plan.mode = SC_BENCH_HOLD;
    run();
    expect_phases(3, phases + 1);
}
END_TEST

/* When a thread does not see its own deadlines, the run ends all the same, with what there is. */
START_TEST(the_last_phase_has_an_end)
{
    set_up();
    never_done = SC_BENCH_FINISH;
    run();
    ck_assert_int_eq(begun[1].phase, SC_BENCH_FINISH);
    ck_assert_int_eq(begun[2].phase, SC_BENCH_STOP);
    ck_assert_uint_eq(begun[2].at_ms - begun[1].at_ms, plan.timeout_ms + 2000);
}
END_TEST

/* The busiest thread is that of which the sum is the most; a thread may begin and end before
 * others. */
START_TEST(figures_of_several_threads)
{
    set_up();
    plan.threads = 2;
    plan.connections = 3;
    plan.rate = 300.0;
    plan.server_pids[plan.server_pid_count++] = getpid();
    figures[0] = (struct figures){.cpu = 0.5,
                                  .wait = 0.1,
                                  .elapsed_ms = 2000,
                                  .open = 2,
                                  .never_sent = 5,
                                  .server_before_ns = 4000000000U,
                                  .server_after_ns = 5000000000U};
    figures[1] = (struct figures){.cpu = 0.3,
                                  .wait = 0.4,
                                  .elapsed_ms = 1000,
                                  .open = 1,
                                  .never_sent = 6,
                                  .server_before_ns = 3500000000U,
                                  .server_after_ns = 4500000000U};
    run();
    ck_assert_double_eq_tol(result.generator_cpu, 0.3, 1e-9);
    ck_assert_double_eq_tol(result.generator_wait, 0.4, 1e-9);
    ck_assert_double_eq_tol(result.elapsed_s, 2.0, 1e-9);
    ck_assert_double_eq_tol(rates[0], 200.0, 1e-9);
    ck_assert_double_eq_tol(rates[1], 100.0, 1e-9);
    ck_assert_uint_eq(result.open, 3);
    ck_assert_uint_eq(result.never_sent, 11);
    ck_assert(result.has_server);
    ck_assert_double_eq_tol(result.server_cpu_s, 1.5, 1e-9);
    ck_assert_uint_gt(result.server_rss_bytes, 100000);
}
END_TEST

START_TEST(what_limited_a_run_is_named)
{
    static const struct {
        struct figures figures;
        const char *limit;
    } rows[] = {
        {{.cpu = 0.94, .elapsed_ms = 1000}, ""},
        {{.cpu = 0.95, .elapsed_ms = 1000},
         "the generator was the limit: its busiest thread used 95 % of a processor and waited for "
         "one 0 % of the time; with more processors, give it more --threads"},
        {{.cpu = 0.25, .wait = 0.75, .elapsed_ms = 100}, "the generator was the limit: "},
        {{.cpu = 0.95, .elapsed_ms = 99}, ""},
        {{.never_sent = 2, .elapsed_ms = 1000}, ""},
        {{.never_sent = 3, .elapsed_ms = 1000},
         "the server did not keep up with the rate: 3 operations were due"},
        {{.lag_ns = 900000, .elapsed_ms = 1000}, ""},
        {{.lag_ns = 2000000, .elapsed_ms = 1000},
         "the generator did not keep its own schedule: 1 % of the requests began 2.0 ms late"},
        {{.gave_up = true, .cpu = 1.0, .elapsed_ms = 1000},
         "the server was gone for longer than 3s: "},
    };
    set_up();
    for (size_t i = 0; i < SC_COUNT_OF(rows); i++) {
        figures[0] = rows[i].figures;
        run();
        ck_assert_msg(strncmp(result.limit, rows[i].limit, strlen(rows[i].limit)) == 0 &&
                          (*rows[i].limit || !*result.limit),
                      "%s", result.limit);
    }
}
END_TEST

SUITE_MAIN("bench_run", a_phase_lasts_as_long_as_planned, the_last_phase_has_an_end,
           figures_of_several_threads, what_limited_a_run_is_named)

/* SPDX-License-Identifier: MIT */
/* The command line of sc-bench, the exit statuses of a run, and the words of errors. */
#include "config.h"

#include <getopt.h>
#include <string.h>

#include "bench/options.h"
#include "suite.h"

#define PIN "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="

static struct sc_bench_options options;

/* Reads --pin PIN and these arguments, up to NULL. */
static int read_options(const char *const *arguments)
{
    char *argv[32] = {(char *)"sc-bench", (char *)"--pin", (char *)PIN};
    int argc = 3;
    while (*arguments) {
        argv[argc++] = (char *)(uintptr_t)*arguments++;
    }
    optind = 0; /* glibc: from the start again */
    return sc_bench_options_read(&options, argc, argv);
}
#define READ(...) read_options((const char *const[]){__VA_ARGS__, NULL})

static const struct sc_bench_plan *plan_of(int status)
{
    ck_assert_int_eq(status, 0);
    ck_assert_int_eq(options.action, SC_BENCH_RUN);
    return &options.plan;
}

START_TEST(defaults)
{
    const struct sc_bench_plan *plan = plan_of(READ("--json"));
    ck_assert_str_eq(plan->address->host, "localhost");
    ck_assert_str_eq(plan->address->port, "4242");
    ck_assert(!plan->address->is_unix);
    ck_assert_int_eq(plan->mode, SC_BENCH_REQUESTS);
    ck_assert_str_eq(sc_bench_type_name(plan->type), "echo");
    ck_assert_uint_eq(plan->size_bytes, 64);
    ck_assert_uint_eq(plan->connections, 1);
    ck_assert_uint_eq(plan->depth, 1);
    ck_assert_uint_eq(plan->threads, 1);
    ck_assert(plan->rate <= 0.0);
    ck_assert_uint_eq(plan->resume_percent, 0);
    ck_assert_uint_eq(plan->warm_up_ms, 0);
    ck_assert_uint_eq(plan->duration_ms, 10000);
    ck_assert_uint_eq(plan->requests, 0);
    ck_assert_uint_eq(plan->timeout_ms, 10000);
    ck_assert_uint_eq(sc_pin_set_count(plan->pins), 1);
    ck_assert(options.json);
    sc_bench_options_fini(&options);
}
END_TEST

START_TEST(every_option_has_its_effect)
{
    const struct sc_bench_plan *plan =
        plan_of(READ("--connect", "[::1]:99", "-c", "7", "-d", "9", "-s", "2K", "-t", "mix", "-n",
                     "77", "--rate", "1.5K", "--warm-up", "2s", "--timeout", "3s", "--threads", "5",
                     "--source", "127.0.0.9", "--svg", "x.svg", "--expect", "errors=0"));
    ck_assert_str_eq(plan->address->host, "::1");
    ck_assert_str_eq(plan->address->port, "99");
    ck_assert_uint_eq(plan->connections, 7);
    ck_assert_uint_eq(plan->depth, 9);
    ck_assert_uint_eq(plan->size_bytes, 2048);
    ck_assert_str_eq(sc_bench_type_name(plan->type), "mix");
    ck_assert_uint_eq(plan->requests, 77);
    ck_assert_uint_eq(plan->duration_ms, 0);
    ck_assert(plan->rate >= 1499.9 && plan->rate <= 1500.1);
    ck_assert_uint_eq(plan->warm_up_ms, 2000);
    ck_assert_uint_eq(plan->timeout_ms, 3000);
    ck_assert_uint_eq(plan->threads, 5);
    ck_assert_uint_eq(plan->source_count, 1);
    ck_assert_str_eq(plan->sources[0], "127.0.0.9");
    ck_assert_str_eq(options.svg_path, "x.svg");
    ck_assert_uint_eq(options.expectations.count, 1);
    ck_assert(!options.json);
    sc_bench_options_fini(&options);

    plan = plan_of(READ("--rate", "2M", "--duration", "1500ms"));
    ck_assert(plan->rate >= 2e6 && plan->rate <= 2e6);
    ck_assert_uint_eq(plan->duration_ms, 1500);
    sc_bench_options_fini(&options);
}
END_TEST

START_TEST(modes)
{
    static const struct {
        const char *option;
        enum sc_bench_mode mode;
        unsigned percent;
    } rows[] = {{"--handshakes", SC_BENCH_HANDSHAKES, 0},
                {"--resume", SC_BENCH_HANDSHAKES, 100},
                {"--resume=30", SC_BENCH_HANDSHAKES, 30},
                {"--hold", SC_BENCH_HOLD, 0}};
    for (size_t i = 0; i < SC_COUNT_OF(rows); i++) {
        const struct sc_bench_plan *plan = plan_of(READ(rows[i].option));
        ck_assert_int_eq(plan->mode, rows[i].mode);
        ck_assert_uint_eq(plan->resume_percent, rows[i].percent);
        sc_bench_options_fini(&options);
    }
    static const char *const types[] = {"echo", "reverse", "time", "mix"};
    for (int i = 0; i < 4; i++) {
        const struct sc_bench_plan *plan = plan_of(READ("--size", "99", "--type", types[i]));
        ck_assert_str_eq(sc_bench_type_name(plan->type), types[i]);
        ck_assert_uint_eq(plan->size_bytes, i == 2 ? 0 : 99); /* TIME takes no body */
        sc_bench_options_fini(&options);
    }
    ck_assert_int_eq(READ("-h"), 0);
    ck_assert_int_eq(options.action, SC_BENCH_HELP);
    sc_bench_options_fini(&options);
    ck_assert_int_eq(READ("-V"), 0);
    ck_assert_int_eq(options.action, SC_BENCH_VERSION);
    sc_bench_options_fini(&options);
}
END_TEST

START_TEST(a_process_counts_once)
{
    const struct sc_bench_plan *plan =
        plan_of(READ("--server-pid", "4", "--server-pid", "7", "--server-pid", "4"));
    ck_assert_uint_eq(plan->server_pid_count, 2);
    ck_assert_int_eq(plan->server_pids[0], 4);
    ck_assert_int_eq(plan->server_pids[1], 7);
    sc_bench_options_fini(&options);
}
END_TEST

START_TEST(errors_have_their_words_and_statuses)
{
    static const struct {
        int status;
        const char *word;
    } rows[] = {{69, "connect"}, {75, "timeout"}, {35, "tls"},      {90, "pin"},
                {69, "closed"},  {1, "server"},   {76, "protocol"}, {76, "wrong_reply"}};
    static struct sc_bench_result result;
    static struct sc_bench_expectations none, about_errors, about_rate;
    struct sc_err err;
    ck_assert_int_eq(sc_bench_expect_add(&about_errors, "errors<9", &err), 0);
    ck_assert_int_eq(sc_bench_expect_add(&about_rate, "rate<1", &err), 0);
    ck_assert_uint_eq(SC_COUNT_OF(rows), SC_BENCH_ERROR_COUNT);
    for (size_t i = 0; i < SC_COUNT_OF(rows); i++) {
        sc_bench_stats_init(&result.stats);
        result.stats.errors[i] = 2;
        ck_assert_str_eq(sc_bench_error_kinds[i].word, rows[i].word);
        ck_assert_int_eq(sc_bench_expect_status(&none, &result), rows[i].status);
        ck_assert_int_eq(sc_bench_expect_status(&about_rate, &result), rows[i].status);
        ck_assert_int_eq(sc_bench_expect_status(&about_errors, &result), 0);
        result.stats.errors[i] = 9;
        ck_assert_int_eq(sc_bench_expect_status(&about_errors, &result), 99);
    }
    /* The gravest one decides. */
    memset(result.stats.errors, 0, sizeof(result.stats.errors));
    result.stats.errors[SC_BENCH_ERROR_TIMEOUT] = result.stats.errors[SC_BENCH_ERROR_PIN] = 1;
    ck_assert_int_eq(sc_bench_expect_status(&none, &result), 90);
}
END_TEST

START_TEST(a_run_that_was_cut_short_is_no_success)
{
    static struct sc_bench_result result;
    static struct sc_bench_expectations none, about_rate;
    struct sc_err err;
    sc_bench_stats_init(&result.stats);
    ck_assert_int_eq(sc_bench_expect_add(&about_rate, "rate>1", &err), 0);
    ck_assert_int_eq(sc_bench_expect_status(&none, &result), 0);
    result.gave_up = true;
    ck_assert_int_eq(sc_bench_expect_status(&none, &result), 69);
    result.interrupted = true;
    ck_assert_int_eq(sc_bench_expect_status(&none, &result), 130);
    ck_assert_int_eq(sc_bench_expect_status(&about_rate, &result), 99);
}
END_TEST

SUITE_MAIN("bench_options", defaults, every_option_has_its_effect, modes, a_process_counts_once,
           errors_have_their_words_and_statuses, a_run_that_was_cut_short_is_no_success)

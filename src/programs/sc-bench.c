/* Puts a load on a server and says how it did. */
#include "config.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "bench/options.h"
#include "bench/report.h"
#include "base/program.h"
#include "tls/context.h"
#include "programs/version.h"

#define EXIT_INTERRUPTED 130

#define SAME_SIGNAL_MS \
    1000 /* timeout(1) and a terminal send one to the process and one to its group: that is not \
            asking twice */

static volatile sig_atomic_t interrupted;
static atomic_uint_fast64_t interrupted_ms; /* when */

/* The first ends the run, with the figures until then; a second one ends the program at once. */
static void on_signal(int number)
{
    const uint_fast64_t now_ms = sc_clock_ms();
    uint_fast64_t first = 0;
    if (!atomic_compare_exchange_strong(&interrupted_ms, &first, now_ms) &&
        now_ms - first >= SAME_SIGNAL_MS) {
        (void)signal(number, SIG_DFL);
        (void)raise(number);
    }
    interrupted = 1;
}

static void catch_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal,
                               .sa_flags =
                                   0}; /* no SA_RESTART: what waits for a file is interrupted too */
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    action.sa_handler = SIG_IGN;
    (void)sigaction(SIGPIPE, &action, NULL);
}

/*
 * An expectation that was missed outranks the errors; expectations about errors replace the rule
 * that none may happen.
 */
static int judge(const struct sc_bench_options *options, const struct sc_bench_result *result)
{
    for (size_t i = 0; i < options->expectations.count; i++) {
        if (!sc_bench_expect_is_met(&options->expectations.list[i], result)) {
            return SC_EXIT_THRESHOLD;
        }
    }
    for (int kind = SC_BENCH_ERROR_COUNT - 1;
         kind >= 0 && !sc_bench_expect_errors(&options->expectations); kind--) {
        if (result->stats.errors[kind] > 0) {
            return sc_bench_error_status((enum sc_bench_error)kind);
        }
    }
    if (result->interrupted) {
        return EXIT_INTERRUPTED;
    }
    return result->gave_up ? EX_UNAVAILABLE : EX_OK;
}

static int run(struct sc_bench_options *options, struct sc_bench_result *result)
{
    struct sc_err err;
    uint64_t seen = 0;
    const char *keylog = getenv("SSLKEYLOGFILE");
    struct sc_bench_plan *plan = &options->plan;
    if (options->svg_path && sc_bench_report_svg_check(options->svg_path, &err) != 0) {
        return sc_program_fail(SC_BENCH_NAME, &err);
    }
    plan->context = sc_tls_context_new_client(keylog && *keylog ? keylog : NULL, &err);
    if (!plan->context) {
        return sc_program_fail(SC_BENCH_NAME, &err);
    }
    if (keylog && *keylog) {
        sc_program_warn(SC_BENCH_NAME,
                        "SSLKEYLOGFILE: the secrets of every connection are written to %s", keylog);
    }
    const bool on_terminal = isatty(STDERR_FILENO) != 0;
    plan->interrupted = &interrupted;
    plan->progress_arg = &seen;
    plan->on_progress = on_terminal ? sc_bench_report_progress : NULL;
    int status = sc_bench_run(plan, result, &err);
    if (on_terminal) {
        (void)fputs("\r\033[K", stderr);
    }
    sc_tls_context_unref(plan->context);
    if (status != 0) {
        status = sc_program_fail(SC_BENCH_NAME, &err);
        return interrupted ? EXIT_INTERRUPTED : status;
    }
    if (options->json) {
        sc_bench_report_json(stdout, options, result);
    } else {
        sc_bench_report_text(stdout, options, result);
    }
    if (options->svg_path && sc_bench_report_svg(options->svg_path, options, result, &err) != 0) {
        return sc_program_fail(SC_BENCH_NAME, &err);
    }
    return judge(options, result);
}

int main(int argc, char *argv[])
{
    static struct sc_bench_options options;
    static struct sc_bench_result result;
    int status;
    sc_program_start();
    status = sc_bench_options_read(&options, argc, argv);
    if (status == 0) {
        switch (options.action) {
        case SC_BENCH_HELP: sc_bench_options_help(); break;
        case SC_BENCH_VERSION: sc_version_print(SC_BENCH_NAME); break;
        case SC_BENCH_RUN:
            catch_signals();
            status = run(&options, &result);
            break;
        }
    }
    sc_bench_options_fini(&options);
    return sc_program_end(SC_BENCH_NAME, status);
}

/* SPDX-License-Identifier: MIT */
/* sc-bench(1): argv, signals, exit status. The work is in bench/. */
#include "config.h"

#include <signal.h>
#include <stdatomic.h>
#include <sysexits.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "base/clock.h"
#include "base/program.h"
#include "bench/compare.h"
#include "bench/expect.h"
#include "bench/options.h"
#include "bench/report.h"
#include "bench/run.h"
#include "tls/context.h"
#include "tls/passphrase_prompt.h"
#include "tls/verify.h"
#include "programs/key_log_path.h"
#include "programs/version.h"

/* timeout(1) signals the process and its group: two signals so close are one. */
#define SAME_SIGNAL_MS 1000

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
    struct sigaction action = {.sa_handler = on_signal}; /* without SA_RESTART: open(2) must end */
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    action.sa_handler = SIG_IGN;
    (void)sigaction(SIGPIPE, &action, NULL);
}

static struct sc_tls_context *make_context(const struct sc_bench_options *options,
                                           const char *keylog_path, struct sc_err *err)
{
    char passphrase[1024] = "";
    const char *key = options->key_path ? options->key_path : options->certificate_path;
    if (key && sc_passphrase_ask(key, passphrase, sizeof(passphrase), err) != 0) {
        return NULL;
    }
    struct sc_tls_context *context = sc_tls_context_new_client(
        &(struct sc_tls_client_settings){.keylog_path = keylog_path,
                                         .certificate_path = options->certificate_path,
                                         .private_key_path = key,
                                         .passphrase = *passphrase ? passphrase : NULL},
        err);
    OPENSSL_cleanse(passphrase, sizeof(passphrase));
    if (!context && err->status == EX_CONFIG) { /* to a server its files are configuration */
        err->status = EX_DATAERR;
    }
    if (context) {
        sc_tls_verify_install(sc_tls_context_ssl_ctx(context));
    }
    return context;
}

/* Prints why a run has failed. Returns the exit status. */
static int fail(const struct sc_bench_options *options, const struct sc_bench_result *result,
                const struct sc_err *err)
{
    char target[300];
    if (!*result->mismatch.got) {
        return sc_program_fail(SC_BENCH_NAME, err);
    }
    sc_format_address(&options->address, target, sizeof(target));
    sc_pin_mismatch_print(stderr, SC_BENCH_NAME, target, &result->mismatch, NULL, NULL);
    return err->status;
}

static int run(struct sc_bench_options *options, struct sc_bench_result *result)
{
    struct sc_err err;
    struct sc_bench_shown shown = {0};
    const bool on_terminal = isatty(STDERR_FILENO) != 0;
    const struct sc_bench_observer observer = {.on_progress =
                                                   on_terminal ? sc_bench_report_progress : NULL,
                                               .arg = &shown,
                                               .interrupted = &interrupted};
    struct sc_bench_plan *plan = &options->plan;
    if (options->svg_path && sc_bench_report_svg_check(options->svg_path, &err) != 0) {
        return sc_program_fail(SC_BENCH_NAME, &err);
    }
    plan->context = make_context(options, sc_key_log_path(SC_BENCH_NAME), &err);
    if (!plan->context) {
        return sc_program_fail(SC_BENCH_NAME, &err);
    }
    int status = sc_bench_run(plan, &observer, result, &err);
    if (on_terminal) {
        (void)fputs("\r\033[K", stderr);
    }
    sc_tls_context_unref(plan->context);
    if (status != 0) {
        status = fail(options, result, &err);
        return interrupted ? SC_EXIT_INTERRUPTED : status;
    }
    if (result->tls.outdated) {
        sc_program_warn(SC_BENCH_NAME,
                        "the certificate of %s: %s; it is accepted because it is pinned",
                        result->target, result->tls.validity);
    }
    if (options->json) {
        sc_bench_report_json(stdout, options, result);
    } else {
        sc_bench_report_text(stdout, options, result);
    }
    if (options->svg_path && sc_bench_report_svg(options->svg_path, options, result, &err) != 0) {
        return sc_program_fail(SC_BENCH_NAME, &err);
    }
    return sc_bench_expect_status(&options->expectations, result);
}

int main(int argc, char *argv[])
{
    static struct sc_bench_options options;
    static struct sc_bench_result result;
    struct sc_err err;
    int status;
    sc_program_start();
    status = sc_bench_options_read(&options, argc, argv);
    if (status == 0) {
        switch (options.action) {
        case SC_BENCH_HELP: sc_opt_help(stdout, sc_bench_option_table()); break;
        case SC_BENCH_VERSION: sc_version_print(SC_BENCH_NAME); break;
        case SC_BENCH_COMPARE:
            status = sc_bench_compare(stdout, options.compared[0], options.compared[1], &err) == 0
                         ? EX_OK
                         : sc_program_fail(SC_BENCH_NAME, &err);
            break;
        case SC_BENCH_RUN:
            catch_signals();
            status = run(&options, &result);
            break;
        }
    }
    sc_bench_result_fini(&result);
    sc_bench_options_fini(&options);
    return sc_program_end(SC_BENCH_NAME, status);
}

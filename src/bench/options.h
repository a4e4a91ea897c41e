/* SPDX-License-Identifier: MIT */
/* The command line of sc-bench: a plan, and what to do with its result. Thread: the main one. */
#ifndef SC_BENCH_OPTIONS_H
#define SC_BENCH_OPTIONS_H

#include <stdbool.h>

#include "base/err.h"
#include "base/opt_settings.h"
#include "base/parse.h"
#include "bench/expect.h"
#include "bench/plan.h"
#include "tls/pin.h"

#define SC_BENCH_NAME "sc-bench"

enum sc_bench_action { SC_BENCH_RUN, SC_BENCH_COMPARE, SC_BENCH_HELP, SC_BENCH_VERSION };

const struct sc_opt_table *sc_bench_option_table(void); /* thread: the main one */

struct sc_bench_options {
    struct sc_opt_settings given; /* keeps the texts that the others point to */
    enum sc_bench_action action;
    struct sc_address address;
    struct sc_bench_plan plan; /* all but the context */
    struct sc_pin_set *pins; /* those of the plan; owned here */
    const char *certificate_path, *key_path; /* the client's own; NULL: not given */
    bool json;
    const char *svg_path;
    const char *compared[2]; /* SC_BENCH_COMPARE: the files */
    struct sc_bench_expectations expectations;
};

/*
 * Reads the command line. Returns 0, or the exit status when the error has been printed. Either
 * way sc_bench_options_fini() frees what it holds.
 */
int sc_bench_options_read(struct sc_bench_options *options, int argc, char *argv[]) SC_NODISCARD;
void sc_bench_options_fini(struct sc_bench_options *options);

#endif

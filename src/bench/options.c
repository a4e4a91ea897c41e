/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "bench/options.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "base/program.h"
#include "proto/frame.h"
#include "proto/handler.h"
#include "tls/user_conf.h"

#define DAY_MS ((uint64_t)24 * 3600 * 1000)

enum {
    OPT_CONNECT,
    OPT_PIN,
    OPT_CERT,
    OPT_KEY,
    OPT_CONNECTIONS,
    OPT_DEPTH,
    OPT_SIZE,
    OPT_TYPE,
    OPT_RATE,
    OPT_HANDSHAKES,
    OPT_RESUME,
    OPT_HOLD,
    OPT_DURATION,
    OPT_REQUESTS,
    OPT_WARM_UP,
    OPT_TIMEOUT,
    OPT_THREADS,
    OPT_SOURCE,
    OPT_JSON,
    OPT_SVG,
    OPT_EXPECT,
    OPT_SERVER_PID,
    OPT_COMPARE,
    OPT_HELP,
    OPT_VERSION,
};

/* Both made from the table of message types, by sc_bench_option_table(). */
static const char *type_words[SC_HANDLER_MAX + 2];
static char type_list[SC_HANDLER_LIST_BYTES]; /* "echo, reverse or mix" */

static const struct sc_opt rows[] = {
    SC_OPT("connect", 0, OPT_CONNECT, "ADDR",
           "HOST:PORT, [V6]:PORT, unix:/path, or a name of client.conf",
           .initial = "localhost:" SC_PROTOCOL_PORT, .group = "Server", .complete = SC_OPT_SERVERS,
           .conf = SC_OPT_CONF_ONE, .words = sc_opt_address_words),
    SC_OPT("pin", 0, OPT_PIN, "PIN", "what the server must show; repeatable, one match is enough",
           .repeatable = true, .complete = SC_OPT_PEM_FILES, .conf = SC_OPT_CONF_LIST,
           .words = sc_pin_words),
    SC_OPT("cert", 0, OPT_CERT, "FILE", "the client's own certificate, for servers that ask",
           .complete = SC_OPT_PEM_FILES, .conf = SC_OPT_CONF_ONE),
    SC_OPT("key", 0, OPT_KEY, "FILE", "its private key", .initial = "in the file of --cert",
           .complete = SC_OPT_PEM_FILES, .conf = SC_OPT_CONF_ONE),

    SC_OPT("connections", 'c', OPT_CONNECTIONS, "N", "connections at the same time", .initial = "1",
           .group = "Load"),
    SC_OPT("depth", 'd', OPT_DEPTH, "N", "requests in flight on each connection", .initial = "1"),
    SC_OPT("size", 's', OPT_SIZE, "BYTES", "body of a request, 0 to 16M", .initial = "64"),
    SC_OPT("type", 't', OPT_TYPE, "TYPE", type_list, .initial = "echo", .words = type_words),
    SC_OPT("rate", 0, OPT_RATE, "R",
           "open loop: R operations a second, whatever the server does; latencies count from the "
           "intended start",
           .initial = "closed loop, a request follows a reply"),
    SC_OPT("handshakes", 0, OPT_HANDSHAKES, NULL,
           "an operation is a connection: full handshake, one request, close"),
    SC_OPT("resume", 0, OPT_RESUME, "[=PERCENT]",
           "the same, and this share of the handshakes resumes a session", .initial = "100"),
    SC_OPT("hold", 0, OPT_HOLD, NULL, "idle connections; at the end each must answer one request"),

    SC_OPT("duration", 0, OPT_DURATION, "D", "measure this long", .initial = "10s",
           .group = "Duration and source"),
    SC_OPT("requests", 'n', OPT_REQUESTS, "N", "measure so many operations instead"),
    SC_OPT("warm-up", 0, OPT_WARM_UP, "D", "the same load before, not counted", .initial = "0"),
    SC_OPT("timeout", 0, OPT_TIMEOUT, "D", "for a connection, and for each reply",
           .initial = "10s"),
    SC_OPT("threads", 0, OPT_THREADS, "N", "threads of the generator", .initial = "1"),
    SC_OPT("source", 0, OPT_SOURCE, "ADDR",
           "connect from this local address; repeatable, used in rotation", .repeatable = true),

    SC_OPT("json", 0, OPT_JSON, NULL, "print JSON, schema space-captain-bench/1",
           .group = "Result"),
    SC_OPT("svg", 0, OPT_SVG, "FILE", "draw latency by percentile", .complete = SC_OPT_FILES),
    SC_OPT("expect", 0, OPT_EXPECT, "LIST",
           "such as 'p99<5ms,errors=0,rate>=10K'; if one is missed the exit status is 99",
           .repeatable = true),
    SC_OPT("server-pid", 0, OPT_SERVER_PID, "PID",
           "add processor time and memory of the server; repeatable, the sum is printed",
           .repeatable = true),
    SC_OPT("compare", 0, OPT_COMPARE, "A.json",
           "print two results of --json side by side, A.json and B.json, with ratios, and what is "
           "more than their noise; nothing is run",
           .complete = SC_OPT_FILES),
    SC_OPT_HELP_ROW(OPT_HELP),
    SC_OPT_VERSION_ROW(OPT_VERSION),
};

static const struct sc_opt_status statuses[] = {
    {.status = 1},
    {.status = SC_EXIT_HANDSHAKE},
    {.status = SC_EXIT_UNTRUSTED, .text = "no pin was given"},
    {.status = EX_USAGE},
    {.status = EX_DATAERR},
    {.status = EX_NOINPUT, .text = "a file can't be read, or there is no such process"},
    {.status = EX_UNAVAILABLE},
    {.status = EX_OSERR,
     .text = "the system refused something, such as descriptors, memory, threads"},
    {.status = EX_CANTCREAT, .text = "the drawing can't be created"},
    {.status = EX_IOERR},
    {.status = EX_TEMPFAIL},
    {.status = EX_PROTOCOL, .text = "a reply was wrong"},
    {.status = SC_EXIT_PIN},
    {.status = SC_EXIT_THRESHOLD},
    {.status = SC_EXIT_INTERRUPTED},
    {.status = EX_OK}};

static const struct sc_opt_table table = {
    .program = SC_BENCH_NAME,
    .usage = "Usage: sc-bench [--connect ADDR] --pin PIN... [OPTION]...\n"
             "       sc-bench --compare A.json B.json\n"
             "Puts load on a Space Captain server and verifies every reply.\n",
    .rows = rows,
    .count = SC_COUNT_OF(rows),
    .takes_files = true,
    .notes =
        "A duration D is in seconds, or takes ms, s, m or h: 2, 0.5, 500ms, 2s.\n\n" SC_PIN_HELP,
    .statuses = statuses,
};

const struct sc_opt_table *sc_bench_option_table(void)
{
    size_t count = 0, used = 0;
    for (; sc_bench_type_at(count); count++) {
        type_words[count] = sc_bench_type_at(count)->name;
        used += (size_t)snprintf(type_list + used, sizeof(type_list) - used, "%s%s",
                                 count > 0 ? ", " : "", type_words[count]);
    }
    type_words[count] = SC_BENCH_MIX;
    (void)snprintf(type_list + used, sizeof(type_list) - used, " or " SC_BENCH_MIX);
    return &table;
}

/* Options that were given: the plan holds defaults too. */
struct given {
    bool duration, requests, depth, warm_up, mode;
};

static int read_unsigned(uint64_t min, uint64_t max, unsigned *out, struct sc_err *err)
{
    uint64_t number;
    if (sc_parse_u64(optarg, min, max, &number, err) != 0) {
        return -1;
    }
    *out = (unsigned)number;
    return 0;
}

static int read_size(size_t *out, struct sc_err *err)
{
    uint64_t size;
    if (sc_parse_size(optarg, 0, SC_FRAME_MAX_BODY_BYTES, &size, err) != 0) {
        return -1;
    }
    *out = (size_t)size;
    return 0;
}

static int read_type(const struct sc_handler **out, struct sc_err *err)
{
    for (size_t i = 0; type_words[i]; i++) {
        if (strcmp(optarg, type_words[i]) == 0) {
            *out = sc_bench_type_at(i); /* NULL after the last: the mix */
            return 0;
        }
    }
    return sc_err_set(err, EX_USAGE, "invalid value \"%.64s\": expected %s", optarg, type_list);
}

/* "5000", "0.5", "20K", "1.5M". */
static int read_rate(double *out, struct sc_err *err)
{
    const char *rest = optarg;
    double rate = 0.0;
    const bool is_number = sc_take_decimal(&rest, &rate) == 0;
    if (strcmp(rest, "K") == 0 || strcmp(rest, "M") == 0) {
        rate *= *rest == 'K' ? 1e3 : 1e6;
        rest++;
    }
    if (!is_number || *rest != '\0' || rate < 0.001 || rate > 1e8) {
        return sc_err_set(err, EX_USAGE,
                          "invalid value \"%.64s\": expected operations a second, 0.001 to 100M, "
                          "such as 500 or 20K",
                          optarg);
    }
    *out = rate;
    return 0;
}

static int set_mode(struct sc_bench_plan *plan, struct given *given, enum sc_bench_mode mode,
                    struct sc_err *err)
{
    const bool both_are_handshakes =
        plan->mode == SC_BENCH_HANDSHAKES && mode == SC_BENCH_HANDSHAKES;
    if (given->mode && !both_are_handshakes) {
        return sc_err_set(err, EX_USAGE, "it excludes %s",
                          mode == SC_BENCH_HOLD ? "--handshakes and --resume" : "--hold");
    }
    given->mode = true;
    plan->mode = mode;
    return 0;
}

static int set_resume(struct sc_bench_plan *plan, struct given *given, struct sc_err *err)
{
    plan->resume_percent = 100;
    if (set_mode(plan, given, SC_BENCH_HANDSHAKES, err) != 0) {
        return -1;
    }
    return optarg ? read_unsigned(0, 100, &plan->resume_percent, err) : 0;
}

static int add_source(struct sc_bench_plan *plan, struct sc_err *err)
{
    if (plan->source_count == SC_BENCH_MAX_SOURCES) {
        return sc_err_set(err, EX_USAGE, "at most %u addresses", SC_BENCH_MAX_SOURCES);
    }
    plan->sources[plan->source_count++] = optarg;
    return 0;
}

static int add_pid(struct sc_bench_plan *plan, struct sc_err *err)
{
    uint64_t pid;
    if (plan->server_pid_count == SC_BENCH_MAX_PIDS) {
        return sc_err_set(err, EX_USAGE, "at most %u processes", SC_BENCH_MAX_PIDS);
    }
    if (sc_parse_u64(optarg, 1, INT32_MAX, &pid, err) != 0) {
        return -1;
    }
    for (size_t i = 0; i < plan->server_pid_count; i++) {
        if (plan->server_pids[i] == (pid_t)pid) {
            return 0; /* given twice, counted once */
        }
    }
    plan->server_pids[plan->server_pid_count++] = (pid_t)pid;
    return 0;
}

static int apply_rest(struct sc_bench_options *options, struct given *given, int option,
                      struct sc_err *err)
{
    struct sc_bench_plan *plan = &options->plan;
    switch (option) {
    case OPT_HANDSHAKES: return set_mode(plan, given, SC_BENCH_HANDSHAKES, err);
    case OPT_RESUME: return set_resume(plan, given, err);
    case OPT_HOLD: return set_mode(plan, given, SC_BENCH_HOLD, err);
    case OPT_SOURCE: return add_source(plan, err);
    case OPT_SERVER_PID: return add_pid(plan, err);
    case OPT_EXPECT: return sc_bench_expect_add(&options->expectations, optarg, err);
    case OPT_CERT: options->certificate_path = optarg; return sc_pin_check_file(optarg, err);
    case OPT_KEY: options->key_path = optarg; return sc_pin_check_file(optarg, err);
    case OPT_JSON: options->json = true; return 0;
    case OPT_SVG:
        options->svg_path = optarg;
        return *optarg ? 0 : sc_err_set(err, EX_USAGE, "the name of the file is empty");
    default: return 0;
    }
}

static int apply(struct sc_bench_options *options, struct given *given, int option,
                 struct sc_err *err)
{
    struct sc_bench_plan *plan = &options->plan;
    switch (option) {
    case OPT_CONNECT:
        return sc_parse_server_address(optarg, SC_PROTOCOL_PORT, &options->address, err);
    case OPT_PIN: return sc_pin_set_add(options->pins, optarg, err);
    case OPT_CONNECTIONS: return read_unsigned(1, 1000000, &plan->connections, err);
    case OPT_DEPTH: given->depth = true; return read_unsigned(1, 65536, &plan->depth, err);
    case OPT_SIZE: return read_size(&plan->size_bytes, err);
    case OPT_TYPE: return read_type(&plan->type, err);
    case OPT_REQUESTS:
        given->requests = true;
        return sc_parse_u64(optarg, 1, UINT64_MAX / 2, &plan->requests, err);
    case OPT_RATE: return read_rate(&plan->rate, err);
    case OPT_DURATION:
        given->duration = true;
        return sc_parse_seconds_ms(optarg, 1, DAY_MS, &plan->duration_ms, err);
    case OPT_WARM_UP:
        given->warm_up = true;
        return sc_parse_seconds_ms(optarg, 0, DAY_MS, &plan->warm_up_ms, err);
    case OPT_TIMEOUT: return sc_parse_seconds_ms(optarg, 1, DAY_MS, &plan->timeout_ms, err);
    case OPT_THREADS: return read_unsigned(1, SC_BENCH_MAX_THREADS, &plan->threads, err);
    default: return apply_rest(options, given, option, err);
    }
}

/* Each expectation must be about something that the run measures. */
static int check_expectations(const struct sc_bench_options *options)
{
    const struct sc_bench_plan *plan = &options->plan;
    for (size_t i = 0; i < options->expectations.count; i++) {
        const struct sc_bench_expectation *one = &options->expectations.list[i];
        if (plan->server_pid_count == 0 && strcmp(one->figure, "cpu-rate") == 0) {
            return sc_program_usage(SC_BENCH_NAME, "--expect %s: it needs --server-pid", one->text);
        }
        if (plan->mode == SC_BENCH_HOLD && sc_bench_expect_is_time(one)) {
            return sc_program_usage(SC_BENCH_NAME, "--expect %s: --hold measures no latency",
                                    one->text);
        }
    }
    return 0;
}

/* A server is not contacted without a pin: 0, or the exit status. */
static int check_pins(const struct sc_bench_options *options)
{
    char target[300];
    struct sc_err err;
    if (sc_pin_set_count(options->pins) > 0) {
        return 0;
    }
    sc_format_address(&options->address, target, sizeof(target));
    (void)sc_pin_missing(&err, target);
    return sc_program_fail(SC_BENCH_NAME, &err);
}

/* Options that exclude each other, as a usage error; 0: none. */
static int check(const struct sc_bench_options *options, const struct given *given)
{
    const struct sc_bench_plan *plan = &options->plan;
    if (options->key_path && !options->certificate_path) {
        return sc_program_usage(SC_BENCH_NAME, "--key: it goes with --cert");
    }
    if (given->duration && given->requests) {
        return sc_program_usage(SC_BENCH_NAME, "--duration and --requests: one of them");
    }
    if (plan->mode == SC_BENCH_HANDSHAKES && given->depth && plan->depth > 1) {
        return sc_program_usage(
            SC_BENCH_NAME, "--depth: a connection of --handshakes and --resume makes one request");
    }
    if (plan->mode == SC_BENCH_HOLD &&
        (given->requests || plan->rate > 0.0 || given->warm_up || plan->depth > 1)) {
        return sc_program_usage(
            SC_BENCH_NAME, "--hold: there is nothing to count in it; it takes --duration only");
    }
    if (plan->threads > plan->connections) {
        return sc_program_usage(SC_BENCH_NAME, "--threads %u: no more than there are --connections",
                                plan->threads);
    }
    return check_expectations(options);
}

/* --compare A.json B.json: nothing else is asked for. Returns 0, or the exit status. */
static int take_compared(struct sc_bench_options *options, int argc, char *argv[])
{
    if (options->given.count > 1) {
        return sc_program_usage(SC_BENCH_NAME, "--compare: it takes no other option");
    }
    if (argc - optind != 1) {
        return sc_program_usage(SC_BENCH_NAME, "--compare: it takes two files, A.json B.json");
    }
    options->action = SC_BENCH_COMPARE;
    options->compared[0] = options->given.list[0].value;
    options->compared[1] = argv[optind];
    return 0;
}

static void set_defaults(struct sc_bench_options *options)
{
    memset(options, 0, sizeof(*options));
    options->address = (struct sc_address){.host = "localhost", .port = SC_PROTOCOL_PORT};
    options->plan = (struct sc_bench_plan){.address = &options->address,
                                           .type = sc_bench_type_at(0),
                                           .size_bytes = 64,
                                           .connections = 1,
                                           .depth = 1,
                                           .threads = 1,
                                           .duration_ms = 10000,
                                           .timeout_ms = 10000};
}

/* Into options->given. Returns 0, or the exit status; --help and --version are an action. */
static int read_command_line(struct sc_bench_options *options, int argc, char *argv[])
{
    struct sc_err err;
    struct sc_opt_reader reader;
    const struct sc_opt *option;
    int refused;
    sc_opt_reader_init(&reader, sc_bench_option_table());
    while ((option = sc_opt_next(&reader, argc, argv, &refused)) != NULL) {
        if (option->value == OPT_HELP || option->value == OPT_VERSION) {
            options->action = option->value == OPT_HELP ? SC_BENCH_HELP : SC_BENCH_VERSION;
            return 0;
        }
        if (sc_opt_settings_add(&options->given, option, optarg, NULL, &err) != 0) {
            return sc_program_fail(SC_BENCH_NAME, &err);
        }
    }
    return refused ? sc_program_bad_option(SC_BENCH_NAME, refused, argc, argv) : 0;
}

/* What was given, and what client.conf adds to it, into the plan. Returns 0, or the exit status. */
static int apply_given(struct sc_bench_options *options, struct given *given)
{
    struct sc_err err;
    if (sc_user_conf_complete(&options->given, sc_bench_option_table(), true, &err) != 0) {
        return sc_program_fail(SC_BENCH_NAME, &err);
    }
    for (size_t i = 0; i < options->given.count; i++) {
        const struct sc_opt_setting *setting = &options->given.list[i];
        optarg = setting->value;
        if (apply(options, given, setting->option->value, &err) != 0) {
            (void)sc_user_conf_blame(setting, &err);
            return err.status == EX_USAGE ? sc_program_usage(SC_BENCH_NAME, "%s", err.text)
                                          : sc_program_fail(SC_BENCH_NAME, &err);
        }
    }
    return 0;
}

int sc_bench_options_read(struct sc_bench_options *options, int argc, char *argv[])
{
    struct sc_err err;
    struct given given = {0};
    set_defaults(options);
    options->pins = sc_pin_set_new();
    if (!options->pins) {
        (void)sc_err_set(&err, EX_OSERR, "out of memory");
        return sc_program_fail(SC_BENCH_NAME, &err);
    }
    options->plan.pins = options->pins;
    int status = read_command_line(options, argc, argv);
    if (status != 0 || options->action != SC_BENCH_RUN) {
        return status;
    }
    if (sc_opt_settings_find(&options->given, "compare")) {
        return take_compared(options, argc, argv);
    }
    status = apply_given(options, &given);
    if (status != 0) {
        return status;
    }
    if (optind < argc) {
        return sc_program_usage(SC_BENCH_NAME, "\"%.64s\": it takes no argument without an option",
                                argv[optind]);
    }
    if (given.requests) {
        options->plan.duration_ms = 0;
    }
    if (options->plan.type && !options->plan.type->takes_body) {
        options->plan.size_bytes = 0;
    }
    status = check(options, &given);
    return status == 0 ? check_pins(options) : status;
}

void sc_bench_options_fini(struct sc_bench_options *options)
{
    sc_pin_set_free(options->pins);
    sc_opt_settings_fini(&options->given);
}

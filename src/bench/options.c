#include "config.h"

#include "bench/options.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/program.h"
#include "proto/frame.h"

#define DAY_MS ((uint64_t)24 * 3600 * 1000)

static const char help[] =
    "Usage: sc-bench [--connect ADDR] --pin PIN... [OPTION]...\n"
    "Puts load on a Space Captain server and verifies every reply.\n"
    "\n"
    "      --connect ADDR     HOST:PORT, [V6]:PORT or unix:/path\n"
    "                         (default: localhost:4242)\n"
    "      --pin PIN          FILE, sha256//BASE64, cert-sha256:HEX or ca:FILE;\n"
    "                         repeatable, one match is enough\n"
    "\n"
    "Load:\n"
    "  -c, --connections N    connections at the same time (default: 1)\n"
    "  -d, --depth N          requests in flight on each connection (default: 1)\n"
    "  -s, --size BYTES       body of a request, 0 to 16M (default: 64)\n"
    "  -t, --type TYPE        echo, reverse, time or mix (default: echo)\n"
    "      --rate R           open loop: R operations a second, whatever the server\n"
    "                         does; latencies count from the intended start\n"
    "                         (default: closed loop, a request follows a reply)\n"
    "      --handshakes       an operation is a connection: full handshake, one\n"
    "                         request, close\n"
    "      --resume[=PERCENT] the same, and this share of the handshakes resumes a\n"
    "                         session (default: 100)\n"
    "      --hold             idle connections; at the end each must answer one\n"
    "                         request\n"
    "\n"
    "Duration and source:\n"
    "      --duration D       measure this long (default: 10s)\n"
    "  -n, --requests N       measure so many operations instead\n"
    "      --warm-up D        the same load before, not counted (default: 0)\n"
    "      --timeout D        for a connection, and for each reply (default: 10s)\n"
    "      --threads N        threads of the generator (default: 1)\n"
    "      --source ADDR      connect from this local address; repeatable, used in\n"
    "                         rotation\n"
    "\n"
    "Result:\n"
    "      --json             print JSON, schema space-captain-bench/1\n"
    "      --svg FILE         draw latency by percentile\n"
    "      --expect LIST      such as 'p99<5ms,errors=0,rate>=10K'; if one is missed\n"
    "                         the exit status is 99\n"
    "      --server-pid PID   add processor time and memory of the server;\n"
    "                         repeatable, the sum is printed\n"
    "\n"
    "  -h, --help             print this help\n"
    "  -V, --version          print the versions of the program and its libraries\n"
    "\n"
    "Exit status: 0 success, 1 the server answered ERROR, 35 TLS handshake failed,\n"
    "64 wrong usage, 65 bad data, 66 a file or process can't be read, 69 can't\n"
    "connect, or the server went away, 71 the system refused something, 73 the\n"
    "drawing can't be created, 74 output can't be written, 75 timed out, 76 a reply\n"
    "was wrong, 90 no pin matched, 99 an expectation was missed, 130 interrupted.\n";

enum {
    OPT_CONNECT = 256,
    OPT_PIN,
    OPT_RATE,
    OPT_HANDSHAKES,
    OPT_RESUME,
    OPT_HOLD,
    OPT_DURATION,
    OPT_WARM_UP,
    OPT_TIMEOUT,
    OPT_THREADS,
    OPT_SOURCE,
    OPT_JSON,
    OPT_SVG,
    OPT_EXPECT,
    OPT_SERVER_PID
};

static const struct option long_options[] = {
    {"connect", required_argument, NULL, OPT_CONNECT},
    {"pin", required_argument, NULL, OPT_PIN},
    {"connections", required_argument, NULL, 'c'},
    {"depth", required_argument, NULL, 'd'},
    {"size", required_argument, NULL, 's'},
    {"type", required_argument, NULL, 't'},
    {"requests", required_argument, NULL, 'n'},
    {"rate", required_argument, NULL, OPT_RATE},
    {"handshakes", no_argument, NULL, OPT_HANDSHAKES},
    {"resume", optional_argument, NULL, OPT_RESUME},
    {"hold", no_argument, NULL, OPT_HOLD},
    {"duration", required_argument, NULL, OPT_DURATION},
    {"warm-up", required_argument, NULL, OPT_WARM_UP},
    {"timeout", required_argument, NULL, OPT_TIMEOUT},
    {"threads", required_argument, NULL, OPT_THREADS},
    {"source", required_argument, NULL, OPT_SOURCE},
    {"json", no_argument, NULL, OPT_JSON},
    {"svg", required_argument, NULL, OPT_SVG},
    {"expect", required_argument, NULL, OPT_EXPECT},
    {"server-pid", required_argument, NULL, OPT_SERVER_PID},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'V'},
    {NULL, 0, NULL, 0},
};

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

static int read_type(enum sc_bench_type *out, struct sc_err *err)
{
    for (int i = 0; sc_bench_type_names[i]; i++) {
        if (strcmp(optarg, sc_bench_type_names[i]) == 0) {
            *out = (enum sc_bench_type)i;
            return 0;
        }
    }
    return sc_err_set(err, EX_USAGE, "invalid value \"%.64s\": expected echo, reverse, time or mix",
                      optarg);
}

/* "5000", "0.5", "20K", "1.5M". */
static int read_rate(double *out, struct sc_err *err)
{
    const double largest = 1e8;
    char *end = optarg;
    double rate = *optarg >= '0' && *optarg <= '9' ? strtod(optarg, &end) : 0.0;
    if (strcmp(end, "K") == 0 || strcmp(end, "M") == 0) {
        rate *= *end == 'K' ? 1e3 : 1e6;
        end++;
    }
    if (*end != '\0' || !(rate >= 0.001) || rate > largest) {
        return sc_err_set(
            err, EX_USAGE,
            "invalid value \"%.64s\": expected operations a second, such as 500 or 20K", optarg);
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
        return sc_err_set(err, EX_USAGE, "--hold goes with neither --handshakes nor --resume");
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
    case OPT_JSON: options->json = true; return 0;
    case OPT_SVG:
        options->svg_path = optarg;
        return *optarg ? 0 : sc_err_set(err, EX_USAGE, "the name of the file is empty");
    case 'h': options->action = SC_BENCH_HELP; return 0;
    default: options->action = SC_BENCH_VERSION; return 0;
    }
}

static int apply(struct sc_bench_options *options, struct given *given, int option,
                 struct sc_err *err)
{
    struct sc_bench_plan *plan = &options->plan;
    switch (option) {
    case OPT_CONNECT: return sc_parse_address(optarg, NULL, &options->address, err);
    case OPT_PIN: return sc_pin_set_add(options->pins, optarg, err);
    case 'c': return read_unsigned(1, 1000000, &plan->connections, err);
    case 'd': given->depth = true; return read_unsigned(1, 65536, &plan->depth, err);
    case 's': return read_size(&plan->size_bytes, err);
    case 't': return read_type(&plan->type, err);
    case 'n':
        given->requests = true;
        return sc_parse_u64(optarg, 1, UINT64_MAX / 2, &plan->requests, err);
    case OPT_RATE: return read_rate(&plan->rate, err);
    case OPT_DURATION:
        given->duration = true;
        return sc_parse_duration_ms(optarg, 1, DAY_MS, &plan->duration_ms, err);
    case OPT_WARM_UP:
        given->warm_up = true;
        return sc_parse_duration_ms(optarg, 0, DAY_MS, &plan->warm_up_ms, err);
    case OPT_TIMEOUT: return sc_parse_duration_ms(optarg, 1, DAY_MS, &plan->timeout_ms, err);
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

/* Options that exclude each other, as a usage error; 0: none. */
static int check(const struct sc_bench_options *options, const struct given *given)
{
    const struct sc_bench_plan *plan = &options->plan;
    if (sc_pin_set_count(options->pins) == 0) {
        return sc_program_usage(SC_BENCH_NAME,
                                "no --pin: the server's certificate is always checked; "
                                "give it, --pin server.crt");
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

static void set_defaults(struct sc_bench_options *options)
{
    memset(options, 0, sizeof(*options));
    options->address = (struct sc_address){.host = "localhost", .port = SC_PROTOCOL_PORT};
    options->plan = (struct sc_bench_plan){.address = &options->address,
                                           .size_bytes = 64,
                                           .connections = 1,
                                           .depth = 1,
                                           .threads = 1,
                                           .duration_ms = 10000,
                                           .timeout_ms = 10000};
}

static const char *option_name(int option)
{
    for (const struct option *one = long_options; one->name; one++) {
        if (one->val == option) {
            return one->name;
        }
    }
    return "";
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
    opterr = 0;
    for (int option;
         (option = getopt_long(argc, argv, ":c:d:s:t:n:hV", long_options, NULL)) != -1;) {
        if (option == '?' || option == ':') {
            return sc_program_bad_option(SC_BENCH_NAME, option, argc, argv);
        }
        if (apply(options, &given, option, &err) != 0) {
            (void)sc_err_prefix(&err, "--%s", option_name(option));
            return err.status == EX_USAGE ? sc_program_usage(SC_BENCH_NAME, "%s", err.text)
                                          : sc_program_fail(SC_BENCH_NAME, &err);
        }
        if (options->action != SC_BENCH_RUN) {
            return 0;
        }
    }
    if (optind < argc) {
        return sc_program_usage(SC_BENCH_NAME, "\"%.64s\": it takes no argument without an option",
                                argv[optind]);
    }
    if (given.requests) {
        options->plan.duration_ms = 0;
    }
    return check(options, &given);
}

void sc_bench_options_fini(struct sc_bench_options *options)
{
    sc_pin_set_free(options->pins);
}

void sc_bench_options_help(void)
{
    (void)fputs(help, stdout);
}

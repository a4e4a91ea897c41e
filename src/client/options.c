#include "config.h"

#include "client/options.h"

#include <ctype.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "base/program.h"
#include "proto/frame.h"
#include "proto/handler.h"

#define DAY_MS UINT64_C(86400000)
#define PROGRAM SC_CLI_PROGRAM

static const char help[] =
    "Usage: sc-client [OPTION]... --pin PIN... [COMMAND [TEXT]]\n"
    "Sends requests to a Space Captain server, whose key must match a pin.\n"
    "\n"
    "COMMAND is one of: %s.\n"
    "TEXT is sent as it is; '-', or none, takes the bytes from standard input.\n"
    "Without COMMAND each line of standard input is one; on a terminal there is a\n"
    "prompt.\n"
    "\n"
    "      --connect ADDR       HOST:PORT, [V6]:PORT or unix:/path (localhost:4242)\n"
    "      --pin PIN            what the server must show; repeatable, one match is\n"
    "                           enough:\n"
    "                             FILE             a certificate in a PEM file\n"
    "                             sha256//BASE64   its public key; several with ';'\n"
    "                             cert-sha256:HEX  its certificate\n"
    "                             ca:FILE          its issuer; name and dates must be\n"
    "                                              right too\n"
    "      --show-pin           print the pins of the server, and send nothing\n"
    "      --strict-expiry      refuse a pinned certificate outside its dates\n"
    "      --timeout SECONDS    for the connect, the handshake, and each reply (10)\n"
    "      --count N            send the command N times, and sum up\n"
    "      --interval SECONDS   the time between two of them (1)\n"
    "      --json               every line of output is a JSON object\n"
    "      --verbose            tell on stderr how the connection went\n"
    "  -h, --help               print this\n"
    "  -V, --version            print the versions of this program and its libraries\n"
    "\n"
    "Exit status: 0 success, 1 the server answered ERROR, 35 TLS handshake failed,\n"
    "60 server not trusted, 64 wrong usage, 65 bad input, 66 a file can't be read,\n"
    "69 can't connect or connection lost, 71 the system refused, 74 output can't be\n"
    "written, 75 timed out, 76 protocol broken, 90 wrong pin.\n";

static void print_help(void)
{
    char commands[SC_HANDLER_LIST_BYTES];
    sc_handler_list(commands);
    (void)printf(help, commands);
}

enum {
    OPT_CONNECT = 256,
    OPT_PIN,
    OPT_SHOW_PIN,
    OPT_STRICT_EXPIRY,
    OPT_TIMEOUT,
    OPT_COUNT,
    OPT_INTERVAL,
    OPT_JSON,
    OPT_VERBOSE,
    OPT_HELP = 'h',
    OPT_VERSION = 'V',
};

static const struct option long_options[] = {
    {"connect", required_argument, NULL, OPT_CONNECT},
    {"pin", required_argument, NULL, OPT_PIN},
    {"show-pin", no_argument, NULL, OPT_SHOW_PIN},
    {"strict-expiry", no_argument, NULL, OPT_STRICT_EXPIRY},
    {"timeout", required_argument, NULL, OPT_TIMEOUT},
    {"count", required_argument, NULL, OPT_COUNT},
    {"interval", required_argument, NULL, OPT_INTERVAL},
    {"json", no_argument, NULL, OPT_JSON},
    {"verbose", no_argument, NULL, OPT_VERBOSE},
    {"help", no_argument, NULL, OPT_HELP},
    {"version", no_argument, NULL, OPT_VERSION},
    {NULL, 0, NULL, 0},
};

/* Seconds, with decimals or with a unit. */
static int parse_seconds(const char *text, uint64_t min_ms, uint64_t max_ms, uint64_t *out,
                         struct sc_err *err)
{
    char with_unit[64];
    const size_t length = strlen(text);
    if (length == 0 || length > 40 || !isdigit((unsigned char)text[length - 1])) {
        return sc_parse_duration_ms(text, min_ms, max_ms, out, err);
    }
    (void)snprintf(with_unit, sizeof(with_unit), "%ss", text);
    return sc_parse_duration_ms(with_unit, min_ms, max_ms, out, err);
}

static int set_address(struct sc_cli_options *options, const char *text, struct sc_err *err)
{
    if (sc_parse_address(text, SC_PROTOCOL_PORT, &options->address, err) != 0) {
        return -1;
    }
    if (!options->address.is_unix && strcmp(options->address.port, "0") == 0) {
        return sc_err_set(err, EX_USAGE, "\"%s\": port 0 can't be connected to", text);
    }
    sc_format_address(&options->address, options->target, sizeof(options->target));
    return 0;
}

static int add_pin(struct sc_cli_options *options, const char *pin, struct sc_err *err)
{
    struct sc_client_error error = SC_CLIENT_ERROR_INIT;
    if (sc_client_settings_add_pin(options->settings, pin, &error) != 0) {
        return sc_err_set(err, error.code, "%s", error.text);
    }
    options->has_pin = true;
    return 0;
}

static int set_timeout(struct sc_cli_options *options, const char *text, struct sc_err *err)
{
    uint64_t ms;
    if (parse_seconds(text, 1, DAY_MS, &ms, err) != 0) {
        return -1;
    }
    return sc_client_settings_set_timeout(options->settings, (uint32_t)ms, NULL);
}

/* Returns 0; -1 with an error; 1 when the program has nothing more to do. */
static int take_option(struct sc_cli_options *options, int option, const char *value,
                       struct sc_err *err)
{
    switch (option) {
    case OPT_CONNECT: return set_address(options, value, err);
    case OPT_PIN: return add_pin(options, value, err);
    case OPT_TIMEOUT: return set_timeout(options, value, err);
    case OPT_INTERVAL:
        options->repeat = true;
        return parse_seconds(value, 0, DAY_MS, &options->interval_ms, err);
    case OPT_COUNT:
        options->repeat = true;
        return sc_parse_u64(value, 1, UINT64_MAX - 1, &options->count, err);
    case OPT_SHOW_PIN:
        options->show_pin = true;
        return sc_client_settings_set_inspect(options->settings, 1, NULL);
    case OPT_STRICT_EXPIRY: return sc_client_settings_set_strict_expiry(options->settings, 1, NULL);
    case OPT_JSON: options->json = true; return 0;
    case OPT_VERBOSE: options->verbose = true; return 0;
    case OPT_VERSION: options->show_version = true; return 1;
    default: print_help(); return 1;
    }
}

/* COMMAND and TEXT. Returns 0, or the exit status. */
static int take_words(struct sc_cli_options *options, int count, char *words[])
{
    if (options->show_pin && count > 0) {
        return sc_program_usage(PROGRAM, "%s: --show-pin sends nothing", words[0]);
    }
    if (count > 2) {
        return sc_program_usage(PROGRAM, "%s: one TEXT too many, put it in quotes", words[2]);
    }
    if (count == 0) {
        return options->repeat
                   ? sc_program_usage(PROGRAM, "--count and --interval: a COMMAND is missing")
                   : 0;
    }
    options->command = sc_handler_find_name(words[0]);
    if (!options->command) {
        char commands[SC_HANDLER_LIST_BYTES];
        sc_handler_list(commands);
        return sc_program_usage(PROGRAM, "%s: no such command; commands are %s", words[0],
                                commands);
    }
    const char *text = count > 1 ? words[1] : NULL;
    if (!options->command->takes_body) {
        options->text = "";
        return text ? sc_program_usage(PROGRAM, "%s: %s takes no TEXT", text, words[0]) : 0;
    }
    if (text && strlen(text) > SC_FRAME_MAX_BODY_BYTES) {
        return sc_program_usage(PROGRAM, "TEXT: longer than 16M");
    }
    options->text = text && strcmp(text, "-") != 0 ? text : NULL;
    return 0;
}

/* A server is not contacted without a pin: 0, or the exit status. */
static int check_pins(const struct sc_cli_options *options)
{
    struct sc_err err;
    if (options->show_pin || options->has_pin) {
        return 0;
    }
    (void)sc_err_set(&err, SC_EXIT_UNTRUSTED,
                     "%s is not trusted: no pin was given; 'sc-client --connect %s --show-pin' "
                     "prints the pins, compare them with those that the "
                     "server's owner names, and give one with --pin",
                     options->target, options->target);
    return sc_program_fail(PROGRAM, &err);
}

static int parse(struct sc_cli_options *options, int argc, char *argv[], int *status)
{
    struct sc_err err;
    int option, index = 0;
    opterr = 0;
    while ((option = getopt_long(argc, argv, ":hV", long_options, &index)) != -1) {
        if (option == '?' || option == ':') {
            *status = sc_program_bad_option(PROGRAM, option, argc, argv);
            return -1;
        }
        const int rc = take_option(options, option, optarg, &err);
        if (rc < 0) {
            (void)sc_err_prefix(&err, "--%s", long_options[index].name);
            *status = sc_program_fail(PROGRAM, &err);
            return -1;
        }
        if (rc > 0) {
            *status = EX_OK;
            return options->show_version ? 0 : -1;
        }
    }
    *status = take_words(options, argc - optind, argv + optind);
    if (*status == 0) {
        *status = check_pins(options);
    }
    return *status == 0 ? 0 : -1;
}

int sc_cli_options_parse(struct sc_cli_options *options, int argc, char *argv[], int *status)
{
    struct sc_err err;
    *options = (struct sc_cli_options){
        .count = UINT64_MAX, .interval_ms = 1000, .settings = sc_client_settings_new(NULL, NULL)};
    if (!options->settings || set_address(options, "localhost:" SC_PROTOCOL_PORT, &err) != 0) {
        (void)sc_err_set(&err, EX_OSERR, "out of memory");
        *status = sc_program_fail(PROGRAM, &err);
        return -1;
    }
    if (parse(options, argc, argv, status) != 0) {
        sc_cli_options_fini(options);
        return -1;
    }
    return 0;
}

void sc_cli_options_fini(struct sc_cli_options *options)
{
    sc_client_settings_free(options->settings);
    options->settings = NULL;
}

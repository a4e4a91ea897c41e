/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "client/options.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include <openssl/crypto.h>

#include "base/program.h"
#include "client/output.h"
#include "client/proxy_command.h"
#include "proto/frame.h"
#include "proto/handler.h"
#include "tls/passphrase_prompt.h"
#include "tls/pin.h"
#include "tls/user_conf.h"

#define DAY_MS UINT64_C(86400000)
#define DEFAULT_TIMEOUT_MS 10000U
#define PROGRAM SC_CLI_PROGRAM

enum {
    OPT_CONNECT,
    OPT_PROXY_COMMAND,
    OPT_PIN,
    OPT_TOFU,
    OPT_PIN_STORE,
    OPT_CERT,
    OPT_KEY,
    OPT_SHOW_PIN,
    OPT_STRICT_EXPIRY,
    OPT_TIMEOUT,
    OPT_NO_RETRY,
    OPT_SESSION,
    OPT_COUNT,
    OPT_INTERVAL,
    OPT_JSON,
    OPT_VERBOSE,
    OPT_TLS_LIBRARY,
    OPT_HELP,
    OPT_VERSION,
};

static const char *const tls_libraries[] = {"openssl",
#ifdef HAVE_MBEDTLS
                                            "mbedtls",
#endif
                                            NULL};

static const char *const tofu_words[] = {"ask", "new", "strict", NULL}; /* in the order of below */
static const enum sc_cli_tofu tofus[] = {SC_CLI_TOFU_ASK, SC_CLI_TOFU_NEW, SC_CLI_TOFU_STRICT};

static const struct sc_opt rows[] = {
    SC_OPT("connect", 0, OPT_CONNECT, "ADDR",
           "HOST:PORT, [V6]:PORT, unix:/path, or a name of client.conf",
           .initial = "localhost:" SC_PROTOCOL_PORT, .complete = SC_OPT_SERVERS,
           .conf = SC_OPT_CONF_ONE, .words = sc_opt_address_words),
    SC_OPT("proxy-command", 0, OPT_PROXY_COMMAND, "COMMAND",
           "connect over its standard input and output; %h and %p are host and port",
           .conf = SC_OPT_CONF_ONE),
    SC_OPT("pin", 0, OPT_PIN, "PIN", "what the server must show; repeatable, one match is enough",
           .repeatable = true, .complete = SC_OPT_PEM_FILES, .conf = SC_OPT_CONF_LIST,
           .words = sc_pin_words),
    SC_OPT("tofu", 0, OPT_TOFU, "WHAT",
           "trust the pins of the pin store; with a server that is not in it ask, store it as new, "
           "or be strict and refuse it",
           .conf = SC_OPT_CONF_ONE, .words = tofu_words),
    SC_OPT("pin-store", 0, OPT_PIN_STORE, "FILE", "the pin store; without --tofu it is strict",
           .initial = "~/.local/state/space-captain/known_pins", .complete = SC_OPT_FILES,
           .conf = SC_OPT_CONF_ONE),
    SC_OPT("cert", 0, OPT_CERT, "FILE", "the client's own certificate, for servers that ask",
           .complete = SC_OPT_PEM_FILES, .conf = SC_OPT_CONF_ONE),
    SC_OPT("key", 0, OPT_KEY, "FILE", "its private key", .initial = "in the file of --cert",
           .complete = SC_OPT_PEM_FILES, .conf = SC_OPT_CONF_ONE),
    SC_OPT("show-pin", 0, OPT_SHOW_PIN, NULL, "print the pins of the server, and send nothing"),
    SC_OPT("strict-expiry", 0, OPT_STRICT_EXPIRY, NULL,
           "refuse a pinned certificate that has expired or is not valid yet",
           .conf = SC_OPT_CONF_ONE),
    SC_OPT("timeout", 0, OPT_TIMEOUT, "SECONDS", "for the connect, the handshake, and each reply",
           .initial = "10", .conf = SC_OPT_CONF_ONE),
    SC_OPT("no-retry", 0, OPT_NO_RETRY, NULL, "end when the connection is lost",
           .conf = SC_OPT_CONF_ONE),
    SC_OPT("session", 0, OPT_SESSION, "FILE", "resume the TLS session in it, and save it there",
           .complete = SC_OPT_FILES, .conf = SC_OPT_CONF_ONE),
    SC_OPT("count", 0, OPT_COUNT, "N", "send the command N times, and print a summary"),
    SC_OPT("interval", 0, OPT_INTERVAL, "SECONDS", "the time between two requests", .initial = "1"),
    SC_OPT("json", 0, OPT_JSON, NULL, "every line of output is a JSON object",
           .conf = SC_OPT_CONF_ONE),
    SC_OPT("verbose", 'v', OPT_VERBOSE, NULL, "print details of the connection on stderr",
           .conf = SC_OPT_CONF_ONE),
    SC_OPT("tls-library", 0, OPT_TLS_LIBRARY, "NAME", "openssl, or mbedtls where it is built in",
           .initial = "openssl", .conf = SC_OPT_CONF_ONE, .words = tls_libraries),
    SC_OPT_HELP_ROW(OPT_HELP),
    SC_OPT_VERSION_ROW(OPT_VERSION),
};

/* The requests, then the doctor. */
static bool command_at(size_t index, struct sc_opt_command *out)
{
    const struct sc_handler *handler = sc_handler_at(index);
    if (handler) {
        *out = (struct sc_opt_command){handler->name, handler->takes_body ? "TEXT" : NULL,
                                       handler->help};
    } else if (index == 0 || sc_handler_at(index - 1)) {
        *out = (struct sc_opt_command){SC_CLI_DOCTOR, NULL, "check every layer up to the server"};
    } else {
        return false;
    }
    return true;
}

static const struct sc_opt_status statuses[] = {{.status = 1},
                                                {.status = SC_EXIT_HANDSHAKE},
                                                {.status = SC_EXIT_UNTRUSTED},
                                                {.status = EX_USAGE},
                                                {.status = EX_DATAERR},
                                                {.status = EX_NOINPUT},
                                                {.status = EX_UNAVAILABLE},
                                                {.status = EX_OSERR},
                                                {.status = EX_CANTCREAT},
                                                {.status = EX_IOERR},
                                                {.status = EX_TEMPFAIL},
                                                {.status = EX_PROTOCOL},
                                                {.status = SC_EXIT_PIN},
                                                {.status = SC_EXIT_INTERRUPTED},
                                                {.status = EX_OK}};

const struct sc_opt_table sc_cli_option_table = {
    .program = PROGRAM,
    .usage = "Usage: sc-client [OPTION]... --pin PIN... [COMMAND [TEXT]]\n"
             "       sc-client [OPTION]... --tofu=ask|new|strict [COMMAND [TEXT]]\n"
             "Sends requests to a Space Captain server, whose key must match a pin.\n",
    .command = command_at,
    .rows = rows,
    .count = SC_COUNT_OF(rows),
    .notes = "TEXT is sent as it is; '-', or none, takes the bytes from standard input.\n"
             "Without COMMAND each line of standard input is one; on a terminal there is a\n"
             "prompt.\n\n" SC_PIN_HELP,
    .statuses = statuses,
    .ends_at_word = true,
};

static int set_address(struct sc_cli_options *options, const char *text, struct sc_err *err)
{
    if (sc_parse_server_address(text, SC_PROTOCOL_PORT, &options->address, err) != 0) {
        return -1;
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

static int set_tofu(struct sc_cli_options *options, const char *word, struct sc_err *err)
{
    for (size_t i = 0; tofu_words[i]; i++) {
        if (strcmp(word, tofu_words[i]) == 0) {
            options->tofu = tofus[i];
            return 0;
        }
    }
    return sc_err_set(err, EX_USAGE, "invalid value \"%.40s\": expected ask, new or strict", word);
}

static int set_tls_library(struct sc_cli_options *options, const char *name, struct sc_err *err)
{
    struct sc_client_error error = SC_CLIENT_ERROR_INIT;
    return sc_client_settings_set_tls_library(options->settings, name, &error) == 0
               ? 0
               : sc_err_set(err, error.code, "%s", error.text);
}

static int take_option(struct sc_cli_options *options, int option, const char *value,
                       struct sc_err *err)
{
    switch (option) {
    case OPT_CONNECT: return set_address(options, value, err);
    case OPT_PROXY_COMMAND: options->proxy_command = value; return 0;
    case OPT_PIN: return add_pin(options, value, err);
    case OPT_TOFU: return set_tofu(options, value, err);
    case OPT_PIN_STORE: options->pin_store = value; return 0;
    case OPT_CERT: options->certificate_path = value; return sc_pin_check_file(value, err);
    case OPT_KEY: options->key_path = value; return sc_pin_check_file(value, err);
    case OPT_TIMEOUT: return sc_parse_seconds_ms(value, 1, DAY_MS, &options->timeout_ms, err);
    case OPT_INTERVAL:
        options->repeat = true;
        return sc_parse_seconds_ms(value, 0, DAY_MS, &options->interval_ms, err);
    case OPT_COUNT:
        options->repeat = true;
        return sc_parse_u64(value, 1, UINT64_MAX - 1, &options->count, err);
    case OPT_SHOW_PIN:
        options->show_pin = true;
        return sc_client_settings_set_inspect(options->settings, 1, NULL);
    case OPT_STRICT_EXPIRY:
        options->strict_expiry = true;
        return sc_client_settings_set_strict_expiry(options->settings, 1, NULL);
    case OPT_NO_RETRY: options->no_retry = true; return 0;
    case OPT_SESSION:
        options->session_path = value;
        return *value ? 0 : sc_err_set(err, EX_USAGE, "the name of the file is empty");
    case OPT_JSON: options->json = true; return 0;
    case OPT_TLS_LIBRARY: return set_tls_library(options, value, err);
    default: options->verbose = true; return 0;
    }
}

/* Returns the exit status. */
static int fail(const struct sc_cli_options *options, const struct sc_err *err)
{
    return err->status == EX_USAGE ? sc_cli_usage(options, "%s", err->text)
                                   : sc_cli_fail(options, err, NULL);
}

static int check_doctor(const struct sc_cli_options *options, int count, char *words[])
{
    if (count > 1) {
        return sc_cli_usage(options, "%s: doctor takes no TEXT; options go before it", words[1]);
    }
    if (options->repeat) {
        return sc_cli_usage(options, "--count and --interval: they go with a request");
    }
    return options->proxy_command ? sc_cli_usage(options, "--proxy-command: doctor makes the "
                                                          "connections itself")
                                  : 0;
}

/* COMMAND and TEXT. Returns 0, or the exit status. */
static int take_words(struct sc_cli_options *options, int count, char *words[])
{
    if (options->show_pin && count > 0) {
        return sc_cli_usage(options, "%s: --show-pin sends nothing", words[0]);
    }
    if (count > 2) {
        return sc_cli_usage(options,
                            "%s: one TEXT too many; put it in quotes, and options before COMMAND",
                            words[2]);
    }
    if (count == 0) {
        return options->repeat
                   ? sc_cli_usage(options, "--count and --interval: a COMMAND is missing")
                   : 0;
    }
    options->doctor = strcmp(words[0], SC_CLI_DOCTOR) == 0;
    if (options->doctor) {
        return check_doctor(options, count, words);
    }
    options->command = sc_handler_find_name(words[0]);
    if (!options->command) {
        char commands[SC_HANDLER_LIST_BYTES];
        sc_handler_list(commands);
        return sc_cli_usage(options, "%s: no such command; commands are %s, " SC_CLI_DOCTOR,
                            words[0], commands);
    }
    const char *text = count > 1 ? words[1] : NULL;
    if (!options->command->takes_body) {
        options->text = "";
        return text ? sc_cli_usage(options, "%s: %s takes no TEXT; options go before it", text,
                                   words[0])
                    : 0;
    }
    if (text && strlen(text) > SC_FRAME_MAX_BODY_BYTES) {
        return sc_cli_usage(options, "TEXT: longer than 16M");
    }
    options->text = text && strcmp(text, "-") != 0 ? text : NULL;
    return 0;
}

/* The client's own certificate. 0, or the exit status. */
static int load_certificate(const struct sc_cli_options *options)
{
    char passphrase[1024];
    struct sc_client_error error = SC_CLIENT_ERROR_INIT;
    struct sc_err err;
    const char *key = options->key_path ? options->key_path : options->certificate_path;
    if (options->show_pin) {
        return 0; /* not for servers that are not trusted */
    }
    if (!options->certificate_path) {
        return key ? sc_cli_usage(options, "--key: it goes with --cert") : 0;
    }
    if (sc_passphrase_ask(key, passphrase, sizeof(passphrase), &err) != 0) {
        return sc_cli_fail(options, &err, NULL);
    }
    const int rc = sc_client_settings_set_certificate(options->settings, options->certificate_path,
                                                      key, *passphrase ? passphrase : NULL, &error);
    OPENSSL_cleanse(passphrase, sizeof(passphrase));
    if (rc != 0) {
        (void)sc_err_set(&err, error.code, "%s", error.text);
        return sc_cli_fail(options, &err, NULL);
    }
    return 0;
}

/* The pin store. The doctor only checks: it neither asks nor stores. 0, or the exit status. */
static int set_pin_store(struct sc_cli_options *options)
{
    struct sc_client_error error = SC_CLIENT_ERROR_INIT;
    struct sc_err err;
    if (options->pin_store && options->tofu == SC_CLI_TOFU_OFF) {
        options->tofu = SC_CLI_TOFU_STRICT;
    }
    if (options->tofu == SC_CLI_TOFU_OFF || options->show_pin) {
        return 0;
    }
    const bool takes_new = options->tofu == SC_CLI_TOFU_NEW && !options->doctor;
    if (sc_client_settings_set_pin_store(
            options->settings, options->pin_store, options->target,
            takes_new ? SC_CLIENT_FIRST_USE_STORE : SC_CLIENT_FIRST_USE_REFUSE, &error) != 0) {
        (void)sc_err_set(&err, error.code, "--pin-store: %s", error.text);
        return fail(options, &err);
    }
    return 0;
}

/* A server is not contacted without a pin: 0, or the exit status. */
static int check_pins(const struct sc_cli_options *options)
{
    struct sc_err err;
    if (options->show_pin || options->doctor || options->has_pin ||
        options->tofu != SC_CLI_TOFU_OFF) {
        return 0;
    }
    (void)sc_pin_missing(&err, options->target);
    return sc_cli_fail(options, &err, NULL);
}

/* Needs the address, which may come later on the command line. 0, or the exit status. */
static int check_proxy_command(const struct sc_cli_options *options)
{
    struct sc_err err;
    const struct sc_opt_setting *setting = sc_opt_settings_find(&options->given, "proxy-command");
    if (!setting || sc_proxy_command_check(setting->value, &options->address, &err) == 0) {
        return 0;
    }
    (void)sc_user_conf_blame(setting, &err);
    return fail(options, &err);
}

/* Returns 0; -1 with the exit status: --help, or an error. */
static int collect(struct sc_cli_options *options, int argc, char *argv[], int *status)
{
    struct sc_err err;
    struct sc_opt_reader reader;
    const struct sc_opt *option;
    int refused;
    sc_opt_reader_init(&reader, &sc_cli_option_table);
    while ((option = sc_opt_next(&reader, argc, argv, &refused)) != NULL) {
        if (option->value == OPT_HELP) {
            sc_opt_help(stdout, &sc_cli_option_table);
            *status = EX_OK;
            return -1;
        }
        options->json |= option->value == OPT_JSON;
        options->show_version = option->value == OPT_VERSION;
        if (options->show_version) {
            return 0;
        }
        if (sc_opt_settings_add(&options->given, option, optarg, NULL, &err) != 0) {
            *status = sc_cli_fail(options, &err, NULL);
            return -1;
        }
    }
    if (refused == 0) {
        *status = EX_OK;
        return 0;
    }
    /* How to say it may follow. */
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        options->json |= strcmp(argv[i], "--json") == 0;
    }
    (void)sc_program_option_err(&err, PROGRAM, refused, argc, argv);
    *status = sc_cli_fail(options, &err, NULL);
    return -1;
}

static int parse(struct sc_cli_options *options, int argc, char *argv[], int *status)
{
    struct sc_err err;
    *status = EX_OK;
    if (collect(options, argc, argv, status) != 0) {
        return -1;
    }
    if (options->show_version) {
        return 0;
    }
    if (sc_user_conf_complete(&options->given, &sc_cli_option_table, false, &err) != 0) {
        *status = sc_cli_fail(options, &err, NULL);
        return -1;
    }
    for (size_t i = 0; i < options->given.count; i++) {
        const struct sc_opt_setting *setting = &options->given.list[i];
        if (take_option(options, setting->option->value, setting->value, &err) != 0) {
            (void)sc_user_conf_blame(setting, &err);
            *status = fail(options, &err);
            return -1;
        }
    }
    if ((*status = take_words(options, argc - optind, argv + optind)) != 0 ||
        (*status = check_proxy_command(options)) != 0 || (*status = set_pin_store(options)) != 0 ||
        (*status = check_pins(options)) != 0 || (*status = load_certificate(options)) != 0) {
        return -1;
    }
    const bool retries = !options->no_retry && !options->repeat && !options->doctor;
    const uint32_t timeout_ms = (uint32_t)options->timeout_ms;
    (void)sc_client_settings_set_timeout(options->settings, timeout_ms, NULL);
    (void)sc_client_settings_set_retry(options->settings, retries ? timeout_ms : 0, NULL);
    return 0;
}

int sc_cli_options_parse(struct sc_cli_options *options, int argc, char *argv[], int *status)
{
    struct sc_err err;
    *options = (struct sc_cli_options){.count = UINT64_MAX,
                                       .interval_ms = 1000,
                                       .timeout_ms = DEFAULT_TIMEOUT_MS,
                                       .settings = sc_client_settings_new(NULL, NULL)};
    if (!options->settings || set_address(options, "localhost:" SC_PROTOCOL_PORT, &err) != 0) {
        (void)sc_err_set(&err, EX_OSERR, "out of memory");
        *status = sc_cli_fail(options, &err, NULL);
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
    sc_opt_settings_fini(&options->given);
}

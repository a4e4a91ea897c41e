/* SPDX-License-Identifier: MIT */
/* The command line: the table as its options, values kept for later. */
#include "config.h"

#include "server/config_table.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "tls/pin.h"

/* `value` of a row: the index in sc_config_options, or this and the index in sc_cmdline_options. */
#define FIRST_CMDLINE_OPTION 0x1000

#define KEY_BYTES 64U

/* --- Options --- */

static const struct sc_opt_status statuses[] = {
    {.status = EX_USAGE},
    {.status = EX_NOINPUT},
    {.status = EX_UNAVAILABLE,
     .text = "it can't listen on an address; --status: the server does not answer there"},
    {.status = EX_OSERR},
    {.status = EX_CANTCREAT, .text = "the port file can't be created"},
    {.status = EX_IOERR},
    {.status = EX_CONFIG},
    {.status = EX_OK}};

static bool is_pin(const struct sc_config_option *option)
{
    return strncmp(option->argument, "PIN", 3) == 0;
}

static struct sc_opt of_setting(const struct sc_config_option *option)
{
    const bool is_list = option->kind == SC_CONFIG_OPTION_STRINGS ||
                         option->kind == SC_CONFIG_OPTION_ADDRESSES ||
                         option->kind == SC_CONFIG_OPTION_NETWORKS;
    return (struct sc_opt){.name = option->key,
                           .argument = option->argument,
                           .help = option->help,
                           .initial = option->initial,
                           .group = option->group,
                           .repeatable = is_list,
                           .complete = is_pin(option)                          ? SC_OPT_PEM_FILES
                                       : strcmp(option->argument, "FILE") == 0 ? SC_OPT_FILES
                                                                               : SC_OPT_NOTHING,
                           .words = is_pin(option) ? sc_pin_words
                                    : option->kind == SC_CONFIG_OPTION_ADDRESSES
                                        ? sc_opt_address_words
                                        : sc_config_option_words(option)};
}

static struct sc_opt of_cmdline_option(const struct sc_cmdline_option *option)
{
    const bool is_file = option->argument && strcmp(option->argument, "FILE") == 0;
    return (struct sc_opt){.name = option->key,
                           .letter = option->letter,
                           .argument = option->argument,
                           .help = option->help,
                           .group = "Program",
                           .complete = is_file ? SC_OPT_FILES : SC_OPT_NOTHING};
}

const struct sc_opt_table *sc_config_option_table(void)
{
    static struct sc_opt rows[SC_OPT_MAX];
    static struct sc_opt_table table = {
        .program = "sc-server",
        .usage =
            "Usage: sc-server [-c FILE] [OPTION VALUE]...\n"
            "       sc-server --status [ADDR]\n"
            "Answers framed requests over TLS, in the foreground, and logs to standard error.\n"
            "Options win over the configuration file.\n",
        .rows = rows,
        .notes =
            "A DURATION is a number with ms, s, m or h; a SIZE one with K, M or G, or bytes.\n"
            "SIGHUP reads everything again; SIGTERM and SIGINT stop, answering first what has\n"
            "arrived. Manual pages: sc-server(8), sc-server.conf(5).\n",
        .statuses = statuses,
    };
    for (size_t i = 0; table.count == 0 && i < sc_cmdline_option_count; i++) {
        rows[i] = of_cmdline_option(&sc_cmdline_options[i]);
        rows[i].value = FIRST_CMDLINE_OPTION + (int)i;
    }
    for (size_t i = 0; table.count == 0 && i < sc_config_option_count; i++) {
        rows[sc_cmdline_option_count + i] = of_setting(&sc_config_options[i]);
        rows[sc_cmdline_option_count + i].value = (int)i;
    }
    table.count = sc_cmdline_option_count + sc_config_option_count;
    return &table;
}

/* --- What may have been meant --- */

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
    const unsigned low = a < b ? a : b;
    return low < c ? low : c;
}

/* Insertions, deletions and replacements from one to the other (Levenshtein). */
static unsigned distance(const char *a, const char *b)
{
    const size_t length = strlen(b);
    unsigned row[KEY_BYTES];
    for (unsigned j = 0; j <= length; j++) {
        row[j] = j;
    }
    for (unsigned i = 1; a[i - 1]; i++) {
        unsigned diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= length; j++) {
            const unsigned above = row[j];
            row[j] = min3(above + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1]));
            diagonal = above;
        }
    }
    return row[length];
}

const char *sc_config_option_nearest(const char *section, const char *key)
{
    const size_t length = strlen(key);
    const size_t count = sc_config_option_count + (section ? 0 : sc_cmdline_option_count);
    const char *nearest = NULL;
    unsigned best = 2 + (unsigned)length / 4;
    for (size_t i = 0; i < count && length < KEY_BYTES; i++) {
        const bool of_file = i < sc_config_option_count;
        const char *candidate =
            of_file ? sc_config_options[i].key : sc_cmdline_options[i - sc_config_option_count].key;
        const unsigned found = distance(key, candidate);
        if (found < best && !(section && strcmp(sc_config_options[i].section, section) != 0)) {
            best = found;
            nearest = candidate;
        }
    }
    return nearest;
}

/* --- Reading --- */

static void report_unknown(const char *argument, const struct sc_opt_table *table,
                           struct sc_config_errors *errors)
{
    char key[64];
    (void)snprintf(key, sizeof(key), "%.*s", (int)strcspn(argument, "="), argument);
    const char *name = key + strspn(key, "-");
    const char *nearest =
        key[0] == '-' && key[1] == '-' ? sc_config_option_nearest(NULL, name) : NULL;
    unsigned matches = 0;
    for (size_t i = 0; i < table->count; i++) {
        if (strcmp(table->rows[i].name, name) == 0) {
            (void)sc_config_error(errors, EX_USAGE, "%s takes no value", key);
            return;
        }
        matches += strncmp(table->rows[i].name, name, strlen(name)) == 0;
    }
    if (matches > 1 && *name) {
        (void)sc_config_error(errors, EX_USAGE, "option %s is short for %u options; see --help",
                              key, matches);
    } else if (nearest) {
        (void)sc_config_error(errors, EX_USAGE,
                              "unknown option %s: --%s is the nearest; see --help", key, nearest);
    } else {
        (void)sc_config_error(errors, EX_USAGE, "unknown option %s; see --help", key);
    }
}

/*
 * Takes one option. True: it decides alone what the program does, the rest of the command line
 * does not matter.
 */
static bool take(struct sc_cmdline *cmdline, int found)
{
    if (found < FIRST_CMDLINE_OPTION) {
        cmdline->settings[cmdline->count++] =
            (struct sc_cmdline_setting){&sc_config_options[found], optarg};
        return false;
    }
    const struct sc_cmdline_option *option = &sc_cmdline_options[found - FIRST_CMDLINE_OPTION];
    cmdline->action = option->action != SC_CMDLINE_RUN ? option->action : cmdline->action;
    if (option->action == SC_CMDLINE_STATUS) {
        cmdline->status_address = optarg;
    } else if (option->argument) {
        *(strcmp(option->key, "config") == 0 ? &cmdline->config_path : &cmdline->port_file) =
            optarg;
    }
    return option->action >= SC_CMDLINE_SAMPLE;
}

static void report_refused(int refused, char **argv, struct sc_config_errors *errors)
{
    if (refused == ':') {
        (void)sc_config_error(errors, EX_USAGE, "%s needs a value; see --help", argv[optind - 1]);
    } else if (optopt > 0 && optopt <= UCHAR_MAX) {
        (void)sc_config_error(errors, EX_USAGE, "unknown option -%c; see --help", optopt);
    } else {
        report_unknown(argv[optind - 1], sc_config_option_table(), errors);
    }
}

static bool read_options(struct sc_cmdline *cmdline, int argc, char **argv,
                         struct sc_config_errors *errors)
{
    const struct sc_config_errors before = *errors;
    struct sc_opt_reader reader;
    const struct sc_opt *option;
    int refused;
    sc_opt_reader_init(&reader, sc_config_option_table());
    while ((option = sc_opt_next(&reader, argc, argv, &refused)) || refused) {
        if (!option) {
            report_refused(refused, argv, errors);
        } else if (take(cmdline, option->value)) {
            *errors = before;
            return true;
        }
    }
    /* Its ADDR may also be a word of its own. */
    if (cmdline->action == SC_CMDLINE_STATUS && !cmdline->status_address && optind < argc) {
        cmdline->status_address = argv[optind++];
    }
    /* After an unknown option it may have been that option's value. */
    for (; optind < argc && errors->count == before.count; optind++) {
        (void)sc_config_error(errors, EX_USAGE,
                              "unexpected argument \"%.64s\": only options are taken; see --help",
                              argv[optind]);
    }
    return errors->count == before.count;
}

struct sc_cmdline *sc_cmdline_parse(int argc, char **argv, struct sc_config_errors *errors)
{
    struct sc_cmdline *cmdline = calloc(1, sizeof(*cmdline));
    if (!cmdline || !(cmdline->settings = calloc((size_t)argc + 1, sizeof(*cmdline->settings)))) {
        (void)sc_config_out_of_memory(errors);
        free(cmdline);
        return NULL;
    }
    if (!read_options(cmdline, argc, argv, errors)) {
        sc_cmdline_free(cmdline);
        return NULL;
    }
    return cmdline;
}

void sc_cmdline_free(struct sc_cmdline *cmdline)
{
    if (cmdline) {
        free(cmdline->settings);
        free(cmdline);
    }
}

enum sc_cmdline_action sc_cmdline_action(const struct sc_cmdline *cmdline)
{
    return cmdline->action;
}

const char *sc_cmdline_status_address(const struct sc_cmdline *cmdline)
{
    return cmdline->status_address;
}

const char *sc_cmdline_port_file(const struct sc_cmdline *cmdline)
{
    return cmdline->port_file;
}

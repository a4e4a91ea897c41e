/* SPDX-License-Identifier: MIT */
/* The tables of options.def as the options of a program: command line, --help, completion. */
#include "config.h"

#include <string.h>
#include <sysexits.h>

#include "server/config_table.h"
#include "tls/pin.h"

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

static struct sc_opt of_program_option(const struct sc_cmdline_option *option)
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
            "Answers ECHO, REVERSE and TIME requests over TLS, in the foreground, and logs to\n"
            "standard error. Options win over the configuration file.\n",
        .rows = rows,
        .notes =
            "A DURATION is a number with ms, s, m or h; a SIZE one with K, M or G, or bytes.\n"
            "SIGHUP reads everything again; SIGTERM and SIGINT stop, answering first what has\n"
            "arrived. Manual pages: sc-server(8), sc-server.conf(5).\n",
        .statuses = statuses,
    };
    for (size_t i = 0; table.count == 0 && i < sc_cmdline_option_count; i++) {
        rows[i] = of_program_option(&sc_cmdline_options[i]);
        rows[i].value = SC_CONFIG_FIRST_CMDLINE_OPTION + (int)i;
    }
    for (size_t i = 0; table.count == 0 && i < sc_config_option_count; i++) {
        rows[sc_cmdline_option_count + i] = of_setting(&sc_config_options[i]);
        rows[sc_cmdline_option_count + i].value = (int)i;
    }
    table.count = sc_cmdline_option_count + sc_config_option_count;
    return &table;
}

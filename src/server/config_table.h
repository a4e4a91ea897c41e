/* SPDX-License-Identifier: MIT */
/* Inside of config*.c: the table of options.def as data, and what the command line says. */
#ifndef SC_SERVER_CONFIG_TABLE_H
#define SC_SERVER_CONFIG_TABLE_H

#include "server/configuration.h"
#include "tls/config_file.h"

enum sc_config_option_kind {
    SC_CONFIG_OPTION_DURATION,
    SC_CONFIG_OPTION_SIZE,
    SC_CONFIG_OPTION_NUMBER,
    SC_CONFIG_OPTION_STRING,
    SC_CONFIG_OPTION_STRINGS,
    SC_CONFIG_OPTION_ADDRESSES,
    SC_CONFIG_OPTION_NETWORKS,
    SC_CONFIG_OPTION_LOG_LEVEL,
    SC_CONFIG_OPTION_LOG_FORMAT,
    SC_CONFIG_OPTION_CLIENT_AUTH,
    SC_CONFIG_OPTION_KEY_CONTINUITY,
};

enum sc_config_option_effect { SC_CONFIG_OPTION_RELOAD, SC_CONFIG_OPTION_RESTART };

struct sc_config_option {
    enum sc_config_option_kind kind;
    enum sc_config_option_effect effect;
    const char *section, *key;
    size_t offset; /* of the field in struct sc_config */
    const char *initial;
    uint64_t min, max;
    const char *argument, *group, *help;
};

/* Options of the command line only. */
struct sc_cmdline_option {
    const char *key;
    char letter; /* the short option; 0: none */
    const char *argument;
    enum sc_cmdline_action action;
    const char *help;
};

/* The sections of the configuration file, and that it is one of sc-server. */
extern const struct sc_config_syntax sc_config_server_syntax;

extern const struct sc_config_option sc_config_options[];
extern const size_t sc_config_option_count;
extern const struct sc_cmdline_option sc_cmdline_options[];
extern const size_t sc_cmdline_option_count;

/* What a kind of option allows, in the order of its enum, NULL-terminated; NULL: not words. */
const char *const *sc_config_option_words(const struct sc_config_option *option);

/*
 * The key of the table (of `section`; NULL: of any, and the program options too) nearest to a
 * mistyped one, or NULL.
 */
const char *sc_config_option_nearest(const char *section, const char *key);

/*
 * Reads the text into the option's field. `append`: a list keeps what it has. On failure the field
 * is as before or a shorter list.
 */
int sc_config_option_set(struct sc_config *config, const struct sc_config_option *option,
                         const char *text, bool append, struct sc_err *err) SC_NODISCARD;

/* Writes the value as sc_config_option_set() reads it; nothing when there is none. */
void sc_config_option_write(const struct sc_config *config, const struct sc_config_option *option,
                            FILE *out);

/* Frees what a field holds. */
void sc_config_option_clear(struct sc_config *config, const struct sc_config_option *option);

struct sc_cmdline_setting {
    const struct sc_config_option *option;
    const char *value;
};

struct sc_cmdline {
    enum sc_cmdline_action action;
    const char *config_path, *port_file, *status_address; /* NULL: not given */
    struct sc_cmdline_setting *settings; /* in the order of the command line */
    size_t count;
};

#endif

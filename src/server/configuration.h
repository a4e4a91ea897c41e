/* SPDX-License-Identifier: MIT */
/*
 * The configuration: what options.def lists, from the defaults, then a file, then the command
 * line; the last one wins. Acts on nothing.
 *
 * A configuration is immutable once loaded and reference counted. A reload loads another one from
 * the same command line, which reads the same file again; a holder of a reference to the old one
 * keeps it.
 *
 *   struct sc_config_errors errors = {0};
 *   struct sc_cmdline *cmdline = sc_cmdline_parse(argc, argv, &errors);
 *   struct sc_config *config = cmdline ? sc_config_load(cmdline, &errors) : NULL;
 *   if (!config) { print errors.text[0 ... errors.count - 1], exit with errors.status }
 *
 * The file is read as tls/config_file.h says; a key outside of [server] and [tls] is an error.
 *
 * (The file is not named config.h because every "config.h" of this directory would then mean it
 * instead of autoconf's.)
 *
 * Thread: loading and writing, one at a time; a loaded configuration can be read, and references
 * taken and dropped, in any.
 */
#ifndef SC_SERVER_CONFIGURATION_H
#define SC_SERVER_CONFIGURATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/compiler.h"
#include "base/log.h"
#include "base/opt.h"
#include "base/parse.h"
#include "net/network.h"
#include "proto/frame.h"
#include "base/config_errors.h"
#include "tls/context.h"

struct sc_config_addresses {
    struct sc_address *items;
    size_t count;
};

struct sc_config_networks {
    struct sc_network *items;
    size_t count;
};

struct sc_config_strings {
    char **items;
    size_t count;
};

/* What a change to a key that was never announced means (server/continuity.h). */
enum sc_key_continuity {
    SC_KEY_CONTINUITY_WARN,
    SC_KEY_CONTINUITY_ENFORCE, /* a reload to it is refused */
    SC_KEY_CONTINUITY_OFF,
};

#define SC_CONFIG_DURATION uint64_t
#define SC_CONFIG_SIZE size_t
#define SC_CONFIG_NUMBER uint32_t
#define SC_CONFIG_STRING char *
#define SC_CONFIG_STRINGS struct sc_config_strings
#define SC_CONFIG_ADDRESSES struct sc_config_addresses
#define SC_CONFIG_NETWORKS struct sc_config_networks
#define SC_CONFIG_LOG_LEVEL enum sc_log_level
#define SC_CONFIG_LOG_FORMAT enum sc_log_format
#define SC_CONFIG_CLIENT_AUTH enum sc_peer_auth
#define SC_CONFIG_KEY_CONTINUITY enum sc_key_continuity

/*
 * Written by config*.c only. The fields of options.def; a string that is not set is NULL, `workers`
 * is never 0.
 */
struct sc_config {
#define SC_OPTION(kind, section, key, field, initial, min, max, effect, argument, group, help) \
    SC_CONFIG_##kind field;
#define SC_PROGRAM_OPTION(key, letter, argument, action, help)
#include "server/options.def"

    /*
     * Every key of [tls] that is not in options.def, in the order of the file: commands of
     * SSL_CONF_cmd(3), each checked by itself.
     */
    struct sc_tls_command *tls_commands;
    size_t tls_command_count;

    _Atomic unsigned references;
};

/* What the program was started to do; from SAMPLE on, whatever else the command line says. */
enum sc_cmdline_action {
    SC_CMDLINE_RUN,
    SC_CMDLINE_CHECK,
    SC_CMDLINE_STATUS,
    SC_CMDLINE_DUMP,
    SC_CMDLINE_SAMPLE,
    SC_CMDLINE_HELP,
    SC_CMDLINE_VERSION,
};

/*
 * The command line, read once: names are right, values are not looked at before sc_config_load().
 * Keeps pointers into argv, which must outlive it. NULL: see errors (EX_USAGE). With HELP, VERSION
 * or SAMPLE nothing else need be right.
 */
struct sc_cmdline;
struct sc_cmdline *sc_cmdline_parse(int argc, char **argv,
                                    struct sc_config_errors *errors) SC_NODISCARD;
void sc_cmdline_free(
    struct sc_cmdline *cmdline); /* after the last sc_config_load(); NULL is fine */
enum sc_cmdline_action sc_cmdline_action(const struct sc_cmdline *cmdline);

/* The configuration file: that of -c, else the default one, whether it is there or not. */
const char *sc_cmdline_config_file(const struct sc_cmdline *cmdline);
const char *
sc_cmdline_status_address(const struct sc_cmdline *cmdline); /* of --status; NULL: none was given */
const char *sc_cmdline_port_file(const struct sc_cmdline *cmdline); /* NULL: not asked for */

/*
 * Defaults, file, command line. The file is the one of -c; without -c,
 * SYSCONFDIR/space-captain/sc-server.conf if it exists, so a test says "-c /dev/null". One
 * reference; NULL: see errors.
 */
struct sc_config *sc_config_load(const struct sc_cmdline *cmdline,
                                 struct sc_config_errors *errors) SC_NODISCARD;

struct sc_config *sc_config_ref(struct sc_config *config);
void sc_config_unref(struct sc_config *config); /* NULL is fine */

/*
 * What a reload from `active` to `fresh` changes: calls back (NULL: not) for every key whose
 * value differs, with both values as text, and returns how many there are. A key that only a
 * restart changes (`needs_restart`) is compared with `started`, the configuration that the program
 * was started with.
 */
typedef void sc_config_on_change(void *arg, const char *key, bool needs_restart, const char *before,
                                 const char *after);
size_t sc_config_diff(const struct sc_config *started, const struct sc_config *active,
                      const struct sc_config *fresh, sc_config_on_change *on_change, void *arg);

/*
 * The configuration as a file that loads to the same configuration. Passphrases and keys are
 * files, so nothing secret is in it.
 */
void sc_config_write(const struct sc_config *config, FILE *out);

/* A file with every key explained, commented out, at its default. */
void sc_config_write_sample(FILE *out);

/* All options of the command line. Thread: the main one. */
const struct sc_opt_table *sc_config_option_table(void);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * client.conf: what a user says once of the servers that he uses, for sc-client and sc-bench.
 *
 *   ${XDG_CONFIG_HOME:-~/.config}/space-captain/client.conf, as tls/config_file.h reads it
 *
 *   [default]          what holds for every server
 *   [NAME]             what --connect NAME means; without `connect` NAME is the host
 *   connect = ADDR     keys are the long options; those without an argument are yes or no
 *   pin     = A, B     an option that may be repeated takes several
 *
 * What is given on the command line replaces what the file says for that option, and a section what
 * [default] says. Names of files are relative to the directory of the file. A file that others can
 * write is refused: it says which keys are trusted.
 *
 * Thread: the main one.
 */
#ifndef SC_TLS_USER_CONF_H
#define SC_TLS_USER_CONF_H

#include "base/opt_settings.h"

/*
 * Completes what the command line has given with what the file says. `rest`: keys that the table
 * does not have, or not for this file, are left to the other program; else they are errors. Without
 * a file nothing changes. On failure: EX_NOINPUT it can't be read, EX_DATAERR its content,
 * EX_OSERR.
 */
int sc_user_conf_complete(struct sc_opt_settings *settings, const struct sc_opt_table *table,
                          bool rest, struct sc_err *err) SC_NODISCARD;

/*
 * What is wrong with the value of a setting, with the place where it stands: EX_USAGE of the
 * command line, and EX_DATAERR in a file. Always returns -1.
 */
int sc_user_conf_blame(const struct sc_opt_setting *setting, struct sc_err *err);

#endif

/* SPDX-License-Identifier: MIT */
/* What sc-client prints: text or JSON on stdout, and --verbose and warnings on stderr. */
#ifndef SC_CLIENT_OUTPUT_H
#define SC_CLIENT_OUTPUT_H

#include "base/hist.h"
#include "client/session.h"
#include "tls/pin_mismatch.h"
#include "client/options.h"

/*
 * A reply's body. Text: as it is, and what would steer a terminal escaped when stdout is one;
 * `newline` ends it. JSON: one object. An ERROR is reported on stderr (text) or as an object
 * (JSON).
 */
void sc_cli_print_reply(const struct sc_cli_options *options, const struct sc_client_info *info,
                        const struct sc_session_reply *reply, bool newline);

/* A member of a JSON object on stdout, not the first: ,"KEY":"TEXT". */
void sc_cli_put_text(const char *key, const char *text);

/* A line for a reply of a repeated command, the `number`th. */
void sc_cli_print_ping(const struct sc_cli_options *options, const struct sc_client_info *info,
                       const struct sc_session_reply *reply, uint64_t number);
/* Instead of that line, for replies that will not come. */
void sc_cli_print_loss(const struct sc_cli_options *options, const struct sc_err *err,
                       uint64_t lost);
void sc_cli_print_summary(const struct sc_cli_options *options, uint64_t sent, uint64_t answered,
                          const struct sc_hist *times);

/*
 * Reports why the program, or a part of what it was asked for, has failed: on stderr, or with
 * --json as an object on stdout. `mismatch`: both sides of a pin, NULL or empty: it is something
 * else. Returns the exit status.
 */
int sc_cli_fail(const struct sc_cli_options *options, const struct sc_err *err,
                const struct sc_pin_mismatch *mismatch);

/* " --pin-store FILE" as a shell takes it; empty: it was not given, or is too long. */
#define SC_CLI_STORE_OPTION_BYTES 4200
void sc_cli_store_option(const struct sc_cli_options *options, char out[SC_CLI_STORE_OPTION_BYTES]);

/* Wrong usage, reported likewise, with a pointer to --help. Returns EX_USAGE. */
int sc_cli_usage(const struct sc_cli_options *options, const char *fmt, ...) SC_PRINTF(2, 3);

/* --show-pin */
void sc_cli_print_pins(const struct sc_cli_options *options, const struct sc_client_info *info);

/* How the connection is; `info` NULL: there is none. */
void sc_cli_print_status(const struct sc_cli_options *options, const struct sc_client_info *info);

/* --verbose, and for the first connection the warning about a certificate outside its dates. */
void sc_cli_print_connection(const struct sc_cli_options *options,
                             const struct sc_client_info *info, bool is_first);

/* What was learnt for the pin store (printed with --verbose only), or why nothing was. */
void sc_cli_print_learnt(const struct sc_cli_options *options, const struct sc_err *result);

/* --verbose: why a connection was lost, and when the next one is made. */
void sc_cli_print_lost(const struct sc_cli_options *options, const struct sc_session_end *end);

#endif

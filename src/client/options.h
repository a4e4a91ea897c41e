/* SPDX-License-Identifier: MIT */
/* The command line of sc-client, and what client.conf adds to it. */
#ifndef SC_CLIENT_OPTIONS_H
#define SC_CLIENT_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include <spacecaptain/client.h>

#include "base/opt_settings.h"
#include "base/parse.h"

#define SC_CLI_PROGRAM "sc-client"
#define SC_CLI_DOCTOR "doctor" /* the COMMAND that is not a request */

extern const struct sc_opt_table sc_cli_option_table;

/* --tofu: what becomes of a server of which no pin is known. */
enum sc_cli_tofu {
    SC_CLI_TOFU_OFF, /* neither --tofu nor --pin-store was given */
    SC_CLI_TOFU_STRICT,
    SC_CLI_TOFU_ASK,
    SC_CLI_TOFU_NEW,
};

struct sc_cli_options {
    struct sc_opt_settings given; /* keeps the texts that the others point to */
    struct sc_address address;
    char target[300]; /* the address in one form */
    const char *proxy_command; /* NULL: connect directly */
    struct sc_client_settings *settings; /* pins, timeout, strict expiry */
    const char *certificate_path, *key_path; /* the client's own; NULL: not given */
    uint64_t timeout_ms; /* of the settings */
    bool strict_expiry;
    bool doctor;
    bool has_pin;
    enum sc_cli_tofu tofu; /* other than OFF: the settings have a pin store */
    const char *pin_store; /* NULL: the default */
    bool no_retry;
    const char *session_path; /* NULL: sessions are not saved */
    bool show_version; /* --version: then nothing else is set */
    bool show_pin;
    bool verbose;
    bool json;

    const struct sc_handler *command; /* NULL: commands come from standard input */
    const char *text; /* NULL: from standard input, where the command takes one */
    bool repeat; /* --count or --interval */
    uint64_t count; /* with repeat; UINT64_MAX: until interrupted */
    uint64_t interval_ms;
};

/*
 * Returns 0, or -1 and the exit status in *status: the program is to end with it (--help and
 * --version print themselves, errors too).
 */
int sc_cli_options_parse(struct sc_cli_options *options, int argc, char *argv[],
                         int *status) SC_NODISCARD;
void sc_cli_options_fini(struct sc_cli_options *options);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * What sc-client prints of a reply to PINS: the server's keys, and what this client makes of them,
 * which decides whether it is locked out when the key changes.
 */
#ifndef SC_CLIENT_OUTPUT_PINS_H
#define SC_CLIENT_OUTPUT_PINS_H

#include <spacecaptain/client.h>

#include "client/options.h"

/* The keys on stdout, the rest with --verbose on stderr. */
void sc_cli_print_pins_text(const struct sc_cli_options *options, const struct sc_client_info *info,
                            const struct sc_client_pins *pins);

/* All of it as members of an object on stdout. */
void sc_cli_print_pins_json(const struct sc_cli_options *options, const struct sc_client_info *info,
                            const struct sc_client_pins *pins);

#endif

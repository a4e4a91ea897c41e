/* SPDX-License-Identifier: MIT */
/* The body of the requests of a COMMAND: TEXT, or standard input. Thread: the main one. */
#ifndef SC_CLIENT_BODY_H
#define SC_CLIENT_BODY_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "client/options.h"

struct sc_cli_body {
    const uint8_t *bytes;
    size_t length;
    uint8_t *read; /* from standard input; NULL: nothing was */
};

/*
 * Reads all of standard input when the options hold no text, up to what a frame can carry. On
 * failure, too, it is to be given to sc_cli_body_fini().
 */
int sc_cli_body_init(struct sc_cli_body *body, const struct sc_cli_options *options,
                     struct sc_err *err) SC_NODISCARD;
void sc_cli_body_fini(struct sc_cli_body *body);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * A server of which the pin store has no pin: what to say of it, and --tofu=ask, which shows its
 * key on the terminal and takes an answer. Thread: the main one.
 */
#ifndef SC_CLIENT_FIRST_USE_H
#define SC_CLIENT_FIRST_USE_H

#include <stdbool.h>

#include "client/session.h"
#include "client/options.h"

/*
 * `end` is that of such a server (end->key_type). With --tofu=ask and a terminal, /dev/tty, asks
 * whether its key is to be stored: yes, no, or the pin as it should be. True: it is stored, and the
 * server is to be connected to again. False: *err says why not.
 */
bool sc_first_use_ask(const struct sc_cli_options *options, const struct sc_session_end *end,
                      struct sc_err *err);

/* Why such a server is refused, and the way out. */
void sc_first_use_refuse(const struct sc_cli_options *options, const struct sc_session_end *end,
                         struct sc_err *err);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * sc-keygen --status --connect: whether the next key can be made the current one, by what a running
 * server announces and what its clients accept. Thread: the main one.
 */
#ifndef SC_PROGRAMS_KEYGEN_SERVER_H
#define SC_PROGRAMS_KEYGEN_SERVER_H

#include <stdint.h>

#include "base/err.h"
#include "base/parse.h"
#include "tls/pin.h"

/*
 * Asks the admin interface of the server at `address` (its metrics-listen), and prints what it says
 * on stdout. 0: every client that it knows of accepts the key with the pin `next` (NULL: there is
 * none). EX_TEMPFAIL: not so, or it serves with another key than that with the pin `current`, or
 * does not announce the next one. EX_UNAVAILABLE: no such server answers.
 */
int sc_keygen_ask_server(const struct sc_address *address, const uint8_t current[SC_PIN_BYTES],
                         const uint8_t next[SC_PIN_BYTES], struct sc_err *err) SC_NODISCARD;

#endif

/* SPDX-License-Identifier: MIT */
/*
 * A TLS session as bytes that can be kept: after what it was made under, so that it is worth
 * nothing under other pins or to another TLS library. Thread: any.
 *
 *   "SCSES1\n"   7 bytes
 *   library      1 byte: its first letter
 *   pins         32 bytes: sc_pin_set_digest()
 *   session      the rest, in the form of the TLS library
 */
#ifndef SC_LIB_SAVED_SESSION_H
#define SC_LIB_SAVED_SESSION_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "tls/pin.h"

#define SC_SAVED_SESSION_HEADER_BYTES (8U + SC_PIN_BYTES)
#define SC_SAVED_SESSION_MAX_BYTES (64U << 10)

struct sc_saved_session {
    uint8_t *bytes; /* NULL: none */
    size_t size;
};

/* Whether the bytes are such a session at all: EX_DATAERR. */
int sc_saved_session_check(const void *bytes, size_t count, struct sc_err *err) SC_NODISCARD;

/* What follows the header. NULL: none, or made under other pins or by another library. */
const uint8_t *sc_saved_session_payload(const uint8_t *bytes, size_t count, const char *library,
                                        const struct sc_pin_set *pins, size_t *payload_count);

void sc_saved_session_put_header(uint8_t out[SC_SAVED_SESSION_HEADER_BYTES], const char *library,
                                 const struct sc_pin_set *pins);

/* Overwrites and frees. NULL is fine. */
void sc_saved_session_wipe(uint8_t *bytes, size_t count);

#endif

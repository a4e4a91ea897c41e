/* Bytes of a peer in a form that is safe to print. Thread: any. */
#ifndef SC_BASE_ESCAPE_H
#define SC_BASE_ESCAPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/*
 * For a terminal: UTF-8 text, newlines and tabs as they are; control characters, C1 ones too, and
 * bytes that are no UTF-8 as \xNN.
 */
void sc_escape_terminal(FILE *out, const uint8_t *bytes, size_t length);

/* As the value of a JSON string, quotes included; only for what sc_escape_is_utf8(). */
void sc_escape_json(FILE *out, const uint8_t *text, size_t length);

/* RFC 4648 section 4, with padding. */
void sc_escape_base64(FILE *out, const uint8_t *bytes, size_t length);

/* Well-formed as in RFC 3629. */
bool sc_escape_is_utf8(const uint8_t *bytes, size_t length);

#endif

/* SPDX-License-Identifier: MIT */
/* Bytes of a peer in a form that is safe to print. Thread: any. */
#ifndef SC_BASE_ESCAPE_H
#define SC_BASE_ESCAPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/*
 * Those for a terminal, a line and JSON agree on what is unsafe, and show its bytes as \xNN (JSON:
 * \uNNNN): control characters, C1 ones too; bytes that are not UTF-8; characters that reorder text
 * (bidirectional controls) or that cannot be seen (zero width). Everything else is left as it is.
 */

/* For a terminal, in any number of lines: newlines and tabs are left as they are. */
void sc_escape_terminal(FILE *out, const void *bytes, size_t length);

/*
 * As a part of one line: newlines and tabs are escaped too. What does not fit is cut, at a whole
 * character. `out` is terminated unless out_size is 0. Returns the length.
 */
size_t sc_escape_line(char *out, size_t out_size, const void *bytes, size_t length);

/*
 * As the value of a JSON string, quotes included. JSON has no bytes that are not UTF-8: they become
 * the text \xNN.
 */
void sc_escape_json(FILE *out, const void *text, size_t length);

/* As one word of a shell command, in quotes where it needs them. */
void sc_escape_shell(FILE *out, const char *text);

/* RFC 4648 section 4, with padding. */
void sc_escape_base64(FILE *out, const void *bytes, size_t length);

/* Well-formed as in RFC 3629. */
bool sc_escape_is_utf8(const uint8_t *bytes, size_t length);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * What a pin store holds, as text: one line for each pin of a server, and lines that begin with
 * '#'.
 *
 *   captain.example.org 4242 sha256//BASE64 2026-11-22T00:12:43Z first-use
 *
 * The host (small letters; an address without brackets; "unix:/path" with the port "-"), the port,
 * the pin of the key, since when it is known (UTC), and how it was learnt: a word, for people. The
 * pin of the key that was in use last comes first. Bytes only. Thread: any.
 */
#ifndef SC_LIB_PIN_STORE_TEXT_H
#define SC_LIB_PIN_STORE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/parse.h"
#include "proto/pins.h"

#define SC_PIN_STORE_SERVER_BYTES 300U /* "HOST PORT" */
#define SC_PIN_STORE_HOW_BYTES 16U

/* How a pin was learnt; other words are taken as well. */
#define SC_PIN_STORE_FIRST_USE "first-use" /* from the server, and nobody was asked */
#define SC_PIN_STORE_GIVEN "given" /* it matched a pin that the user had given */
#define SC_PIN_STORE_ANNOUNCED "announced" /* by the server, as its next key, with a proof */

/* "HOST PORT" as in the file, from an address. EX_USAGE: it has blanks or is too long. */
int sc_pin_store_server(const struct sc_address *address, char out[SC_PIN_STORE_SERVER_BYTES],
                        struct sc_err *err) SC_NODISCARD;

struct sc_pin_store_line {
    char server[SC_PIN_STORE_SERVER_BYTES];
    uint8_t pin[SC_PINS_PIN_BYTES];
    char date[24];
    char how[SC_PIN_STORE_HOW_BYTES];
};

/* Reads a line without its newline. NULL, or why it is not one; *is_remark: it says nothing. */
const char *sc_pin_store_parse_line(const char *line, size_t length, struct sc_pin_store_line *out,
                                    bool *is_remark);

/* Writes it, with its newline. */
#define SC_PIN_STORE_LINE_BYTES 420U
size_t sc_pin_store_format_line(const struct sc_pin_store_line *line,
                                char out[SC_PIN_STORE_LINE_BYTES]);

/* The pins of one server, in the order of the file. */
struct sc_pin_store_pins {
    struct {
        uint8_t pin[SC_PINS_PIN_BYTES];
        unsigned line; /* counted from 1; 0: it is to be added */
        bool drop; /* its line is to go */
        const char *how; /* of one that is to be added; static */
    } list[2 * SC_PINS_MAX_ACCEPTED];
    size_t count;
};

/*
 * Finds the pins of a server; a line that is there twice counts once. Every line is read: what is
 * wrong with one is EX_DATAERR, "PATH:LINE: why". A server has at most SC_PINS_MAX_ACCEPTED.
 */
int sc_pin_store_find(const char *text, size_t length, const char *path, const char *server,
                      struct sc_pin_store_pins *out, struct sc_err *err) SC_NODISCARD;

/* Where the pin is among those that stay; out->count: nowhere. */
size_t sc_pin_store_index(const struct sc_pin_store_pins *pins,
                          const uint8_t pin[SC_PINS_PIN_BYTES]);

/* One more; there is room for it. */
void sc_pin_store_add(struct sc_pin_store_pins *pins, const uint8_t pin[SC_PINS_PIN_BYTES],
                      const char *how);

/* What was to be dropped is gone. */
void sc_pin_store_remove_dropped(struct sc_pin_store_pins *pins);

/*
 * What the pins become when the user has given one that this key matches: this one alone, unless it
 * is among them. Returns whether that is a change.
 */
bool sc_pin_store_replace(struct sc_pin_store_pins *pins, const uint8_t key[SC_PINS_PIN_BYTES]);

/*
 * What they become when the server has shown `current`, which is among them, and has announced
 * `next` (NULL: none), with a good proof or without. A next pin is added only with a proof. When
 * `current` is not the first, it is a successor that is seen in use: then all but these two go. A
 * next pin that comes before it, of a key that the server goes back to, is added anew, after it.
 * Returns whether that is a change.
 */
bool sc_pin_store_learn(struct sc_pin_store_pins *pins, const uint8_t current[SC_PINS_PIN_BYTES],
                        const uint8_t *next, bool proven);

/*
 * The text with these changes, for the caller to free(); NULL: out of memory. `date` is that of the
 * added lines.
 */
char *sc_pin_store_edit(const char *text, size_t length, const char *server,
                        const struct sc_pin_store_pins *pins, const char *date, size_t *out_length);

#endif

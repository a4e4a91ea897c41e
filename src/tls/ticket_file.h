/* SPDX-License-Identifier: MIT */
/*
 * Files with keys of session tickets, which several hosts share: read, made and rotated.
 *
 * The first key makes tickets, all of them open tickets. Each is 80 bytes, binary
 * (`openssl rand 80 >>FILE`) or a line of base64 (`openssl rand 80 | openssl base64 -A; echo`): 16
 * of name, 32 for AES-256-CBC, 32 for HMAC-SHA-256 (RFC 5077, section 4).
 *
 * A file of three keys that rotates holds the current one, the next one, which other hosts open
 * before any of them makes tickets with it, and the previous one. Thread: any.
 */
#ifndef SC_TLS_TICKET_FILE_H
#define SC_TLS_TICKET_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#define SC_TICKETS_KEY_BYTES 80U
#define SC_TICKETS_KEY_NAME_BYTES 16U
#define SC_TICKETS_MAX_KEYS 16U /* in a file */

struct sc_ticket_keys {
    unsigned count;
    uint8_t keys[SC_TICKETS_MAX_KEYS][SC_TICKETS_KEY_BYTES];
};

/*
 * EX_NOINPUT unreadable, EX_CONFIG not what it should be. `*out` holds secrets, also on failure:
 * OPENSSL_cleanse() it.
 */
int sc_ticket_file_read(const char *path, struct sc_ticket_keys *out,
                        struct sc_err *err) SC_NODISCARD;

/* Fresh random bytes. EX_OSERR. */
int sc_ticket_file_random_key(uint8_t out[SC_TICKETS_KEY_BYTES], struct sc_err *err) SC_NODISCARD;

/*
 * Makes a file of three keys, 0600, or rotates the one that is there: next becomes current,
 * current becomes previous, previous goes, and there is a new next. In a file of one or two keys
 * the first stays the current one, and a next one is put in. `*rotated` false: the current key has
 * not changed. -1 and the file is as it was: EX_CONFIG more than three keys, or not such a file;
 * EX_CANTCREAT, EX_IOERR; EX_TEMPFAIL another process changes files in the same directory.
 */
int sc_ticket_file_rotate(const char *path, bool *rotated, struct sc_err *err) SC_NODISCARD;

#endif

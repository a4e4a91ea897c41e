/* SPDX-License-Identifier: MIT */
/*
 * The keys that a server announces (PINS), and makes proofs with: the current one, and the next
 * one, if there is one. Immutable once made. Thread: any.
 */
#ifndef SC_TLS_ANNOUNCEMENT_H
#define SC_TLS_ANNOUNCEMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/evp.h>
#include <openssl/pem.h>

#include "base/err.h"
#include "proto/pins.h"

struct sc_announced_key {
    EVP_PKEY *key; /* with the private half; NULL: there is no such key */
    uint8_t *spki; /* DER */
    size_t spki_bytes;
    uint8_t pin[SC_PINS_PIN_BYTES];
    uint16_t scheme; /* of its proofs; 0: it can't make any, which is never so of a next key */
};

struct sc_announcement {
    struct sc_announced_key current, next;
};

/*
 * Of the key of what is served. `next_path`: a PEM private key, NULL: none; the callback opens it
 * if it is encrypted. A next key that is the current one is left out, and `*same` says so.
 * EX_NOINPUT unreadable, EX_CONFIG not a key, or not of a kind that can prove itself. On failure
 * it is empty; on success sc_announcement_fini() it.
 */
int sc_announcement_init(struct sc_announcement *announcement, EVP_PKEY *current,
                         const char *next_path, pem_password_cb *passphrase, void *passphrase_arg,
                         bool *same, struct sc_err *err) SC_NODISCARD;
void sc_announcement_fini(struct sc_announcement *announcement); /* fine on zeros */

#endif

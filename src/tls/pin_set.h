/* SPDX-License-Identifier: MIT */
/* The inside of a pin set, for the files that implement tls/pin.h and no others. */
#ifndef SC_TLS_PIN_SET_H
#define SC_TLS_PIN_SET_H

#include <stddef.h>
#include <stdint.h>

#include <openssl/x509.h>

#include "tls/pin.h"

enum sc_pin_kind {
    SC_PIN_KEY,
    SC_PIN_CERTIFICATE,
    SC_PIN_CA,
    SC_PIN_DIGEST, /* of the key or of the certificate: either is as hard to imitate */
};

struct sc_pin {
    enum sc_pin_kind kind;
    uint8_t digest[SC_PIN_BYTES]; /* of the key, of the certificate, of the sorted certificate
                                     digests of a ca: file */
    bool has_key; /* SC_PIN_CERTIFICATE: it was there, and */
    uint8_t key[SC_PIN_BYTES]; /* this is the digest of its key */
    X509_STORE *store; /* SC_PIN_CA: the file's certificates, and nothing else, are trusted */
    char *path; /* NULL: came from no file */
    char *name; /* of whom it is; NULL: not known */
};

struct sc_pin_set {
    struct sc_pin *pins;
    size_t count;
};

void sc_pin_fini(struct sc_pin *pin);

/* Takes over what `pin` points to, also on failure. A pin that is there already is dropped. */
int sc_pin_set_append(struct sc_pin_set *set, struct sc_pin *pin, struct sc_err *err) SC_NODISCARD;

/* Whether a PIN argument that does not begin with "ca:" is pins as text, and not a file. */
bool sc_pin_is_text(const char *spec);

/* Add what the text or the file holds. On failure a part of it may be in the set. */
int sc_pin_set_add_text(struct sc_pin_set *set, const char *spec, struct sc_err *err) SC_NODISCARD;
/* With `store` the certificates go there, too, and a key alone is not a pin. */
int sc_pin_set_add_file(struct sc_pin_set *set, const char *path, X509_STORE *store,
                        struct sc_err *err) SC_NODISCARD;
/* The same for sc_pin_set_add_clients(). */
int sc_pin_set_add_clients_file(struct sc_pin_set *set, const char *path,
                                struct sc_err *err) SC_NODISCARD;
/*
 * To an empty set what the content of a list holds, a NUL after it; it is cut into lines. The path
 * is for messages.
 */
int sc_pin_set_add_list(struct sc_pin_set *set, const char *path, char *text, size_t length,
                        struct sc_err *err) SC_NODISCARD;

/* The pin in a form that can be given again. */
void sc_pin_format_one(const struct sc_pin *pin, char *out, size_t out_size);

#endif

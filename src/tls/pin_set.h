/* The inside of a pin set, for the files that implement tls/pin.h and no others. */
#ifndef SC_TLS_PIN_SET_H
#define SC_TLS_PIN_SET_H

#include <stddef.h>
#include <stdint.h>

#include <openssl/x509.h>

#include "tls/pin.h"

enum sc_pin_kind { SC_PIN_KEY, SC_PIN_CERTIFICATE, SC_PIN_CA };

struct sc_pin {
    enum sc_pin_kind kind;
    uint8_t digest[SC_PIN_BYTES]; /* of the key, of the certificate, of the sorted certificate
                                     digests of a ca: file */
    X509_STORE *store; /* SC_PIN_CA: the file's certificates, and nothing else, are trusted */
    char *path; /* NULL: came from no file */
};

struct sc_pin_set {
    struct sc_pin *pins;
    size_t count;
};

/* The pin in a form that can be given again. */
void sc_pin_format_one(const struct sc_pin *pin, char *out, size_t out_size);

#endif

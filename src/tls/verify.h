/* SPDX-License-Identifier: MIT */
/*
 * Whether the server's certificate is the one that is expected: the one place in which a client
 * decides that, whatever the TLS library. Thread: that of the connection.
 *
 * With OpenSSL: sc_tls_verify_install() once for the context, and the watch of each SSL names its
 * sc_tls_verify. Unless a pin matches the handshake then ends before Finished is sent, with the
 * alert bad_certificate, or unknown_ca when there are no pins, since then it is not locked out. A
 * resumed handshake shows no certificate: after each handshake sc_tls_verify_peer() checks again
 * what the session remembers.
 */
#ifndef SC_TLS_VERIFY_H
#define SC_TLS_VERIFY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <openssl/ssl.h>

#include "base/err.h"
#include "tls/pin_mismatch.h"

#define SC_TLS_VERIFY_KEY_TYPE_BYTES 32U /* "EC P-256" */

struct sc_tls_verify {
    const struct sc_pin_set *pins; /* borrowed */
    const char *host; /* for ca: pins; NULL: the name is not checked; borrowed */
    const char *target; /* names the server in errors; borrowed */
    bool strict_expiry;
    bool inspect; /* takes any certificate, only to see what it is */
    bool first_use; /* without pins, takes any key */
    const char *store; /* the file of the pins, for errors; NULL: there is none; borrowed */

    /* What the last check has found. */
    struct sc_pin_result pin;
    uint8_t key_pin[SC_PIN_BYTES], fingerprint[SC_PIN_BYTES];
    time_t not_before, not_after;
    bool refused;
    bool is_unknown; /* there are no pins: it was refused, or taken because of first_use */
    char key_type[SC_TLS_VERIFY_KEY_TYPE_BYTES]; /* of one that is unknown; else empty */
    struct sc_pin_mismatch mismatch; /* what it has shown, when it matches no pin; else empty */
    struct sc_err err; /* why, when it was refused */
};

/* Its handshakes ask the sc_tls_verify of the SSL's watch (tls/watch.h), which must have one. */
void sc_tls_verify_install(SSL_CTX *context);

/*
 * Checks the certificate that the SSL has, after its handshake. 0: take it; -1: refuse it with the
 * alert bad_certificate.
 */
int sc_tls_verify_peer(struct sc_tls_verify *verify, const SSL *ssl) SC_NODISCARD;

/* A certificate as it came, in DER. */
struct sc_tls_der {
    const uint8_t *bytes;
    size_t count;
};

/* The same for what another TLS library was shown: the leaf first; no certificate is refused. */
int sc_tls_verify_der(struct sc_tls_verify *verify, const struct sc_tls_der *certificates,
                      size_t count) SC_NODISCARD;

#endif

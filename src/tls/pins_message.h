/* SPDX-License-Identifier: MIT */
/*
 * PINS: a server announces its current and its next key, and the next key proves that the server
 * has it. The bodies of the reply, and the proof. For the server and for clients; docs/protocol.md
 * has the format.
 *
 * A proof is a signature, made with the next key, over
 *
 *   "space-captain pins v1" 0x00 || exporter || SHA-256(SubjectPublicKeyInfo of the next key)
 *
 * where the exporter is 32 bytes of keying material of this one connection (RFC 8446, section 7.5;
 * RFC 5705), so that a proof is worth nothing anywhere else. Nothing here keeps anything.
 * Thread: any.
 */
#ifndef SC_TLS_PINS_MESSAGE_H
#define SC_TLS_PINS_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/ssl.h>

#include "base/err.h"
#include "proto/pins.h"

#define SC_PINS_EXPORTER_BYTES 32U
#define SC_PINS_EXPORTER_LABEL "EXPORTER-space-captain-pins"

/* Of TLS (RFC 8446, section 4.2.3); those that a proof can have. */
enum sc_pins_scheme {
    SC_PINS_NO_PROOF = 0,
    SC_PINS_ECDSA_P256_SHA256 = 0x0403,
    SC_PINS_RSA_PSS_RSAE_SHA256 = 0x0804,
    SC_PINS_ED25519 = 0x0807,
};

/* "ecdsa_secp256r1_sha256"; "none". */
const char *sc_pins_scheme_name(uint16_t scheme);

/* A key as it is in the message. All is borrowed. */
struct sc_pins_key {
    const uint8_t *spki; /* SubjectPublicKeyInfo, DER */
    size_t spki_bytes;
    uint8_t pin[SC_PINS_PIN_BYTES]; /* SHA-256 of it */
    uint16_t scheme; /* enum sc_pins_scheme; of the current key always NO_PROOF */
    const uint8_t *signature;
    size_t signature_bytes; /* 0 without a proof */
};

struct sc_pins_message {
    struct sc_pins_key current;
    struct sc_pins_key next; /* spki NULL: there is none */
};

/* Writes the body and returns its length. Lengths are within the bounds of proto/pins.h. */
size_t sc_pins_build(const struct sc_pins_message *message, uint8_t out[SC_PINS_MAX_BYTES]);

/*
 * Reads a body; *out points into it. EX_PROTOCOL with what is wrong: another version, a number or
 * order of entries other than one current key and at most one next, a length above its bound or
 * beyond the end, bytes after the end, a scheme without a signature or the reverse, a proof of
 * the current key, a next key that is the current one.
 */
int sc_pins_parse(const uint8_t *body, size_t length, struct sc_pins_message *out,
                  struct sc_err *err) SC_NODISCARD;

/*
 * Whether the proof of the next key is right for a connection with this exporter. EX_PROTOCOL with
 * the reason: there is none, an unknown scheme, a key of another kind than the scheme's, not a key
 * in DER, a wrong signature.
 */
int sc_pins_verify(const struct sc_pins_key *next, const uint8_t exporter[SC_PINS_EXPORTER_BYTES],
                   struct sc_err *err) SC_NODISCARD;

/* The scheme that a key proves itself with: P-256, Ed25519, RSA of 2048 bits and more; else 0. */
uint16_t sc_pins_scheme_of(const EVP_PKEY *key);

/*
 * Makes a proof with a key of such a kind. P-256 and Ed25519 take some ten microseconds, RSA of
 * 4096 bits some milliseconds. EX_SOFTWARE.
 */
int sc_pins_sign(EVP_PKEY *key, const uint8_t exporter[SC_PINS_EXPORTER_BYTES],
                 uint8_t out[SC_PINS_MAX_SIGNATURE_BYTES], size_t *length,
                 struct sc_err *err) SC_NODISCARD;

/*
 * The exporter of a connection whose handshake is done. False: it has none that is its own, which
 * is TLS 1.2 without the extended master secret (RFC 7627).
 */
bool sc_pins_exporter(SSL *ssl, uint8_t out[SC_PINS_EXPORTER_BYTES]);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * How large the bodies of PINS are. What is in them: tls/pins_message.h. Bytes only.
 */
#ifndef SC_PROTO_PINS_H
#define SC_PROTO_PINS_H

#define SC_PINS_PIN_BYTES 32U /* SHA-256 of a SubjectPublicKeyInfo */
#define SC_PINS_MAX_ACCEPTED 8U /* pins in a request */

/* The largest RSA key that OpenSSL takes from a peer has 16,384 bits. */
#define SC_PINS_MAX_SPKI_BYTES 2112U
#define SC_PINS_MAX_SIGNATURE_BYTES 2048U

/* Version and count; then for each of two keys role, length, key, scheme, length, signature. */
#define SC_PINS_MAX_BYTES \
    (2U + 2U * (1U + 2U + SC_PINS_MAX_SPKI_BYTES + 2U + 2U) + SC_PINS_MAX_SIGNATURE_BYTES)

#endif

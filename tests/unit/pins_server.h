/* SPDX-License-Identifier: MIT */
/* A server in memory that answers PINS, rightly or wrongly. For one program: everything is static.
 */
#ifndef SC_TESTS_PINS_SERVER_H
#define SC_TESTS_PINS_SERVER_H

#include "engine_fixture.h"
#include "tls/keygen.h"
#include "tls/pins_message.h"

static uint8_t asked[512]; /* the body of the last PINS request */
static size_t asked_length;
static unsigned pins_requests;
static EVP_PKEY *current, *next;

/* How the server answers PINS. */
static enum lie {
    HONEST,
    NO_NEXT,
    NO_PROOF,
    OTHER_SIGNER, /* signed with another key than the one that it announces */
    OTHER_CONNECTION, /* a proof that was relayed */
    NEXT_IS_CURRENT,
    OTHER_CURRENT, /* it sends a key that is not the one of the connection */
    MALFORMED,
    ERROR_REPLY,
    TOO_LARGE /* its max-body is less than a pin */
} lie;

static inline uint8_t *spki(EVP_PKEY *key, size_t *length)
{
    uint8_t *der = NULL;
    const int count = i2d_PUBKEY(key, &der);
    ck_assert_int_gt(count, 0);
    *length = (size_t)count;
    return der;
}

static inline void send_pins(struct engine_peer *peer)
{
    struct sc_pins_message message = {0};
    uint8_t body[SC_PINS_MAX_BYTES], exporter[SC_PINS_EXPORTER_BYTES];
    uint8_t signature[SC_PINS_MAX_SIGNATURE_BYTES], reply[512];
    EVP_PKEY *shown = lie == OTHER_CURRENT ? next : current;
    uint8_t *current_der = spki(shown, &message.current.spki_bytes);
    uint8_t *next_der = spki(lie == NEXT_IS_CURRENT ? current : next, &message.next.spki_bytes);
    ck_assert(sc_pins_exporter(peer->ssl, exporter));
    exporter[0] ^= lie == OTHER_CONNECTION;
    message.current.spki = current_der;
    if (lie != NO_NEXT && lie != OTHER_CURRENT) {
        EVP_PKEY *signer = lie == OTHER_SIGNER || lie == NEXT_IS_CURRENT ? current : next;
        message.next.spki = next_der;
        if (lie != NO_PROOF) {
            message.next.scheme = SC_PINS_ECDSA_P256_SHA256;
            message.next.signature = signature;
            ck_assert_int_eq(
                sc_pins_sign(signer, exporter, signature, &message.next.signature_bytes, NULL), 0);
        }
    }
    size_t length = sc_pins_build(&message, body);
    length -= lie == MALFORMED;
    if (lie == ERROR_REPLY) {
        engine_peer_say(peer, reply,
                        sc_frame_put_error(reply, SC_ERROR_UNKNOWN_TYPE, 0, "no\nsuch type"));
    } else if (lie == TOO_LARGE) {
        engine_peer_say(peer, reply,
                        sc_frame_put_error(reply, SC_ERROR_BODY_TOO_LARGE, 0, "too large"));
    } else {
        engine_peer_frame(peer, SC_FRAME_PINS, body, length);
    }
    OPENSSL_free(current_der);
    OPENSSL_free(next_der);
}

static inline void answer(struct engine_peer *peer, const struct sc_frame_header *header,
                          const uint8_t *body)
{
    if (header->type == SC_FRAME_PINS) {
        ck_assert_uint_eq(peer->requests, 1); /* before anything else */
        pins_requests++;
        ck_assert_uint_le(header->length, sizeof(asked));
        memcpy(asked, body, header->length);
        asked_length = header->length;
        send_pins(peer);
    } else {
        engine_peer_answer(peer, header, body);
    }
}

static inline void use_key(const char *name)
{
    EVP_PKEY_free(current);
    current = sc_keygen_read_key(fixture_path(name), NULL, NULL, NULL);
    ck_assert_ptr_nonnull(current);
}

static inline void serve_with(const char *name)
{
    char key[64];
    const struct sc_tls_server_settings server_settings = fixture_settings(name);
    sc_tls_context_unref(context);
    context = fixture_server(&server_settings);
    (void)snprintf(key, sizeof(key), "%s.key", name);
    use_key(key);
}

#endif

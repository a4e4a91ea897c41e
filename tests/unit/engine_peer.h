/* SPDX-License-Identifier: MIT */
/*
 * A server in memory for the tests of the client engine: OpenSSL over memory BIOs, ciphertext in
 * and out, no socket and no clock. Every function ends the test when it fails.
 */
#ifndef SC_TESTS_ENGINE_PEER_H
#define SC_TESTS_ENGINE_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/ssl.h>

#include "proto/frame.h"
#include "tls/context.h"
#include "tls/watch.h"

#define ENGINE_PEER_BYTES 65536U

struct engine_peer;

/* Called for each whole request. */
typedef void engine_peer_request_cb(struct engine_peer *peer, const struct sc_frame_header *header,
                                    const uint8_t *body);

struct engine_peer {
    SSL *ssl;
    BIO *in, *out; /* of the SSL; what is in `out` has not been given to the engine */
    struct sc_tls_watch watch;
    bool is_done; /* the handshake */
    engine_peer_request_cb *on_request; /* engine_peer_answer(), or the test's; NULL: kept */
    unsigned requests; /* that were whole */
    uint8_t kept[ENGINE_PEER_BYTES]; /* plaintext that is not a whole request yet */
    size_t have;
};

void engine_peer_open(struct engine_peer *peer, const struct sc_tls_context *context);
void engine_peer_close(struct engine_peer *peer);

/* Ciphertext that the engine has sent: goes on with the handshake, and with requests. */
void engine_peer_take(struct engine_peer *peer, const void *bytes, size_t count);

/* Ciphertext for the engine: how much there is, and at most `room` of it. */
size_t engine_peer_waiting(const struct engine_peer *peer);
size_t engine_peer_give(struct engine_peer *peer, void *out, size_t room);

/* Plaintext for the engine, in a record of its own; a frame; the right reply. */
void engine_peer_say(struct engine_peer *peer, const void *bytes, size_t count);
void engine_peer_frame(struct engine_peer *peer, uint32_t type, const void *body, size_t length);
engine_peer_request_cb engine_peer_answer;

#endif

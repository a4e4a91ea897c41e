/* SPDX-License-Identifier: MIT */
/*
 * Records of TLS 1.3 made by hand (RFC 8446 section 5.2), for what no library sends: parts of
 * handshake messages, empty records, records of any type. The client's side, after the handshake.
 * The SSL must write nothing of its own meanwhile: both count the records.
 */
#ifndef SC_TESTS_TLS13_RECORD_H
#define SC_TESTS_TLS13_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/ssl.h>

/* A record takes so many bytes more than what it carries. */
#define TLS13_RECORD_OVERHEAD (5U + 1U + 16U)

struct tls13_sender {
    const EVP_CIPHER *cipher;
    const EVP_MD *hash;
    uint8_t secret[EVP_MAX_MD_SIZE]; /* client_application_traffic_secret_N */
    uint8_t key[EVP_MAX_KEY_LENGTH], iv[12];
    uint64_t sequence;
};

/* Makes every SSL of the context keep its secret. Before the handshake. */
void tls13_keep_secrets(SSL_CTX *context);

/* False: the SSL has no TLS 1.3 connection, or its context keeps no secrets. */
bool tls13_sender_init(struct tls13_sender *sender, const SSL *ssl);

/*
 * One record of that content type (SSL3_RT_*) into `record`, which has room for `length` and the
 * overhead. Returns its size; 0: failed.
 */
size_t tls13_seal(struct tls13_sender *sender, uint8_t type, const void *bytes, size_t length,
                  uint8_t *record);

/* After a KeyUpdate: the next secret and keys (section 7.2). */
bool tls13_next_keys(struct tls13_sender *sender);

#endif

/* SPDX-License-Identifier: MIT */
/* What a finished handshake agreed on, as text and for counters. Thread: the SSL's. */
#ifndef SC_TLS_INFO_H
#define SC_TLS_INFO_H

#include <stdbool.h>
#include <stddef.h>

#include <openssl/ssl.h>

struct sc_tls_info {
    const char *version; /* "TLSv1.3"; static, as the other texts */
    const char *cipher; /* "TLS_AES_256_GCM_SHA384" */
    const char *group; /* "x25519"; "" when the handshake used none */
    bool resumed;
};

void sc_tls_info_get(SSL *ssl, struct sc_tls_info *out);

/*
 * Words for counters: of what an SSL can agree on, the versions, ciphers and groups that are
 * counted by themselves, and "other" for the rest. A group that is not used is "none".
 */
#define SC_TLS_VERSION_WORDS 3U
#define SC_TLS_CIPHER_WORDS 14U
#define SC_TLS_GROUP_WORDS 7U

/* The word at an index, NULL past the last. */
const char *sc_tls_version_word(size_t index);
const char *sc_tls_cipher_word(size_t index);
const char *sc_tls_group_word(size_t index);

/* The indexes of what a handshake agreed on. */
size_t sc_tls_version_index(const struct sc_tls_info *info);
size_t sc_tls_cipher_index(const struct sc_tls_info *info);
size_t sc_tls_group_index(const struct sc_tls_info *info);

#endif

/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "tls/info.h"

#include <string.h>

#include "base/compiler.h"

void sc_tls_info_get(SSL *ssl, struct sc_tls_info *out)
{
    const int group = (int)SSL_get_negotiated_group(ssl);
    const char *name = group > 0 ? SSL_group_to_name(ssl, group) : NULL;
    out->version = SSL_get_version(ssl);
    out->cipher = SSL_get_cipher_name(ssl);
    out->group = name ? name : "";
    out->resumed = SSL_session_reused(ssl) == 1;
}

static const char *const version_words[] = {"TLSv1.3", "TLSv1.2", "other"};
static const char *const cipher_words[] = {
    "TLS_AES_256_GCM_SHA384",        "TLS_CHACHA20_POLY1305_SHA256",
    "TLS_AES_128_GCM_SHA256",        "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES256-GCM-SHA384",   "ECDHE-RSA-CHACHA20-POLY1305",
    "ECDHE-RSA-AES128-GCM-SHA256",   "DHE-RSA-AES256-GCM-SHA384",
    "DHE-RSA-CHACHA20-POLY1305",     "DHE-RSA-AES128-GCM-SHA256",
    "TLS_AES_128_CCM_SHA256",        "other"};
static const char *const group_words[] = {"x25519", "secp256r1", "secp384r1", "secp521r1",
                                          "x448",   "none",      "other"};
_Static_assert(SC_COUNT_OF(version_words) == SC_TLS_VERSION_WORDS, "the header has the number");
_Static_assert(SC_COUNT_OF(cipher_words) == SC_TLS_CIPHER_WORDS, "the header has the number");
_Static_assert(SC_COUNT_OF(group_words) == SC_TLS_GROUP_WORDS, "the header has the number");

static const char *word_at(const char *const *words, size_t count, size_t index)
{
    return index < count ? words[index] : NULL;
}

/* The last word is for all that are not in the list. */
static size_t index_of(const char *const *words, size_t count, const char *name)
{
    size_t i = 0;
    while (i < count - 1 && strcmp(words[i], name) != 0) {
        i++;
    }
    return i;
}

const char *sc_tls_version_word(size_t index)
{
    return word_at(version_words, SC_COUNT_OF(version_words), index);
}

const char *sc_tls_cipher_word(size_t index)
{
    return word_at(cipher_words, SC_COUNT_OF(cipher_words), index);
}

const char *sc_tls_group_word(size_t index)
{
    return word_at(group_words, SC_COUNT_OF(group_words), index);
}

size_t sc_tls_version_index(const struct sc_tls_info *info)
{
    return index_of(version_words, SC_COUNT_OF(version_words), info->version);
}

size_t sc_tls_cipher_index(const struct sc_tls_info *info)
{
    return index_of(cipher_words, SC_COUNT_OF(cipher_words), info->cipher);
}

size_t sc_tls_group_index(const struct sc_tls_info *info)
{
    return index_of(group_words, SC_COUNT_OF(group_words), *info->group ? info->group : "none");
}

/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "tls13_record.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

struct secret {
    size_t length;
    uint8_t bytes[EVP_MAX_MD_SIZE];
};

static pthread_once_t index_once = PTHREAD_ONCE_INIT;
static int ssl_index = -1;

static void on_ssl_free(void *parent, void *ptr, CRYPTO_EX_DATA *ad, int index, long argl,
                        void *argp)
{
    (void)parent;
    (void)ad;
    (void)index;
    (void)argl;
    (void)argp;
    free(ptr);
}

static void make_index(void)
{
    ssl_index = SSL_get_ex_new_index(0, NULL, NULL, NULL, on_ssl_free);
}

static unsigned digit(char c)
{
    return c >= 'a' ? (unsigned)(c - 'a') + 10 : (unsigned)(c - '0');
}

/* "CLIENT_TRAFFIC_SECRET_0 RANDOM SECRET", both in hexadecimal, lower case. */
static void on_keylog(const SSL *ssl, const char *line)
{
    static const char label[] = "CLIENT_TRAFFIC_SECRET_0 ";
    if (strncmp(line, label, sizeof(label) - 1) != 0) {
        return;
    }
    const char *hex = strrchr(line, ' ') + 1;
    struct secret *secret = calloc(1, sizeof(*secret));
    for (; secret && hex[0] && hex[1] && secret->length < sizeof(secret->bytes); hex += 2) {
        secret->bytes[secret->length++] = (uint8_t)(digit(hex[0]) << 4 | digit(hex[1]));
    }
    free(SSL_get_ex_data(ssl, ssl_index));
    (void)SSL_set_ex_data((SSL *)(uintptr_t)ssl, ssl_index, secret);
}

void tls13_keep_secrets(SSL_CTX *context)
{
    (void)pthread_once(&index_once, make_index);
    SSL_CTX_set_keylog_callback(context, on_keylog);
}

/* HKDF-Expand-Label with an empty context, for at most one hash (section 7.1). */
static bool expand(const struct tls13_sender *sender, const char *label, uint8_t *out,
                   size_t length)
{
    uint8_t info[64], block[EVP_MAX_MD_SIZE];
    const size_t label_length = strlen(label);
    unsigned block_length = 0;
    size_t used = 0;
    info[used++] = 0;
    info[used++] = (uint8_t)length;
    info[used++] = (uint8_t)(6 + label_length);
    memcpy(info + used, "tls13 ", 6);
    memcpy(info + used + 6, label, label_length);
    used += 6 + label_length;
    info[used++] = 0; /* the context */
    info[used++] = 1; /* the number of the block, of HKDF-Expand */
    if (!HMAC(sender->hash, sender->secret, EVP_MD_get_size(sender->hash), info, used, block,
              &block_length) ||
        block_length < length) {
        return false;
    }
    memcpy(out, block, length);
    return true;
}

static bool make_keys(struct tls13_sender *sender)
{
    sender->sequence = 0;
    return expand(sender, "key", sender->key, (size_t)EVP_CIPHER_get_key_length(sender->cipher)) &&
           expand(sender, "iv", sender->iv, sizeof(sender->iv));
}

bool tls13_sender_init(struct tls13_sender *sender, const SSL *ssl)
{
    const struct secret *secret = ssl_index >= 0 ? SSL_get_ex_data(ssl, ssl_index) : NULL;
    const SSL_CIPHER *suite = SSL_get_current_cipher(ssl);
    memset(sender, 0, sizeof(*sender));
    if (!secret || !suite || SSL_version(ssl) != TLS1_3_VERSION) {
        return false;
    }
    switch (SSL_CIPHER_get_cipher_nid(suite)) {
    case NID_aes_128_gcm: sender->cipher = EVP_aes_128_gcm(); break;
    case NID_aes_256_gcm: sender->cipher = EVP_aes_256_gcm(); break;
    case NID_chacha20_poly1305: sender->cipher = EVP_chacha20_poly1305(); break;
    default: return false;
    }
    sender->hash = SSL_CIPHER_get_handshake_digest(suite);
    memcpy(sender->secret, secret->bytes, secret->length);
    return (size_t)EVP_MD_get_size(sender->hash) == secret->length && make_keys(sender);
}

bool tls13_next_keys(struct tls13_sender *sender)
{
    uint8_t next[EVP_MAX_MD_SIZE];
    const size_t length = (size_t)EVP_MD_get_size(sender->hash);
    if (!expand(sender, "traffic upd", next, length)) {
        return false;
    }
    memcpy(sender->secret, next, length);
    return make_keys(sender);
}

size_t tls13_seal(struct tls13_sender *sender, uint8_t type, const void *bytes, size_t length,
                  uint8_t *record)
{
    const size_t sealed = length + 1 + 16;
    uint8_t nonce[sizeof(sender->iv)];
    int part = 0;
    uint8_t *at = record + 5;
    memcpy(nonce, sender->iv, sizeof(nonce));
    for (size_t i = 0; i < 8; i++) {
        nonce[sizeof(nonce) - 1 - i] ^= (uint8_t)(sender->sequence >> (8 * i));
    }
    record[0] = SSL3_RT_APPLICATION_DATA;
    record[1] = 3;
    record[2] = 3;
    record[3] = (uint8_t)(sealed >> 8);
    record[4] = (uint8_t)sealed;
    EVP_CIPHER_CTX *aead = EVP_CIPHER_CTX_new();
    const bool ok = aead &&
                    EVP_EncryptInit_ex(aead, sender->cipher, NULL, sender->key, nonce) == 1 &&
                    EVP_EncryptUpdate(aead, NULL, &part, record, 5) == 1 &&
                    (length == 0 || EVP_EncryptUpdate(aead, at, &part, bytes, (int)length) == 1) &&
                    EVP_EncryptUpdate(aead, at + length, &part, &type, 1) == 1 &&
                    EVP_EncryptFinal_ex(aead, at + length + 1, &part) == 1 &&
                    EVP_CIPHER_CTX_ctrl(aead, EVP_CTRL_AEAD_GET_TAG, 16, at + length + 1) == 1;
    EVP_CIPHER_CTX_free(aead);
    sender->sequence++;
    return ok ? 5 + sealed : 0;
}

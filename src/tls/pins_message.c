/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "tls/pins_message.h"

#include <string.h>
#include <sysexits.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/sha.h>
#include <openssl/x509.h>

#include "tls/error.h"

#define MESSAGE_VERSION 1U
#define ROLE_CURRENT 1U
#define ROLE_NEXT 2U
#define MIN_RSA_BITS 2048
#define MAX_RSA_BITS 16384

static const char context[] = "space-captain pins v1"; /* its NUL is part of what is signed */

#define SIGNED_BYTES (sizeof(context) + SC_PINS_EXPORTER_BYTES + SC_PINS_PIN_BYTES)

/* --- Schemes --- */

static const struct {
    uint16_t scheme;
    const char *name;
} schemes[] = {
    {SC_PINS_NO_PROOF, "none"},
    {SC_PINS_ECDSA_P256_SHA256, "ecdsa_secp256r1_sha256"},
    {SC_PINS_RSA_PSS_RSAE_SHA256, "rsa_pss_rsae_sha256"},
    {SC_PINS_ED25519, "ed25519"},
};

const char *sc_pins_scheme_name(uint16_t scheme)
{
    for (size_t i = 0; i < SC_COUNT_OF(schemes); i++) {
        if (schemes[i].scheme == scheme) {
            return schemes[i].name;
        }
    }
    return "unknown";
}

static bool is_p256(const EVP_PKEY *key)
{
    char group[32];
    return EVP_PKEY_get_group_name(key, group, sizeof(group), NULL) == 1 &&
           strcmp(group, SN_X9_62_prime256v1) == 0;
}

uint16_t sc_pins_scheme_of(const EVP_PKEY *key)
{
    const int bits = EVP_PKEY_get_bits(key);
    switch (EVP_PKEY_get_base_id(key)) {
    case EVP_PKEY_EC: return is_p256(key) ? SC_PINS_ECDSA_P256_SHA256 : SC_PINS_NO_PROOF;
    case EVP_PKEY_ED25519: return SC_PINS_ED25519;
    case EVP_PKEY_RSA:
        return bits >= MIN_RSA_BITS && bits <= MAX_RSA_BITS ? SC_PINS_RSA_PSS_RSAE_SHA256
                                                            : SC_PINS_NO_PROOF;
    default: return SC_PINS_NO_PROOF;
    }
}

/* --- The body --- */

static uint8_t *put_u16(uint8_t *to, size_t value)
{
    to[0] = (uint8_t)(value >> 8);
    to[1] = (uint8_t)value;
    return to + 2;
}

static uint8_t *put_bytes(uint8_t *to, const uint8_t *bytes, size_t count)
{
    to = put_u16(to, count);
    if (count > 0) {
        memcpy(to, bytes, count);
    }
    return to + count;
}

static uint8_t *put_key(uint8_t *to, uint8_t role, const struct sc_pins_key *key)
{
    *to++ = role;
    to = put_bytes(to, key->spki, key->spki_bytes);
    to = put_u16(to, key->scheme);
    return put_bytes(to, key->signature, key->signature_bytes);
}

size_t sc_pins_build(const struct sc_pins_message *message, uint8_t out[SC_PINS_MAX_BYTES])
{
    uint8_t *to = out;
    *to++ = MESSAGE_VERSION;
    *to++ = message->next.spki ? 2 : 1;
    to = put_key(to, ROLE_CURRENT, &message->current);
    if (message->next.spki) {
        to = put_key(to, ROLE_NEXT, &message->next);
    }
    return (size_t)(to - out);
}

/* What is left to read. */
struct reader {
    const uint8_t *at;
    size_t left;
};

static bool get_u16(struct reader *reader, size_t *out)
{
    if (reader->left < 2) {
        return false;
    }
    *out = (size_t)reader->at[0] << 8 | reader->at[1];
    reader->at += 2;
    reader->left -= 2;
    return true;
}

static bool get_bytes(struct reader *reader, size_t max, const uint8_t **bytes, size_t *count)
{
    if (!get_u16(reader, count) || *count > max || *count > reader->left) {
        return false;
    }
    *bytes = reader->at;
    reader->at += *count;
    reader->left -= *count;
    return true;
}

static int refuse(struct sc_err *err, const char *why)
{
    return sc_err_set(err, EX_PROTOCOL, "the list of pins is malformed: %s", why);
}

static int get_key(struct reader *reader, uint8_t role, struct sc_pins_key *key, struct sc_err *err)
{
    size_t scheme;
    if (reader->left < 1 || reader->at[0] != role) {
        return refuse(err, role == ROLE_CURRENT ? "the first key is not the current one"
                                                : "the second key is not the next one");
    }
    reader->at++;
    reader->left--;
    if (!get_bytes(reader, SC_PINS_MAX_SPKI_BYTES, &key->spki, &key->spki_bytes) ||
        key->spki_bytes == 0) {
        return refuse(err, "the length of a key");
    }
    if (!get_u16(reader, &scheme) ||
        !get_bytes(reader, SC_PINS_MAX_SIGNATURE_BYTES, &key->signature, &key->signature_bytes)) {
        return refuse(err, "the length of a signature");
    }
    key->scheme = (uint16_t)scheme;
    if ((scheme == SC_PINS_NO_PROOF) != (key->signature_bytes == 0)) {
        return refuse(err, "a signature without a scheme, or a scheme without a signature");
    }
    (void)SHA256(key->spki, key->spki_bytes, key->pin);
    return 0;
}

int sc_pins_parse(const uint8_t *body, size_t length, struct sc_pins_message *out,
                  struct sc_err *err)
{
    struct reader reader = {.at = body, .left = length};
    memset(out, 0, sizeof(*out));
    if (length < 2 || body[0] != MESSAGE_VERSION) {
        return refuse(err, "it is of another version");
    }
    const uint8_t count = body[1];
    if (count < 1 || count > 2) {
        return refuse(err, "there are one or two keys in it");
    }
    reader.at += 2;
    reader.left -= 2;
    if (get_key(&reader, ROLE_CURRENT, &out->current, err) != 0 ||
        (count == 2 && get_key(&reader, ROLE_NEXT, &out->next, err) != 0)) {
        return -1;
    }
    if (reader.left > 0) {
        return refuse(err, "there are bytes after its end");
    }
    if (out->current.scheme != SC_PINS_NO_PROOF) {
        return refuse(err, "the current key has a proof");
    }
    if (count == 2 && memcmp(out->current.pin, out->next.pin, SC_PINS_PIN_BYTES) == 0) {
        return refuse(err, "the next key is the current one");
    }
    return 0;
}

/* --- The proof --- */

static void make_signed(const uint8_t exporter[SC_PINS_EXPORTER_BYTES],
                        const uint8_t pin[SC_PINS_PIN_BYTES], uint8_t out[SIGNED_BYTES])
{
    memcpy(out, context, sizeof(context));
    memcpy(out + sizeof(context), exporter, SC_PINS_EXPORTER_BYTES);
    memcpy(out + sizeof(context) + SC_PINS_EXPORTER_BYTES, pin, SC_PINS_PIN_BYTES);
}

/* The hash of a scheme; Ed25519 has its own. */
static const EVP_MD *hash_of(uint16_t scheme)
{
    return scheme == SC_PINS_ED25519 ? NULL : EVP_sha256();
}

static bool set_padding(EVP_PKEY_CTX *pkey, uint16_t scheme)
{
    return scheme != SC_PINS_RSA_PSS_RSAE_SHA256 ||
           (EVP_PKEY_CTX_set_rsa_padding(pkey, RSA_PKCS1_PSS_PADDING) == 1 &&
            EVP_PKEY_CTX_set_rsa_pss_saltlen(pkey, RSA_PSS_SALTLEN_DIGEST) == 1);
}

/* NULL: it is not one key in DER, in the one way to write it. */
static EVP_PKEY *read_key(const struct sc_pins_key *key)
{
    const unsigned char *at = key->spki;
    unsigned char *again = NULL;
    EVP_PKEY *pkey = d2i_PUBKEY(NULL, &at, (long)key->spki_bytes);
    const int length = pkey ? i2d_PUBKEY(pkey, &again) : -1;
    const bool same =
        length == (int)key->spki_bytes && memcmp(again, key->spki, key->spki_bytes) == 0;
    OPENSSL_free(again);
    if (!same) {
        EVP_PKEY_free(pkey);
        pkey = NULL;
    }
    return pkey;
}

static bool is_signed(EVP_PKEY *pkey, const struct sc_pins_key *next,
                      const uint8_t exporter[SC_PINS_EXPORTER_BYTES])
{
    uint8_t bytes[SIGNED_BYTES];
    EVP_PKEY_CTX *pkey_context;
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    make_signed(exporter, next->pin, bytes);
    const bool good =
        md && EVP_DigestVerifyInit(md, &pkey_context, hash_of(next->scheme), NULL, pkey) == 1 &&
        set_padding(pkey_context, next->scheme) &&
        EVP_DigestVerify(md, next->signature, next->signature_bytes, bytes, sizeof(bytes)) == 1;
    EVP_MD_CTX_free(md);
    return good;
}

int sc_pins_verify(const struct sc_pins_key *next, const uint8_t exporter[SC_PINS_EXPORTER_BYTES],
                   struct sc_err *err)
{
    const char *why = NULL;
    ERR_clear_error();
    EVP_PKEY *pkey = read_key(next);
    if (next->scheme == SC_PINS_NO_PROOF) {
        why = "the server has none";
    } else if (!pkey) {
        why = "the next key can't be read";
    } else if (sc_pins_scheme_of(pkey) != next->scheme) {
        why = "its scheme is unknown, or not of this kind of key";
    } else if (!is_signed(pkey, next, exporter)) {
        why = "the signature is wrong, or of another connection";
    }
    EVP_PKEY_free(pkey);
    ERR_clear_error();
    return why ? sc_err_set(err, EX_PROTOCOL, "the proof of the next key: %s", why) : 0;
}

int sc_pins_sign(EVP_PKEY *key, const uint8_t exporter[SC_PINS_EXPORTER_BYTES],
                 uint8_t out[SC_PINS_MAX_SIGNATURE_BYTES], size_t *length, struct sc_err *err)
{
    const uint16_t scheme = sc_pins_scheme_of(key);
    uint8_t bytes[SIGNED_BYTES];
    uint8_t pin[SC_PINS_PIN_BYTES];
    unsigned char *spki = NULL;
    EVP_PKEY_CTX *pkey_context;

    ERR_clear_error();
    *length = SC_PINS_MAX_SIGNATURE_BYTES;
    const int spki_bytes = i2d_PUBKEY(key, &spki);
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    bool ok = md && spki_bytes > 0 && scheme != SC_PINS_NO_PROOF;
    if (ok) {
        (void)SHA256(spki, (size_t)spki_bytes, pin);
        make_signed(exporter, pin, bytes);
        ok = EVP_DigestSignInit(md, &pkey_context, hash_of(scheme), NULL, key) == 1 &&
             set_padding(pkey_context, scheme) &&
             EVP_DigestSign(md, out, length, bytes, sizeof(bytes)) == 1;
    }
    EVP_MD_CTX_free(md);
    OPENSSL_free(spki);
    return ok ? 0 : sc_tls_err(err, EX_SOFTWARE, "can't sign with the next key");
}

bool sc_pins_exporter(SSL *ssl, uint8_t out[SC_PINS_EXPORTER_BYTES])
{
    ERR_clear_error();
    const bool own = SSL_version(ssl) >= TLS1_3_VERSION || SSL_get_extms_support(ssl) == 1;
    const bool ok =
        own && SSL_export_keying_material(ssl, out, SC_PINS_EXPORTER_BYTES, SC_PINS_EXPORTER_LABEL,
                                          sizeof(SC_PINS_EXPORTER_LABEL) - 1, NULL, 0, 0) == 1;
    ERR_clear_error();
    return ok;
}

/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "tls/pins_message.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/sha.h>
#include <openssl/x509.h>

#include "leaks.h"
#include "suite.h"
#include "tls_fixture.h"

static void refused(int result, const struct sc_err *err, const char *text)
{
    ck_assert_int_eq(result, -1);
    ck_assert_int_eq(err->status, EX_PROTOCOL);
    ck_assert_msg(strstr(err->text, text) != NULL, "\"%s\" is not in: %s", text, err->text);
    ck_assert_uint_eq(ERR_peek_error(), 0);
}

/* --- Vectors that another program made --- */

#define VALUE_BYTES 8192U

struct vector {
    char name[64], proof[16];
    uint8_t exporter[VALUE_BYTES], current[VALUE_BYTES], next[VALUE_BYTES], body[VALUE_BYTES];
    size_t exporter_bytes, current_bytes, next_bytes, body_bytes;
};

static size_t from_hex(const char *hex, uint8_t *out)
{
    size_t count = 0;
    if (hex[0] == '-') {
        return 0;
    }
    ck_assert_int_eq(OPENSSL_hexstr2buf_ex(out, VALUE_BYTES, &count, hex, '\0'), 1);
    return count;
}

static void check_vector(const struct vector *vector)
{
    struct sc_pins_message message;
    struct sc_err err = {0};
    uint8_t again[SC_PINS_MAX_BYTES];

    ck_assert_msg(sc_pins_parse(vector->body, vector->body_bytes, &message, &err) == 0, "%s: %s",
                  vector->name, err.text);
    ck_assert_mem_eq(message.current.spki, vector->current, vector->current_bytes);
    ck_assert_uint_eq(message.current.spki_bytes, vector->current_bytes);
    ck_assert_uint_eq(message.next.spki_bytes, vector->next_bytes);
    ck_assert_uint_eq(sc_pins_build(&message, again), vector->body_bytes);
    ck_assert_mem_eq(again, vector->body, vector->body_bytes);
    if (message.next.spki) {
        ck_assert_mem_eq(message.next.spki, vector->next, vector->next_bytes);
        ck_assert_uint_eq(vector->exporter_bytes, SC_PINS_EXPORTER_BYTES);
        const int good = sc_pins_verify(&message.next, vector->exporter, &err) == 0;
        ck_assert_msg(good == (strcmp(vector->proof, "good") == 0), "%s", vector->name);
        ck_assert_int_eq(message.next.scheme == 0, strcmp(vector->proof, "none") == 0);
        ck_assert_uint_eq(ERR_peek_error(), 0);
    } else {
        ck_assert_str_eq(vector->proof, "none");
    }
}

static void read_line(struct vector *vector, const char *key, const char *value)
{
    if (strcmp(key, "name") == 0) {
        (void)snprintf(vector->name, sizeof(vector->name), "%.63s", value);
    } else if (strcmp(key, "proof") == 0) {
        (void)snprintf(vector->proof, sizeof(vector->proof), "%.15s", value);
    } else if (strcmp(key, "exporter") == 0) {
        vector->exporter_bytes = from_hex(value, vector->exporter);
    } else if (strcmp(key, "current") == 0) {
        vector->current_bytes = from_hex(value, vector->current);
    } else if (strcmp(key, "next") == 0) {
        vector->next_bytes = from_hex(value, vector->next);
    } else if (strcmp(key, "body") == 0) {
        vector->body_bytes = from_hex(value, vector->body);
    }
}

START_TEST(vectors_of_another_program)
{
    static struct vector vector;
    char path[4096], line[2 * VALUE_BYTES], key[32];
    static char value[2 * VALUE_BYTES];
    unsigned count = 0, good = 0;
    const char *source = getenv("SC_SRCDIR");

    (void)snprintf(path, sizeof(path), "%s/tests/vectors/pins.txt", source ? source : ".");
    FILE *file = fopen(path, "r");
    ck_assert_msg(file != NULL, "can't read %s: run this by make check", path);
    while (fgets(line, sizeof(line), file)) {
        if (sscanf(line, "%31s %16383s", key, value) == 2) {
            read_line(&vector, key, value);
        } else {
            check_vector(&vector);
            count++;
            good += strcmp(vector.proof, "good") == 0;
        }
    }
    (void)fclose(file);
    ck_assert_uint_eq(count, 17);
    ck_assert_uint_eq(good, 3);
}
END_TEST

/* --- Bodies of our own --- */

struct made {
    EVP_PKEY *current, *next;
    uint8_t *current_spki, *next_spki;
    uint8_t signature[SC_PINS_MAX_SIGNATURE_BYTES];
    struct sc_pins_message message;
    uint8_t body[SC_PINS_MAX_BYTES];
    size_t bytes;
};

static const uint8_t exporter[SC_PINS_EXPORTER_BYTES] = "the keying material of a connect";

static void set_key(struct sc_pins_key *key, EVP_PKEY *pkey, uint8_t **spki)
{
    *spki = NULL;
    key->spki_bytes = (size_t)i2d_PUBKEY(pkey, spki);
    key->spki = *spki;
}

static void make(struct made *made, const char *kind)
{
    struct sc_err err;
    memset(made, 0, sizeof(*made));
    made->current = fixture_key("P-256");
    made->next = fixture_key(kind);
    set_key(&made->message.current, made->current, &made->current_spki);
    set_key(&made->message.next, made->next, &made->next_spki);
    made->message.next.scheme = sc_pins_scheme_of(made->next);
    ck_assert_int_eq(sc_pins_sign(made->next, exporter, made->signature,
                                  &made->message.next.signature_bytes, &err),
                     0);
    made->message.next.signature = made->signature;
    made->bytes = sc_pins_build(&made->message, made->body);
}

static void drop(struct made *made)
{
    EVP_PKEY_free(made->current);
    EVP_PKEY_free(made->next);
    OPENSSL_free(made->current_spki);
    OPENSSL_free(made->next_spki);
}

START_TEST(what_is_signed_is_verified)
{
    static const char *const kinds[] = {"P-256", "ED25519", "RSA2048"};
    for (size_t i = 0; i < SC_COUNT_OF(kinds); i++) {
        struct made made;
        struct sc_pins_message message;
        struct sc_err err;
        uint8_t other[SC_PINS_EXPORTER_BYTES], pin[SC_PINS_PIN_BYTES];
        make(&made, kinds[i]);
        ck_assert_int_eq(sc_pins_parse(made.body, made.bytes, &message, &err), 0);
        ck_assert_int_eq(sc_pins_verify(&message.next, exporter, &err), 0);
        SHA256(made.next_spki, made.message.next.spki_bytes, pin);
        ck_assert_mem_eq(message.next.pin, pin, sizeof(pin));
        /* Each byte of what was signed counts. */
        for (size_t at = 0; at < sizeof(other); at++) {
            memcpy(other, exporter, sizeof(other));
            other[at] ^= 1;
            refused(sc_pins_verify(&message.next, other, &err), &err, "of another connection");
        }
        message.next.pin[0] ^= 1;
        refused(sc_pins_verify(&message.next, exporter, &err), &err, "the signature is wrong");
        drop(&made);
    }
}
END_TEST

/* RFC 8446 section 4.2.3: the salt is as long as the digest. Others take no other. */
START_TEST(an_rsa_proof_has_one_length_of_salt)
{
    static const int salts[] = {20, 31, 32, 33, 64};
    static const char context[] = "space-captain pins v1"; /* with its NUL */
    uint8_t bytes[sizeof(context) + SC_PINS_EXPORTER_BYTES + SC_PINS_PIN_BYTES];
    struct sc_pins_message message;
    struct sc_err err;
    struct made made;
    make(&made, "RSA2048");
    ck_assert_int_eq(sc_pins_parse(made.body, made.bytes, &message, &err), 0);
    memcpy(bytes, context, sizeof(context));
    memcpy(bytes + sizeof(context), exporter, SC_PINS_EXPORTER_BYTES);
    memcpy(bytes + sizeof(context) + SC_PINS_EXPORTER_BYTES, message.next.pin, SC_PINS_PIN_BYTES);
    for (size_t i = 0; i < SC_COUNT_OF(salts); i++) {
        uint8_t signature[SC_PINS_MAX_SIGNATURE_BYTES];
        size_t length = sizeof(signature);
        EVP_PKEY_CTX *pkey;
        EVP_MD_CTX *md = EVP_MD_CTX_new();
        ck_assert_int_eq(EVP_DigestSignInit(md, &pkey, EVP_sha256(), NULL, made.next), 1);
        ck_assert_int_eq(EVP_PKEY_CTX_set_rsa_padding(pkey, RSA_PKCS1_PSS_PADDING), 1);
        ck_assert_int_eq(EVP_PKEY_CTX_set_rsa_pss_saltlen(pkey, salts[i]), 1);
        ck_assert_int_eq(EVP_DigestSign(md, signature, &length, bytes, sizeof(bytes)), 1);
        EVP_MD_CTX_free(md);
        message.next.signature = signature;
        message.next.signature_bytes = length;
        const int result = sc_pins_verify(&message.next, exporter, &err);
        ck_assert_msg(result == (salts[i] == 32 ? 0 : -1), "a salt of %d bytes", salts[i]);
    }
    drop(&made);
}
END_TEST

START_TEST(keys_that_prove_nothing)
{
    static const char *const kinds[] = {"P-384", "P-521", "RSA1024"};
    uint8_t signature[SC_PINS_MAX_SIGNATURE_BYTES];
    size_t length;
    struct sc_err err;
    for (size_t i = 0; i < SC_COUNT_OF(kinds); i++) {
        EVP_PKEY *key = fixture_key(kinds[i]);
        ck_assert_uint_eq(sc_pins_scheme_of(key), SC_PINS_NO_PROOF);
        ck_assert_int_eq(sc_pins_sign(key, exporter, signature, &length, &err), -1);
        ck_assert_int_eq(err.status, EX_SOFTWARE);
        EVP_PKEY_free(key);
    }
    ck_assert_str_eq(sc_pins_scheme_name(SC_PINS_ECDSA_P256_SHA256), "ecdsa_secp256r1_sha256");
    ck_assert_str_eq(sc_pins_scheme_name(SC_PINS_NO_PROOF), "none");
    ck_assert_str_eq(sc_pins_scheme_name(0x0806), "unknown");
}
END_TEST

START_TEST(proofs_that_do_not_fit)
{
    struct made made, rsa;
    struct sc_err err;
    make(&made, "P-256");
    make(&rsa, "RSA2048");
    struct sc_pins_key key = made.message.next;
    key.scheme = SC_PINS_ED25519;
    refused(sc_pins_verify(&key, exporter, &err), &err, "not of this kind of key");
    key.scheme = 0x0401; /* rsa_pkcs1_sha256 */
    refused(sc_pins_verify(&key, exporter, &err), &err, "scheme is unknown");
    key.scheme = SC_PINS_NO_PROOF;
    refused(sc_pins_verify(&key, exporter, &err), &err, "the server has none");
    key = made.message.next;
    key.spki_bytes--;
    refused(sc_pins_verify(&key, exporter, &err), &err, "can't be read");
    /* The same key in a longer form of BER has another hash. */
    uint8_t longer[256];
    longer[0] = made.next_spki[0];
    longer[1] = 0x81;
    memcpy(longer + 2, made.next_spki + 1, made.message.next.spki_bytes - 1);
    key.spki = longer;
    key.spki_bytes = made.message.next.spki_bytes + 1;
    refused(sc_pins_verify(&key, exporter, &err), &err, "can't be read");
    /* RSA signs with PSS, and nothing else is taken for that. */
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    uint8_t text[86] = "space-captain pins v1";
    size_t length = sizeof(rsa.signature);
    memcpy(text + 22, exporter, sizeof(exporter));
    SHA256(rsa.next_spki, rsa.message.next.spki_bytes, text + 54);
    ck_assert_int_eq(EVP_DigestSignInit(md, NULL, EVP_sha256(), NULL, rsa.next), 1);
    ck_assert_int_eq(EVP_DigestSign(md, rsa.signature, &length, text, sizeof(text)), 1);
    EVP_MD_CTX_free(md);
    refused(sc_pins_verify(&rsa.message.next, exporter, &err), &err, "the signature is wrong");
    drop(&made);
    drop(&rsa);
}
END_TEST

static void body_is_refused(const uint8_t *body, size_t bytes, const char *text)
{
    struct sc_pins_message message;
    struct sc_err err;
    /* In memory of its own, so that a sanitizer sees one byte too much. */
    uint8_t *copy = malloc(bytes > 0 ? bytes : 1);
    memcpy(copy, body, bytes);
    refused(sc_pins_parse(copy, bytes, &message, &err), &err, text);
    free(copy);
}

START_TEST(malformed_bodies)
{
    struct made made;
    struct sc_pins_message message;
    struct sc_err err;
    uint8_t body[SC_PINS_MAX_BYTES + 1];
    make(&made, "P-256");
    const size_t current_end = 2 + 1 + 2 + made.message.current.spki_bytes + 4;
    /* Every length but the right one: also that of a whole current key alone. */
    for (size_t bytes = 0; bytes < made.bytes; bytes++) {
        body_is_refused(made.body, bytes, "malformed");
    }
    memcpy(body, made.body, made.bytes);
    body[made.bytes] = 0;
    body_is_refused(body, made.bytes + 1, "bytes after its end");
    for (unsigned value = 0; value < 256; value++) {
        memcpy(body, made.body, made.bytes);
        body[0] = (uint8_t)value;
        if (value != 1) {
            body_is_refused(body, made.bytes, "another version");
        }
        memcpy(body, made.body, made.bytes);
        body[1] = (uint8_t)value;
        if (value != 2) {
            body_is_refused(body, made.bytes, value == 1 ? "after its end" : "one or two keys");
        }
        memcpy(body, made.body, made.bytes);
        body[2] = (uint8_t)value;
        if (value != 1) {
            body_is_refused(body, made.bytes, "the first key is not the current one");
        }
        memcpy(body, made.body, made.bytes);
        body[current_end] = (uint8_t)value;
        if (value != 2) {
            body_is_refused(body, made.bytes, "the second key is not the next one");
        }
    }
    memcpy(body, made.body, made.bytes);
    memset(body + 3, 0xff, 2);
    body_is_refused(body, made.bytes, "the length of a key");
    memset(body + 3, 0, 2);
    body_is_refused(body, made.bytes, "the length of a key");
    memcpy(body, made.body, made.bytes);
    memset(body + current_end - 2, 0xff, 2);
    body_is_refused(body, made.bytes, "the length of a signature");
    memcpy(body, made.body, made.bytes);
    body[current_end - 3] = 7;
    body_is_refused(body, made.bytes, "a scheme without a signature");

    message = made.message;
    message.current.scheme = SC_PINS_ECDSA_P256_SHA256;
    message.current.signature = made.signature;
    message.current.signature_bytes = made.message.next.signature_bytes;
    body_is_refused(body, sc_pins_build(&message, body), "the current key has a proof");
    message = made.message;
    message.next.scheme = SC_PINS_NO_PROOF;
    body_is_refused(body, sc_pins_build(&message, body), "a signature without a scheme");
    message = made.message;
    message.next.spki = message.current.spki;
    message.next.spki_bytes = message.current.spki_bytes;
    body_is_refused(body, sc_pins_build(&message, body), "the next key is the current one");

    /* There is room for longer ones in a body. */
    static const uint8_t long_spki[SC_PINS_MAX_SPKI_BYTES + 1];
    static const uint8_t long_signature[SC_PINS_MAX_SIGNATURE_BYTES + 1];
    message = made.message;
    message.next.signature = long_signature;
    message.next.signature_bytes = sizeof(long_signature);
    body_is_refused(body, sc_pins_build(&message, body), "the length of a signature");
    message.next.spki = NULL;
    message.current.spki = long_spki;
    message.current.spki_bytes = sizeof(long_spki);
    body_is_refused(body, sc_pins_build(&message, body), "the length of a key");

    message = made.message;
    message.next.spki = NULL;
    ck_assert_int_eq(sc_pins_parse(body, sc_pins_build(&message, body), &message, &err), 0);
    ck_assert_ptr_null(message.next.spki);
    drop(&made);
}
END_TEST

/* --- Connections --- */

/* TLS 1.2 with and without the extended master secret, and TLS 1.3. */
START_TEST(each_connection_has_an_exporter_of_its_own)
{
    fixture_write_pair("server", "P-256");
    struct sc_tls_server_settings settings = fixture_settings("server");
    struct sc_tls_context *server = fixture_server(&settings);
    struct sc_tls_context *client = fixture_client();
    uint8_t seen[4][SC_PINS_EXPORTER_BYTES] = {{0}};
    uint8_t again[SC_PINS_EXPORTER_BYTES], theirs[SC_PINS_EXPORTER_BYTES];
    for (unsigned i = 0; i < 5; i++) {
        struct tls_pair pair;
        tls_pair_init(&pair, client, server);
        SSL_set_max_proto_version(pair.client, i < 3 ? TLS1_2_VERSION : TLS1_3_VERSION);
        if (i == 0) {
            SSL_set_options(pair.client, SSL_OP_NO_EXTENDED_MASTER_SECRET);
        }
        ck_assert(tls_pair_handshake(&pair));
        ck_assert_int_eq(sc_pins_exporter(pair.server, again), i > 0);
        ck_assert_int_eq(sc_pins_exporter(pair.client, theirs), i > 0);
        if (i > 0) {
            ck_assert_mem_eq(again, theirs, sizeof(again));
            for (unsigned k = 0; k < i - 1; k++) {
                ck_assert_mem_ne(again, seen[k], sizeof(again));
            }
            memcpy(seen[i - 1], again, sizeof(again));
            /* The same for all of the connection's life. */
            ck_assert(tls_pair_send(pair.client, pair.server, "bytes"));
            ck_assert(sc_pins_exporter(pair.server, theirs));
            ck_assert_mem_eq(again, theirs, sizeof(again));
        }
        tls_pair_fini(&pair);
    }
    sc_tls_context_unref(client);
    sc_tls_context_unref(server);
}
END_TEST

static void one_round(void)
{
    struct made made;
    struct sc_pins_message message;
    make(&made, "P-256");
    ck_assert_int_eq(sc_pins_parse(made.body, made.bytes, &message, NULL), 0);
    ck_assert_int_eq(sc_pins_verify(&message.next, exporter, NULL), 0);
    message.next.spki_bytes--;
    ck_assert_int_eq(sc_pins_verify(&message.next, exporter, NULL), -1);
    drop(&made);
}

START_TEST(keeps_nothing)
{
    ASSERT_KEEPS_NOTHING(one_round());
}
END_TEST

SUITE_MAIN("pins_message", vectors_of_another_program, what_is_signed_is_verified,
           an_rsa_proof_has_one_length_of_salt, keys_that_prove_nothing, proofs_that_do_not_fit,
           malformed_bodies, each_connection_has_an_exporter_of_its_own, keeps_nothing)

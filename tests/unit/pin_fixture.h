/* SPDX-License-Identifier: MIT */
/* Certificates for the tests of pins: authorities, leaves, and files of them. */
#ifndef SC_TESTS_PIN_FIXTURE_H
#define SC_TESTS_PIN_FIXTURE_H

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "tls/pin.h"

#define DAY 86400L

/* A key and its certificate. */
struct identity {
    EVP_PKEY *key;
    X509 *certificate;
};

/* What a certificate is made of. NULL names: a certificate authority; "": no names at all. */
struct wanted {
    const char *cn, *names;
    const struct identity *issuer; /* NULL: self-signed */
    long from, to; /* days from now */
    const char *usage; /* extendedKeyUsage; NULL: none */
    unsigned rsa_bits; /* 0: EC P-256 */
};

static inline void add_extension(X509 *certificate, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509V3_set_ctx(&ctx, issuer, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    ck_assert_ptr_nonnull(extension);
    ck_assert_int_eq(X509_add_ext(certificate, extension, -1), 1);
    X509_EXTENSION_free(extension);
}

static inline struct identity make_wanted(const struct wanted *wanted)
{
    static long serial = 1;
    const struct identity *issuer = wanted->issuer;
    struct identity made = {wanted->rsa_bits ? EVP_RSA_gen(wanted->rsa_bits) : EVP_EC_gen("P-256"),
                            X509_new()};
    X509 *parent = issuer ? issuer->certificate : made.certificate;
    ck_assert_int_eq(X509_set_version(made.certificate, 2), 1);
    ASN1_INTEGER_set(X509_get_serialNumber(made.certificate), serial++);
    X509_gmtime_adj(X509_getm_notBefore(made.certificate), wanted->from * DAY - 3600);
    X509_gmtime_adj(X509_getm_notAfter(made.certificate), wanted->to * DAY);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(made.certificate), "CN", MBSTRING_ASC,
                               (const unsigned char *)wanted->cn, -1, -1, 0);
    X509_set_issuer_name(made.certificate, X509_get_subject_name(parent));
    X509_set_pubkey(made.certificate, made.key);
    add_extension(made.certificate, parent, NID_basic_constraints,
                  wanted->names ? "critical,CA:FALSE" : "critical,CA:TRUE");
    if (wanted->names && *wanted->names) {
        add_extension(made.certificate, parent, NID_subject_alt_name, wanted->names);
    }
    if (wanted->usage) {
        add_extension(made.certificate, parent, NID_ext_key_usage, wanted->usage);
    }
    ck_assert_int_gt(X509_sign(made.certificate, issuer ? issuer->key : made.key, EVP_sha256()), 0);
    return made;
}

/* Valid from `from` to `to`, days from now. `names` NULL: a certificate authority. */
static inline struct identity make(const char *cn, const char *names, const struct identity *issuer,
                                   long from, long to)
{
    const struct wanted wanted = {
        .cn = cn, .names = names, .issuer = issuer, .from = from, .to = to};
    return make_wanted(&wanted);
}

static inline void drop(struct identity *identity)
{
    EVP_PKEY_free(identity->key);
    X509_free(identity->certificate);
}

/* Certificates in a temporary file; its name in `path`. */
static inline void write_pem(char path[32], size_t count, X509 *const *certificates)
{
    strcpy(path, "/tmp/sc-check-pin.XXXXXX");
    FILE *file = fdopen(mkstemp(path), "w");
    ck_assert_ptr_nonnull(file);
    for (size_t i = 0; i < count; i++) {
        ck_assert_int_eq(PEM_write_X509(file, certificates[i]), 1);
    }
    ck_assert_int_eq(fclose(file), 0);
}

/* Every form of the pins of a certificate and its key. */
static inline struct sc_pin_formats spell(const struct identity *identity)
{
    uint8_t key[SC_PIN_BYTES], fingerprint[SC_PIN_BYTES], of_key[SC_PIN_BYTES];
    struct sc_pin_formats out;
    ck_assert_int_eq(sc_pin_of_certificate(identity->certificate, key, NULL), 0);
    ck_assert_int_eq(sc_pin_of_key(identity->key, of_key, NULL), 0);
    ck_assert_mem_eq(key, of_key, sizeof(key));
    ck_assert_int_eq(sc_pin_fingerprint(identity->certificate, fingerprint, NULL), 0);
    sc_pin_format(key, fingerprint, &out);
    return out;
}

static inline struct sc_pin_set *set_of(const char *spec)
{
    struct sc_err err;
    struct sc_pin_set *set = sc_pin_set_new();
    ck_assert_msg(sc_pin_set_add(set, spec, &err) == 0, "%s: %s", spec, err.text);
    return set;
}

#endif

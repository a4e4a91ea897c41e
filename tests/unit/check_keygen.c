/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include <openssl/sha.h>
#include <openssl/x509v3.h>

#include "base/clock.h"
#include "keygen_fixture.h"
#include "leaks.h"
#include "suite.h"
#include "tls/keygen.h"

/* sc-keygen makes no such key, but renews the certificate of any that it is given. */
START_TEST(an_ed448_key_signs_its_own_certificate)
{
    EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "ED448");
    X509 *certificate = make_certificate(key);
    ck_assert_int_eq(X509_verify(certificate, key), 1);
    X509_free(certificate);
    EVP_PKEY_free(key);
}
END_TEST

START_TEST(every_kind_signs_its_own_certificate)
{
    static const struct {
        enum sc_key_kind kind;
        unsigned bits;
        const char *what;
        int signature;
    } kinds[] = {
        {SC_KEY_EC_P256, 0, "EC P-256", NID_ecdsa_with_SHA256},
        {SC_KEY_ED25519, 0, "Ed25519", NID_ED25519},
        {SC_KEY_RSA, 2048, "RSA 2048", NID_sha256WithRSAEncryption},
    };
    for (size_t i = 0; i < SC_COUNT_OF(kinds); i++) {
        struct sc_err err;
        char what[40];
        EVP_PKEY *key = sc_keygen_key(kinds[i].kind, kinds[i].bits, &err);
        ck_assert_ptr_nonnull(key);
        sc_keygen_describe_key(key, what, sizeof(what));
        ck_assert_str_eq(what, kinds[i].what);

        X509 *certificate = make_certificate(key);
        ck_assert_int_eq(X509_get_version(certificate), X509_VERSION_3);
        ck_assert_int_eq(X509_get_signature_nid(certificate), kinds[i].signature);
        ck_assert_int_eq(X509_verify(certificate, key), 1);
        ck_assert_int_eq(X509_check_private_key(certificate, key), 1);
        X509_free(certificate);
        EVP_PKEY_free(key);
    }
}
END_TEST

START_TEST(sizes_days_and_counts_have_bounds)
{
    struct sc_err err;
    const char *many[SC_KEYGEN_MAX_NAMES + 1];
    EVP_PKEY *key = make_key();

    ck_assert_ptr_null(sc_keygen_key(SC_KEY_RSA, 2047, &err));
    assert_failed(&err, EX_USAGE, "2048 to 16384");
    ck_assert_ptr_null(sc_keygen_key(SC_KEY_RSA, 16385, &err));
    assert_failed(&err, EX_USAGE, "2048 to 16384");
    ck_assert_ptr_null(sc_keygen_certificate(key, two_names, 2, 0, &err));
    assert_failed(&err, EX_USAGE, "1 to 36500");
    ck_assert_ptr_null(sc_keygen_certificate(key, two_names, 2, 36501, &err));
    assert_failed(&err, EX_USAGE, "1 to 36500");
    ck_assert_ptr_null(sc_keygen_certificate(key, two_names, 0, 1, &err));
    assert_failed(&err, EX_USAGE, "0 names");
    for (size_t i = 0; i < SC_COUNT_OF(many); i++) {
        many[i] = "localhost";
    }
    ck_assert_ptr_null(sc_keygen_certificate(key, many, SC_COUNT_OF(many), 1, &err));
    assert_failed(&err, EX_USAGE, "101 names");
    X509 *most = sc_keygen_certificate(key, many, SC_KEYGEN_MAX_NAMES, SC_KEYGEN_MAX_DAYS, &err);
    ck_assert_ptr_nonnull(most);
    X509_free(most);
    many[1] = "a b";
    ck_assert_ptr_null(sc_keygen_certificate(key, many, 2, 1, &err));
    assert_failed(&err, EX_USAGE, "a b");
    EVP_PKEY_free(key);
}
END_TEST

START_TEST(names_are_checked)
{
    char label[65], long_name[256];
    memset(label, 'a', 64);
    label[64] = '\0';
    /* Four labels of 63 with their dots are 255, two too many. */
    (void)snprintf(long_name, sizeof(long_name), "%.63s.%.63s.%.63s.%.61s", label, label, label,
                   label);

    const char *const good[] = {"localhost",     "a",           "a.b",
                                "*.example.com", "x_y.example", "xn--bcher-kva.example",
                                "127.0.0.1",     "::1",         "2001:db8::1",
                                "A-1.Example",   "1.example",   "::ffff:192.0.2.1",
                                label + 1,       long_name,     "3com.example",
                                "example.1-2",   "example.1_2"};
    for (size_t i = 0; i < SC_COUNT_OF(good); i++) {
        struct sc_err err = {0};
        ck_assert_msg(sc_keygen_check_name(good[i], &err) == 0, "%s: %s", good[i], err.text);
    }

    const char *const bad[] = {
        "",          ".",         "a.",    "a..b",    "-a",  "a-",
        "a b",       "a\nb",      "a\x7f", "*",       "*.",  "a.*",
        "300.1.1.1", "1.2.3",     "a.1",   "a-b.300", "1",   "fe80::1%eth0",
        "[::1]",     "b\xc3\xbc", "a/b",   "a,b",     label, "*.*.example.com",
        "a=b"};
    for (size_t i = 0; i < SC_COUNT_OF(bad); i++) {
        struct sc_err err = {0};
        ck_assert_msg(sc_keygen_check_name(bad[i], &err) == -1, "\"%s\" was taken", bad[i]);
        ck_assert_int_eq(err.status, EX_USAGE);
    }
    strcat(long_name, "b");
    ck_assert_int_eq(sc_keygen_check_name(long_name, NULL), -1);
}
END_TEST

START_TEST(alternative_names_hold_what_was_asked_for_once)
{
    static const char *const names[] = {"a.example", "127.0.0.1", "2001:db8::1", "*.b.example",
                                        "a.example"};
    struct sc_err err;
    char subject[64];
    EVP_PKEY *key = make_key();
    X509 *certificate = sc_keygen_certificate(key, names, SC_COUNT_OF(names), 30, &err);
    ck_assert_ptr_nonnull(certificate);

    GENERAL_NAMES *list = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    ck_assert_int_eq(sk_GENERAL_NAME_num(list), 4);
    GENERAL_NAMES_free(list);
    ck_assert_int_eq(X509_check_host(certificate, "a.example", 0, 0, NULL), 1);
    ck_assert_int_eq(X509_check_host(certificate, "x.b.example", 0, 0, NULL), 1);
    ck_assert_int_eq(X509_check_host(certificate, "b.example", 0, 0, NULL), 0);
    ck_assert_int_eq(X509_check_ip_asc(certificate, "127.0.0.1", 0), 1);
    ck_assert_int_eq(X509_check_ip_asc(certificate, "2001:db8:0::1", 0), 1);
    ck_assert_int_eq(X509_check_ip_asc(certificate, "127.0.0.2", 0), 0);
    ck_assert_int_gt(X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName,
                                               subject, sizeof(subject)),
                     0);
    ck_assert_str_eq(subject, "a.example");
    X509_free(certificate);

    /* 64 characters are the most for a CN. */
    const char *const most[] = {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.example"};
    char common[128];
    ck_assert_uint_eq(strlen(most[0]), 64);
    certificate = sc_keygen_certificate(key, most, 1, 30, &err);
    ck_assert_ptr_nonnull(certificate);
    ck_assert_int_eq(X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName,
                                               common, sizeof(common)),
                     64);
    ck_assert_str_eq(common, most[0]);
    X509_free(certificate);

    /* 65 characters are a host name, and too many for a CN. */
    const char *const one[] = {
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.example"};
    certificate = sc_keygen_certificate(key, one, 1, 30, &err);
    ck_assert_ptr_nonnull(certificate);
    ck_assert_int_eq(X509_check_host(certificate, one[0], 0, 0, NULL), 1);
    X509_free(certificate);
    EVP_PKEY_free(key);
}
END_TEST

START_TEST(it_is_its_own_trust_anchor_and_nobody_elses)
{
    EVP_PKEY *key = make_key();
    X509 *certificate = make_certificate(key);
    int critical;
    BASIC_CONSTRAINTS *constraints =
        X509_get_ext_d2i(certificate, NID_basic_constraints, &critical, NULL);
    ck_assert_ptr_nonnull(constraints);
    ck_assert_int_eq(constraints->ca, 0);
    ck_assert_int_eq(critical, 1);
    BASIC_CONSTRAINTS_free(constraints);
    ASN1_BIT_STRING *usage = X509_get_ext_d2i(certificate, NID_key_usage, &critical, NULL);
    ck_assert_int_eq(critical, 1);
    ASN1_BIT_STRING_free(usage);
    ck_assert_int_eq(X509_check_ca(certificate), 0);
    /* X509_check_ca() goes by the key usage as well: the extension itself must say so too. */
    ck_assert_uint_eq(X509_get_extension_flags(certificate) & (EXFLAG_BCONS | EXFLAG_CA),
                      EXFLAG_BCONS);
    ck_assert_uint_eq(X509_get_key_usage(certificate), KU_DIGITAL_SIGNATURE);
    ck_assert_uint_eq(X509_get_extended_key_usage(certificate), XKU_SSL_SERVER);
    /* RFC 7093: the first 160 bits of the SHA-256 of the key's bit string. */
    const ASN1_OCTET_STRING *id = X509_get0_subject_key_id(certificate);
    const ASN1_BIT_STRING *bits = X509_get0_pubkey_bitstr(certificate);
    unsigned char hash[SHA256_DIGEST_LENGTH];
    (void)SHA256(ASN1_STRING_get0_data(bits), (size_t)ASN1_STRING_length(bits), hash);
    ck_assert_int_eq(ASN1_STRING_length(id), 20);
    ck_assert_mem_eq(ASN1_STRING_get0_data(id), hash, 20);

    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *verify = X509_STORE_CTX_new();
    ck_assert_int_eq(X509_STORE_add_cert(store, certificate), 1);
    ck_assert_int_eq(X509_STORE_CTX_init(verify, store, certificate, NULL), 1);
    X509_VERIFY_PARAM *how = X509_STORE_CTX_get0_param(verify);
    ck_assert_int_eq(X509_VERIFY_PARAM_set_flags(how, X509_V_FLAG_X509_STRICT), 1);
    ck_assert_int_eq(X509_VERIFY_PARAM_set_purpose(how, X509_PURPOSE_SSL_SERVER), 1);
    ck_assert_int_eq(X509_VERIFY_PARAM_set1_host(how, "localhost", 0), 1);
    ck_assert_msg(X509_verify_cert(verify) == 1, "%s",
                  X509_verify_cert_error_string(X509_STORE_CTX_get_error(verify)));
    X509_STORE_CTX_free(verify);
    X509_STORE_free(store);
    X509_free(certificate);
    EVP_PKEY_free(key);
}
END_TEST

START_TEST(serials_are_positive_long_and_different)
{
    EVP_PKEY *key = make_key();
    X509 *one = make_certificate(key);
    X509 *two = make_certificate(key);
    BIGNUM *bits = ASN1_INTEGER_to_BN(X509_get0_serialNumber(one), NULL);
    ck_assert_int_eq(BN_is_negative(bits), 0);
    ck_assert_int_eq(BN_num_bits(bits), 128);
    ck_assert_int_ne(ASN1_INTEGER_cmp(X509_get0_serialNumber(one), X509_get0_serialNumber(two)), 0);
    BN_free(bits);
    X509_free(one);
    X509_free(two);
    EVP_PKEY_free(key);
}
END_TEST

START_TEST(dates_are_one_hour_ago_and_so_many_days_ahead)
{
    /* Across the year 2050, where X.509 changes the type of its dates. */
    static const struct {
        time_t now;
        unsigned days;
    } cases[] = {{1795224123, 1},
                 {1795224123, 3650},
                 {1795224123, 36500},
                 {2524607999, 1},
                 {4102444800, 36500}};
    EVP_PKEY *key = make_key();
    for (size_t i = 0; i < SC_COUNT_OF(cases); i++) {
        const struct timespec wall = {.tv_sec = cases[i].now};
        sc_clock_fake(NULL, &wall);
        struct sc_err err;
        int days, seconds;
        X509 *certificate = sc_keygen_certificate(key, two_names, 2, cases[i].days, &err);
        ASN1_TIME *now = ASN1_TIME_set(NULL, cases[i].now);
        ck_assert_ptr_nonnull(certificate);
        ck_assert_int_eq(ASN1_TIME_diff(&days, &seconds, X509_get0_notBefore(certificate), now), 1);
        ck_assert_int_eq(days * 86400 + seconds, 3600);
        ck_assert_int_eq(ASN1_TIME_diff(&days, &seconds, now, X509_get0_notAfter(certificate)), 1);
        ck_assert_int_eq(days, (int)cases[i].days);
        ck_assert_int_eq(seconds, 0);
        ASN1_TIME_free(now);
        X509_free(certificate);
    }
    sc_clock_fake(NULL, NULL);
    EVP_PKEY_free(key);
}
END_TEST

START_TEST(nothing_is_kept)
{
    EVP_PKEY *key = make_key();
    ASSERT_KEEPS_NOTHING(X509_free(make_certificate(key)));
    EVP_PKEY_free(key);
}
END_TEST

SUITE_MAIN("keygen", nothing_is_kept, every_kind_signs_its_own_certificate,
           an_ed448_key_signs_its_own_certificate, sizes_days_and_counts_have_bounds,
           names_are_checked, alternative_names_hold_what_was_asked_for_once,
           it_is_its_own_trust_anchor_and_nobody_elses, serials_are_positive_long_and_different,
           dates_are_one_hour_ago_and_so_many_days_ahead)

/* SPDX-License-Identifier: MIT */
/* tls/selftest and tls/info: what a handshake with these settings would be. */
#include "config.h"

#include "tls/selftest.h"

#include <string.h>
#include <sysexits.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "leaks.h"
#include "suite.h"
#include "tls/info.h"
#include "tls_fixture.h"

/* A server's context with a key of this kind, as tls/context would hand it over. */
static SSL_CTX *served(const char *kind)
{
    SSL_CTX *ssl_ctx = SSL_CTX_new(TLS_server_method());
    EVP_PKEY *key = fixture_key(kind);
    X509 *certificate = fixture_certificate(key, "localhost", -10, 3600, NULL, NULL);
    SSL_CTX_set_security_level(ssl_ctx, 0);
    ck_assert_int_eq(SSL_CTX_use_cert_and_key(ssl_ctx, certificate, key, NULL, 1), 1);
    X509_free(certificate);
    EVP_PKEY_free(key);
    return ssl_ctx;
}

static void is_good(SSL_CTX *ssl_ctx)
{
    struct sc_err err = {0};
    ck_assert_msg(sc_tls_selftest(ssl_ctx, &err) == 0, "%s", err.text);
    ck_assert_uint_eq(ERR_peek_error(), 0);
    SSL_CTX_free(ssl_ctx);
}

static void is_no_use(SSL_CTX *ssl_ctx)
{
    struct sc_err err = {0};
    ck_assert_int_eq(sc_tls_selftest(ssl_ctx, &err), -1);
    ck_assert_int_eq(err.status, EX_CONFIG);
    ck_assert_msg(strstr(err.text, "no client can connect") != NULL, "%s", err.text);
    ck_assert_uint_eq(ERR_peek_error(), 0);
    SSL_CTX_free(ssl_ctx);
}

START_TEST(what_some_client_can_use_is_good)
{
    is_good(served("P-256"));
    is_good(served("ED25519"));
    is_good(served("RSA2048"));
    SSL_CTX *ssl_ctx = served("P-256");
    ck_assert_int_eq(SSL_CTX_set_max_proto_version(ssl_ctx, TLS1_2_VERSION), 1);
    is_good(ssl_ctx);
    /* The operator's choice, warned about elsewhere: the strength is not what is tested. */
    ssl_ctx = served("RSA1024");
    ck_assert_int_eq(SSL_CTX_set_min_proto_version(ssl_ctx, TLS1_VERSION), 1);
    ck_assert_int_eq(SSL_CTX_set_max_proto_version(ssl_ctx, TLS1_VERSION), 1);
    ck_assert_int_eq(SSL_CTX_set_cipher_list(ssl_ctx, "ALL:@SECLEVEL=0"), 1);
    is_good(ssl_ctx);
    /* The client of the test has no certificate, and needs none. */
    ssl_ctx = served("P-256");
    SSL_CTX_set_verify(ssl_ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    is_good(ssl_ctx);
}
END_TEST

START_TEST(what_no_client_can_use_is_reported)
{
    SSL_CTX *ssl_ctx = served("ED25519");
    ck_assert_int_eq(SSL_CTX_set_max_proto_version(ssl_ctx, TLS1_2_VERSION), 1);
    ck_assert_int_eq(SSL_CTX_set_cipher_list(ssl_ctx, "ECDHE-RSA-AES128-GCM-SHA256"), 1);
    is_no_use(ssl_ctx);
    ssl_ctx = served("P-256");
    ck_assert_int_eq(SSL_CTX_set1_sigalgs_list(ssl_ctx, "RSA-PSS+SHA256"), 1);
    is_no_use(ssl_ctx);
}
END_TEST

START_TEST(nothing_is_kept)
{
    struct sc_err err;
    SSL_CTX *good = served("P-256"), *bad = served("P-256");
    ck_assert_int_eq(SSL_CTX_set1_sigalgs_list(bad, "RSA-PSS+SHA256"), 1);
    ASSERT_KEEPS_NOTHING(ck_assert_int_eq(sc_tls_selftest(good, &err), 0));
    ASSERT_KEEPS_NOTHING(ck_assert_int_eq(sc_tls_selftest(bad, &err), -1));
    SSL_CTX_free(good);
    SSL_CTX_free(bad);
}
END_TEST

static void info_is(SSL *ssl, const char *version, const char *cipher, const char *group,
                    bool resumed)
{
    struct sc_tls_info info;
    sc_tls_info_get(ssl, &info);
    ck_assert_str_eq(info.version, version);
    ck_assert_str_eq(info.cipher, cipher);
    ck_assert_str_eq(info.group, group);
    ck_assert_int_eq(info.resumed, resumed);
}

START_TEST(what_was_agreed_on)
{
    static const struct {
        int version;
        const char *name, *cipher;
    } cases[] = {{TLS1_2_VERSION, "TLSv1.2", "ECDHE-ECDSA-AES256-GCM-SHA384"},
                 {TLS1_3_VERSION, "TLSv1.3", "TLS_CHACHA20_POLY1305_SHA256"}};
    fixture_write_pair("server", "P-384");
    struct sc_tls_server_settings settings = fixture_settings("server");
    struct sc_tls_context *server = fixture_server(&settings), *client = fixture_client();
    for (size_t i = 0; i < SC_COUNT_OF(cases); i++) {
        SSL_SESSION *session = NULL;
        for (int resumed = 0; resumed < 2; resumed++) {
            struct tls_pair pair;
            tls_pair_init(&pair, client, server);
            ck_assert_int_eq(SSL_set_max_proto_version(pair.client, cases[i].version), 1);
            ck_assert_int_eq(SSL_set_cipher_list(pair.client, "ECDHE-ECDSA-AES256-GCM-SHA384"), 1);
            ck_assert_int_eq(SSL_set_ciphersuites(pair.client, "TLS_CHACHA20_POLY1305_SHA256"), 1);
            ck_assert_int_eq(SSL_set1_groups_list(pair.client, "P-384"), 1);
            if (session) {
                ck_assert_int_eq(SSL_set_session(pair.client, session), 1);
            }
            ck_assert(tls_pair_handshake(&pair));
            info_is(pair.server, cases[i].name, cases[i].cipher, "secp384r1", resumed);
            SSL_SESSION_free(session);
            session = tls_pair_session(&pair);
            tls_pair_fini(&pair);
        }
        SSL_SESSION_free(session);
    }
    sc_tls_context_unref(client);
    sc_tls_context_unref(server);
}
END_TEST

SUITE_MAIN("selftest", what_some_client_can_use_is_good, what_no_client_can_use_is_reported,
           nothing_is_kept, what_was_agreed_on)

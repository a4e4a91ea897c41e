/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/ocsp.h>

#include "suite.h"
#include "tls/context.h"
#include "tls_fixture.h"

/* Whether a reload of the same settings has brought anything new. */

static bool same_digest(const struct sc_tls_context *a, const struct sc_tls_context *b)
{
    return memcmp(sc_tls_context_digest(a), sc_tls_context_digest(b),
                  SC_TLS_CONTEXT_DIGEST_BYTES) == 0;
}

START_TEST(digest_names_the_content)
{
    const struct sc_tls_command command = {"Groups", "P-256"};
    struct sc_tls_server_settings settings;
    fixture_write_pair("server", "P-256");
    settings = fixture_settings("server");
    struct sc_tls_context *first = fixture_server(&settings);
    struct sc_tls_context *second = fixture_server(&settings);
    ck_assert(same_digest(first, second));
    sc_tls_context_unref(second);

    /* Whatever a server is made of. */
    EVP_PKEY *key = SSL_CTX_get0_privatekey(sc_tls_context_ssl_ctx(first));
    X509 *renewed = fixture_certificate(key, "server", -3600, 86400, NULL, NULL);
    const char *const pins[] = {fixture_path("server.crt")};
    fixture_write_ocsp("ocsp.der", SSL_CTX_get0_certificate(sc_tls_context_ssl_ctx(first)),
                       SSL_CTX_get0_certificate(sc_tls_context_ssl_ctx(first)),
                       SSL_CTX_get0_certificate(sc_tls_context_ssl_ctx(first)), key,
                       V_OCSP_CERTSTATUS_GOOD, -60, 3600);
    EVP_PKEY *next = fixture_key("P-256");
    fixture_write_key("next.key", next, NULL);
    EVP_PKEY_free(next);
    for (int i = 0; i < 7; i++) {
        settings = fixture_settings("server");
        settings.commands = &command;
        settings.command_count = i == 5;
        settings.next_private_key_path = i == 4 ? fixture_path("next.key") : NULL;
        settings.session_timeout_s = i == 0 ? 77 : 0;
        settings.session_cache_size = i == 1 ? 77 : 1024;
        settings.client_auth = i == 2 ? SC_PEER_AUTH_OPTIONAL : SC_PEER_AUTH_NONE;
        settings.client_pins = pins;
        settings.client_pin_count = i == 2;
        settings.ocsp_response_path = i == 3 ? fixture_path("ocsp.der") : NULL;
        if (i == 6) {
            fixture_write_certificate("server.crt", renewed,
                                      false); /* for the same key; the last */
        }
        second = fixture_server(&settings);
        ck_assert_msg(!same_digest(first, second), "%d", i);
        sc_tls_context_unref(second);
    }
    X509_free(renewed);
    sc_tls_context_unref(first);
}
END_TEST

/* Another content of the same length. */
START_TEST(digest_names_every_byte)
{
    const struct sc_tls_command groups[] = {{"Groups", "P-256"}, {"Groups", "P-384"}};
    EVP_PKEY *key = fixture_key("RSA2048"); /* its signatures are all of the same length */
    X509 *certificates[2];
    for (size_t i = 0; i < 2; i++) {
        certificates[i] = fixture_certificate(key, "server", -3600, 86400, NULL, NULL);
    }
    fixture_write_key("server.key", key, NULL);
    fixture_write_certificate("server.crt", certificates[0], false);
    struct sc_tls_context *first = fixture_server_with("server", &groups[0], 1);
    struct sc_tls_context *second = fixture_server_with("server", &groups[1], 1);
    ck_assert(!same_digest(first, second));
    sc_tls_context_unref(first);
    sc_tls_context_unref(second);

    first = fixture_server_with("server", NULL, 0);
    fixture_write_certificate("server.crt", certificates[1], false);
    second = fixture_server_with("server", NULL, 0);
    ck_assert(!same_digest(first, second));
    sc_tls_context_unref(first);
    sc_tls_context_unref(second);

    struct sc_tls_server_settings settings = fixture_settings("server");
    settings.ocsp_response_path = fixture_path("ocsp.der");
    fixture_write_ocsp("ocsp.der", certificates[1], certificates[1], certificates[1], key,
                       V_OCSP_CERTSTATUS_GOOD, -60, 3600);
    first = fixture_server(&settings);
    fixture_write_ocsp("ocsp.der", certificates[1], certificates[1], certificates[1], key,
                       V_OCSP_CERTSTATUS_GOOD, -60, 7200);
    second = fixture_server(&settings);
    ck_assert(!same_digest(first, second));
    sc_tls_context_unref(first);
    sc_tls_context_unref(second);
    for (size_t i = 0; i < 2; i++) {
        X509_free(certificates[i]);
    }
    EVP_PKEY_free(key);
}
END_TEST

/* The content of a store, by every way to name it, and names in a directory. */
START_TEST(digest_names_what_commands_name)
{
    static const char *const schemes[] = {"", "file:", "file://"};
    char value[600];
    EVP_PKEY *key = fixture_key("P-256");
    X509 *one = fixture_certificate(key, "one", -3600, 86400, NULL, NULL);
    X509 *two = fixture_certificate(key, "two", -3600, 86400, NULL, NULL);
    fixture_write_pair("server", "P-256");
    for (size_t i = 0; i < SC_COUNT_OF(schemes); i++) {
        (void)snprintf(value, sizeof(value), "%s%s", schemes[i], fixture_path("store.pem"));
        const struct sc_tls_command store = {"ChainCAStore", value};
        fixture_write_certificate("store.pem", one, false);
        struct sc_tls_context *before = fixture_server_with("server", &store, 1);
        fixture_write_certificate("store.pem", two, false);
        struct sc_tls_context *after = fixture_server_with("server", &store, 1);
        ck_assert_msg(!same_digest(before, after), "\"%s\"", schemes[i]);
        sc_tls_context_unref(before);
        sc_tls_context_unref(after);
    }
    (void)snprintf(value, sizeof(value), "%s", fixture_path("names"));
    const struct sc_tls_command directory = {"ChainCAPath", value};
    ck_assert_int_eq(mkdir(directory.value, 0700), 0);
    fixture_write_certificate("names/a.0", one, false);
    struct sc_tls_context *before = fixture_server_with("server", &directory, 1);
    ck_assert_int_eq(rename(fixture_path("names/a.0"), fixture_path("names/b.0")), 0);
    struct sc_tls_context *after = fixture_server_with("server", &directory, 1);
    ck_assert(!same_digest(before, after));
    sc_tls_context_unref(before);
    /* As many as a system has. */
    for (unsigned i = 0; i < 500; i++) {
        char name[32];
        (void)snprintf(name, sizeof(name), "names/%u", i);
        fixture_write(name, "", 0);
    }
    before = after;
    after = fixture_server_with("server", &directory, 1);
    ck_assert(!same_digest(before, after));
    sc_tls_context_unref(before);
    sc_tls_context_unref(after);
    X509_free(one);
    X509_free(two);
    EVP_PKEY_free(key);
}
END_TEST

/* A hidden file is not opened: it may be a FIFO. */
START_TEST(digest_leaves_out_hidden_files)
{
    fixture_write_pair("server", "P-256");
    ck_assert_int_eq(mkdir(fixture_path("cas"), 0700), 0);
    const struct sc_tls_command command = {"ChainCAPath", fixture_path("cas")};
    struct sc_tls_context *first = fixture_server_with("server", &command, 1);
    /* What an editor leaves beside a file is not one of the CAs. */
    ck_assert_int_eq(mkfifo(fixture_path("cas/.one.swp"), 0600), 0);
    struct sc_tls_context *second = fixture_server_with("server", &command, 1);
    ck_assert(same_digest(first, second));
    sc_tls_context_unref(second);
    fixture_write_certificate("cas/one", SSL_CTX_get0_certificate(sc_tls_context_ssl_ctx(first)),
                              false);
    second = fixture_server_with("server", &command, 1);
    ck_assert(!same_digest(first, second));
    sc_tls_context_unref(first);
    /* What OpenSSL could not read either is left out, but not its name. */
    fixture_write("cas/large", "", 0);
    ck_assert_int_eq(truncate(fixture_path("cas/large"), (16 << 20) + 1), 0);
    first = fixture_server_with("server", &command, 1);
    ck_assert(!same_digest(first, second));
    sc_tls_context_unref(first);
    sc_tls_context_unref(second);
}
END_TEST

SUITE_MAIN("context_digest", digest_names_the_content, digest_names_every_byte,
           digest_names_what_commands_name, digest_leaves_out_hidden_files)

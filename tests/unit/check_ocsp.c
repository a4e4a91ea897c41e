/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ocsp.h>

#include "base/clock.h"
#include "suite.h"
#include "tls/ocsp.h"
#include "tls_fixture.h"

#define FOR_EVER 0L

static EVP_PKEY *ca_key, *key;
static X509 *ca, *leaf;

static void setup(void)
{
    ca_key = fixture_key("P-256");
    key = fixture_key("P-256");
    ca = fixture_certificate(ca_key, "ca", -3600, 86400, NULL, NULL);
    leaf = fixture_certificate(key, "leaf", -3600, 86400, ca, ca_key);
    fixture_write_key("server.key", key, NULL);
    fixture_write_certificate("server.crt", leaf, false);
    fixture_write_certificate("server.crt", ca, true);
}

static void teardown(void)
{
    X509_free(leaf);
    X509_free(ca);
    EVP_PKEY_free(key);
    EVP_PKEY_free(ca_key);
}

static void answer(X509 *about, X509 *issuer, int status, long from_s, long to_s)
{
    fixture_write_ocsp("ocsp.der", about, issuer, ca, ca_key, status, from_s, to_s);
}

static struct sc_tls_context *server_new(void)
{
    struct sc_tls_server_settings settings = fixture_settings("server");
    settings.ocsp_response_path = fixture_path("ocsp.der");
    return fixture_server(&settings);
}

/* How many bytes of OCSP response a client gets that asks for one, -1: none. */
static long stapled(const struct sc_tls_context *server, int version)
{
    struct sc_tls_context *client = fixture_client();
    struct tls_pair pair;
    unsigned char *bytes;
    tls_pair_init(&pair, client, server);
    ck_assert_int_eq(SSL_set_max_proto_version(pair.client, version), 1);
    ck_assert_int_eq(SSL_set_tlsext_status_type(pair.client, TLSEXT_STATUSTYPE_ocsp), 1);
    ck_assert(tls_pair_handshake(&pair));
    long length = SSL_get_tlsext_status_ocsp_resp(pair.client, &bytes);
    tls_pair_fini(&pair);
    sc_tls_context_unref(client);
    return length;
}

START_TEST(staples_while_it_is_current)
{
    setup();
    answer(leaf, ca, V_OCSP_CERTSTATUS_GOOD, -60, 3600);
    struct sc_tls_context *server = server_new();
    ck_assert_ptr_null(sc_tls_context_warning(server, 0));
    for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
        ck_assert_int_gt(stapled(server, version), 100);
        ck_assert_int_gt(stapled(server, version), 100);
    }
    struct timespec later = sc_clock_wall();
    later.tv_sec += 3601;
    sc_clock_fake(NULL, &later);
    ck_assert_msg(stapled(server, TLS1_3_VERSION) == -1, "never stale");
    sc_clock_fake(NULL, NULL);
    sc_tls_context_unref(server);
    teardown();
}
END_TEST

START_TEST(out_of_date_is_a_warning)
{
    setup();
    const long windows[][2] = {{-7200, -3600}, {400, 7200}, {-8 * 86400, FOR_EVER}};
    for (size_t i = 0; i < SC_COUNT_OF(windows); i++) {
        answer(leaf, ca, V_OCSP_CERTSTATUS_GOOD, windows[i][0], windows[i][1]);
        struct sc_tls_context *server = server_new();
        ck_assert_ptr_nonnull(strstr(sc_tls_context_warning(server, 0), "out of date"));
        ck_assert_int_eq(stapled(server, TLS1_3_VERSION), -1);
        sc_tls_context_unref(server);
    }
    teardown();
}
END_TEST

/* Clocks differ a little, and not every response says until when it is good. */
START_TEST(what_is_current)
{
    setup();
    const long windows[][2] = {{200, 7200}, {-7200, 10}, {-6 * 86400, FOR_EVER}};
    for (size_t i = 0; i < SC_COUNT_OF(windows); i++) {
        answer(leaf, ca, V_OCSP_CERTSTATUS_GOOD, windows[i][0], windows[i][1]);
        struct sc_tls_context *server = server_new();
        ck_assert_ptr_null(sc_tls_context_warning(server, 0));
        ck_assert_int_gt(stapled(server, TLS1_3_VERSION), 100);
        sc_tls_context_unref(server);
    }
    teardown();
}
END_TEST

static void refuse(int status, const char *words)
{
    struct sc_err err = {0};
    struct sc_tls_server_settings settings = fixture_settings("server");
    settings.ocsp_response_path = fixture_path("ocsp.der");
    ck_assert_ptr_null(sc_tls_context_new_server(&settings, &err));
    ck_assert_msg(err.status == status && strstr(err.text, words) && strstr(err.text, "ocsp.der"),
                  "%d: %s", err.status, err.text);
    ck_assert_uint_eq(ERR_peek_error(), 0);
}

START_TEST(names_what_is_wrong_with_the_file)
{
    setup();
    X509 *other = fixture_certificate(key, "other", -3600, 86400, ca, ca_key);
    unsigned char *der = NULL;
    (void)unlink(fixture_path("ocsp.der"));
    refuse(EX_NOINPUT, "No such file");
    fixture_write("ocsp.der", "", 0);
    refuse(EX_CONFIG, "not one in DER");
    fixture_write("ocsp.der", "hello", 5);
    refuse(EX_CONFIG, "not one in DER");
    answer(other, ca, V_OCSP_CERTSTATUS_GOOD, -60, 3600);
    refuse(EX_CONFIG, "another certificate");
    answer(leaf, leaf, V_OCSP_CERTSTATUS_GOOD, -60, 3600);
    refuse(EX_CONFIG, "another certificate");
    answer(leaf, ca, V_OCSP_CERTSTATUS_UNKNOWN, -60, 3600);
    refuse(EX_CONFIG, "unknown");
    answer(leaf, ca, V_OCSP_CERTSTATUS_REVOKED, -60, 3600);
    refuse(EX_CONFIG, "says that the certificate is revoked");
    OCSP_RESPONSE *response = OCSP_response_create(OCSP_RESPONSE_STATUS_TRYLATER, NULL);
    int length = i2d_OCSP_RESPONSE(response, &der);
    fixture_write("ocsp.der", der, (size_t)length);
    refuse(EX_CONFIG, "trylater");
    answer(leaf, ca, V_OCSP_CERTSTATUS_GOOD, -60, 3600);
    FILE *file = fopen(fixture_path("ocsp.der"), "a");
    ck_assert_ptr_nonnull(file);
    (void)fputc('x', file);
    (void)fclose(file);
    refuse(EX_CONFIG, "not one in DER");
    OPENSSL_free(der);
    OCSP_RESPONSE_free(response);
    X509_free(other);
    teardown();
}
END_TEST

/*
 * Without the issuer in the chain its name and the serial number tell; a self-signed leaf is its
 * own issuer.
 */
START_TEST(finds_the_certificate_without_a_chain)
{
    setup();
    fixture_write_certificate("server.crt", leaf, false);
    answer(leaf, ca, V_OCSP_CERTSTATUS_GOOD, -60, 3600);
    struct sc_tls_context *server = server_new();
    ck_assert_int_gt(stapled(server, TLS1_3_VERSION), 100);
    sc_tls_context_unref(server);

    /* Another one of the same issuer, and one of another with the same number. */
    X509 *second = fixture_certificate(key, "leaf", -3600, 86400, ca, ca_key);
    answer(second, ca, V_OCSP_CERTSTATUS_GOOD, -60, 3600);
    refuse(EX_CONFIG, "another certificate");
    EVP_PKEY *other_key = fixture_key("P-256");
    X509 *other_ca = fixture_certificate(other_key, "other ca", -3600, 86400, NULL, NULL);
    X509 *same = fixture_certificate(key, "leaf", -3600, 86400, other_ca, other_key);
    ck_assert_int_eq(X509_set_serialNumber(same, X509_get_serialNumber(leaf)), 1);
    answer(same, other_ca, V_OCSP_CERTSTATUS_GOOD, -60, 3600);
    refuse(EX_CONFIG, "another certificate");

    /* The issuer need not be next to it. */
    fixture_write_certificate("server.crt", leaf, false);
    fixture_write_certificate("server.crt", other_ca, true);
    fixture_write_certificate("server.crt", ca, true);
    answer(leaf, ca, V_OCSP_CERTSTATUS_GOOD, -60, 3600);
    server = server_new();
    ck_assert_int_gt(stapled(server, TLS1_3_VERSION), 100);
    sc_tls_context_unref(server);
    X509_free(second);
    X509_free(same);
    X509_free(other_ca);
    EVP_PKEY_free(other_key);

    fixture_write_certificate("server.crt", ca, false);
    fixture_write_key("server.key", ca_key, NULL);
    refuse(EX_CONFIG, "another certificate");
    answer(ca, ca, V_OCSP_CERTSTATUS_GOOD, -60, 3600);
    server = server_new();
    ck_assert_int_gt(stapled(server, TLS1_3_VERSION), 100);
    sc_tls_context_unref(server);
    teardown();
}
END_TEST

SUITE_MAIN("ocsp", staples_while_it_is_current, out_of_date_is_a_warning, what_is_current,
           names_what_is_wrong_with_the_file, finds_the_certificate_without_a_chain)

/* SPDX-License-Identifier: MIT */
/* What a server reports of the files of its certificate and key. */
#include "config.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <time.h>

#include <openssl/err.h>

#include "suite.h"
#include "tls/cert_files.h"
#include "tls/context.h"
#include "tls_fixture.h"

/* The settings must be refused, with every one of the words in the line. */
static void refuse(const struct sc_tls_server_settings *settings, int status, const char *first,
                   const char *second)
{
    struct sc_err err = {0};
    struct sc_tls_context *context = sc_tls_context_new_server(settings, &err);
    ck_assert_ptr_null(context);
    ck_assert_msg(err.status == status && strstr(err.text, first) && strstr(err.text, second) &&
                      !strchr(err.text, '\n'),
                  "%d: %s", err.status, err.text);
    ck_assert_uint_eq(ERR_peek_error(), 0);
}

START_TEST(names_what_is_wrong_with_files)
{
    fixture_write_pair("server", "P-256");
    fixture_write_pair("other", "P-256");
    fixture_write("empty", "", 0);
    fixture_write("text", "hello\n", 6);
    fixture_write("half", "-----BEGIN CERTIFICATE-----\nMIIB", 32);
    EVP_PKEY *key = fixture_key("P-256");
    X509 *whole = fixture_certificate(key, "server", -3600, 86400, NULL, NULL);
    fixture_write_certificate("onehalf.crt", whole, false);
    FILE *half = fopen(fixture_path("onehalf.crt"), "a");
    ck_assert_ptr_nonnull(half);
    (void)fputs("-----BEGIN CERTIFICATE-----\nMIIB", half);
    (void)fclose(half);
    X509_free(whole);
    EVP_PKEY_free(key);
    fixture_write("halfkey", "-----BEGIN PRIVATE KEY-----\nMIIB", 32);
    fixture_write("der", "\x30\x82\x01\x02", 4);
    static const char request[] = "-----BEGIN CERTIFICATE REQUEST-----\nMIIB";
    static const char public_key[] = "-----BEGIN PUBLIC KEY-----\nMIIB";
    fixture_write("request", request, sizeof(request) - 1);
    fixture_write("public", public_key, sizeof(public_key) - 1);
    const struct {
        const char *certificate, *key;
        int status;
        const char *first, *second;
    } cases[] = {
        {"none.crt", "server.key", EX_NOINPUT, "certificate: can't read", "No such file"},
        {"server.crt", "none.key", EX_NOINPUT, "private key: can't read", "No such file"},
        {".", "server.key", EX_NOINPUT, "certificate: can't read", "directory"},
        {"server.crt", ".", EX_NOINPUT, "private key: can't read", "directory"},
        {"empty", "server.key", EX_CONFIG, "empty is empty", "sc-keygen"},
        {"server.crt", "empty", EX_CONFIG, "empty is empty", "sc-keygen"},
        {"text", "server.key", EX_CONFIG, "text holds no PEM certificate", "BEGIN CERTIFICATE"},
        {"server.crt", "text", EX_CONFIG, "text holds no PEM private key", "BEGIN PRIVATE KEY"},
        {"half", "server.key", EX_CONFIG, "half is damaged", "certificate"},
        {"onehalf.crt", "server.key", EX_CONFIG, "onehalf.crt is damaged", "certificate"},
        {"server.crt", "halfkey", EX_CONFIG, "halfkey is damaged", "private key"},
        {"der", "server.key", EX_CONFIG, "DER", "openssl x509"},
        {"server.crt", "der", EX_CONFIG, "DER", "openssl pkey"},
        {"request", "server.key", EX_CONFIG, "request holds a certificate request", "the CA"},
        {"server.crt", "public", EX_CONFIG, "public holds a public key", "the private half"},
        {"server.key", "server.crt", EX_CONFIG, "server.key holds a private key and no certificate",
         "swapped"},
        {"server.crt", "server.crt", EX_CONFIG, "server.crt holds a certificate and no private key",
         "name the file that holds its key"},
        {"server.crt", "other.crt", EX_CONFIG, "other.crt holds a certificate and no private key",
         "swapped"},
        {"server.crt", "other.key", EX_CONFIG, "do not belong together", "server.crt"},
    };
    for (size_t i = 0; i < SC_COUNT_OF(cases); i++) {
        struct sc_tls_server_settings settings = {.certificate_path =
                                                      fixture_path(cases[i].certificate),
                                                  .private_key_path = fixture_path(cases[i].key)};
        refuse(&settings, cases[i].status, cases[i].first, cases[i].second);
    }
}
END_TEST

/* The command that makes what is missing, where the names are of the form that it makes. */
START_TEST(names_the_command_that_makes_a_pair)
{
    char command[700];
    struct sc_tls_server_settings settings = fixture_settings("none");
    ck_assert_int_gt(snprintf(command, sizeof(command), "make it and its key: sc-keygen --out %s",
                              fixture_path("none")),
                     0);
    refuse(&settings, EX_NOINPUT, "none.crt: No such file or directory", command);
    fixture_write_pair("server", "P-256");
    settings.certificate_path = fixture_path("server.crt");
    refuse(&settings, EX_NOINPUT, "none.key: No such file", "; sc-keygen makes a pair");
    settings.certificate_path =
        fixture_path("some.crt"); /* of two pairs, and as long as the other */
    refuse(&settings, EX_NOINPUT, "some.crt: No such file", "; sc-keygen makes a pair");
    settings.certificate_path = fixture_path("server.crt");
    settings.private_key_path = fixture_directory();
    struct sc_err err;
    ck_assert_ptr_null(sc_tls_context_new_server(&settings, &err));
    ck_assert_msg(!strstr(err.text, "sc-keygen"), "%s", err.text);
    /* Where no pair can be made. */
    fixture_write("file", "", 0);
    settings = fixture_settings("file/none");
    ck_assert_ptr_null(sc_tls_context_new_server(&settings, &err));
    ck_assert_msg(strstr(err.text, "none.crt: Not a directory") != NULL, "%s", err.text);
    ck_assert_msg(!strstr(err.text, "sc-keygen"), "%s", err.text);
}
END_TEST

START_TEST(a_passphrase_is_not_cut)
{
    char out[8] = "";
    char passphrase[] = "sesame";
    char none[] = "";
    ck_assert_int_eq(sc_cert_files_passphrase(out, 6, 0, passphrase), 6);
    ck_assert_mem_eq(out, "sesame", sizeof("sesame"));
    ck_assert_int_eq(sc_cert_files_passphrase(out, 5, 0, passphrase), -1);
    ck_assert_int_eq(sc_cert_files_passphrase(out, 6, 0, none), -1);
}
END_TEST

START_TEST(refuses_weak_keys)
{
    const char *const weak[] = {"RSA1024", "P-192"};
    for (size_t i = 0; i < SC_COUNT_OF(weak); i++) {
        fixture_write_pair("server", weak[i]);
        struct sc_tls_server_settings settings = fixture_settings("server");
        refuse(&settings, EX_CONFIG, "too weak", "sc-keygen");
    }
}
END_TEST

static int passphrase_calls;

static int on_passphrase(char *buffer, int size, int rwflag, void *arg)
{
    (void)rwflag;
    if (!arg) {
        return -1;
    }
    passphrase_calls++;
    int length = (int)strlen(arg);
    ck_assert_int_lt(length, size);
    memcpy(buffer, arg, (size_t)length);
    return length;
}

START_TEST(opens_encrypted_keys)
{
    EVP_PKEY *key = fixture_key("P-256");
    X509 *certificate = fixture_certificate(key, "encrypted", -3600, 86400, NULL, NULL);
    char right[] = "correct horse", wrong[] = "battery staple";
    fixture_write_key("server.key", key, right);
    fixture_write_certificate("server.crt", certificate, false);
    struct sc_tls_server_settings settings = fixture_settings("server");
    refuse(&settings, EX_CONFIG, "server.key is encrypted, and there is no passphrase", "for it");
    settings.passphrase = on_passphrase;
    refuse(&settings, EX_CONFIG, "server.key is encrypted, and there is no passphrase",
           "set passphrase-file to a file whose first line is the passphrase");
    settings.passphrase_arg = wrong;
    refuse(&settings, EX_CONFIG, "server.key can't be decrypted", "wrong passphrase");
    ck_assert_int_eq(passphrase_calls, 1);
    settings.passphrase_arg = right;
    struct sc_tls_context *server = fixture_server(&settings);
    ck_assert_int_eq(passphrase_calls, 2);
    sc_tls_context_unref(server);
    X509_free(certificate);
    EVP_PKEY_free(key);
}
END_TEST

START_TEST(reads_chains_and_combined_files)
{
    EVP_PKEY *ca_key = fixture_key("P-256"), *key = fixture_key("P-256");
    X509 *ca = fixture_certificate(ca_key, "ca", -3600, 86400, NULL, NULL);
    X509 *leaf = fixture_certificate(key, "leaf", -3600, 86400, ca, ca_key);
    /* Key, leaf and chain in one file. */
    fixture_write_key("server.key", key, NULL);
    fixture_write_certificate("server.key", leaf, true);
    fixture_write_certificate("server.key", ca, true);
    struct sc_tls_server_settings settings = {.certificate_path = fixture_path("server.key"),
                                              .private_key_path = fixture_path("server.key")};
    struct sc_tls_context *server = fixture_server(&settings), *client = fixture_client();
    ck_assert_ptr_null(sc_tls_context_warning(server, 0));
    struct tls_pair pair;
    tls_pair_init(&pair, client, server);
    ck_assert(tls_pair_handshake(&pair));
    ck_assert_int_eq(sk_X509_num(SSL_get_peer_cert_chain(pair.client)), 2);
    ck_assert_int_eq(X509_cmp(SSL_get0_peer_certificate(pair.client), leaf), 0);
    tls_pair_fini(&pair);
    sc_tls_context_unref(server);
    /* The CA first. */
    fixture_write_key("server.key", key, NULL);
    fixture_write_certificate("server.crt", ca, false);
    fixture_write_certificate("server.crt", leaf, true);
    settings = fixture_settings("server");
    refuse(&settings, EX_CONFIG, "wrong order", "number 2");
    fixture_write_certificate("server.crt", ca, false);
    fixture_write_certificate("server.crt", ca, true);
    fixture_write_certificate("server.crt", leaf, true);
    settings = fixture_settings("server");
    refuse(&settings, EX_CONFIG, "wrong order", "number 3");
    /* A chain with something else in it. */
    X509 *stranger = fixture_certificate(ca_key, "stranger", -3600, 86400, NULL, NULL);
    fixture_write_certificate("server.crt", leaf, false);
    fixture_write_certificate("server.crt", stranger, true);
    server = fixture_server(&settings);
    ck_assert_ptr_nonnull(
        strstr(sc_tls_context_warning(server, 0), "number 2 did not issue number 1"));
    ck_assert_ptr_null(sc_tls_context_warning(server, 1));
    sc_tls_context_unref(server);
    /* As `openssl x509 -trustout` writes it. */
    FILE *file = fopen(fixture_path("server.crt"), "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(PEM_write_X509_AUX(file, leaf), 1);
    ck_assert_int_eq(fclose(file), 0);
    settings = fixture_settings("server");
    sc_tls_context_unref(fixture_server(&settings));
    /* A long chain, each by the next, and then too many. */
    X509 *issuers[10] = {ca};
    for (int i = 1; i < 10; i++) {
        issuers[i] = fixture_certificate(ca_key, "ca", -3600, 86400, ca, ca_key);
    }
    fixture_write_certificate("server.crt", leaf, false);
    for (int i = 9; i >= 0; i--) {
        fixture_write_certificate("server.crt", issuers[i], true);
    }
    server = fixture_server(&settings);
    ck_assert_ptr_null(sc_tls_context_warning(server, 0));
    sc_tls_context_unref(server);
    for (int i = 1; i < 10; i++) {
        X509_free(issuers[i]);
    }
    fixture_write_certificate("server.crt", ca, true);
    refuse(&settings, EX_CONFIG, "more than 11 certificates", "server.crt");
    sc_tls_context_unref(client);
    X509_free(stranger);
    X509_free(leaf);
    X509_free(ca);
    EVP_PKEY_free(ca_key);
    EVP_PKEY_free(key);
}
END_TEST

START_TEST(warns_about_dates_and_modes)
{
    const struct {
        long from_s, to_s;
        mode_t mode;
        const char *words;
    } cases[] = {{-86400, -3600, 0600, "expired at"},
                 {3600, 86400, 0600, "is not valid before"},
                 {-3600, 86400, 0604, "can be read by every user"},
                 {-3600, 86400, 0602, "can be changed by every user"},
                 {-3600, 86400, 0640, NULL}};
    EVP_PKEY *key = fixture_key("P-256");
    fixture_write_key("server.key", key, NULL);
    struct sc_tls_server_settings settings = fixture_settings("server");
    for (size_t i = 0; i < SC_COUNT_OF(cases); i++) {
        X509 *certificate =
            fixture_certificate(key, "server", cases[i].from_s, cases[i].to_s, NULL, NULL);
        fixture_write_certificate("server.crt", certificate, false);
        ck_assert_int_eq(chmod(fixture_path("server.key"), cases[i].mode), 0);
        struct sc_tls_context *server = fixture_server(&settings);
        const char *warning = sc_tls_context_warning(server, 0);
        ck_assert_int_eq(warning != NULL, cases[i].words != NULL);
        ck_assert(!warning || strstr(warning, cases[i].words));
        ck_assert_ptr_null(sc_tls_context_warning(server, 1));
        ck_assert_int_eq(sc_tls_context_not_after(server) > time(NULL), cases[i].to_s > 0);
        sc_tls_context_unref(server);
        X509_free(certificate);
    }
    EVP_PKEY_free(key);
}
END_TEST

/* Each of its own names: "ca", "middle" and "leaf". */
START_TEST(follows_a_chain_of_three)
{
    EVP_PKEY *ca_key = fixture_key("P-256"), *middle_key = fixture_key("P-256"),
             *key = fixture_key("P-256");
    X509 *ca = fixture_certificate(ca_key, "ca", -3600, 86400, NULL, NULL);
    X509 *middle = fixture_certificate(middle_key, "middle", -3600, 86400, ca, ca_key);
    X509 *leaf = fixture_certificate(key, "leaf", -3600, 86400, middle, middle_key);
    fixture_write_key("server.key", key, NULL);
    fixture_write_certificate("server.crt", leaf, false);
    fixture_write_certificate("server.crt", middle, true);
    fixture_write_certificate("server.crt", ca, true);
    const struct sc_tls_server_settings settings = fixture_settings("server");
    struct sc_tls_context *server = fixture_server(&settings);
    ck_assert_ptr_null(sc_tls_context_warning(server, 0));
    sc_tls_context_unref(server);
    fixture_write_certificate("server.crt", leaf, false);
    fixture_write_certificate("server.crt", middle, true);
    fixture_write_certificate("server.crt", leaf, true);
    ck_assert_int_eq(chmod(fixture_path("server.key"), 0604), 0);
    server = fixture_server(&settings);
    ck_assert_ptr_nonnull(strstr(sc_tls_context_warning(server, 0), "by every user"));
    ck_assert_ptr_nonnull(
        strstr(sc_tls_context_warning(server, 1), "number 3 did not issue number 2"));
    ck_assert_ptr_null(sc_tls_context_warning(server, 2));
    sc_tls_context_unref(server);
    X509_free(leaf);
    X509_free(middle);
    X509_free(ca);
    EVP_PKEY_free(key);
    EVP_PKEY_free(middle_key);
    EVP_PKEY_free(ca_key);
}
END_TEST

SUITE_MAIN("cert_files", names_what_is_wrong_with_files, names_the_command_that_makes_a_pair,
           a_passphrase_is_not_cut, refuses_weak_keys, opens_encrypted_keys,
           reads_chains_and_combined_files, warns_about_dates_and_modes, follows_a_chain_of_three)

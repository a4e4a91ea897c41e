/* SPDX-License-Identifier: MIT */
/*
 * What the engine promises of its TLS library, over each of them: sessions, client certificates,
 * key logs, bounds after the handshake, and a change of the library.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/ssl.h>

#include "base/compiler.h"
#include "base/file.h"
#include "engine_fixture.h"
#include "tls/pin.h"
#include "tls/pins_message.h"

/* A server that requires the certificate of this file. */
static void set_up_for(const char *client)
{
    char path[512];
    const char *pins[] = {path};
    set_up();
    (void)snprintf(path, sizeof(path), "%s", fixture_path(client));
    struct sc_tls_server_settings server_settings = fixture_settings("server");
    server_settings.client_auth = SC_PEER_AUTH_REQUIRE;
    server_settings.client_pins = pins;
    server_settings.client_pin_count = 1;
    sc_tls_context_unref(context);
    context = fixture_server(&server_settings);
}

static void echo(void)
{
    ck_assert_int_gt(sc_client_engine_send(engine, SC_CLIENT_ECHO, "hello", 5, 0, &error), 0);
    ck_assert(next_event());
    ck_assert_msg(event.type == SC_CLIENT_EVENT_REPLY, "%s", event.error->text);
    ck_assert_mem_eq(event.reply->body, "hello", 5);
}

static struct sc_client_info info(void)
{
    struct sc_client_info out = SC_CLIENT_INFO_INIT;
    ck_assert_int_eq(sc_client_engine_info(engine, &out), 0);
    return out;
}

START_TEST(what_was_agreed_on_has_the_same_names)
{
    set_up();
    get_ready();
    ck_assert_str_eq(info().tls_library, tls_library);
    close_engine();

    open_engine();
    SSL_set_max_proto_version(server.ssl, TLS1_2_VERSION);
    ck_assert(next_event());
    ck_assert_str_eq(info().tls_version, "TLSv1.2");
    ck_assert_str_eq(info().cipher, "ECDHE-ECDSA-AES128-GCM-SHA256");
    ck_assert_str_eq(info().group, "x25519");
    echo();
    tear_down();
}
END_TEST

/* A server whose certificate has so many issuers; the last one is in root.crt. */
static void show_issuers(unsigned count)
{
    struct sc_tls_server_settings server_settings = fixture_settings("server");
    EVP_PKEY *issuer_key = fixture_key("P-256");
    X509 *issuer = fixture_certificate(issuer_key, "root", 0, 1000, NULL, NULL), *chain[40];
    fixture_write_certificate("root.crt", issuer, false);
    chain[0] = issuer;
    for (unsigned i = 1; i <= count; i++) {
        char name[32];
        EVP_PKEY *key = fixture_key("P-256");
        (void)snprintf(name, sizeof(name), "issuer %u", count - i);
        chain[i] = fixture_certificate(key, name, 0, 1000, chain[i - 1], issuer_key);
        EVP_PKEY_free(issuer_key);
        issuer_key = key;
    }
    fixture_write_key("server.key", issuer_key, NULL);
    EVP_PKEY_free(issuer_key);
    fixture_write_certificate("server.crt", chain[count], false);
    sc_tls_context_unref(context);
    context = fixture_server(&server_settings);
    for (unsigned i = count + 1; i-- > 0;) {
        if (i < count) {
            SSL_CTX *server_ctx = sc_tls_context_ssl_ctx(context);
            ck_assert_int_eq(SSL_CTX_add1_chain_cert(server_ctx, chain[i]), 1);
        }
        X509_free(chain[i]);
    }
}

/* Pins are of the certificate itself, and "ca:" pins of any of its issuers. */
START_TEST(a_chain_may_be_long)
{
    static const unsigned counts[] = {1, 8, 9, 30};
    char ca[512];
    for (size_t i = 0; i < SC_COUNT_OF(counts); i++) {
        for (int issuers = 0; issuers < 2; issuers++) {
            set_up_unpinned();
            show_issuers(counts[i]);
            if (issuers) {
                (void)snprintf(ca, sizeof(ca), "ca:%s", fixture_path("root.crt"));
                ck_assert_int_eq(sc_client_settings_add_pin(settings, ca, &error), 0);
            } else {
                (void)snprintf(ca, sizeof(ca), "%s", fixture_path("server.crt"));
                ck_assert_int_eq(sc_client_settings_add_pin(settings, ca, &error), 0);
            }
            host = NULL;
            get_ready();
            echo();
            host = "localhost";
            tear_down();
        }
    }
}
END_TEST

START_TEST(a_session_of_another_tls_library_is_not_used)
{
    const char *other = strcmp(tls_library, "openssl") == 0 ? "mbedtls" : "openssl";
    uint8_t session[8192];
    set_up();
    get_ready();
    echo();
    const size_t size = sc_client_engine_session(engine, session, sizeof(session));
    ck_assert_uint_gt(size, 0);
    ck_assert_int_eq(sc_client_settings_set_session(settings, session, size, &error), 0);
    close_engine();
    get_ready();
    ck_assert_int_eq(info().resumed, 1);
    tear_down();

    if (!sc_client_tls_version(other)) {
        return;
    }
    set_up();
    ck_assert_int_eq(sc_client_settings_set_tls_library(settings, other, &error), 0);
    ck_assert_int_eq(sc_client_settings_set_session(settings, session, size, &error), 0);
    get_ready();
    ck_assert_int_eq(info().resumed, 0);
    ck_assert_str_eq(info().tls_library, other);
    echo();
    tear_down();
}
END_TEST

/* Its bytes are changed one by one: the handshake is a full one, or fails, and nothing else. */
START_TEST(a_damaged_session_does_no_harm)
{
    uint8_t session[8192];
    set_up();
    get_ready();
    echo();
    const size_t size = sc_client_engine_session(engine, session, sizeof(session));
    close_engine();
    for (size_t at = 40; at < size; at += 7) {
        session[at] ^= 0xff;
        ck_assert_int_eq(sc_client_settings_set_session(settings, session, size, &error), 0);
        open_engine();
        ck_assert(next_event());
        ck_assert_msg(event.type == SC_CLIENT_EVENT_READY ||
                          event.error->code == SC_CLIENT_HANDSHAKE ||
                          event.error->code == SC_CLIENT_PIN,
                      "byte %zu: %s", at, event.error->text);
        close_engine();
        session[at] ^= 0xff;
    }
    tear_down();
}
END_TEST

START_TEST(a_client_certificate_is_shown)
{
    fixture_write_pair("client", "RSA2048");
    fixture_write_pair("mallory", "P-256");
    set_up_for("client.crt");
    ck_assert_int_eq(sc_client_settings_set_certificate(settings, fixture_path("client.crt"),
                                                        fixture_path("client.key"), NULL, &error),
                     0);
    /* Set before the library is, it holds all the same. */
    ck_assert_int_eq(sc_client_settings_set_tls_library(settings, tls_library, &error), 0);
    get_ready();
    echo();
    tear_down();

    set_up_for("client.crt");
    ck_assert_int_eq(sc_client_settings_set_certificate(settings, fixture_path("mallory.crt"),
                                                        fixture_path("mallory.key"), NULL, &error),
                     0);
    open_engine();
    while (next_event() && event.type == SC_CLIENT_EVENT_READY) {
    }
    ck_assert_int_eq(event.type, SC_CLIENT_EVENT_END);
    ck_assert_int_eq(event.error->code, SC_CLIENT_HANDSHAKE);
    ck_assert_msg(strstr(event.error->text, "the server refused our certificate") ||
                      strstr(event.error->text, "who issued our certificate"),
                  "%s", event.error->text);
    tear_down();

    set_up_for("client.crt");
    open_engine();
    while (next_event() && event.type == SC_CLIENT_EVENT_READY) {
    }
    ck_assert_msg(strstr(event.error->text, "the server requires a client certificate") != NULL,
                  "%s", event.error->text);
    tear_down();
}
END_TEST

START_TEST(keys_of_the_client_are_checked_when_they_are_set)
{
    fixture_write_pair("client", "P-256");
    fixture_write_pair("modern", "ED25519");
    EVP_PKEY *key = fixture_key("P-256");
    fixture_write_key("secret.key", key, "open sesame");
    X509 *certificate = fixture_certificate(key, "secret", -10, 1000, NULL, NULL);
    fixture_write_certificate("secret.crt", certificate, false);
    const char *path = fixture_path("secret.crt"), *key_path = fixture_path("secret.key");
    set_up();
    ck_assert_int_eq(sc_client_settings_set_certificate(settings, path, key_path, NULL, &error),
                     -1);
    ck_assert_int_eq(sc_client_settings_set_certificate(settings, path, key_path, "wrong", &error),
                     -1);
    ck_assert_int_eq(
        sc_client_settings_set_certificate(settings, path, key_path, "open sesame", &error), 0);
    ck_assert_int_eq(sc_client_settings_set_certificate(settings, path, fixture_path("client.key"),
                                                        NULL, &error),
                     -1);
    const int modern = sc_client_settings_set_certificate(settings, fixture_path("modern.crt"),
                                                          fixture_path("modern.key"), NULL, &error);
    if (strcmp(tls_library, "mbedtls") == 0) {
        ck_assert_int_eq(modern, -1);
        ck_assert_msg(strstr(error.text, "can't be used with Mbed TLS") != NULL, "%s", error.text);
    } else {
        ck_assert_int_eq(modern, 0);
    }
    get_ready();
    tear_down();
    X509_free(certificate);
    EVP_PKEY_free(key);
}
END_TEST

START_TEST(another_library_takes_over_what_was_set)
{
    struct sc_file log;
    struct sc_client_error why = SC_CLIENT_ERROR_INIT;
    set_up();
    ck_assert_int_eq(sc_client_settings_set_key_log(settings, fixture_path("keys"), &error), 0);
    ck_assert_int_eq(sc_client_settings_set_tls_library(settings, "nosuchtls", &why), -1);
    ck_assert_int_eq(why.code, SC_CLIENT_USAGE);
    ck_assert_msg(strstr(why.text, "\"nosuchtls\"") && strstr(why.text, tls_library), "%s",
                  why.text);
    ck_assert_int_eq(sc_client_settings_set_tls_library(settings, NULL, &error), 0);
    ck_assert_int_eq(sc_client_settings_set_tls_library(settings, tls_library, &error), 0);
    get_ready();
    ck_assert_str_eq(info().tls_library, tls_library);
    ck_assert_int_eq(sc_client_settings_set_tls_library(settings, NULL, &why), -1);
    ck_assert_int_eq(why.code, SC_CLIENT_USAGE);
    ck_assert_int_eq(sc_file_read(fixture_path("keys"), 65536, &log, NULL), 0);
    ck_assert_uint_gt(log.length, 100);
    sc_file_fini(&log);
    tear_down();
}
END_TEST

/* Whose reader is not there, or leaves. */
START_TEST(a_key_log_can_be_a_pipe)
{
    set_up();
    const char *path = fixture_path("fifo");
    (void)unlink(path); /* without a fork for each test it is there from the other library */
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    ck_assert_int_eq(sc_client_settings_set_key_log(settings, path, &error), -1);
    ck_assert_int_eq(error.code, SC_CLIENT_CANT_CREATE);
    const int reader = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    ck_assert_int_ge(reader, 0);
    ck_assert_int_eq(sc_client_settings_set_key_log(settings, path, &error), 0);
    (void)close(reader);
    get_ready(); /* without SIGPIPE */
    echo();
    close_engine();
    /* It is closed with the settings. */
    char byte;
    const int other_reader = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    ck_assert_int_ge(other_reader, 0);
    ck_assert_int_eq(read(other_reader, &byte, 1), -1);
    new_settings();
    ck_assert_int_eq(read(other_reader, &byte, 1), 0);
    (void)close(other_reader);
    tear_down();
}
END_TEST

/* Each one is answered, and nobody need read the answers. */
START_TEST(requests_for_a_new_handshake_are_bounded)
{
    uint8_t bytes[4096];
    unsigned asked = 0;
    set_up();
    open_engine();
    SSL_set_max_proto_version(server.ssl, TLS1_2_VERSION);
    SSL_clear_options(server.ssl, SSL_OP_NO_RENEGOTIATION);
    ck_assert(next_event());
    ck_assert_int_eq(event.type, SC_CLIENT_EVENT_READY);
    const void *out;
    engine_peer_take(&server, out, sc_client_engine_output(engine, &out));
    while (!sc_client_engine_next_event(engine, 0, &event)) {
        ck_assert_int_eq(SSL_renegotiate(server.ssl), 1);
        (void)SSL_do_handshake(server.ssl);
        const size_t got = engine_peer_give(&server, bytes, sizeof(bytes));
        ck_assert_uint_gt(got, 0);
        ck_assert_uint_eq(sc_client_engine_receive(engine, bytes, got), got);
        ck_assert_uint_lt(++asked, 100);
    }
    ck_assert_int_eq(event.type, SC_CLIENT_EVENT_END);
    ck_assert_int_eq(event.error->code, SC_CLIENT_PROTOCOL);
    ck_assert_uint_gt(asked, 60);
    tear_down();
}
END_TEST

START_TEST(failures_are_reported_in_the_same_words)
{
    static const uint8_t changed[5 + 64] = {SSL3_RT_APPLICATION_DATA, 3, 3, 0, 64};
    static const char banner[] = "SSH-2.0-OpenSSH_9.2\r\n";
    set_up();
    get_ready();
    ck_assert_uint_eq(sc_client_engine_receive(engine, changed, sizeof(changed)), sizeof(changed));
    ck_assert(next_event());
    ck_assert_int_eq(event.error->code, SC_CLIENT_HANDSHAKE);
    ck_assert_msg(strstr(event.error->text, "the TLS connection with localhost failed: what the "
                                            "server sent was changed in transit, or its TLS is "
                                            "broken (") != NULL,
                  "%s", event.error->text);
    ck_assert_msg(!strstr(event.error->text, "SSL -"), "%s", event.error->text);
    close_engine();

    open_engine();
    ck_assert_uint_eq(sc_client_engine_receive(engine, banner, sizeof(banner) - 1),
                      sizeof(banner) - 1);
    while (!sc_client_engine_next_event(engine, 0, &event)) {
    }
    ck_assert_int_eq(event.error->code, SC_CLIENT_HANDSHAKE);
    ck_assert_msg(strstr(event.error->text, "an SSH server answered") != NULL, "%s",
                  event.error->text);
    close_engine();

    /* As much of it as comes: less than the header of a record. */
    open_engine();
    ck_assert_uint_eq(sc_client_engine_receive(engine, banner, 4), 4);
    ck_assert_int_eq(sc_client_engine_next_event(engine, 0, &event), 0);
    sc_client_engine_receive_end(engine, 0);
    ck_assert_int_eq(sc_client_engine_next_event(engine, 0, &event), 1);
    ck_assert_msg(strstr(event.error->text, "an SSH server answered") != NULL, "%s",
                  event.error->text);
    close_engine();

    open_engine();
    sc_client_engine_receive_end(engine, 0);
    ck_assert(sc_client_engine_next_event(engine, 0, &event));
    ck_assert_msg(strstr(event.error->text, "closed the connection in the middle of the handshake"),
                  "%s", event.error->text);
    close_engine();

    open_engine();
    sc_client_engine_receive_end(engine, ECONNRESET);
    ck_assert(sc_client_engine_next_event(engine, 0, &event));
    ck_assert_msg(strstr(event.error->text, "or a firewall on the way, cut the connection in the "),
                  "%s", event.error->text);
    ck_assert_int_eq(event.error->temporary, 1);
    tear_down();
}
END_TEST

/* What the server of this connection says of its keys; `next` proves itself. */
static struct sc_client_pins read_pins(EVP_PKEY *next)
{
    struct sc_client_pins pins = SC_CLIENT_PINS_INIT;
    struct sc_pins_message message = {0};
    uint8_t exporter[SC_PINS_EXPORTER_BYTES] = {0}, body[SC_PINS_MAX_BYTES];
    uint8_t signature[SC_PINS_MAX_SIGNATURE_BYTES];
    uint8_t *spki = NULL, *next_spki = NULL;
    const int size = i2d_PUBKEY(SSL_get_privatekey(server.ssl), &spki);
    const int next_size = i2d_PUBKEY(next, &next_spki);
    ck_assert(size > 0 && next_size > 0);
    message.current.spki = spki;
    message.current.spki_bytes = (size_t)size;
    message.next.spki = next_spki;
    message.next.spki_bytes = (size_t)next_size;
    /* A server that does not look whether the secret is bound to the handshake. */
    ck_assert_int_eq(SSL_export_keying_material(server.ssl, exporter, sizeof(exporter),
                                                SC_PINS_EXPORTER_LABEL,
                                                strlen(SC_PINS_EXPORTER_LABEL), NULL, 0, 0),
                     1);
    message.next.scheme = sc_pins_scheme_of(next);
    message.next.signature = signature;
    ck_assert_int_eq(sc_pins_sign(next, exporter, signature, &message.next.signature_bytes, NULL),
                     0);
    const size_t length = sc_pins_build(&message, body);
    ck_assert_msg(sc_client_engine_read_pins(engine, body, length, &pins, &error) == 0, "%s",
                  error.text);
    /* Of a program that was compiled with an older header. */
    struct sc_client_pins older = {.size = offsetof(struct sc_client_pins, scheme), .scheme = "x"};
    ck_assert_int_eq(sc_client_engine_read_pins(engine, body, length, &older, &error), 0);
    ck_assert_uint_eq(older.size, offsetof(struct sc_client_pins, scheme));
    ck_assert_int_eq(older.proven, pins.proven);
    ck_assert_str_eq(older.scheme, "x");
    /* Of a server that announces none. */
    struct sc_client_pins none = SC_CLIENT_PINS_INIT;
    message.next.spki = NULL;
    ck_assert_int_eq(
        sc_client_engine_read_pins(engine, body, sc_pins_build(&message, body), &none, &error), 0);
    ck_assert_int_eq(none.has_next, 0);
    ck_assert_int_eq(none.proven, 0);
    ck_assert_str_eq(none.scheme, "none");
    OPENSSL_free(spki);
    OPENSSL_free(next_spki);
    return pins;
}

START_TEST(a_next_key_proves_itself_to_this_connection)
{
    EVP_PKEY *next = fixture_key("P-256");
    uint8_t session[8192];
    set_up();
    for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
        open_engine();
        SSL_set_max_proto_version(server.ssl, version);
        ck_assert(next_event());
        echo();
        const struct sc_client_pins pins = read_pins(next);
        ck_assert_msg(pins.proven, "%s", pins.reason);
        const size_t size = sc_client_engine_session(engine, session, sizeof(session));
        ck_assert_int_eq(sc_client_settings_set_session(settings, session, size, &error), 0);
        close_engine();
        open_engine();
        SSL_set_max_proto_version(server.ssl, version);
        ck_assert(next_event());
        echo();
        ck_assert_int_eq(info().resumed, 1);
        ck_assert_int_eq(read_pins(next).proven, 1);
        close_engine();
        ck_assert_int_eq(sc_client_settings_set_session(settings, NULL, 0, &error), 0);
    }

    /* Without the extended master secret nothing belongs to this connection alone. */
    open_engine();
    SSL_set_max_proto_version(server.ssl, TLS1_2_VERSION);
    SSL_set_options(server.ssl, SSL_OP_NO_EXTENDED_MASTER_SECRET);
    ck_assert(next_event());
    echo();
    const struct sc_client_pins pins = read_pins(next);
    ck_assert_int_eq(pins.proven, 0);
    ck_assert_msg(strstr(pins.reason, "no keying material") != NULL, "%s", pins.reason);
    tear_down();
    EVP_PKEY_free(next);
}
END_TEST

TLS_LIBRARY_SUITE_MAIN(a_chain_may_be_long, a_next_key_proves_itself_to_this_connection,
                       failures_are_reported_in_the_same_words,
                       what_was_agreed_on_has_the_same_names,
                       a_session_of_another_tls_library_is_not_used, a_damaged_session_does_no_harm,
                       a_client_certificate_is_shown,
                       keys_of_the_client_are_checked_when_they_are_set,
                       another_library_takes_over_what_was_set, a_key_log_can_be_a_pipe,
                       requests_for_a_new_handshake_are_bounded)

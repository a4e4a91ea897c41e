/* SPDX-License-Identifier: MIT */
/*
 * What a server can cost an engine, over each TLS library: messages of TLS that carry no data,
 * replies to what it has not read, and memory that stays. And lies of its TLS, of which some need
 * a server over Mbed TLS: OpenSSL does not report them.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <openssl/ssl.h>

#include "../tools/alpn_answer.h"
#include "engine_fixture.h"
#include "leaks.h"
#include "proto/frame.h"

#ifdef HAVE_MBEDTLS
#include <mbedtls/ssl.h>

#include "lib/byte_queue.h"
#endif

static void expect_end(int code, const char *text)
{
    ck_assert_int_eq(event.type, SC_CLIENT_EVENT_END);
    ck_assert_msg(event.error->code == code, "%d: %s", event.error->code, event.error->text);
    ck_assert_msg(strstr(event.error->text, text) != NULL, "%s", event.error->text);
}

START_TEST(session_tickets_are_bounded)
{
    unsigned sent = 0;
    set_up();
    get_ready();
    if (SSL_version(server.ssl) == TLS1_3_VERSION) { /* TLS 1.2 has one, in the handshake */
        while (!next_event()) {
            ck_assert_int_eq(SSL_new_session_ticket(server.ssl), 1);
            ck_assert_int_eq(SSL_do_handshake(server.ssl), 1);
            ck_assert_uint_lt(++sent, 100);
        }
        expect_end(SC_CLIENT_PROTOCOL, "it keeps sending TLS messages without data");
        ck_assert_uint_gt(sent, 60);
    }
    tear_down();
}
END_TEST

/* What each library skips before the ServerHello, however often it comes. */
START_TEST(a_handshake_is_bounded)
{
    static const uint8_t hello_request[] = {SSL3_RT_HANDSHAKE, 3, 3, 0, 4, 0, 0, 0, 0};
    static const uint8_t warning[] = {SSL3_RT_ALERT,        3, 3, 0, 2, SSL3_AL_WARNING,
                                      SSL_AD_USER_CANCELLED};
    const bool is_openssl = strcmp(tls_library, "openssl") == 0;
    const uint8_t *bytes = is_openssl ? hello_request : warning;
    const size_t size = is_openssl ? sizeof(hello_request) : sizeof(warning);
    size_t given = 0;
    set_up();
    open_engine();
    for (; !sc_client_engine_next_event(engine, 0, &event); given += size) {
        ck_assert_uint_eq(sc_client_engine_receive(engine, bytes, size), size);
        ck_assert_uint_lt(given, 1U << 20);
    }
    expect_end(SC_CLIENT_PROTOCOL, "its handshake is longer than 256 KiB");
    ck_assert_uint_gt(given, 256U << 10);
    tear_down();
}
END_TEST

/* A server with so many certificates of some hundred bytes. */
static void show_certificates(unsigned count, bool is_taken)
{
    set_up();
    EVP_PKEY *key = fixture_key("P-256");
    X509 *other = fixture_certificate(key, "other", 0, 1000, NULL, NULL);
    for (unsigned i = 1; i < count; i++) {
        ck_assert_int_eq(SSL_CTX_add1_chain_cert(sc_tls_context_ssl_ctx(context), other), 1);
    }
    X509_free(other);
    EVP_PKEY_free(key);
    open_engine();
    ck_assert(next_event());
    if (is_taken) {
        ck_assert_msg(event.type == SC_CLIENT_EVENT_READY, "%s", event.error->text);
    } else {
        expect_end(SC_CLIENT_HANDSHAKE, "what the server sent could not be used");
    }
    tear_down();
}

/* What has arrived and was not read yet: two records. */
START_TEST(what_waits_to_be_read_is_bounded)
{
    static const uint8_t bytes[200000];
    set_up();
    get_ready();
    const size_t taken = sc_client_engine_receive(engine, bytes, sizeof(bytes));
    ck_assert_uint_gt(taken, SSL3_RT_MAX_ENCRYPTED_LENGTH);
    ck_assert_uint_le(taken, 2 * SSL3_RT_MAX_ENCRYPTED_LENGTH);
    ck_assert_uint_eq(sc_client_engine_receive(engine, bytes, sizeof(bytes)), 0);
    tear_down();
}
END_TEST

START_TEST(certificates_are_bounded)
{
    show_certificates(20, true);
    show_certificates(60, strcmp(tls_library, "openssl") == 0); /* Mbed TLS takes 16 KiB */
    show_certificates(500, false); /* and OpenSSL 100 */
}
END_TEST

/* Else what is to be sent would grow for ever, to a server that never reads. */
START_TEST(what_was_not_sent_is_not_answered)
{
    uint8_t frame[SC_FRAME_ERROR_MAX_BYTES];
    for (int lie = 0; lie < 2; lie++) {
        set_up();
        get_ready();
        server.on_request = NULL;
        ck_assert_int_eq(sc_client_engine_send(engine, SC_CLIENT_ECHO, "a", 1, 0, &error), 1);
        (void)carry_out();
        ck_assert_int_eq(sc_client_engine_send(engine, SC_CLIENT_ECHO, "b", 1, 0, &error), 2);
        engine_peer_frame(&server, SC_FRAME_ECHO, "a", 1);
        if (lie == 0) {
            engine_peer_frame(&server, SC_FRAME_ECHO, "b", 1);
        } else {
            engine_peer_say(&server, frame, sc_frame_put_error(frame, SC_ERROR_INTERNAL, 0, ""));
        }
        ck_assert_uint_gt(carry_in(), 0);
        ck_assert_int_eq(sc_client_engine_next_event(engine, 0, &event), 1);
        ck_assert_int_eq(event.type, SC_CLIENT_EVENT_REPLY);
        ck_assert_int_eq(sc_client_engine_next_event(engine, 0, &event), 1);
        expect_end(SC_CLIENT_PROTOCOL, "it answered a request that was not sent yet");
        tear_down();
    }
    /* That it goes away it may say at any time. */
    set_up();
    get_ready();
    ck_assert_int_eq(sc_client_engine_send(engine, SC_CLIENT_ECHO, "a", 1, 0, &error), 1);
    engine_peer_say(&server, frame, sc_frame_put_error(frame, SC_ERROR_GOING_AWAY, 0, ""));
    ck_assert_uint_gt(carry_in(), 0);
    ck_assert_int_eq(sc_client_engine_next_event(engine, 0, &event), 1);
    expect_end(SC_CLIENT_UNAVAILABLE, "going away");
    tear_down();
}
END_TEST

/* Of a large request and its reply, once both have passed. */
START_TEST(memory_of_large_requests_is_given_back)
{
    static uint8_t body[1U << 16];
    const void *out;
    set_up();
    get_ready();
    const size_t before = leaks_bytes();
    ck_assert_int_eq(sc_client_engine_send(engine, 99, body, sizeof(body), 0, &error), 1);
    const size_t count = sc_client_engine_output(engine, &out);
    ck_assert_uint_gt(count, sizeof(body));
    sc_client_engine_sent(engine, count - 1); /* in two parts, as a socket takes them */
    sc_client_engine_sent(engine, 1);
    ck_assert_uint_eq(sc_client_engine_output(engine, &out), 0);
    const size_t after = leaks_bytes();
    ck_assert_msg(after < before + 16384, "%zu bytes stay", after - before);
    tear_down();
}
END_TEST

START_TEST(memory_of_large_replies_is_given_back)
{
    static uint8_t frame[SC_FRAME_HEADER_BYTES + 30000], bytes[ENGINE_PEER_BYTES];
    size_t have = 0, given = 0;
    set_up();
    get_ready();
    server.on_request = NULL;
    ck_assert_int_eq(sc_client_engine_send(engine, 99, "", 0, 0, &error), 1);
    (void)carry_out();
    sc_frame_put_header(frame, 99, sizeof(frame) - SC_FRAME_HEADER_BYTES);
    engine_peer_say(&server, frame, sizeof(frame));
    while (engine_peer_waiting(&server) > 0) {
        have += engine_peer_give(&server, bytes + have, sizeof(bytes) - have);
    }
    const size_t before = leaks_bytes();
    while (!sc_client_engine_next_event(engine, 0, &event)) {
        ck_assert_uint_lt(given, have);
        given += sc_client_engine_receive(engine, bytes + given, have - given);
    }
    ck_assert_int_eq(event.type, SC_CLIENT_EVENT_REPLY);
    ck_assert_int_eq(sc_client_engine_next_event(engine, 0, &event), 0);
    const size_t after = leaks_bytes();
    ck_assert_msg(after < before + 16384, "%zu bytes stay", after - before);
    tear_down();
}
END_TEST

/* ALPN: the client offers one name, and takes that one or none. */
START_TEST(a_protocol_that_was_not_offered_is_refused)
{
    static const char *const names[] = {"\2h2", "\17space-captain/2", "\16space-captain/",
                                        "\20space-captain/11"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
            set_up();
            alpn_answer(sc_tls_context_ssl_ctx(context), names[i]);
            open_engine();
            SSL_set_max_proto_version(server.ssl, version);
            ck_assert(next_event());
            expect_end(SC_CLIENT_HANDSHAKE, "handshake with localhost failed: what the server sent "
                                            "could not be used (");
            tear_down();
        }
    }
    set_up();
    SSL_CTX_set_alpn_select_cb(sc_tls_context_ssl_ctx(context), NULL, NULL);
    get_ready();
    tear_down();
}
END_TEST

START_TEST(a_close_in_the_handshake_is_reported_as_one)
{
    static const uint8_t close_notify[] = {SSL3_RT_ALERT, 3, 3, 0, 2, 1, SSL_AD_CLOSE_NOTIFY};
    set_up();
    open_engine();
    ck_assert_uint_eq(sc_client_engine_receive(engine, close_notify, sizeof(close_notify)),
                      sizeof(close_notify));
    ck_assert_int_eq(sc_client_engine_next_event(engine, 0, &event), 1);
    expect_end(SC_CLIENT_HANDSHAKE, "closed the connection in the middle of the handshake");
    ck_assert_int_eq(event.error->temporary, 1);
    tear_down();
}
END_TEST

#ifdef HAVE_MBEDTLS
/* --- A server over Mbed TLS: TLS 1.2 --- */

static struct {
    mbedtls_ssl_context ssl;
    mbedtls_ssl_config config;
    mbedtls_x509_crt certificate;
    mbedtls_pk_context key;
    struct sc_byte_queue in, out;
} liar;

static int take_random(void *arg, unsigned char *out, size_t count)
{
    (void)arg;
    return getrandom(out, count, 0) == (ssize_t)count ? 0 : -1;
}

static int take_out(void *arg, const unsigned char *bytes, size_t count)
{
    (void)arg;
    ck_assert_int_eq(sc_byte_queue_add(&liar.out, bytes, count), 0);
    return (int)count;
}

static int give_in(void *arg, unsigned char *to, size_t count)
{
    (void)arg;
    const size_t take = count < liar.in.count ? count : liar.in.count;
    if (take == 0) {
        return MBEDTLS_ERR_SSL_WANT_READ;
    }
    memcpy(to, sc_byte_queue_front(&liar.in), take);
    sc_byte_queue_drop(&liar.in, take);
    return (int)take;
}

static void carry_from_liar(void)
{
    if (liar.out.count > 0) {
        ck_assert_uint_eq(
            sc_client_engine_receive(engine, sc_byte_queue_front(&liar.out), liar.out.count),
            liar.out.count);
        sc_byte_queue_drop(&liar.out, liar.out.count);
    }
}

static void carry_to_liar(void)
{
    const void *bytes;
    const size_t count = sc_client_engine_output(engine, &bytes);
    ck_assert_int_eq(sc_byte_queue_add(&liar.in, bytes, count), 0);
    sc_client_engine_sent(engine, count);
}

static void begin_to_lie(void)
{
    static const int suites[] = {MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, 0};
    set_up();
    open_engine();
    memset(&liar, 0, sizeof(liar));
    mbedtls_ssl_init(&liar.ssl);
    mbedtls_ssl_config_init(&liar.config);
    mbedtls_x509_crt_init(&liar.certificate);
    mbedtls_pk_init(&liar.key);
    ck_assert_int_eq(mbedtls_x509_crt_parse_file(&liar.certificate, fixture_path("server.crt")), 0);
    ck_assert_int_eq(mbedtls_pk_parse_keyfile(&liar.key, fixture_path("server.key"), NULL), 0);
    ck_assert_int_eq(mbedtls_ssl_config_defaults(&liar.config, MBEDTLS_SSL_IS_SERVER,
                                                 MBEDTLS_SSL_TRANSPORT_STREAM,
                                                 MBEDTLS_SSL_PRESET_DEFAULT),
                     0);
    mbedtls_ssl_conf_rng(&liar.config, take_random, NULL);
    mbedtls_ssl_conf_ciphersuites(&liar.config, suites);
    ck_assert_int_eq(mbedtls_ssl_conf_own_cert(&liar.config, &liar.certificate, &liar.key), 0);
    ck_assert_int_eq(mbedtls_ssl_setup(&liar.ssl, &liar.config), 0);
    mbedtls_ssl_set_bio(&liar.ssl, NULL, take_out, give_in, NULL);
    while (!sc_client_engine_next_event(engine, 0, &event)) {
        carry_to_liar();
        const int result = mbedtls_ssl_handshake(&liar.ssl);
        ck_assert(result == 0 || result == MBEDTLS_ERR_SSL_WANT_READ);
        carry_from_liar();
    }
    ck_assert_msg(event.type == SC_CLIENT_EVENT_READY, "%s", event.error->text);
}

static void stop_lying(void)
{
    mbedtls_ssl_free(&liar.ssl);
    mbedtls_ssl_config_free(&liar.config);
    mbedtls_x509_crt_free(&liar.certificate);
    mbedtls_pk_free(&liar.key);
    sc_byte_queue_fini(&liar.in);
    sc_byte_queue_fini(&liar.out);
    tear_down();
}

static void warn(void)
{
    ck_assert_int_eq(mbedtls_ssl_send_alert_message(&liar.ssl, MBEDTLS_SSL_ALERT_LEVEL_WARNING,
                                                    MBEDTLS_SSL_ALERT_MSG_NO_RENEGOTIATION),
                     0);
}

/* OpenSSL takes four in a row. */
START_TEST(warnings_are_bounded)
{
    unsigned sent = 0;
    begin_to_lie();
    for (; !sc_client_engine_next_event(engine, 0, &event); carry_from_liar()) {
        warn();
        ck_assert_uint_lt(++sent, 100);
    }
    ck_assert_int_eq(event.type, SC_CLIENT_EVENT_END);
    if (strcmp(tls_library, "mbedtls") == 0) {
        expect_end(SC_CLIENT_PROTOCOL, "it keeps sending TLS messages without data");
    }
    stop_lying();

    /* All at once. */
    begin_to_lie();
    for (int i = 0; i < 100; i++) {
        warn();
    }
    carry_from_liar();
    ck_assert_int_eq(sc_client_engine_next_event(engine, 0, &event), 1);
    ck_assert_int_eq(event.type, SC_CLIENT_EVENT_END);
    stop_lying();
}
END_TEST

/* They are no end, and no data. */
START_TEST(empty_records_are_nothing)
{
    uint8_t frame[SC_FRAME_HEADER_BYTES + 1];
    begin_to_lie();
    ck_assert_int_eq(sc_client_engine_send(engine, SC_CLIENT_ECHO, "a", 1, 0, &error), 1);
    carry_to_liar();
    for (int together = 0; together < 2; together++) {
        for (int i = 0; i < 2; i++) {
            ck_assert_int_eq(mbedtls_ssl_write(&liar.ssl, NULL, 0), 0);
        }
        if (together == 0) {
            carry_from_liar();
            ck_assert_int_eq(sc_client_engine_next_event(engine, 0, &event), 0);
        }
        sc_frame_put_header(frame, SC_FRAME_ECHO, 1);
        frame[SC_FRAME_HEADER_BYTES] = 'a';
        ck_assert_int_eq(mbedtls_ssl_write(&liar.ssl, frame, sizeof(frame)), (int)sizeof(frame));
        carry_from_liar();
        ck_assert_int_eq(sc_client_engine_next_event(engine, 0, &event), 1);
        ck_assert_msg(event.type == SC_CLIENT_EVENT_REPLY, "%s", event.error->text);
        ck_assert_int_eq(sc_client_engine_send(engine, SC_CLIENT_ECHO, "a", 1, 0, &error),
                         together + 2);
        carry_to_liar();
    }
    stop_lying();
}
END_TEST

#define LIARS , warnings_are_bounded, empty_records_are_nothing
#else
#define LIARS
#endif
TLS_LIBRARY_SUITE_MAIN(session_tickets_are_bounded, a_handshake_is_bounded,
                       what_waits_to_be_read_is_bounded, certificates_are_bounded,
                       what_was_not_sent_is_not_answered, memory_of_large_requests_is_given_back,
                       memory_of_large_replies_is_given_back,
                       a_protocol_that_was_not_offered_is_refused,
                       a_close_in_the_handshake_is_reported_as_one LIARS)

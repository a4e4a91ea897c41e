/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <string.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include "leaks.h"
#include "suite.h"
#include "tls/explain.h"
#include "tls_fixture.h"

#define HELLO "\x16\x03\x01"

static struct sc_tls_failure explain_bytes(const char *bytes, size_t length, enum sc_tls_end end,
                                           unsigned long code)
{
    struct sc_tls_watch watch;
    sc_tls_watch_init(&watch);
    sc_tls_watch_first_bytes(&watch, bytes, length);
    return sc_tls_explain(&watch, end, code, true);
}

static void expect(struct sc_tls_failure failure, enum sc_tls_reason reason, const char *word)
{
    ck_assert_msg(failure.kind == reason, "%s: %s", failure.reason, failure.hint);
    ck_assert_str_eq(failure.reason, sc_tls_reason_name(reason));
    ck_assert_msg(strstr(failure.hint, word) != NULL, "%s", failure.hint);
}

START_TEST(names_plaintext)
{
    const unsigned long code = ERR_PACK(ERR_LIB_SSL, 0, SSL_R_WRONG_VERSION_NUMBER);
    const struct {
        const char *bytes;
        size_t length;
        const char *word;
    } cases[] = {
        {"GET / HTTP/1.1", 14, "HTTP client"},
        {"POST /", 6, "HTTP client"},
        {"PRI * HTTP/2.0", 14, "HTTP client"},
        {"CONNECT x:1", 11, "not a proxy"},
        {"SSH-2.0-OpenSSH", 15, "SSH client"},
        {"PROXY TCP4", 10, "PROXY protocol"},
        {"\r\n\r\n\0\r\nQUIT\n", 12, "PROXY protocol"},
        {"\0\0\0\1\0\0\0\5hello", 13, "our protocol without TLS"},
        {"\0\0\0\3\0\0\0\0", 8, "our protocol without TLS"},
        {"hello", 5, "does not speak TLS"},
        {"\xff", 1, "does not speak TLS"},
    };
    for (size_t i = 0; i < SC_COUNT_OF(cases); i++) {
        expect(explain_bytes(cases[i].bytes, cases[i].length, SC_TLS_END_ERROR, code),
               SC_TLS_REASON_PLAINTEXT, cases[i].word);
        expect(explain_bytes(cases[i].bytes, cases[i].length, SC_TLS_END_TIMEOUT, 0),
               SC_TLS_REASON_PLAINTEXT, cases[i].word);
        expect(explain_bytes(cases[i].bytes, cases[i].length, SC_TLS_END_EOF, 0),
               SC_TLS_REASON_PLAINTEXT, cases[i].word);
    }
}
END_TEST

START_TEST(reports_how_it_ended)
{
    expect(explain_bytes("", 0, SC_TLS_END_EOF, 0), SC_TLS_REASON_PROBE, "port scan");
    expect(explain_bytes("", 0, SC_TLS_END_RESET, 0), SC_TLS_REASON_PROBE, "port scan");
    expect(explain_bytes("", 0, SC_TLS_END_TIMEOUT, 0), SC_TLS_REASON_TIMEOUT, "said nothing");
    expect(explain_bytes(HELLO, 3, SC_TLS_END_EOF, 0), SC_TLS_REASON_EOF, "in the middle");
    expect(explain_bytes(HELLO, 3, SC_TLS_END_RESET, 0), SC_TLS_REASON_RESET, "cut the connection");
    expect(explain_bytes(HELLO, 3, SC_TLS_END_TIMEOUT, 0), SC_TLS_REASON_TIMEOUT, "did not finish");
    expect(explain_bytes(HELLO, 3, SC_TLS_END_ERROR, 0), SC_TLS_REASON_OTHER, "could not be used");
    expect(explain_bytes(HELLO, 3, SC_TLS_END_ERROR,
                         ERR_PACK(ERR_LIB_SSL, 0, SSL_R_UNEXPECTED_EOF_WHILE_READING)),
           SC_TLS_REASON_EOF, "in the middle");
    expect(explain_bytes(HELLO, 3, SC_TLS_END_ERROR, ERR_PACK(ERR_LIB_SSL, 0, SSL_R_BAD_PACKET)),
           SC_TLS_REASON_OTHER, "could not be used");
    expect(explain_bytes(HELLO, 3, SC_TLS_END_ERROR,
                         ERR_PACK(ERR_LIB_SSL, 0, SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN)),
           SC_TLS_REASON_CERTIFICATE_REFUSED, "its pin is for another key");
}
END_TEST

/* Every alert has a hint on both sides, and none says what belongs to the other side. */
START_TEST(every_alert_has_a_hint)
{
    for (unsigned alert = 0; alert < 256; alert++) {
        struct sc_tls_watch watch;
        sc_tls_watch_init(&watch);
        sc_tls_watch_first_bytes(&watch, HELLO, 3);
        watch.alert_received = (uint8_t)alert;
        for (int server = 0; server < 2; server++) {
            struct sc_tls_failure failure = sc_tls_explain(&watch, SC_TLS_END_ERROR, 0, server);
            ck_assert_ptr_nonnull(failure.hint);
            ck_assert_ptr_nonnull(failure.reason);
            ck_assert_int_lt((int)failure.kind, (int)SC_TLS_REASON_COUNT);
        }
        ck_assert_ptr_nonnull(sc_tls_alert_name((uint8_t)alert));
    }
    ck_assert_str_eq(sc_tls_alert_name(SC_TLS_NO_ALERT), "none");
    ck_assert_str_eq(sc_tls_alert_name(SSL_AD_UNKNOWN_CA), "unknown CA");
    ck_assert_str_eq(sc_tls_alert_name(SSL_AD_CERTIFICATE_UNKNOWN), "certificate unknown");
    ck_assert_str_eq(sc_tls_alert_name(TLS13_AD_CERTIFICATE_REQUIRED), "certificate required");
}
END_TEST

static void start(struct tls_pair *pair, struct sc_tls_context **client,
                  struct sc_tls_context **server);

/* A client's one text: the hint, and what TLS said in brackets, never a number. */
START_TEST(a_client_says_hint_and_alert)
{
    struct sc_tls_watch watch;
    char text[256];
    ck_assert_int_eq(OPENSSL_init_ssl(OPENSSL_INIT_LOAD_SSL_STRINGS, NULL),
                     1); /* the reasons' texts */
    for (unsigned alert = 0; alert < SC_TLS_NO_ALERT; alert++) {
        sc_tls_watch_init(&watch);
        sc_tls_watch_first_bytes(&watch, HELLO, 3);
        watch.alert_received = (uint8_t)alert;
        sc_tls_describe_failure(&watch, SC_TLS_END_ERROR, 0, text, sizeof(text));
        ck_assert_ptr_nonnull(strstr(text, " (alert: "));
        ck_assert_int_eq(text[strlen(text) - 1], ')');
    }
    sc_tls_watch_init(&watch);
    sc_tls_watch_first_bytes(&watch, HELLO, 3);
    watch.alert_received = TLS13_AD_CERTIFICATE_REQUIRED;
    sc_tls_describe_failure(&watch, SC_TLS_END_ERROR, 0, text, sizeof(text));
    ck_assert_str_eq(text, "the server requires a client certificate; give it with --cert and "
                           "--key (alert: certificate required)");
    /* TLS 1.2 has no alert for it: what the server asked for tells. */
    watch.alert_received = SSL_AD_HANDSHAKE_FAILURE;
    sc_tls_describe_failure(&watch, SC_TLS_END_ERROR, 0, text, sizeof(text));
    ck_assert_ptr_nonnull(strstr(text, "nothing in common"));
    watch.certificate_requested = true;
    sc_tls_describe_failure(&watch, SC_TLS_END_ERROR, 0, text, sizeof(text));
    ck_assert_str_eq(text, "the server requires a client certificate; give it with --cert and "
                           "--key (alert: handshake failure)");
    sc_tls_watch_init(&watch);
    sc_tls_watch_first_bytes(&watch, HELLO, 3);
    sc_tls_describe_failure(&watch, SC_TLS_END_ERROR, ERR_PACK(ERR_LIB_SSL, 0, SSL_R_BAD_PACKET),
                            text, sizeof(text));
    ck_assert_str_eq(text, "what the server sent could not be used (bad packet)");
    sc_tls_describe_failure(&watch, SC_TLS_END_ERROR, 0, text, sizeof(text));
    ck_assert_str_eq(text, "what the server sent could not be used");
    sc_tls_watch_init(&watch);
    sc_tls_watch_first_bytes(&watch, "HTTP/1.1 400", 12);
    sc_tls_describe_failure(&watch, SC_TLS_END_ERROR,
                            ERR_PACK(ERR_LIB_SSL, 0, SSL_R_WRONG_VERSION_NUMBER), text,
                            sizeof(text));
    ck_assert_str_eq(text, "an HTTP server answered; is this the right port?");
}
END_TEST

/* OpenSSL reports the header of a record: a transport of its own need not note the first bytes. */
START_TEST(the_header_of_the_first_record_is_noted)
{
    struct sc_tls_context *client = fixture_client();
    struct sc_tls_watch watch;
    SSL *ssl = SSL_new(sc_tls_context_ssl_ctx(client));
    BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
    sc_tls_watch_init(&watch);
    SSL_set_app_data(ssl, &watch);
    SSL_set_bio(ssl, in, out);
    SSL_set_connect_state(ssl);
    ck_assert_int_eq(BIO_puts(in, "HTTP/1.1 400 Bad Request\r\n\r\n"), 28);
    ck_assert_int_le(SSL_do_handshake(ssl), 0);
    expect(sc_tls_explain(&watch, SC_TLS_END_ERROR, ERR_get_error(), false),
           SC_TLS_REASON_PLAINTEXT, "HTTP server");
    ERR_clear_error();
    SSL_free(ssl);
    sc_tls_context_unref(client);
}
END_TEST

START_TEST(notes_that_a_client_certificate_is_wanted)
{
    for (int wanted = 0; wanted < 2; wanted++) {
        for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
            struct sc_tls_context *client = NULL, *server = NULL;
            struct tls_pair pair;
            start(&pair, &client, &server);
            ck_assert_int_eq(SSL_set_max_proto_version(pair.client, version), 1);
            if (wanted) {
                SSL_set_verify(pair.server, SSL_VERIFY_PEER, NULL);
            }
            ck_assert(tls_pair_handshake(&pair));
            ck_assert_int_eq(pair.client_watch.certificate_requested, wanted);
            tls_pair_fini(&pair);
            sc_tls_context_unref(client);
            sc_tls_context_unref(server);
        }
    }
}
END_TEST

/* A handshake that must fail, and what each side says about it. */
static void refuse(struct tls_pair *pair, enum sc_tls_reason at_server, const char *server_word,
                   enum sc_tls_reason at_client, const char *client_word)
{
    ck_assert(!tls_pair_handshake(pair));
    sc_tls_watch_first_bytes(&pair->server_watch, HELLO, 3);
    sc_tls_watch_first_bytes(&pair->client_watch, HELLO, 3);
    expect(sc_tls_explain(&pair->server_watch, SC_TLS_END_ERROR, pair->server_error, true),
           at_server, server_word);
    expect(sc_tls_explain(&pair->client_watch, SC_TLS_END_ERROR, pair->client_error, false),
           at_client, client_word);
    tls_pair_fini(pair);
}

static void start(struct tls_pair *pair, struct sc_tls_context **client,
                  struct sc_tls_context **server)
{
    struct sc_tls_server_settings settings = fixture_settings("server");
    if (!*server) {
        fixture_write_pair("server", "P-256");
        *server = fixture_server(&settings);
        *client = fixture_client();
    }
    tls_pair_init(pair, *client, *server);
}

START_TEST(explains_real_refusals)
{
    struct sc_tls_context *client = NULL, *server = NULL;
    struct tls_pair pair;

    start(&pair, &client, &server);
    SSL_set_security_level(pair.client, 0);
    ck_assert_int_eq(SSL_set_min_proto_version(pair.client, TLS1_VERSION), 1);
    ck_assert_int_eq(SSL_set_max_proto_version(pair.client, TLS1_1_VERSION), 1);
    ck_assert_int_eq(SSL_set_cipher_list(pair.client, "ALL:@SECLEVEL=0"), 1);
    refuse(&pair, SC_TLS_REASON_VERSION, "TLS 1.2 or newer", SC_TLS_REASON_VERSION,
           "no TLS version");

    start(&pair, &client, &server);
    ck_assert_int_eq(SSL_set_max_proto_version(pair.client, TLS1_2_VERSION), 1);
    ck_assert_int_eq(SSL_set_cipher_list(pair.client, "AES128-GCM-SHA256:ECDHE-ECDSA-AES128-SHA"),
                     1);
    refuse(&pair, SC_TLS_REASON_NO_SHARED_CIPHER, "no cipher suite", SC_TLS_REASON_ALERT_RECEIVED,
           "nothing in common");

    start(&pair, &client, &server);
    ck_assert_int_eq(SSL_set1_groups_list(pair.client, "P-521"), 1);
    refuse(&pair, SC_TLS_REASON_NO_SHARED_GROUP, "X25519", SC_TLS_REASON_ALERT_RECEIVED,
           "nothing in common");

    start(&pair, &client, &server);
    ck_assert_int_eq(SSL_set1_sigalgs_list(pair.client, "RSA-PSS+SHA256"), 1);
    refuse(&pair, SC_TLS_REASON_NO_SHARED_SIGNATURE, "signature", SC_TLS_REASON_ALERT_RECEIVED,
           "nothing in common");

    start(&pair, &client, &server);
    ck_assert_int_eq(SSL_set_alpn_protos(pair.client, (const unsigned char *)"\2h2\10http/1.1", 12),
                     0);
    refuse(&pair, SC_TLS_REASON_ALPN, "another protocol", SC_TLS_REASON_ALPN, "space-captain/1");

    /* The client checks the chain: it does not know who signed. */
    for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
        start(&pair, &client, &server);
        ck_assert_int_eq(SSL_set_max_proto_version(pair.client, version), 1);
        SSL_set_verify(pair.client, SSL_VERIFY_PEER, NULL);
        refuse(&pair, SC_TLS_REASON_CERTIFICATE_REFUSED, "refused our certificate",
               SC_TLS_REASON_OTHER, "could not be used");
        ck_assert_uint_eq(pair.server_watch.alert_received, SSL_AD_UNKNOWN_CA);
        ck_assert_uint_eq(pair.client_watch.alert_sent, SSL_AD_UNKNOWN_CA);
    }
    sc_tls_context_unref(client);
    sc_tls_context_unref(server);
}
END_TEST

START_TEST(counts_key_updates)
{
    struct sc_tls_context *client = NULL, *server = NULL;
    struct tls_pair pair;
    start(&pair, &client, &server);
    ck_assert(tls_pair_handshake(&pair));
    ck_assert(pair.server_watch.handshake_done && pair.client_watch.handshake_done);
    ck_assert_uint_eq(pair.server_watch.alert_sent, SC_TLS_NO_ALERT);
    for (unsigned i = 1; i <= SC_TLS_MAX_KEY_UPDATES + 1; i++) {
        ck_assert_int_eq(SSL_key_update(pair.client, i % 2 ? SSL_KEY_UPDATE_REQUESTED
                                                           : SSL_KEY_UPDATE_NOT_REQUESTED),
                         1);
        ck_assert(tls_pair_send(pair.client, pair.server, "ping"));
        ck_assert_uint_eq(pair.server_watch.key_updates, i);
        ck_assert(tls_pair_send(pair.server, pair.client, "pong"));
    }
    /* What the client counts are the answers to the requests, and the ticket before them. */
    ck_assert_uint_eq(pair.client_watch.key_updates, 1 + SC_TLS_MAX_KEY_UPDATES / 2 + 1);
    tls_pair_fini(&pair);
    sc_tls_context_unref(client);
    sc_tls_context_unref(server);
}
END_TEST

/* A renegotiation is refused with a warning, and noted. */
START_TEST(notes_a_renegotiation)
{
    struct sc_tls_context *client = NULL, *server = NULL;
    struct tls_pair pair;
    start(&pair, &client, &server);
    ck_assert_int_eq(SSL_set_max_proto_version(pair.client, TLS1_2_VERSION), 1);
    SSL_clear_options(pair.client, SSL_OP_NO_RENEGOTIATION);
    ck_assert(tls_pair_handshake(&pair));
    ck_assert(!pair.server_watch.renegotiates);
    ck_assert_int_eq(SSL_renegotiate(pair.client), 1);
    (void)SSL_do_handshake(pair.client);
    char byte;
    ck_assert_int_le(SSL_read(pair.server, &byte, 1), 0);
    ck_assert(pair.server_watch.renegotiates);
    ck_assert_uint_eq(pair.server_watch.key_updates, 0);
    ck_assert_uint_eq(pair.server_watch.alert_sent, SSL_AD_NO_RENEGOTIATION);
    tls_pair_fini(&pair);
    sc_tls_context_unref(client);
    sc_tls_context_unref(server);
}
END_TEST

START_TEST(keeps_the_first_bytes)
{
    struct sc_tls_watch watch;
    sc_tls_watch_init(&watch);
    sc_tls_watch_first_bytes(&watch, "G", 1);
    sc_tls_watch_first_bytes(&watch, "", 0);
    sc_tls_watch_first_bytes(&watch, "ET", 2);
    sc_tls_watch_first_bytes(&watch, " / HTTP", 7);
    ck_assert_uint_eq(watch.first_count, 5);
    ck_assert_mem_eq(watch.first_bytes, "GET /", 5);
    sc_tls_watch_first_bytes(&watch, "xxxxx", 5);
    ck_assert_mem_eq(watch.first_bytes, "GET /", 5);
}
END_TEST

/* As OpenSSL calls it: the first alert of each direction counts, and close_notify is not one. */
START_TEST(keeps_the_first_alert_of_each_side)
{
    struct sc_tls_context *client = fixture_client();
    struct sc_tls_watch watch;
    SSL *ssl = SSL_new(sc_tls_context_ssl_ctx(client));
    void (*on_info)(const SSL *, int, int) =
        SSL_CTX_get_info_callback(sc_tls_context_ssl_ctx(client));
    on_info(ssl, SSL_CB_READ_ALERT, 2 << 8 | SSL_AD_UNKNOWN_CA); /* without a watch: nothing */
    sc_tls_watch_init(&watch);
    SSL_set_app_data(ssl, &watch);
    on_info(ssl, SSL_CB_READ_ALERT, 1 << 8 | SSL_AD_CLOSE_NOTIFY);
    ck_assert_uint_eq(watch.alert_received, SC_TLS_NO_ALERT);
    on_info(ssl, SSL_CB_READ_ALERT, 2 << 8 | SSL_AD_UNKNOWN_CA);
    on_info(ssl, SSL_CB_READ_ALERT, 2 << 8 | SSL_AD_INTERNAL_ERROR);
    ck_assert_uint_eq(watch.alert_received, SSL_AD_UNKNOWN_CA);
    ck_assert_uint_eq(watch.alert_sent, SC_TLS_NO_ALERT);
    on_info(ssl, SSL_CB_WRITE_ALERT, 2 << 8 | SSL_AD_DECODE_ERROR);
    on_info(ssl, SSL_CB_WRITE_ALERT, 2 << 8 | SSL_AD_INTERNAL_ERROR);
    ck_assert_uint_eq(watch.alert_sent, SSL_AD_DECODE_ERROR);
    ck_assert_uint_eq(watch.alert_received, SSL_AD_UNKNOWN_CA);
    SSL_free(ssl);
    sc_tls_context_unref(client);
}
END_TEST

START_TEST(notes_that_the_hello_was_answered)
{
    struct sc_tls_context *client = NULL, *server = NULL;
    struct tls_pair pair;
    for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
        start(&pair, &client, &server);
        ck_assert_int_eq(SSL_set_max_proto_version(pair.client, version), 1);
        ck_assert(!pair.server_watch.hello_answered);
        ck_assert(tls_pair_handshake(&pair));
        ck_assert(pair.server_watch.hello_answered);
        ck_assert(!pair.client_watch.hello_answered);
        tls_pair_fini(&pair);
    }
    start(&pair, &client, &server);
    ck_assert_int_eq(SSL_set1_groups_list(pair.client, "P-521"), 1);
    ck_assert(!tls_pair_handshake(&pair));
    ck_assert(!pair.server_watch.hello_answered);
    tls_pair_fini(&pair);
    sc_tls_context_unref(client);
    sc_tls_context_unref(server);
}
END_TEST

/* What a server asks of a client counts as well, and no counter starts again. */
START_TEST(counts_requests_of_the_server_and_stops_at_its_maximum)
{
    struct sc_tls_context *client = NULL, *server = NULL;
    struct tls_pair pair;
    char byte;
    start(&pair, &client, &server);
    ck_assert_int_eq(SSL_set_max_proto_version(pair.client, TLS1_2_VERSION), 1);
    SSL_clear_options(pair.server, SSL_OP_NO_RENEGOTIATION);
    ck_assert(tls_pair_handshake(&pair));
    ck_assert_int_eq(SSL_renegotiate(pair.server), 1);
    (void)SSL_do_handshake(pair.server);
    ck_assert_int_le(SSL_read(pair.client, &byte, 1), 0);
    ck_assert_uint_eq(pair.client_watch.key_updates, 1);
    tls_pair_fini(&pair);

    start(&pair, &client, &server);
    ck_assert(tls_pair_handshake(&pair));
    pair.server_watch.key_updates = UINT16_MAX;
    ck_assert_int_eq(SSL_key_update(pair.client, SSL_KEY_UPDATE_NOT_REQUESTED), 1);
    ck_assert(tls_pair_send(pair.client, pair.server, "ping"));
    ck_assert_uint_eq(pair.server_watch.key_updates, UINT16_MAX);
    tls_pair_fini(&pair);
    sc_tls_context_unref(client);
    sc_tls_context_unref(server);
    ck_assert_uint_eq(SC_TLS_MAX_KEY_UPDATES, 64); /* docs/architecture.md */
}
END_TEST

static void init_and_fini(void)
{
    struct sc_tls_watch watch;
    sc_tls_watch_init(&watch);
    watch.refused_pin = strdup("sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=");
    sc_tls_watch_fini(&watch);
    ck_assert_ptr_null(watch.refused_pin);
    sc_tls_watch_fini(&watch);
}

START_TEST(keeps_nothing)
{
    ASSERT_KEEPS_NOTHING(init_and_fini());
}
END_TEST

SUITE_MAIN("watch", keeps_the_first_alert_of_each_side, notes_that_the_hello_was_answered,
           counts_requests_of_the_server_and_stops_at_its_maximum, keeps_nothing, names_plaintext,
           reports_how_it_ended, every_alert_has_a_hint, a_client_says_hint_and_alert,
           the_header_of_the_first_record_is_noted, notes_that_a_client_certificate_is_wanted,
           explains_real_refusals, counts_key_updates, notes_a_renegotiation, keeps_the_first_bytes)

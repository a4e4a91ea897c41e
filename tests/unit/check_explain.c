/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <string.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "base/compiler.h"
#include "suite.h"
#include "tls/explain.h"

#define HELLO "\x16\x03\x01"

static struct sc_tls_watch watch;

static void came(const char *bytes, size_t length)
{
    sc_tls_watch_init(&watch);
    sc_tls_watch_first_bytes(&watch, bytes, length);
}

static void is_explained(enum sc_tls_end end, unsigned long code, bool server,
                         enum sc_tls_reason reason, const char *words)
{
    const struct sc_tls_failure failure = sc_tls_explain(&watch, end, code, server);
    ck_assert_msg(failure.kind == reason && strstr(failure.hint, words) != NULL,
                  "%s, not %s: \"%s\" and not \"%s\"", failure.reason, sc_tls_reason_name(reason),
                  failure.hint, words);
    ck_assert_str_eq(failure.reason, sc_tls_reason_name(reason));
}

/* What OpenSSL says, and what each side makes of it. NULL: cannot happen at this side. */
START_TEST(errors_of_the_library)
{
    static const struct {
        int code;
        enum sc_tls_reason reason;
        const char *at_server, *at_client;
    } rows[] = {
        {SSL_R_UNSUPPORTED_PROTOCOL, SC_TLS_REASON_VERSION, "client offers only old",
         "server chose an old"},
        {SSL_R_VERSION_TOO_LOW, SC_TLS_REASON_VERSION, "client offers only old",
         "server chose an old"},
        {SSL_R_VERSION_TOO_HIGH, SC_TLS_REASON_VERSION, "MaxProtocol", "not offered"},
        {SSL_R_INAPPROPRIATE_FALLBACK, SC_TLS_REASON_VERSION, "older TLS version", NULL},
        {SSL_R_NO_SHARED_CIPHER, SC_TLS_REASON_NO_SHARED_CIPHER, "no cipher suite", NULL},
        {SSL_R_NO_SUITABLE_KEY_SHARE, SC_TLS_REASON_NO_SHARED_GROUP, "X25519", NULL},
        {SSL_R_NO_SHARED_GROUPS, SC_TLS_REASON_NO_SHARED_GROUP, "X25519", NULL},
        {SSL_R_NO_SUITABLE_GROUPS, SC_TLS_REASON_NO_SHARED_GROUP, "X25519", NULL},
        {SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS, SC_TLS_REASON_NO_SHARED_SIGNATURE, "signature",
         NULL},
        {SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM, SC_TLS_REASON_NO_SHARED_SIGNATURE, "signature",
         NULL},
        {SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE, SC_TLS_REASON_NO_CLIENT_CERTIFICATE,
         "the client has none", NULL},
        {SSL_R_CERTIFICATE_VERIFY_FAILED, SC_TLS_REASON_CLIENT_CERTIFICATE, "client-pin", NULL},
        {SSL_R_BAD_SIGNATURE, SC_TLS_REASON_OTHER, NULL, "could not prove"},
        {SSL_R_WRONG_CIPHER_RETURNED, SC_TLS_REASON_NO_SHARED_CIPHER, NULL, "not offered"},
        {SSL_R_UNKNOWN_CIPHER_RETURNED, SC_TLS_REASON_NO_SHARED_CIPHER, NULL, "not offered"},
        {SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC, SC_TLS_REASON_OTHER, "client sent was changed",
         "server sent was changed"},
        {SSL_R_BAD_PACKET, SC_TLS_REASON_OTHER, "client sent could not", "server sent could not"},
        {ERR_R_INTERNAL_ERROR, SC_TLS_REASON_OTHER, "client sent could not",
         "server sent could not"},
    };
    came(HELLO, 3);
    for (size_t i = 0; i < SC_COUNT_OF(rows); i++) {
        const unsigned long code = ERR_PACK(ERR_LIB_SSL, 0, rows[i].code);
        if (rows[i].at_server) {
            is_explained(SC_TLS_END_ERROR, code, true, rows[i].reason, rows[i].at_server);
        }
        if (rows[i].at_client) {
            is_explained(SC_TLS_END_ERROR, code, false, rows[i].reason, rows[i].at_client);
        }
    }
}
END_TEST

/* OpenSSL gives the same codes for messages that come after the ClientHello. */
START_TEST(only_a_hello_is_called_one)
{
    static const int codes[] = {SSL_R_EXCESSIVE_MESSAGE_SIZE, SSL_R_RECORD_TOO_SMALL};
    for (size_t i = 0; i < SC_COUNT_OF(codes); i++) {
        came(HELLO, 3);
        const unsigned long code = ERR_PACK(ERR_LIB_SSL, 0, codes[i]);
        is_explained(SC_TLS_END_ERROR, code, true, SC_TLS_REASON_HELLO_REFUSED, "ClientHello");
        watch.hello_answered = true;
        ck_assert_int_ne(sc_tls_explain(&watch, SC_TLS_END_ERROR, code, true).kind,
                         SC_TLS_REASON_HELLO_REFUSED);
    }
}
END_TEST

static void alert_is(uint8_t alert, enum sc_tls_reason reason, const char *at_server,
                     const char *at_client)
{
    came(HELLO, 3);
    watch.alert_received = alert;
    is_explained(SC_TLS_END_ERROR, 0, true, reason, at_server);
    is_explained(SC_TLS_END_ERROR, 0, false, reason, at_client);
    /* OpenSSL may have it in its queue alone. */
    came(HELLO, 3);
    const unsigned long code = ERR_PACK(ERR_LIB_SSL, 0, SSL_AD_REASON_OFFSET + alert);
    is_explained(SC_TLS_END_ERROR, code, true, reason, at_server);
    is_explained(SC_TLS_END_ERROR, code, false, reason, at_client);
}

START_TEST(alerts)
{
    static const struct {
        uint8_t alert;
        enum sc_tls_reason reason;
        const char *at_server, *at_client;
    } rows[] = {
        {SSL_AD_UNKNOWN_CA, SC_TLS_REASON_CERTIFICATE_REFUSED, "refused our certificate",
         "does not know who issued"},
        {SSL_AD_BAD_CERTIFICATE, SC_TLS_REASON_BAD_CERTIFICATE, "is locked out",
         "server refused our"},
        {SSL_AD_CERTIFICATE_UNKNOWN, SC_TLS_REASON_CERTIFICATE_REFUSED, "refused our certificate",
         "server refused our"},
        {SSL_AD_UNSUPPORTED_CERTIFICATE, SC_TLS_REASON_CERTIFICATE_REFUSED, "of our kind",
         "server refused our"},
        {SSL_AD_CERTIFICATE_EXPIRED, SC_TLS_REASON_CERTIFICATE_REFUSED, "past its date",
         "has expired"},
        {SSL_AD_CERTIFICATE_REVOKED, SC_TLS_REASON_CERTIFICATE_REFUSED, "client says that our",
         "server says that our"},
        {SSL_AD_BAD_CERTIFICATE_STATUS_RESPONSE, SC_TLS_REASON_CERTIFICATE_REFUSED, "OCSP",
         "gave up"},
        {SSL_AD_NO_APPLICATION_PROTOCOL, SC_TLS_REASON_ALPN, "another protocol", "space-captain/1"},
        {SSL_AD_PROTOCOL_VERSION, SC_TLS_REASON_VERSION, "client does not take",
         "server takes no TLS version"},
        {SSL_AD_HANDSHAKE_FAILURE, SC_TLS_REASON_ALERT_RECEIVED, "client found nothing",
         "server found nothing"},
        {SSL_AD_INSUFFICIENT_SECURITY, SC_TLS_REASON_ALERT_RECEIVED, "client finds our",
         "server finds our"},
        {SSL_AD_DECRYPT_ERROR, SC_TLS_REASON_ALERT_RECEIVED, "our signature", "saved session"},
        {SSL_AD_USER_CANCELLED, SC_TLS_REASON_ALERT_RECEIVED, "client gave up on its own",
         "server gave up on its own"},
        {SSL_AD_INTERNAL_ERROR, SC_TLS_REASON_ALERT_RECEIVED, "client failed inside",
         "server failed inside"},
        {TLS13_AD_CERTIFICATE_REQUIRED, SC_TLS_REASON_NO_CLIENT_CERTIFICATE, "gave up",
         "requires a client certificate"},
        {SSL_AD_RECORD_OVERFLOW, SC_TLS_REASON_ALERT_RECEIVED, "client gave up; the alert",
         "server gave up; the alert"},
    };
    for (size_t i = 0; i < SC_COUNT_OF(rows); i++) {
        alert_is(rows[i].alert, rows[i].reason, rows[i].at_server, rows[i].at_client);
    }
}
END_TEST

START_TEST(alerts_have_names)
{
    static const struct {
        uint8_t alert;
        const char *name;
    } rows[] = {
        {SC_TLS_NO_ALERT, "none"},
        {SSL_AD_UNEXPECTED_MESSAGE, "unexpected message"},
        {SSL_AD_HANDSHAKE_FAILURE, "handshake failure"},
        {SSL_AD_CERTIFICATE_UNKNOWN, "certificate unknown"},
        {SSL_AD_INAPPROPRIATE_FALLBACK, "inappropriate fallback"},
        {TLS13_AD_MISSING_EXTENSION, "missing extension"},
        {TLS13_AD_CERTIFICATE_REQUIRED, "certificate required"},
    };
    for (size_t i = 0; i < SC_COUNT_OF(rows); i++) {
        ck_assert_str_eq(sc_tls_alert_name(rows[i].alert), rows[i].name);
    }
}
END_TEST

START_TEST(plain_text_at_either_side)
{
    static const struct {
        const char *bytes, *at_server, *at_client;
    } rows[] = {
        {"GET ", "HTTP client", "HTTP client"},
        {"GEx", "client does not speak TLS", "server does not speak TLS"},
        {"HEAD ", "HTTP client", "HTTP client"},
        {"POST ", "HTTP client", "HTTP client"},
        {"PUT /", "HTTP client", "HTTP client"},
        {"OPTIONS", "HTTP client", "HTTP client"},
        {"PRI * HTTP/2.0", "HTTP client", "HTTP client"},
        {"CONNE", "HTTP CONNECT", "HTTP CONNECT"},
        {"HTTP/", "HTTP server answered", "HTTP server answered"},
        {"HTT", "client does not speak TLS", "server does not speak TLS"},
        {"SSH-2", "SSH client", "SSH server"},
        {"PROXY", "PROXY protocol", "PROXY protocol"},
        {"\r\n\r\n", "PROXY protocol", "PROXY protocol"},
    };
    for (size_t i = 0; i < SC_COUNT_OF(rows); i++) {
        came(rows[i].bytes, strlen(rows[i].bytes));
        is_explained(SC_TLS_END_ERROR, 0, true, SC_TLS_REASON_PLAINTEXT, rows[i].at_server);
        is_explained(SC_TLS_END_ERROR, 0, false, SC_TLS_REASON_PLAINTEXT, rows[i].at_client);
    }
    came("\0\0\0\1", 4);
    is_explained(SC_TLS_END_ERROR, 0, true, SC_TLS_REASON_PLAINTEXT, "protocol without TLS");
    is_explained(SC_TLS_END_ERROR, 0, false, SC_TLS_REASON_PLAINTEXT, "answered in clear");
    /* Records of TLS: a handshake message and an alert. */
    came(HELLO, 3);
    is_explained(SC_TLS_END_EOF, 0, true, SC_TLS_REASON_EOF, "in the middle");
    came("\x15\x03\x01", 3);
    is_explained(SC_TLS_END_EOF, 0, true, SC_TLS_REASON_EOF, "in the middle");
}
END_TEST

START_TEST(ends_at_either_side)
{
    came("", 0);
    is_explained(SC_TLS_END_EOF, 0, true, SC_TLS_REASON_PROBE, "port scan");
    is_explained(SC_TLS_END_EOF, 0, false, SC_TLS_REASON_EOF, "server closed");
    is_explained(SC_TLS_END_RESET, 0, true, SC_TLS_REASON_PROBE, "port scan");
    is_explained(SC_TLS_END_RESET, 0, false, SC_TLS_REASON_RESET, "the server, or a firewall");
    is_explained(SC_TLS_END_TIMEOUT, 0, true, SC_TLS_REASON_TIMEOUT, "client connected");
    is_explained(SC_TLS_END_TIMEOUT, 0, false, SC_TLS_REASON_TIMEOUT, "server accepted");
    came(HELLO, 3);
    is_explained(SC_TLS_END_EOF, 0, false, SC_TLS_REASON_EOF, "server closed");
    is_explained(SC_TLS_END_RESET, 0, true, SC_TLS_REASON_RESET, "the client, or a firewall");
    is_explained(SC_TLS_END_TIMEOUT, 0, true, SC_TLS_REASON_TIMEOUT, "client began");
    is_explained(SC_TLS_END_TIMEOUT, 0, false, SC_TLS_REASON_TIMEOUT, "server began");
}
END_TEST

/* What is known for sure goes before what OpenSSL has in its queue, and that before the end. */
START_TEST(the_surest_reason_wins)
{
    const unsigned long no_cipher = ERR_PACK(ERR_LIB_SSL, 0, SSL_R_NO_SHARED_CIPHER);
    const unsigned long bad_packet = ERR_PACK(ERR_LIB_SSL, 0, SSL_R_BAD_PACKET);
    came(HELLO, 3);
    watch.alpn_refused = true;
    is_explained(SC_TLS_END_ERROR, 0, true, SC_TLS_REASON_ALPN, "another protocol");
    is_explained(SC_TLS_END_EOF, no_cipher, true, SC_TLS_REASON_ALPN, "another protocol");
    came(HELLO, 3);
    watch.alert_received = SSL_AD_UNKNOWN_CA;
    is_explained(SC_TLS_END_EOF, no_cipher, true, SC_TLS_REASON_CERTIFICATE_REFUSED, "refused");
    came(HELLO, 3);
    is_explained(SC_TLS_END_TIMEOUT, no_cipher, true, SC_TLS_REASON_NO_SHARED_CIPHER, "cipher");
    is_explained(SC_TLS_END_TIMEOUT, bad_packet, true, SC_TLS_REASON_TIMEOUT, "did not finish");
    /* The number of another library's reason means something else. */
    is_explained(SC_TLS_END_EOF, ERR_PACK(ERR_LIB_X509, 0, SSL_R_NO_SHARED_CIPHER), true,
                 SC_TLS_REASON_EOF, "in the middle");
}
END_TEST

START_TEST(stages)
{
    came("", 0);
    ck_assert_str_eq(sc_tls_stage(&watch), "connected");
    came("\x16", 1);
    ck_assert_str_eq(sc_tls_stage(&watch), "hello");
    watch.hello_answered = true;
    ck_assert_str_eq(sc_tls_stage(&watch), "answered");
}
END_TEST

SUITE_MAIN("explain", only_a_hello_is_called_one, errors_of_the_library, alerts, alerts_have_names,
           plain_text_at_either_side, ends_at_either_side, the_surest_reason_wins, stages)

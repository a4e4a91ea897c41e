#include "config.h"

#include <string.h>

#include <openssl/bio.h>
#include <openssl/err.h>

#include "suite.h"
#include "tls/probe.h"
#include "tls/tickets.h"
#include "tls_fixture.h"

struct hello {
    unsigned char bytes[4096];
    size_t length;
};

/*
 * What a client of that version sends first to a server; with `*session` it offers to resume. The
 * handshake goes on, and the session of the connection takes the place of the other.
 */
static struct hello say_hello(const struct sc_tls_context *server, int version,
                              SSL_SESSION **session)
{
    struct sc_tls_context *client = fixture_client();
    struct hello hello;
    struct tls_pair pair;
    tls_pair_init(&pair, client, server);
    ck_assert_int_eq(SSL_set_max_proto_version(pair.client, version), 1);
    if (*session) {
        ck_assert_int_eq(SSL_set_session(pair.client, *session), 1);
    }
    ck_assert_int_eq(SSL_do_handshake(pair.client), -1);
    int length = BIO_read(SSL_get_rbio(pair.server), hello.bytes, sizeof(hello.bytes));
    ck_assert_int_gt(length, 0);
    hello.length = (size_t)length;
    ck_assert_int_eq(BIO_write(SSL_get_wbio(pair.client), hello.bytes, length), length);
    ck_assert(tls_pair_handshake(&pair));
    SSL_SESSION_free(*session);
    *session = tls_pair_session(&pair);
    tls_pair_fini(&pair);
    sc_tls_context_unref(client);
    return hello;
}

static enum sc_tls_hello probe(const struct sc_tls_context *server, const struct hello *hello)
{
    enum sc_tls_hello result = sc_tls_probe_hello(server, hello->bytes, hello->length);
    ck_assert_uint_eq(ERR_peek_error(), 0);
    return result;
}

static struct sc_tls_context *server_with(struct sc_tickets *tickets, uint32_t timeout_s)
{
    struct sc_tls_server_settings settings = fixture_settings("server");
    settings.tickets = tickets;
    settings.session_timeout_s = timeout_s;
    return fixture_server(&settings);
}

START_TEST(tells_resumption_from_full)
{
    const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    struct sc_tickets *shared = sc_tickets_new(NULL);
    struct sc_tickets *rings[] = {NULL, shared};
    fixture_write_pair("server", "P-256");
    for (size_t i = 0; i < SC_COUNT_OF(versions) * SC_COUNT_OF(rings); i++) {
        struct sc_tls_context *server = server_with(rings[i % 2], 300),
                              *other = server_with(NULL, 300);
        SSL_SESSION *session = NULL;
        struct hello hello = say_hello(server, versions[i / 2], &session);
        ck_assert_int_eq(probe(server, &hello), SC_TLS_HELLO_FULL);
        hello = say_hello(server, versions[i / 2], &session);
        ck_assert_int_eq(probe(server, &hello), SC_TLS_HELLO_RESUMES);
        ck_assert_int_eq(probe(other, &hello), SC_TLS_HELLO_FULL);
        for (size_t length = 0; length < hello.length; length++) {
            ck_assert_int_eq(sc_tls_probe_hello(server, hello.bytes, length),
                             SC_TLS_HELLO_INCOMPLETE);
        }
        SSL_SESSION_free(session);
        sc_tls_context_unref(server);
        sc_tls_context_unref(other);
    }
    sc_tickets_unref(shared);
}
END_TEST

START_TEST(no_bit_flip_passes_for_a_ticket)
{
    fixture_write_pair("server", "P-256");
    struct sc_tls_context *server = server_with(NULL, 300);
    SSL_SESSION *session = NULL, *next;
    const unsigned char *ticket;
    size_t length;
    (void)say_hello(server, TLS1_3_VERSION, &session);
    SSL_SESSION_get0_ticket(session, &ticket, &length);
    ck_assert_int_eq(SSL_SESSION_up_ref(session), 1);
    next = session;
    struct hello hello = say_hello(server, TLS1_3_VERSION, &next);
    unsigned char *at = memmem(hello.bytes, hello.length, ticket, length);
    ck_assert_ptr_nonnull(at);
    for (size_t i = 0; i < length; i++) {
        at[i] ^= 0x10;
        ck_assert_int_eq(probe(server, &hello), SC_TLS_HELLO_FULL);
        at[i] ^= 0x10;
    }
    ck_assert_int_eq(probe(server, &hello), SC_TLS_HELLO_RESUMES);
    SSL_SESSION_free(session);
    SSL_SESSION_free(next);
    sc_tls_context_unref(server);
}
END_TEST

START_TEST(expired_sessions_are_full)
{
    fixture_write_pair("server", "P-256");
    struct sc_tls_context *server = server_with(NULL, 300);
    SSL_SESSION *session = NULL;
    (void)say_hello(server, TLS1_3_VERSION, &session);
    struct hello hello = say_hello(server, TLS1_3_VERSION, &session);
    ck_assert_int_eq(probe(server, &hello), SC_TLS_HELLO_RESUMES);
    /* A ticket that says it was made an hour ago. */
    SSL_CTX *ssl_ctx = sc_tls_context_ssl_ctx(server);
    (void)SSL_CTX_set_timeout(ssl_ctx, -3600);
    SSL_SESSION_free(session);
    session = NULL;
    (void)say_hello(server, TLS1_2_VERSION, &session);
    ck_assert_int_gt(SSL_SESSION_set_timeout(session, 1000), 0);
    hello = say_hello(server, TLS1_2_VERSION, &session);
    ck_assert_int_eq(probe(server, &hello), SC_TLS_HELLO_FULL);
    SSL_SESSION_free(session);
    sc_tls_context_unref(server);
}
END_TEST

START_TEST(other_policy_or_version_is_full)
{
    struct sc_tickets *tickets = sc_tickets_new(NULL);
    fixture_write_pair("server", "P-256");
    struct sc_tls_context *server = server_with(tickets, 300);
    struct sc_tls_server_settings settings = fixture_settings("server");
    const char *pins[] = {settings.certificate_path};
    settings.tickets = tickets;
    settings.client_auth = SC_CLIENT_AUTH_OPTIONAL;
    settings.client_pins = pins;
    settings.client_pin_count = 1;
    struct sc_tls_context *strict = fixture_server(&settings);
    struct sc_tls_command command = {"MinProtocol", "TLSv1.3"};
    settings = fixture_settings("server");
    settings.tickets = tickets;
    settings.commands = &command;
    settings.command_count = 1;
    struct sc_tls_context *modern = fixture_server(&settings);
    SSL_SESSION *session = NULL;
    (void)say_hello(server, TLS1_2_VERSION, &session);
    struct hello hello = say_hello(server, TLS1_2_VERSION, &session);
    ck_assert_int_eq(probe(server, &hello), SC_TLS_HELLO_RESUMES);
    ck_assert_int_eq(probe(strict, &hello), SC_TLS_HELLO_FULL);
    ck_assert_int_eq(probe(modern, &hello), SC_TLS_HELLO_FULL);
    SSL_SESSION_free(session);
    sc_tls_context_unref(server);
    sc_tls_context_unref(strict);
    sc_tls_context_unref(modern);
    sc_tickets_unref(tickets);
}
END_TEST

START_TEST(takes_any_bytes)
{
    static unsigned char long_hello[2 * SC_TLS_PROBE_MAX_BYTES];
    fixture_write_pair("server", "P-256");
    struct sc_tls_context *server = server_with(NULL, 300);
    ck_assert_int_eq(sc_tls_probe_hello(server, "GET / HTTP/1.1\r\n\r\n", 18), SC_TLS_HELLO_FULL);
    ck_assert_int_eq(sc_tls_probe_hello(server, "\0\0\0\1\0\0\0\5hello", 13), SC_TLS_HELLO_FULL);
    ck_assert_int_eq(sc_tls_probe_hello(server, "\x16\x03\x01", 3), SC_TLS_HELLO_INCOMPLETE);
    /* A ClientHello of 120,000 bytes in full records, which never ends within the bound. */
    for (size_t i = 0; i < sizeof(long_hello); i += 16389) {
        memcpy(long_hello + i, "\x16\x03\x01\x40\x00", 5);
    }
    memcpy(long_hello + 5, "\x01\x01\xd4\xc0\x03\x03", 6);
    ck_assert_int_eq(sc_tls_probe_hello(server, long_hello, 16000), SC_TLS_HELLO_INCOMPLETE);
    ck_assert_int_eq(sc_tls_probe_hello(server, long_hello, sizeof(long_hello)), SC_TLS_HELLO_FULL);
    sc_tls_context_unref(server);
}
END_TEST

SUITE_MAIN("probe", tells_resumption_from_full, no_bit_flip_passes_for_a_ticket,
           expired_sessions_are_full, other_policy_or_version_is_full, takes_any_bytes)

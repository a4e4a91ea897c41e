#include "config.h"

#include <string.h>
#include <sysexits.h>

#include <openssl/err.h>

#include "suite.h"
#include "tls/context.h"
#include "tls_fixture.h"

/* The settings must be refused, with every one of the words in the line. */
static void refuse(const struct sc_tls_server_settings *settings, int status, const char *first, const char *second)
{
    struct sc_err          err     = {0};
    struct sc_tls_context *context = sc_tls_context_new_server(settings, &err);
    ck_assert_ptr_null(context);
    ck_assert_msg(err.status == status && strstr(err.text, first) && strstr(err.text, second) && !strchr(err.text, '\n'), "%d: %s",
                  err.status, err.text);
    ck_assert_uint_eq(ERR_peek_error(), 0);
}

START_TEST(serves_tls13_with_defaults)
{
    fixture_write_pair("server", "P-256");
    struct sc_tls_server_settings settings = fixture_settings("server");
    struct sc_tls_context        *server = fixture_server(&settings), *client = fixture_client();
    struct tls_pair               pair;
    tls_pair_init(&pair, client, server);
    ck_assert(tls_pair_handshake(&pair));
    ck_assert_int_eq(SSL_version(pair.server), TLS1_3_VERSION);
    ck_assert_str_eq(SSL_CIPHER_get_name(SSL_get_current_cipher(pair.server)), "TLS_AES_128_GCM_SHA256");
    ck_assert_int_eq((int)SSL_get_negotiated_group(pair.server), NID_X25519);
    const unsigned char *name;
    unsigned int         length;
    SSL_get0_alpn_selected(pair.client, &name, &length);
    ck_assert_uint_eq(length, 15);
    ck_assert_mem_eq(name, "space-captain/1", 15);
    ck_assert(tls_pair_send(pair.client, pair.server, "ping"));
    ck_assert(tls_pair_send(pair.server, pair.client, "pong"));
    tls_pair_fini(&pair);
    sc_tls_context_unref(client);
    sc_tls_context_unref(server);
}
END_TEST

START_TEST(names_what_is_wrong_with_files)
{
    fixture_write_pair("server", "P-256");
    fixture_write_pair("other", "P-256");
    fixture_write("empty", "", 0);
    fixture_write("text", "hello\n", 6);
    fixture_write("half", "-----BEGIN CERTIFICATE-----\nMIIB", 32);
    fixture_write("halfkey", "-----BEGIN PRIVATE KEY-----\nMIIB", 32);
    fixture_write("der", "\x30\x82\x01\x02", 4);
    const struct {
        const char *certificate, *key;
        int         status;
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
        {"server.crt", "halfkey", EX_CONFIG, "halfkey is damaged", "private key"},
        {"der", "server.key", EX_CONFIG, "DER", "openssl x509"},
        {"server.crt", "der", EX_CONFIG, "DER", "openssl pkey"},
        {"server.key", "server.crt", EX_CONFIG, "server.key holds a private key and no certificate", "swapped"},
        {"server.crt", "server.crt", EX_CONFIG, "server.crt holds a certificate and no private key", "swapped"},
        {"server.crt", "other.key", EX_CONFIG, "do not belong together", "server.crt"},
    };
    for (size_t i = 0; i < SC_COUNT_OF(cases); i++) {
        struct sc_tls_server_settings settings = {.certificate_path = fixture_path(cases[i].certificate),
                                                  .private_key_path = fixture_path(cases[i].key)};
        refuse(&settings, cases[i].status, cases[i].first, cases[i].second);
    }
}
END_TEST

SUITE_MAIN("context", serves_tls13_with_defaults, names_what_is_wrong_with_files)

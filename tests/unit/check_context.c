/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include <openssl/err.h>

#include "suite.h"
#include "tls/context.h"
#include "tls/weak_settings.h"
#include "tls_fixture.h"

/* In place of OpenSSL's: a distribution may have chosen another level. */
static bool is_lax;

SSL_CTX *SSL_CTX_new(const SSL_METHOD *method)
{
    SSL_CTX *ssl_ctx = SSL_CTX_new_ex(NULL, NULL, method);
    if (ssl_ctx && is_lax) {
        SSL_CTX_set_security_level(ssl_ctx, 0);
    }
    return ssl_ctx;
}

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

/* Only this command must be refused. */
static void refuse_command(const struct sc_tls_command *command, int status, const char *first,
                           const char *second)
{
    struct sc_tls_server_settings settings = fixture_settings("server");
    settings.commands = command;
    settings.command_count = 1;
    refuse(&settings, status, first, second);
}

/*
 * Can a client of at most that version, with these ciphers of TLS 1.2 and groups (NULL: its own),
 * connect?
 */
static bool connects(const struct sc_tls_context *server, int version, const char *ciphers,
                     const char *groups)
{
    struct sc_tls_context *client = fixture_client();
    struct tls_pair pair;
    tls_pair_init(&pair, client, server);
    SSL_set_security_level(pair.client, 0);
    ck_assert_int_eq(SSL_set_min_proto_version(pair.client, TLS1_VERSION), 1);
    ck_assert_int_eq(SSL_set_max_proto_version(pair.client, version), 1);
    ck_assert_int_eq(SSL_set_cipher_list(pair.client, ciphers ? ciphers : "ALL:@SECLEVEL=0"), 1);
    ck_assert(!groups || SSL_set1_groups_list(pair.client, groups) == 1);
    bool connected = tls_pair_handshake(&pair) && tls_pair_send(pair.client, pair.server, "ping");
    ck_assert(!connected || SSL_version(pair.server) == version);
    tls_pair_fini(&pair);
    sc_tls_context_unref(client);
    return connected;
}

START_TEST(serves_tls13_with_defaults)
{
    fixture_write_pair("server", "P-256");
    struct sc_tls_context *server = fixture_server_with("server", NULL, 0),
                          *client = fixture_client();
    struct tls_pair pair;
    tls_pair_init(&pair, client, server);
    ck_assert(tls_pair_handshake(&pair));
    ck_assert_int_eq(SSL_version(pair.server), TLS1_3_VERSION);
    ck_assert_str_eq(SSL_CIPHER_get_name(SSL_get_current_cipher(pair.server)),
                     "TLS_AES_128_GCM_SHA256");
    ck_assert_int_eq((int)SSL_get_negotiated_group(pair.server), NID_X25519);
    const unsigned char *name;
    unsigned int length;
    SSL_get0_alpn_selected(pair.client, &name, &length);
    ck_assert_uint_eq(length, 15);
    ck_assert_mem_eq(name, "space-captain/1", 15);
    ck_assert(tls_pair_send(pair.client, pair.server, "ping"));
    ck_assert(tls_pair_send(pair.server, pair.client, "pong"));
    tls_pair_fini(&pair);

    /* A client that offers ChaCha20 first has no AES in hardware: it gets it. */
    tls_pair_init(&pair, client, server);
    ck_assert_int_eq(
        SSL_set_ciphersuites(pair.client, "TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256"),
        1);
    ck_assert(tls_pair_handshake(&pair));
    ck_assert_str_eq(SSL_CIPHER_get_name(SSL_get_current_cipher(pair.server)),
                     "TLS_CHACHA20_POLY1305_SHA256");
    tls_pair_fini(&pair);
    sc_tls_context_unref(client);
    sc_tls_context_unref(server);
}
END_TEST

START_TEST(takes_only_what_is_safe)
{
    const char *const kinds[] = {"P-256", "RSA2048", "ED25519", "P-384"};
    for (size_t i = 0; i < SC_COUNT_OF(kinds); i++) {
        fixture_write_pair("server", kinds[i]);
        struct sc_tls_context *server = fixture_server_with("server", NULL, 0);
        ck_assert(connects(server, TLS1_3_VERSION, NULL, NULL));
        ck_assert(connects(server, TLS1_2_VERSION, NULL, NULL));
        ck_assert(!connects(server, TLS1_1_VERSION, NULL, NULL));
        ck_assert(!connects(server, TLS1_VERSION, NULL, NULL));
        ck_assert_msg(!connects(server, TLS1_2_VERSION, "AES128-GCM-SHA256:AES256-SHA", NULL),
                      "no forward secrecy");
        ck_assert_msg(!connects(server, TLS1_2_VERSION,
                                "ECDHE-ECDSA-AES128-SHA256:ECDHE-RSA-AES128-SHA256", NULL),
                      "no AEAD");
        ck_assert_msg(!connects(server, TLS1_2_VERSION, "DHE-RSA-AES128-GCM-SHA256", NULL),
                      "no finite field groups");
        ck_assert(connects(server, TLS1_2_VERSION, "ECDHE+CHACHA20:@SECLEVEL=0", NULL));
        ck_assert(connects(server, TLS1_3_VERSION, NULL, "P-256"));
        ck_assert(connects(server, TLS1_3_VERSION, NULL, "P-384"));
        ck_assert(!connects(server, TLS1_3_VERSION, NULL, "P-521"));
        ck_assert(!connects(server, TLS1_3_VERSION, NULL, "ffdhe2048"));
        sc_tls_context_unref(server);
    }
}
END_TEST

START_TEST(the_security_level_is_ours)
{
    const struct sc_tls_client_settings settings = {0};
    struct sc_err err;
    is_lax = true;
    fixture_write_pair("server", "P-256");
    struct sc_tls_context *contexts[] = {fixture_server_with("server", NULL, 0),
                                         sc_tls_context_new_client(&settings, &err)};
    for (size_t i = 0; i < SC_COUNT_OF(contexts); i++) {
        ck_assert_ptr_nonnull(contexts[i]);
        ck_assert_int_eq(SSL_CTX_get_security_level(sc_tls_context_ssl_ctx(contexts[i])),
                         SC_TLS_SECURITY_LEVEL);
        sc_tls_context_unref(contexts[i]);
    }
}
END_TEST

START_TEST(has_the_options_that_the_contract_names)
{
    fixture_write_pair("server", "P-256");
    struct sc_tls_context *server = fixture_server_with("server", NULL, 0);
    SSL_CTX *ssl_ctx = sc_tls_context_ssl_ctx(server);
    const uint64_t wanted = SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                            SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA;
    ck_assert_uint_eq(SSL_CTX_get_options(ssl_ctx) & wanted, wanted);
    ck_assert_uint_eq(SSL_CTX_get_options(ssl_ctx) & SSL_OP_IGNORE_UNEXPECTED_EOF, 0);
    ck_assert((SSL_CTX_get_mode(ssl_ctx) & SSL_MODE_RELEASE_BUFFERS) != 0);
    ck_assert((SSL_CTX_get_mode(ssl_ctx) & SSL_MODE_ENABLE_PARTIAL_WRITE) == 0);
    ck_assert_uint_eq(SSL_CTX_get_num_tickets(ssl_ctx), 1);
    ck_assert_uint_eq(SSL_CTX_get_max_early_data(ssl_ctx), 0);
    ck_assert_int_eq(SSL_CTX_get_timeout(ssl_ctx), 300);
    ck_assert_int_eq(SSL_CTX_sess_get_cache_size(ssl_ctx), 1024);
    ck_assert_int_eq(SSL_CTX_get_security_level(ssl_ctx), 2);
    sc_tls_context_unref(server);
}
END_TEST

START_TEST(serves_who_offers_no_alpn)
{
    const struct {
        const char *protocols;
        unsigned length;
        bool served, selected;
    } cases[] = {{"", 0, true, false},
                 {"\2h2\x0fspace-captain/1", 19, true, true},
                 {"\2h2", 3, false, false},
                 {"\x0fspace-captain/2", 16, false, false},
                 {"\x0espace-captain/", 15, false, false}};
    fixture_write_pair("server", "P-256");
    struct sc_tls_context *server = fixture_server_with("server", NULL, 0),
                          *client = fixture_client();
    for (size_t i = 0; i < SC_COUNT_OF(cases); i++) {
        struct tls_pair pair;
        const unsigned char *name;
        unsigned int length;
        tls_pair_init(&pair, client, server);
        ck_assert_int_eq(SSL_set_alpn_protos(pair.client, (const unsigned char *)cases[i].protocols,
                                             cases[i].length),
                         0);
        ck_assert_int_eq(tls_pair_handshake(&pair), cases[i].served);
        SSL_get0_alpn_selected(pair.server, &name, &length);
        ck_assert_int_eq(length > 0, cases[i].selected);
        ck_assert_int_eq(pair.server_watch.alpn_refused, !cases[i].served);
        ck_assert_uint_eq(pair.client_watch.alert_received,
                          cases[i].served ? SC_TLS_NO_ALERT : SSL_AD_NO_APPLICATION_PROTOCOL);
        tls_pair_fini(&pair);
    }
    sc_tls_context_unref(client);
    sc_tls_context_unref(server);
}
END_TEST

START_TEST(commands_override_the_defaults)
{
    const struct sc_tls_command modern[] = {{"MinProtocol", "TLSv1.3"}, {"Groups", "P-384"}};
    const struct sc_tls_command narrow[] = {{"CipherString", "ECDHE-ECDSA-AES256-GCM-SHA384"},
                                            {"Ciphersuites", "TLS_AES_256_GCM_SHA384"}};
    fixture_write_pair("server", "P-256");
    struct sc_tls_context *server = fixture_server_with("server", modern, 2);
    ck_assert(!connects(server, TLS1_2_VERSION, NULL, NULL));
    ck_assert(connects(server, TLS1_3_VERSION, NULL, NULL));
    ck_assert(!connects(server, TLS1_3_VERSION, NULL, "X25519:P-256"));
    sc_tls_context_unref(server);
    server = fixture_server_with("server", narrow, 2);
    ck_assert(connects(server, TLS1_2_VERSION, "ECDHE-ECDSA-AES256-GCM-SHA384", NULL));
    ck_assert(!connects(server, TLS1_2_VERSION, "ECDHE-ECDSA-AES128-GCM-SHA256", NULL));
    sc_tls_context_unref(server);
}
END_TEST

START_TEST(names_what_is_wrong_with_commands)
{
    const struct {
        struct sc_tls_command command;
        const char *first, *second;
    } cases[] = {
        {{"Colour", "blue"}, "Colour is not a key of sc-server", "SSL_CONF_cmd"},
        {{"MinProtocol", "TLSv9"}, "MinProtocol = TLSv9", "bad value"},
        {{"CipherString", "NONE-SUCH"}, "CipherString = NONE-SUCH", "no cipher match"},
        {{"Ciphersuites", "TLS_NONE"}, "Ciphersuites = TLS_NONE", "no cipher match"},
        {{"Groups", "P-1"}, "Groups = P-1", "bad value"},
        {{"Options", "Fast"}, "Options = Fast", "bad value"},
        {{"MinProtocol", ""}, "MinProtocol needs a value", "SSL_CONF_cmd"},
        {{"ChainCAFile", ""}, "ChainCAFile needs a value", "SSL_CONF_cmd"},
        {{"ChainCAPath", ""}, "ChainCAPath needs a value", "SSL_CONF_cmd"},
        {{"ChainCAStore", "/nonexistent/store"}, "ChainCAStore = /nonexistent/store", "file"},
        {{"Certificate", "x.crt"}, "Certificate is not taken", "certificate in [server]"},
        {{"privatekey", "x.key"}, "privatekey is not taken", "private-key in [server]"},
        {{"VerifyMode", "Peer"}, "VerifyMode is not taken", "client-auth"},
    };
    fixture_write_pair("server", "P-256");
    for (size_t i = 0; i < SC_COUNT_OF(cases); i++) {
        refuse_command(&cases[i].command, EX_CONFIG, cases[i].first, cases[i].second);
    }
}
END_TEST

/* What the contract has as defaults is the least that goes without a warning. */
START_TEST(reports_what_is_weaker_than_the_defaults)
{
    static const struct {
        struct sc_tls_command command;
        const char *words; /* NULL: nothing to say */
    } cases[] = {
        {{"MinProtocol", "TLSv1.3"}, NULL},
        {{"CipherString", "ECDHE-ECDSA-AES128-GCM-SHA256:AES128-SHA:AES256-SHA"},
         "the cipher AES128-SHA and 1 more like it are allowed: no forward secrecy"},
        {{"MinProtocol", "TLSv1.2"}, NULL},
        {{"Groups", "X448:P-521:secp384r1:prime256v1:ffdhe3072"}, NULL},
        {{"CipherString", "ECDHE+AESGCM:DHE+CHACHA20:@SECLEVEL=3"}, NULL},
        {{"Ciphersuites", "TLS_AES_128_GCM_SHA256:TLS_AES_128_CCM_SHA256"}, NULL},
        {{"Options", "-SessionTicket,NoRenegotiation"}, NULL},
        {{"MinProtocol", "TLSv1"}, "versions before TLS 1.2"},
        {{"MinProtocol", "TLSv1.1"}, "versions before TLS 1.2"},
        {{"MinProtocol", "None"}, "versions before TLS 1.2"},
        {{"Protocol", "ALL"}, NULL}, /* MinProtocol stays */
        {{"CipherString", "ECDHE+AESGCM:@SECLEVEL=1"}, "security level is 1"},
        {{"CipherString", "ECDHE+AESGCM:AES128-GCM-SHA256"},
         "AES128-GCM-SHA256 is allowed: no forward secrecy"},
        {{"CipherString", "ECDHE+AESGCM:ECDHE-ECDSA-AES128-SHA256"},
         "ECDHE-ECDSA-AES128-SHA256 is allowed: not an AEAD cipher"},
        {{"CipherString", "ECDHE+AESGCM:ECDHE-ECDSA-NULL-SHA:@SECLEVEL=0"}, "no encryption"},
        {{"CipherString", "ECDHE+AESGCM:AECDH-AES128-SHA:@SECLEVEL=0"}, "no authentication"},
        {{"CipherString", "ECDHE+AESGCM:ECDHE-ECDSA-AES128-CCM8:@SECLEVEL=0"}, "128 bits"},
        {{"CipherString", "ALL"}, " more like it are allowed"},
        {{"Ciphersuites", "TLS_AES_128_GCM_SHA256:TLS_AES_128_CCM_8_SHA256"}, "128 bits"},
        {{"Groups", "P-256:P-224"}, "the group P-224"},
        {{"Curves", "secp224r1:X25519"}, "the group secp224r1"},
        {{"Groups", "X25519:ffdhe2048"}, "the group ffdhe2048"},
        {{"Options", "Compression"}, "compression"},
        {{"Options", "-NoRenegotiation"}, "renegotiation is allowed"},
        {{"Options", "ClientRenegotiation"}, "renegotiation by clients"},
        {{"Options", "UnsafeLegacyRenegotiation"}, "unsafe legacy"},
        {{"Options", "AllowNoDHEKEX"}, "without a key exchange"},
        {{"Options", "-ExtendedMasterSecret"}, "extended master secret"},
    };
    fixture_write_pair("server", "P-256");
    struct sc_tls_context *server = fixture_server_with("server", NULL, 0);
    ck_assert_ptr_null(sc_tls_context_weakness(server, 0));
    sc_tls_context_unref(server);
    for (size_t i = 0; i < SC_COUNT_OF(cases); i++) {
        struct sc_tls_server_settings settings = fixture_settings("server");
        struct sc_err err;
        settings.commands = &cases[i].command;
        settings.command_count = 1;
        server = sc_tls_context_new_server(&settings, &err);
        ck_assert_msg(server != NULL, "%s = %s: %s", cases[i].command.name, cases[i].command.value,
                      err.text);
        bool found = cases[i].words == NULL;
        const char *text;
        for (unsigned k = 0; (text = sc_tls_context_weakness(server, k)); k++) {
            ck_assert_msg(cases[i].words != NULL, "%s = %s: %s", cases[i].command.name,
                          cases[i].command.value, text);
            found = found || strstr(text, cases[i].words);
        }
        ck_assert_msg(found, "%s = %s", cases[i].command.name, cases[i].command.value);
        sc_tls_context_unref(server);
    }
}
END_TEST

/* Keys that are fine and that no client could connect with. */
START_TEST(refuses_what_nobody_can_connect_to)
{
    const struct sc_tls_command only_rsa[] = {{"MaxProtocol", "TLSv1.2"},
                                              {"CipherString", "ECDHE-RSA-AES128-GCM-SHA256"}};
    struct sc_tls_server_settings settings;
    fixture_write_pair("server", "P-256");
    settings = fixture_settings("server");
    settings.commands = only_rsa;
    settings.command_count = 2;
    refuse(&settings, EX_CONFIG, "no client can connect", "no shared cipher");
    fixture_write_pair("server", "secp256k1");
    settings = fixture_settings("server");
    refuse(&settings, EX_CONFIG, "no client can connect", "sc-keygen");
}
END_TEST

static void refuse_file(const char *name, const char *path, int status, const char *words)
{
    const struct sc_tls_command command = {name, path};
    struct sc_err err;
    refuse_command(&command, status, words, name);
    ck_assert_int_eq(sc_tls_command_check(&command, &err), -1);
}

/* OpenSSL opens these itself: it would wait for a FIFO, and ask for a passphrase. */
START_TEST(files_of_commands_are_looked_at_first)
{
    static const char encrypted[] = "-----BEGIN CERTIFICATE-----\nProc-Type: 4,ENCRYPTED\n"
                                    "DEK-Info: AES-256-CBC,00112233445566778899AABBCCDDEEFF\n\n"
                                    "AAAA\n-----END CERTIFICATE-----\n";
    fixture_write_pair("server", "P-256");
    fixture_write("encrypted", encrypted, sizeof(encrypted) - 1);
    ck_assert_int_eq(mkdir(fixture_path("waits"), 0700), 0);
    ck_assert_int_eq(mkdir(fixture_path("fine"), 0700), 0);
    ck_assert_int_eq(mkdir(fixture_path("fine/directory"), 0700), 0);
    ck_assert_int_eq(mkdir(fixture_path("asks"), 0700), 0);
    fixture_write("asks/encrypted", encrypted, sizeof(encrypted) - 1);
    ck_assert_int_eq(mkfifo(fixture_path("waits/fifo"), 0600), 0);
    ck_assert_int_eq(symlink("nowhere", fixture_path("fine/link")), 0);
    refuse_file("ChainCAFile", fixture_path("waits/fifo"), EX_NOINPUT, "not a regular file");
    refuse_file("RequestCAFile", fixture_path("waits/fifo"), EX_NOINPUT, "not a regular file");
    refuse_file("DHParameters", fixture_path("waits/fifo"), EX_NOINPUT, "not a regular file");
    refuse_file("ChainCAStore", fixture_path("waits/fifo"), EX_NOINPUT, "not a regular file");
    refuse_file("ChainCAPath", fixture_path("waits"), EX_NOINPUT, "not a regular file");
    refuse_file("ChainCAPath", fixture_path("asks"), EX_CONFIG, "is encrypted");
    refuse_file("ChainCAPath", fixture_path("missing"), EX_NOINPUT, "No such file");
    refuse_file("RequestCAFile", fixture_path("encrypted"), EX_CONFIG, "is encrypted");
    const struct sc_tls_command command = {"ChainCAPath", fixture_path("fine")};
    sc_tls_context_unref(fixture_server_with("server", &command, 1));
}
END_TEST

/* A connection keeps its context, with all that hangs on it, alive. */
START_TEST(connections_keep_their_context)
{
    fixture_write_pair("server", "P-256");
    struct sc_tls_context *server = fixture_server_with("server", NULL, 0),
                          *client = fixture_client();
    struct tls_pair pair;
    tls_pair_init(&pair, client, server);
    ck_assert_ptr_eq(sc_tls_context_ref(server), server);
    sc_tls_context_unref(server);
    sc_tls_context_unref(server);
    sc_tls_context_unref(client);
    ck_assert(tls_pair_handshake(&pair));
    ck_assert_int_gt(sc_tls_context_not_after(server), 0);
    tls_pair_fini(&pair);
    sc_tls_context_unref(NULL);
}
END_TEST

SUITE_MAIN("context", serves_tls13_with_defaults, takes_only_what_is_safe,
           the_security_level_is_ours, has_the_options_that_the_contract_names,
           serves_who_offers_no_alpn, commands_override_the_defaults,
           names_what_is_wrong_with_commands, reports_what_is_weaker_than_the_defaults,
           refuses_what_nobody_can_connect_to, files_of_commands_are_looked_at_first,
           connections_keep_their_context)

#include "config.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include <openssl/err.h>

#include "suite.h"
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

/* A server with NAME.crt, NAME.key and some commands. */
static struct sc_tls_context *server_with(const char *name, const struct sc_tls_command *commands,
                                          size_t count)
{
    struct sc_tls_server_settings settings = fixture_settings(name);
    settings.commands = commands;
    settings.command_count = count;
    return fixture_server(&settings);
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
    struct sc_tls_server_settings settings = fixture_settings("server");
    struct sc_tls_context *server = fixture_server(&settings), *client = fixture_client();
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
    sc_tls_context_unref(client);
    sc_tls_context_unref(server);
}
END_TEST

START_TEST(takes_only_what_is_safe)
{
    const char *const kinds[] = {"P-256", "RSA2048", "ED25519", "P-384"};
    for (size_t i = 0; i < SC_COUNT_OF(kinds); i++) {
        fixture_write_pair("server", kinds[i]);
        struct sc_tls_context *server = server_with("server", NULL, 0);
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

START_TEST(has_the_options_that_the_contract_names)
{
    fixture_write_pair("server", "P-256");
    struct sc_tls_context *server = server_with("server", NULL, 0);
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

/* A client that offers ChaCha20 first has no AES in hardware: it gets it. */
START_TEST(gives_chacha_to_who_prefers_it)
{
    fixture_write_pair("server", "P-256");
    struct sc_tls_context *server = server_with("server", NULL, 0), *client = fixture_client();
    struct tls_pair pair;
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
    struct sc_tls_context *server = server_with("server", NULL, 0), *client = fixture_client();
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
    struct sc_tls_context *server = server_with("server", modern, 2);
    ck_assert(!connects(server, TLS1_2_VERSION, NULL, NULL));
    ck_assert(connects(server, TLS1_3_VERSION, NULL, NULL));
    ck_assert(!connects(server, TLS1_3_VERSION, NULL, "X25519:P-256"));
    sc_tls_context_unref(server);
    server = server_with("server", narrow, 2);
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
        {{"MinProtocol", ""}, "MinProtocol", "value"},
        {{"Certificate", "x.crt"}, "Certificate is not taken", "certificate in [server]"},
        {{"privatekey", "x.key"}, "privatekey is not taken", "private-key in [server]"},
        {{"VerifyMode", "Peer"}, "VerifyMode is not taken", "client-auth"},
    };
    fixture_write_pair("server", "P-256");
    for (size_t i = 0; i < SC_COUNT_OF(cases); i++) {
        struct sc_tls_server_settings settings = fixture_settings("server");
        settings.commands = &cases[i].command;
        settings.command_count = 1;
        refuse(&settings, EX_CONFIG, cases[i].first, cases[i].second);
    }
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
        {"server.crt", "halfkey", EX_CONFIG, "halfkey is damaged", "private key"},
        {"der", "server.key", EX_CONFIG, "DER", "openssl x509"},
        {"server.crt", "der", EX_CONFIG, "DER", "openssl pkey"},
        {"server.key", "server.crt", EX_CONFIG, "server.key holds a private key and no certificate",
         "swapped"},
        {"server.crt", "server.crt", EX_CONFIG, "server.crt holds a certificate and no private key",
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
    settings.private_key_path = fixture_directory();
    struct sc_err err;
    ck_assert_ptr_null(sc_tls_context_new_server(&settings, &err));
    ck_assert_msg(!strstr(err.text, "sc-keygen"), "%s", err.text);
}
END_TEST

/* What the contract has as defaults is the least that goes without a warning. */
START_TEST(says_what_is_weaker_than_the_defaults)
{
    static const struct {
        struct sc_tls_command command;
        const char *words; /* NULL: nothing to say */
    } cases[] = {
        {{"MinProtocol", "TLSv1.3"}, NULL},
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
    struct sc_tls_context *server = server_with("server", NULL, 0);
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
    settings.passphrase = on_passphrase;
    settings.passphrase_arg = wrong;
    refuse(&settings, EX_CONFIG, "server.key can't be decrypted", "wrong passphrase");
    ck_assert_int_eq(passphrase_calls, 1);
    settings.passphrase_arg = right;
    struct sc_tls_context *server = fixture_server(&settings);
    ck_assert_int_eq(passphrase_calls, 2);
    ck_assert(connects(server, TLS1_3_VERSION, NULL, NULL));
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
    /* A chain with something else in it. */
    X509 *stranger = fixture_certificate(ca_key, "stranger", -3600, 86400, NULL, NULL);
    fixture_write_certificate("server.crt", leaf, false);
    fixture_write_certificate("server.crt", stranger, true);
    server = fixture_server(&settings);
    ck_assert_ptr_nonnull(
        strstr(sc_tls_context_warning(server, 0), "number 2 did not issue number 1"));
    ck_assert_ptr_null(sc_tls_context_warning(server, 1));
    sc_tls_context_unref(server);
    /* Too many. */
    for (int i = 0; i < 12; i++) {
        fixture_write_certificate("server.crt", ca, true);
    }
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
        ck_assert(connects(server, TLS1_3_VERSION, NULL, NULL));
        sc_tls_context_unref(server);
        X509_free(certificate);
    }
    EVP_PKEY_free(key);
}
END_TEST

START_TEST(digest_names_the_content)
{
    const struct sc_tls_command command = {"Groups", "P-256"};
    struct sc_tls_server_settings settings;
    fixture_write_pair("server", "P-256");
    settings = fixture_settings("server");
    struct sc_tls_context *first = fixture_server(&settings);
    struct sc_tls_context *second = fixture_server(&settings);
    ck_assert_mem_eq(sc_tls_context_digest(first), sc_tls_context_digest(second),
                     SC_TLS_CONTEXT_DIGEST_BYTES);
    sc_tls_context_unref(second);
    settings.commands = &command;
    settings.command_count = 1;
    second = fixture_server(&settings);
    ck_assert_mem_ne(sc_tls_context_digest(first), sc_tls_context_digest(second),
                     SC_TLS_CONTEXT_DIGEST_BYTES);
    sc_tls_context_unref(second);
    fixture_write_pair("server", "P-256");
    settings = fixture_settings("server");
    second = fixture_server(&settings);
    ck_assert_mem_ne(sc_tls_context_digest(first), sc_tls_context_digest(second),
                     SC_TLS_CONTEXT_DIGEST_BYTES);
    sc_tls_context_unref(second);
    sc_tls_context_unref(first);
}
END_TEST

static void refuse_command(const char *name, const char *path, int status, const char *words)
{
    const struct sc_tls_command command = {name, path};
    struct sc_tls_server_settings settings = fixture_settings("server");
    settings.commands = &command;
    settings.command_count = 1;
    refuse(&settings, status, words, name);
    struct sc_err err;
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
    ck_assert_int_eq(mkfifo(fixture_path("waits/fifo"), 0600), 0);
    ck_assert_int_eq(symlink("nowhere", fixture_path("fine/link")), 0);
    refuse_command("ChainCAFile", fixture_path("waits/fifo"), EX_NOINPUT, "not a regular file");
    refuse_command("RequestCAFile", fixture_path("waits/fifo"), EX_NOINPUT, "not a regular file");
    refuse_command("DHParameters", fixture_path("waits/fifo"), EX_NOINPUT, "not a regular file");
    refuse_command("ChainCAStore", fixture_path("waits/fifo"), EX_NOINPUT, "not a regular file");
    refuse_command("ChainCAPath", fixture_path("waits"), EX_NOINPUT, "not a regular file");
    refuse_command("ChainCAPath", fixture_path("missing"), EX_NOINPUT, "No such file");
    refuse_command("RequestCAFile", fixture_path("encrypted"), EX_CONFIG, "is encrypted");
    const struct sc_tls_command command = {"ChainCAPath", fixture_path("fine")};
    struct sc_tls_context *first = server_with("server", &command, 1);
    fixture_write_certificate("fine/one", SSL_CTX_get0_certificate(sc_tls_context_ssl_ctx(first)),
                              false);
    struct sc_tls_context *second = server_with("server", &command, 1);
    ck_assert_mem_ne(sc_tls_context_digest(first), sc_tls_context_digest(second),
                     SC_TLS_CONTEXT_DIGEST_BYTES);
    sc_tls_context_unref(first);
    sc_tls_context_unref(second);
}
END_TEST

/* A connection keeps its context, with all that hangs on it, alive. */
START_TEST(connections_keep_their_context)
{
    fixture_write_pair("server", "P-256");
    struct sc_tls_context *server = server_with("server", NULL, 0), *client = fixture_client();
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

START_TEST(writes_a_key_log)
{
    struct sc_err err = {0};
    char line[512];
    fixture_write_pair("server", "P-256");
    struct sc_tls_context *server = server_with("server", NULL, 0);
    struct sc_tls_context *client = sc_tls_context_new_client(
        &(struct sc_tls_client_settings){.keylog_path = fixture_path("keylog")}, &err);
    struct tls_pair pair;
    ck_assert_msg(client != NULL, "%s", err.text);
    tls_pair_init(&pair, client, server);
    ck_assert(tls_pair_handshake(&pair));
    tls_pair_fini(&pair);
    sc_tls_context_unref(client);
    FILE *file = fopen(fixture_path("keylog"), "r");
    ck_assert_ptr_nonnull(file);
    unsigned lines = 0;
    while (fgets(line, sizeof(line), file)) {
        lines += strstr(line, "_SECRET") != NULL || strstr(line, "_SECRET_0") != NULL;
        ck_assert_ptr_nonnull(strchr(line, '\n'));
    }
    ck_assert_uint_ge(lines, 4);
    struct stat stat;
    ck_assert_int_eq(fstat(fileno(file), &stat), 0);
    ck_assert_uint_eq(stat.st_mode & 0777, 0600);
    (void)fclose(file);
    ck_assert_ptr_null(sc_tls_context_new_client(
        &(struct sc_tls_client_settings){.keylog_path = "/nonexistent/keylog"}, &err));
    ck_assert_int_eq(err.status, EX_CANTCREAT);
    ck_assert_ptr_nonnull(strstr(err.text, "SSLKEYLOGFILE"));
    sc_tls_context_unref(server);
}
END_TEST

SUITE_MAIN("context", serves_tls13_with_defaults, takes_only_what_is_safe,
           has_the_options_that_the_contract_names, gives_chacha_to_who_prefers_it,
           serves_who_offers_no_alpn, commands_override_the_defaults,
           names_what_is_wrong_with_commands, names_what_is_wrong_with_files,
           names_the_command_that_makes_a_pair, says_what_is_weaker_than_the_defaults,
           refuses_weak_keys, refuses_what_nobody_can_connect_to, opens_encrypted_keys,
           reads_chains_and_combined_files, warns_about_dates_and_modes, digest_names_the_content,
           files_of_commands_are_looked_at_first, connections_keep_their_context, writes_a_key_log)

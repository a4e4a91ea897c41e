/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include <openssl/err.h>

#include "base/clock.h"
#include "suite.h"
#include "tls/context.h"
#include "tls/tickets.h"
#include "tls/explain.h"
#include "tls_fixture.h"

/*
 * Clients with a certificate each: one that is pinned, one that nobody knows, one that a CA
 * issued, directly and by an intermediate.
 */
struct client {
    EVP_PKEY *key;
    X509 *certificate, *intermediate;
};
static struct client alice, mallory, issued, below;
static X509 *ca, *intermediate;
static EVP_PKEY *ca_key, *intermediate_key;
static struct sc_tickets *tickets;

static struct client client_new(const char *name, X509 *issuer, EVP_PKEY *issuer_key)
{
    struct client client = {.key = fixture_key("P-256")};
    client.certificate = fixture_certificate(client.key, name, -3600, 86400, issuer, issuer_key);
    return client;
}

static void setup(void)
{
    ca_key = fixture_key("P-256");
    ca = fixture_certificate(ca_key, "ca", -3600, 86400, NULL, NULL);
    intermediate_key = fixture_key("P-256");
    intermediate = fixture_certificate(intermediate_key, "intermediate", -3600, 86400, ca, ca_key);
    alice = client_new("alice", NULL, NULL);
    mallory = client_new("mallory", NULL, NULL);
    issued = client_new("issued", ca, ca_key);
    below = client_new("below", intermediate, intermediate_key);
    below.intermediate = intermediate;
    fixture_write_certificate("alice.crt", alice.certificate, false);
    fixture_write_certificate("ca.crt", ca, false);
    fixture_write_pair("server", "P-256");
    tickets = sc_tickets_new(NULL);
    ck_assert_ptr_nonnull(tickets);
}

static void teardown(void)
{
    const struct client clients[] = {alice, mallory, issued, below};
    for (size_t i = 0; i < SC_COUNT_OF(clients); i++) {
        X509_free(clients[i].certificate);
        EVP_PKEY_free(clients[i].key);
    }
    X509_free(ca);
    X509_free(intermediate);
    EVP_PKEY_free(ca_key);
    EVP_PKEY_free(intermediate_key);
    sc_tickets_unref(tickets);
}

static struct sc_tls_context *server_with(enum sc_peer_auth auth, const char *pin,
                                          const struct sc_tls_command *ca_command)
{
    struct sc_tls_server_settings settings = fixture_settings("server");
    settings.client_auth = auth;
    settings.client_pins = &pin;
    settings.client_pin_count = pin != NULL;
    settings.commands = ca_command;
    settings.command_count = ca_command != NULL;
    settings.tickets = tickets;
    return fixture_server(&settings);
}

/* Of the client that was served last; NULL: it has none. */
static const char *who_it_is;

enum outcome { SERVED, RESUMED, REFUSED_IN_HANDSHAKE, REFUSED_AFTER };

/*
 * One connection of this client (NULL: without a certificate). The session goes in and comes out.
 */
static enum outcome visit(const struct sc_tls_context *server, const struct client *who,
                          int version, SSL_SESSION **session)
{
    struct sc_tls_context *context = fixture_client();
    struct tls_pair pair;
    struct sc_err err = {0};
    enum outcome outcome = REFUSED_IN_HANDSHAKE;
    tls_pair_init(&pair, context, server);
    ck_assert_int_eq(SSL_set_max_proto_version(pair.client, version), 1);
    if (who) {
        STACK_OF(X509) *chain = sk_X509_new_null();
        ck_assert(!who->intermediate || sk_X509_push(chain, who->intermediate) > 0);
        ck_assert_int_eq(SSL_use_cert_and_key(pair.client, who->certificate, who->key, chain, 1),
                         1);
        sk_X509_free(chain);
    }
    if (session && *session) {
        ck_assert_int_eq(SSL_set_session(pair.client, *session), 1);
    }
    if (tls_pair_handshake(&pair)) {
        outcome = sc_tls_context_check_peer(server, pair.server, &who_it_is, &err) != 0
                      ? REFUSED_AFTER
                  : SSL_session_reused(pair.server) ? RESUMED
                                                    : SERVED;
    } else {
        struct sc_tls_failure failure =
            sc_tls_explain(&pair.server_watch, SC_TLS_END_ERROR, pair.server_error, true);
        ck_assert_int_eq(failure.kind, who ? SC_TLS_REASON_CLIENT_CERTIFICATE
                                           : SC_TLS_REASON_NO_CLIENT_CERTIFICATE);
    }
    if (session) {
        SSL_SESSION_free(*session);
        *session = tls_pair_session(&pair);
    }
    tls_pair_fini(&pair);
    sc_tls_context_unref(context);
    ck_assert_uint_eq(ERR_peek_error(), 0);
    return outcome;
}

static void expect(const struct sc_tls_context *server, const struct client *who,
                   enum outcome outcome)
{
    for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
        SSL_SESSION *session = NULL;
        ck_assert_int_eq(visit(server, who, version, &session), outcome);
        if (outcome == SERVED) {
            ck_assert_msg(visit(server, who, version, &session) == RESUMED, "and again");
        }
        SSL_SESSION_free(session);
    }
}

START_TEST(pins_decide)
{
    setup();
    struct sc_tls_context *server =
        server_with(SC_PEER_AUTH_REQUIRE, fixture_path("alice.crt"), NULL);
    expect(server, &alice, SERVED);
    expect(server, &mallory, REFUSED_IN_HANDSHAKE);
    expect(server, NULL, REFUSED_IN_HANDSHAKE);
    sc_tls_context_unref(server);
    server = server_with(SC_PEER_AUTH_OPTIONAL, fixture_path("alice.crt"), NULL);
    expect(server, &alice, SERVED);
    expect(server, &mallory, REFUSED_IN_HANDSHAKE);
    expect(server, NULL, SERVED);
    sc_tls_context_unref(server);
    server = server_with(SC_PEER_AUTH_NONE, NULL, NULL);
    expect(server, &mallory, SERVED);
    expect(server, NULL, SERVED);
    sc_tls_context_unref(server);
    teardown();
}
END_TEST

START_TEST(a_ca_decides)
{
    setup();
    char pin[600];
    struct sc_tls_command command = {"VerifyCAFile", fixture_path("ca.crt")};
    struct sc_tls_context *server = server_with(SC_PEER_AUTH_REQUIRE, NULL, &command);
    expect(server, &issued, SERVED);
    expect(server, &below, SERVED);
    expect(server, &alice, REFUSED_IN_HANDSHAKE);
    expect(server, NULL, REFUSED_IN_HANDSHAKE);
    sc_tls_context_unref(server);
    ck_assert_int_gt(snprintf(pin, sizeof(pin), "ca:%s", fixture_path("ca.crt")), 0);
    server = server_with(SC_PEER_AUTH_REQUIRE, pin, NULL);
    expect(server, &issued, SERVED);
    expect(server, &below, SERVED);
    expect(server, &mallory, REFUSED_IN_HANDSHAKE);
    sc_tls_context_unref(server);
    teardown();
}
END_TEST

/* The ticket keys are the same, the policy is another: nobody comes in with a session of before. */
START_TEST(a_new_policy_ends_old_sessions)
{
    setup();
    struct sc_tls_context *open = server_with(SC_PEER_AUTH_NONE, NULL, NULL);
    struct sc_tls_context *pinned =
        server_with(SC_PEER_AUTH_REQUIRE, fixture_path("alice.crt"), NULL);
    struct sc_tls_context *again =
        server_with(SC_PEER_AUTH_REQUIRE, fixture_path("alice.crt"), NULL);
    fixture_write_certificate("other.crt", mallory.certificate, false);
    struct sc_tls_context *other =
        server_with(SC_PEER_AUTH_REQUIRE, fixture_path("other.crt"), NULL);
    for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
        SSL_SESSION *session = NULL;
        ck_assert_int_eq(visit(open, NULL, version, &session), SERVED);
        ck_assert_int_eq(visit(pinned, NULL, version, &session), REFUSED_IN_HANDSHAKE);
        SSL_SESSION_free(session);
        session = NULL;
        ck_assert_int_eq(visit(pinned, &alice, version, &session), SERVED);
        ck_assert_msg(visit(again, &alice, version, &session) == RESUMED,
                      "the same policy after a reload");
        ck_assert_int_eq(visit(other, &alice, version, &session), REFUSED_IN_HANDSHAKE);
        SSL_SESSION_free(session);
    }
    SSL_SESSION *nameless = NULL;
    struct sc_tls_context *optional =
        server_with(SC_PEER_AUTH_OPTIONAL, fixture_path("alice.crt"), NULL);
    ck_assert_int_eq(visit(optional, NULL, TLS1_3_VERSION, &nameless), SERVED);
    ck_assert_msg(visit(pinned, NULL, TLS1_3_VERSION, &nameless) == REFUSED_IN_HANDSHAKE,
                  "optional is another policy than require");
    SSL_SESSION_free(nameless);
    sc_tls_context_unref(optional);
    sc_tls_context_unref(open);
    sc_tls_context_unref(pinned);
    sc_tls_context_unref(again);
    sc_tls_context_unref(other);
    teardown();
}
END_TEST

/* Other CAs under the same names: what counts is the content of the files. */
START_TEST(another_ca_ends_old_sessions)
{
    setup();
    char file_path[512], directory[512];
    ck_assert_int_gt(snprintf(file_path, sizeof(file_path), "%s", fixture_path("ca.crt")), 0);
    ck_assert_int_gt(snprintf(directory, sizeof(directory), "%s", fixture_path("cas")), 0);
    ck_assert_int_eq(mkdir(directory, 0700), 0);
    const struct sc_tls_command file[] = {{"VerifyCAFile", file_path},
                                          {"Options", "-SessionTicket"}};
    const struct sc_tls_command path[] = {{"VerifyCAPath", directory},
                                          {"Options", "-SessionTicket"}};
    for (int i = 0; i < 2; i++) {
        char name[80];
        ck_assert_int_gt(snprintf(name, sizeof(name), "cas/%08lx.0", X509_subject_name_hash(ca)),
                         0);
        struct sc_tls_server_settings settings = {.client_auth = SC_PEER_AUTH_REQUIRE,
                                                  .tickets = tickets,
                                                  .session_cache_size = 100,
                                                  .commands = i == 0 ? file : path};
        for (settings.command_count = 1; settings.command_count <= 2; settings.command_count++) {
            for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
                SSL_SESSION *session = NULL;
                fixture_write_certificate("ca.crt", ca, false);
                fixture_write_certificate(name, ca, false);
                settings.certificate_path = fixture_path("server.crt");
                settings.private_key_path = fixture_path("server.key");
                struct sc_tls_context *before = fixture_server(&settings);
                struct sc_tls_context *same = fixture_server(&settings);
                fixture_write_certificate("ca.crt", alice.certificate, false);
                ck_assert_int_eq(unlink(fixture_path(name)), 0);
                struct sc_tls_context *other = fixture_server(&settings);
                ck_assert_mem_eq(sc_tls_context_digest(before), sc_tls_context_digest(same),
                                 SC_TLS_CONTEXT_DIGEST_BYTES);
                ck_assert_mem_ne(sc_tls_context_digest(before), sc_tls_context_digest(other),
                                 SC_TLS_CONTEXT_DIGEST_BYTES);
                fixture_write_certificate(name, ca, false); /* read when it is needed */
                ck_assert_int_eq(visit(before, &issued, version, &session), SERVED);
                ck_assert_int_eq(visit(same, &issued, version, &session), RESUMED);
                ck_assert_int_eq(unlink(fixture_path(name)), 0);
                ck_assert_int_eq(visit(other, &issued, version, &session), REFUSED_IN_HANDSHAKE);
                SSL_SESSION_free(session);
                sc_tls_context_unref(before);
                sc_tls_context_unref(same);
                sc_tls_context_unref(other);
            }
        }
    }
    teardown();
}
END_TEST

/*
 * What the check after the handshake is for: OpenSSL asks nobody about the certificate of a
 * resumed session.
 */
START_TEST(resumed_sessions_are_checked_again)
{
    setup();
    struct sc_tls_context *server =
                              server_with(SC_PEER_AUTH_REQUIRE, fixture_path("alice.crt"), NULL),
                          *client = fixture_client();
    const char *pin = fixture_path("other.crt");
    struct sc_peer_policy stricter;
    struct sc_err err = {0};
    const char *name = "";
    SSL_SESSION *session = NULL;
    struct tls_pair pair;
    fixture_write_certificate("other.crt", mallory.certificate, false);
    ck_assert_int_eq(sc_peer_policy_init(&stricter, SC_PEER_AUTH_REQUIRE, &pin, 1, NULL, 0, &err),
                     0);
    ck_assert_int_eq(visit(server, &alice, TLS1_3_VERSION, &session), SERVED);
    tls_pair_init(&pair, client, server);
    ck_assert_int_eq(SSL_set_session(pair.client, session), 1);
    ck_assert(tls_pair_handshake(&pair));
    ck_assert(SSL_session_reused(pair.server));
    ck_assert_int_eq(sc_peer_policy_check(&stricter, pair.server, &name, &err), -1);
    ck_assert_ptr_nonnull(strstr(err.text, "sha256//"));
    ck_assert_ptr_nonnull(strstr(err.text, "matches no client-pin"));
    ck_assert_ptr_null(name);
    tls_pair_fini(&pair);
    sc_peer_policy_fini(&stricter);
    SSL_SESSION_free(session);
    sc_tls_context_unref(client);
    sc_tls_context_unref(server);
    teardown();
}
END_TEST

/* What was in its dates when the session began may not be any more, or not by our clock. */
START_TEST(resumed_sessions_end_with_the_certificate)
{
    setup();
    char pin[600];
    const struct sc_tls_command command = {"VerifyCAFile", fixture_path("ca.crt")};
    ck_assert_int_gt(snprintf(pin, sizeof(pin), "ca:%s", fixture_path("ca.crt")), 0);
    struct sc_tls_context *servers[] = {server_with(SC_PEER_AUTH_REQUIRE, NULL, &command),
                                        server_with(SC_PEER_AUTH_REQUIRE, pin, NULL)};
    for (size_t i = 0; i < SC_COUNT_OF(servers); i++) {
        for (int days = -1; days <= 2; days += 3) {
            SSL_SESSION *session = NULL;
            ck_assert_int_eq(visit(servers[i], &below, TLS1_2_VERSION, &session), SERVED);
            struct timespec then = sc_clock_wall();
            then.tv_sec += days * 86400L;
            sc_clock_fake(NULL, &then);
            ck_assert_int_eq(visit(servers[i], &below, TLS1_2_VERSION, &session), REFUSED_AFTER);
            sc_clock_fake(NULL, NULL);
            SSL_SESSION_free(session);
        }
        sc_tls_context_unref(servers[i]);
    }
    teardown();
}
END_TEST

/* In whatever order they are given. */
START_TEST(a_ca_among_other_pins)
{
    setup();
    char pin[600];
    ck_assert_int_gt(snprintf(pin, sizeof(pin), "ca:%s", fixture_path("ca.crt")), 0);
    for (int i = 0; i < 2; i++) {
        const char *const pins[] = {i == 0 ? pin : fixture_path("alice.crt"),
                                    i == 0 ? fixture_path("alice.crt") : pin};
        struct sc_tls_server_settings settings = fixture_settings("server");
        settings.client_auth = SC_PEER_AUTH_REQUIRE;
        settings.client_pins = pins;
        settings.client_pin_count = 2;
        settings.tickets = tickets;
        struct sc_tls_context *server = fixture_server(&settings);
        expect(server, &alice, SERVED);
        expect(server, &below, SERVED);
        expect(server, &mallory, REFUSED_IN_HANDSHAKE);
        sc_tls_context_unref(server);
    }
    teardown();
}
END_TEST

START_TEST(reports_the_pin_that_was_refused)
{
    setup();
    struct sc_tls_context *server =
                              server_with(SC_PEER_AUTH_REQUIRE, fixture_path("alice.crt"), NULL),
                          *client = fixture_client();
    struct tls_pair pair;
    uint8_t pin[SC_PIN_BYTES];
    struct sc_pin_formats spellings;
    tls_pair_init(&pair, client, server);
    ck_assert_int_eq(SSL_use_cert_and_key(pair.client, mallory.certificate, mallory.key, NULL, 1),
                     1);
    sc_tls_watch_start_trace(&pair.server_watch);
    ck_assert(!tls_pair_handshake(&pair));
    ck_assert_int_eq(sc_pin_of_key(mallory.key, pin, NULL), 0);
    sc_pin_format(pin, NULL, &spellings);
    ck_assert_str_eq(pair.server_watch.refused_pin, spellings.curl);
    ck_assert_uint_eq(pair.client_watch.alert_received, SSL_AD_BAD_CERTIFICATE);
    ck_assert_ptr_nonnull(pair.server_watch.trace); /* the log line has it */
    tls_pair_fini(&pair);
    sc_tls_context_unref(client);
    sc_tls_context_unref(server);
    teardown();
}
END_TEST

START_TEST(names_what_does_not_go_together)
{
    setup();
    /* OpenSSL takes names in any case. */
    const struct sc_tls_command command = {"verifycafile", fixture_path("ca.crt")};
    const char *const good = fixture_path("alice.crt"), *const bad = "sha256//short",
                      *const none = fixture_path("none.crt");
    const struct {
        enum sc_peer_auth auth;
        const char *pin;
        size_t commands;
        int status;
        const char *words;
    } cases[] = {
        {SC_PEER_AUTH_NONE, good, 0, EX_CONFIG, "client-pin is set and client-auth is none"},
        {SC_PEER_AUTH_NONE, NULL, 1, EX_CONFIG, "VerifyCAFile is set and client-auth is none"},
        {SC_PEER_AUTH_REQUIRE, NULL, 0, EX_CONFIG, "client-auth needs to know"},
        {SC_PEER_AUTH_OPTIONAL, NULL, 0, EX_CONFIG, "client-auth needs to know"},
        {SC_PEER_AUTH_REQUIRE, good, 1, EX_CONFIG, "do not go together"},
        {SC_PEER_AUTH_REQUIRE, bad, 0, EX_CONFIG, "client-pin: "},
        {SC_PEER_AUTH_REQUIRE, none, 0, EX_NOINPUT, "client-pin: "},
    };
    for (size_t i = 0; i < SC_COUNT_OF(cases); i++) {
        struct sc_peer_policy policy;
        struct sc_err err = {0};
        ck_assert_int_eq(sc_peer_policy_init(&policy, cases[i].auth, &cases[i].pin,
                                             cases[i].pin != NULL, &command, cases[i].commands,
                                             &err),
                         -1);
        ck_assert_msg(err.status == cases[i].status && strstr(err.text, cases[i].words), "%d: %s",
                      err.status, err.text);
    }
    teardown();
}
END_TEST

/* Of lists with names; to resume a session under another name is to be somebody else. */
START_TEST(clients_have_names)
{
    setup();
    uint8_t pin[SC_PIN_BYTES];
    struct sc_pin_formats as;
    char list[256];
    ck_assert_int_eq(sc_pin_of_certificate(alice.certificate, pin, NULL), 0);
    sc_pin_format(pin, NULL, &as);
    (void)snprintf(list, sizeof(list), "# who may come\n%s alice-1\n", as.curl);
    fixture_write("clients", list, strlen(list));
    struct sc_tls_context *server =
        server_with(SC_PEER_AUTH_REQUIRE, fixture_path("clients"), NULL);
    (void)snprintf(list, sizeof(list), "%s alice-2\n", as.curl);
    fixture_write("clients", list, strlen(list));
    struct sc_tls_context *renamed =
        server_with(SC_PEER_AUTH_REQUIRE, fixture_path("clients"), NULL);
    ck_assert_mem_ne(sc_tls_context_digest(server), sc_tls_context_digest(renamed),
                     SC_TLS_CONTEXT_DIGEST_BYTES);
    for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
        SSL_SESSION *session = NULL;
        ck_assert_int_eq(visit(server, &alice, version, &session), SERVED);
        ck_assert_str_eq(who_it_is, "alice-1");
        ck_assert_int_eq(visit(server, &alice, version, &session), RESUMED);
        ck_assert_str_eq(who_it_is, "alice-1");
        ck_assert_int_ne(visit(renamed, &alice, version, &session), RESUMED);
        SSL_SESSION_free(session);
    }
    expect(server, &mallory, REFUSED_IN_HANDSHAKE);
    sc_tls_context_unref(server);
    sc_tls_context_unref(renamed);
    server = server_with(SC_PEER_AUTH_OPTIONAL, fixture_path("clients"), NULL);
    expect(server, &alice, SERVED);
    ck_assert_str_eq(who_it_is, "alice-2");
    sc_tls_context_unref(server);
    server = server_with(SC_PEER_AUTH_OPTIONAL, fixture_path("alice.crt"), NULL);
    expect(server, &alice, SERVED);
    ck_assert_ptr_null(who_it_is);
    sc_tls_context_unref(server);
    teardown();
}
END_TEST

SUITE_MAIN("peer_policy", clients_have_names, pins_decide, a_ca_decides,
           a_new_policy_ends_old_sessions, another_ca_ends_old_sessions,
           resumed_sessions_are_checked_again, resumed_sessions_end_with_the_certificate,
           a_ca_among_other_pins, reports_the_pin_that_was_refused, names_what_does_not_go_together)

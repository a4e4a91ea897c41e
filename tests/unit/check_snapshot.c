/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "server/snapshot.h"
#include "tls/ticket_file.h"

#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "kept_log.h"
#include "suite.h"
#include "tls_fixture.h"

enum { MAX_ARGUMENTS = 16 };

static char *arguments[MAX_ARGUMENTS + 1];
static int argument_count;
static struct sc_cmdline *cmdline;
static struct sc_tickets *tickets;
static struct sc_passphrase passphrase;
static struct sc_config_errors errors;

static void add_option(const char *name, const char *value)
{
    ck_assert_int_le(argument_count + 2, MAX_ARGUMENTS);
    arguments[argument_count++] = strdup(name);
    arguments[argument_count++] = strdup(value);
}

/* A server with the pair "server", and one option more (NULL: none). */
static void start(const char *name, const char *value)
{
    struct sc_err err;
    arguments[argument_count++] = strdup("sc-server");
    add_option("-c", "/dev/null");
    add_option("--certificate", fixture_path("server.crt"));
    add_option("--private-key", fixture_path("server.key"));
    if (name) {
        add_option(name, value);
    }
    ck_assert_ptr_nonnull(cmdline = sc_cmdline_parse(argument_count, arguments, &errors));
    ck_assert_ptr_nonnull(tickets = sc_tickets_new(&err));
}

static void finish(void)
{
    sc_tickets_unref(tickets);
    sc_cmdline_free(cmdline);
    while (argument_count > 0) {
        free(arguments[--argument_count]);
    }
}

static struct sc_snapshot load(void)
{
    struct sc_snapshot snapshot = {0};
    memset(&errors, 0, sizeof(errors));
    ck_assert_msg(sc_snapshot_load(cmdline, &passphrase, NULL, tickets, &snapshot, &errors) == 0,
                  "%s", errors.text[0]);
    ck_assert_uint_eq(errors.count, 0);
    return snapshot;
}

/* Nothing changes hands, and one line says why. */
static void fails(int status, const char *words)
{
    struct sc_snapshot snapshot = {.new_ticket_keys = true};
    const struct sc_snapshot before = snapshot;
    memset(&errors, 0, sizeof(errors));
    ck_assert_int_eq(sc_snapshot_load(cmdline, &passphrase, NULL, tickets, &snapshot, &errors), -1);
    ck_assert_ptr_eq(snapshot.config, before.config);
    ck_assert_ptr_eq(snapshot.tls, before.tls);
    ck_assert(snapshot.new_ticket_keys);
    ck_assert_uint_eq(errors.count, 1);
    ck_assert_int_eq(errors.status, status);
    ASSERT_HAS(errors.text[0], words);
}

static bool makes_tickets_with(const struct sc_snapshot *snapshot, const char *key)
{
    struct sc_tls_context *client = fixture_client();
    struct tls_pair pair;
    const unsigned char *ticket;
    size_t length;
    tls_pair_init(&pair, client, snapshot->tls);
    ck_assert(tls_pair_handshake(&pair));
    SSL_SESSION *session = tls_pair_session(&pair);
    ck_assert_ptr_nonnull(session);
    SSL_SESSION_get0_ticket(session, &ticket, &length);
    const bool with = length > 16 && memcmp(ticket, key, 16) == 0;
    SSL_SESSION_free(session);
    tls_pair_fini(&pair);
    sc_tls_context_unref(client);
    return with;
}

START_TEST(the_same_files_make_the_same)
{
    fixture_write_pair("server", "P-256");
    start(NULL, NULL);
    struct sc_snapshot first = load(), second = load();
    ck_assert_ptr_ne(first.tls, second.tls);
    ck_assert(sc_snapshot_equal(&second, &first));
    sc_snapshot_unref(&second);
    fixture_write_pair("server", "P-256");
    second = load();
    ck_assert(!sc_snapshot_equal(&second, &first));
    sc_snapshot_unref(&second);
    ck_assert_ptr_null(second.config);
    sc_snapshot_unref(&second); /* there is nothing left to give back */
    sc_snapshot_unref(&first);
    finish();
}
END_TEST

START_TEST(what_is_wrong_changes_nothing)
{
    fixture_write_pair("server", "P-256");
    start(NULL, NULL);
    (void)unlink(fixture_path("server.crt"));
    fails(EX_NOINPUT, "server.crt: No such file or directory");
    fixture_write("server.crt", "nonsense\n", 9);
    fails(EX_CONFIG, "server.crt");
    finish();
}
END_TEST

/* Ticket keys are active at once: they are not touched when anything else is wrong. */
START_TEST(ticket_keys_come_last)
{
    char keys[SC_TICKETS_KEY_BYTES];
    memset(keys, 0x11, sizeof(keys));
    fixture_write_pair("server", "P-256");
    fixture_write("tickets", keys, sizeof(keys));
    start("--ticket-keys", fixture_path("tickets"));
    struct sc_snapshot first = load(), second = load();
    ck_assert(first.new_ticket_keys);
    ck_assert(!second.new_ticket_keys);
    sc_snapshot_unref(&second);

    keys[0] = 0x12;
    fixture_write("tickets", keys, sizeof(keys));
    (void)rename(fixture_path("server.crt"), fixture_path("away.crt"));
    fails(EX_NOINPUT, "server.crt");
    (void)rename(fixture_path("away.crt"), fixture_path("server.crt"));
    second = load();
    ck_assert(second.new_ticket_keys);
    ck_assert(!sc_snapshot_equal(&second, &first)); /* they alone are worth a reload */
    sc_snapshot_unref(&second);
    fixture_write("tickets", keys, 7);
    fails(EX_CONFIG, "tickets");
    sc_snapshot_unref(&first);
    finish();
}
END_TEST

/* Without the file there are keys in memory again, and the file's are used no more. */
START_TEST(ticket_keys_can_leave_the_file)
{
    char keys[SC_TICKETS_KEY_BYTES], text[700];
    memset(keys, 0x11, sizeof(keys));
    fixture_write_pair("server", "P-256");
    fixture_write("tickets", keys, sizeof(keys));
    (void)snprintf(text, sizeof(text), "[tls]\nticket-keys = %s\n", fixture_path("tickets"));
    fixture_write("sc.conf", text, strlen(text));
    start("-c", fixture_path("sc.conf"));
    struct sc_snapshot first = load();
    ck_assert(makes_tickets_with(&first, keys));
    fixture_write("sc.conf", "", 0);
    struct sc_snapshot second = load();
    ck_assert(!makes_tickets_with(&second, keys));
    sc_snapshot_unref(&first);
    sc_snapshot_unref(&second);
    finish();
}
END_TEST

START_TEST(settings_of_sessions_are_taken)
{
    static const char text[] = "[tls]\nsession-timeout = 90s\nsession-cache-size = 77\n";
    fixture_write_pair("server", "P-256");
    fixture_write("sc.conf", text, sizeof(text) - 1);
    start("-c", fixture_path("sc.conf"));
    struct sc_snapshot snapshot = load();
    const SSL_CTX *ssl_ctx = sc_tls_context_ssl_ctx(snapshot.tls);
    ck_assert_int_eq(SSL_CTX_get_timeout(ssl_ctx), 90);
    ck_assert_int_eq(SSL_CTX_sess_get_cache_size((SSL_CTX *)(uintptr_t)ssl_ctx), 77);
    sc_snapshot_unref(&snapshot);
    finish();
}
END_TEST

/* "There is no passphrase" would be true, and help nobody. */
START_TEST(a_passphrase_file_that_fails_is_named)
{
    EVP_PKEY *key = fixture_key("P-256");
    X509 *certificate = fixture_certificate(key, "server", -3600, 86400, NULL, NULL);
    fixture_write_key("server.key", key, "secret");
    fixture_write_certificate("server.crt", certificate, false);
    start("--passphrase-file", fixture_path("passphrase"));
    fails(EX_NOINPUT, "passphrase: can't read ");
    ASSERT_HAS(errors.text[0], "/passphrase: No such file or directory");
    fixture_write("passphrase", "wrong\n", 6);
    fails(EX_CONFIG, "wrong passphrase");
    fixture_write("passphrase", "secret\n", 7);
    struct sc_snapshot snapshot = load();
    sc_snapshot_unref(&snapshot);
    finish();
    X509_free(certificate);
    EVP_PKEY_free(key);
}
END_TEST

START_TEST(warnings_are_logged_each_in_its_line)
{
    EVP_PKEY *key = fixture_key("P-256");
    X509 *certificate = fixture_certificate(key, "server", -7200, -3600, NULL, NULL);
    fixture_write_key("server.key", key, NULL);
    fixture_write_certificate("server.crt", certificate, false);
    static const char weak[] = "[tls]\nMinProtocol = TLSv1\n";
    fixture_write("sc.conf", weak, sizeof(weak) - 1);
    start("-c", fixture_path("sc.conf"));
    struct sc_snapshot snapshot = load();
    kept_start(SC_LOG_WARNING);
    sc_snapshot_log_warnings(&snapshot);
    ck_assert_uint_eq(kept_count, 2);
    ASSERT_HAS(kept_lines[0], " warning certificate message=\"certificate ");
    ASSERT_HAS(kept_lines[0], "server.crt expired at ");
    ASSERT_HAS(kept_lines[1], " warning weak_tls message=\"[tls] is weaker than the defaults: "
                              "versions before TLS 1.2 are allowed\"");
    sc_snapshot_unref(&snapshot);
    finish();
    X509_free(certificate);
    EVP_PKEY_free(key);
}
END_TEST

SUITE_MAIN("snapshot", the_same_files_make_the_same, what_is_wrong_changes_nothing,
           ticket_keys_come_last, ticket_keys_can_leave_the_file, settings_of_sessions_are_taken,
           a_passphrase_file_that_fails_is_named, warnings_are_logged_each_in_its_line)

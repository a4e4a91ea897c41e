/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <string.h>
#include <sysexits.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/rand.h>

#include "tickets_fixture.h"

static void rotate(struct sc_tickets *tickets)
{
    uint64_t next_ms;
    ck_assert_int_eq(sc_tickets_rotate(tickets, PERIOD_MS, &next_ms, NULL), 0);
    ck_assert_uint_le(next_ms, PERIOD_MS);
}

START_TEST(resume_across_contexts)
{
    struct sc_tickets *tickets = tickets_new();
    struct sc_tls_context *before = server_with(tickets);
    struct sc_tls_context *after = server_with(tickets);
    for (size_t i = 0; i < SC_COUNT_OF(versions); i++) {
        SSL_SESSION *session = NULL;
        ck_assert(!visit(before, versions[i], &session));
        ck_assert(visit(after, versions[i], &session));
        ck_assert(visit(before, versions[i], &session));
        SSL_SESSION_free(session);
    }
    sc_tls_context_unref(before);
    sc_tickets_unref(tickets);
    SSL_SESSION *session = NULL;
    ck_assert(!visit(after, TLS1_3_VERSION, &session));
    ck_assert(visit(after, TLS1_3_VERSION, &session));
    SSL_SESSION_free(session);
    sc_tls_context_unref(after);
}
END_TEST

START_TEST(other_keys_make_a_full_handshake)
{
    struct sc_tickets *one = tickets_new(), *two = tickets_new();
    struct sc_tls_context *here = server_with(one), *there = server_with(two);
    for (size_t i = 0; i < SC_COUNT_OF(versions); i++) {
        SSL_SESSION *session = NULL;
        ck_assert(!visit(here, versions[i], &session));
        ck_assert(!visit(there, versions[i], &session));
        ck_assert(visit(there, versions[i], &session));
        SSL_SESSION_free(session);
    }
    sc_tls_context_unref(here);
    sc_tls_context_unref(there);
    sc_tickets_unref(one);
    sc_tickets_unref(two);
}
END_TEST

START_TEST(previous_key_opens_and_renews)
{
    uint64_t now_ns = 1000000000U;
    sc_clock_fake(&now_ns, NULL);
    struct sc_tickets *tickets = tickets_new();
    struct sc_tls_context *server = server_with(tickets);
    for (size_t i = 0; i < SC_COUNT_OF(versions); i++) {
        SSL_SESSION *stays = NULL, *leaves = NULL;
        ck_assert(!visit(server, versions[i], &stays));
        ck_assert(!visit(server, versions[i], &leaves));
        rotate(tickets);
        ck_assert(visit(server, versions[i], &stays));
        now_ns += PERIOD_MS * 1000000ULL;
        sc_clock_fake(&now_ns, NULL);
        rotate(tickets);
        ck_assert_msg(visit(server, versions[i], &stays), "a ticket of the previous key");
        now_ns += PERIOD_MS * 1000000ULL;
        sc_clock_fake(&now_ns, NULL);
        rotate(tickets);
        ck_assert_msg(visit(server, versions[i], &stays), "the ticket was renewed");
        ck_assert_msg(!visit(server, versions[i], &leaves), "the key of the first ticket is gone");
        SSL_SESSION_free(stays);
        SSL_SESSION_free(leaves);
    }
    sc_tls_context_unref(server);
    sc_tickets_unref(tickets);
    sc_clock_fake(NULL, NULL);
}
END_TEST

START_TEST(a_long_sleep_drops_both_keys)
{
    uint64_t now_ns = 1000000000U, next_ms;
    sc_clock_fake(&now_ns, NULL);
    struct sc_tickets *tickets = tickets_new();
    struct sc_tls_context *server = server_with(tickets);
    SSL_SESSION *session = NULL;
    ck_assert(!visit(server, TLS1_3_VERSION, &session));
    now_ns += 2ULL * PERIOD_MS * 1000000ULL;
    sc_clock_fake(&now_ns, NULL);
    ck_assert_int_eq(sc_tickets_rotate(tickets, PERIOD_MS, &next_ms, NULL), 0);
    ck_assert_uint_eq(next_ms, PERIOD_MS);
    ck_assert(!visit(server, TLS1_3_VERSION, &session));
    now_ns += 1000U * 1000000ULL;
    sc_clock_fake(&now_ns, NULL);
    ck_assert_int_eq(sc_tickets_rotate(tickets, PERIOD_MS, &next_ms, NULL), 0);
    ck_assert_uint_eq(next_ms, PERIOD_MS - 1000U);
    SSL_SESSION_free(session);
    sc_tls_context_unref(server);
    sc_tickets_unref(tickets);
    sc_clock_fake(NULL, NULL);
}
END_TEST

START_TEST(damaged_tickets_make_a_full_handshake)
{
    struct sc_tickets *tickets = tickets_new();
    struct sc_tls_context *server = server_with(tickets);
    SSL_SESSION *session = NULL;
    ck_assert(!visit(server, TLS1_3_VERSION, &session));
    unsigned char *der = NULL, *at;
    const unsigned char *cursor;
    const unsigned char *ticket;
    size_t ticket_length;
    SSL_SESSION_get0_ticket(session, &ticket, &ticket_length);
    int length = i2d_SSL_SESSION(session, &der);
    ck_assert_int_gt(length, 0);
    at = memmem(der, (size_t)length, ticket, ticket_length);
    ck_assert_ptr_nonnull(at);
    at[ticket_length / 2] ^= 1;
    cursor = der;
    SSL_SESSION *damaged = d2i_SSL_SESSION(NULL, &cursor, length);
    ck_assert_ptr_nonnull(damaged);
    ck_assert(!visit(server, TLS1_3_VERSION, &damaged));
    ck_assert(visit(server, TLS1_3_VERSION, &damaged));
    ck_assert(visit(server, TLS1_3_VERSION, &session));
    OPENSSL_free(der);
    SSL_SESSION_free(session);
    SSL_SESSION_free(damaged);
    sc_tls_context_unref(server);
    sc_tickets_unref(tickets);
}
END_TEST

START_TEST(hosts_share_a_file)
{
    unsigned char keys[160];
    bool changed;
    ck_assert_int_eq(RAND_bytes(keys, sizeof(keys)), 1);
    fixture_write("both", keys, 160);
    fixture_write("second", keys + 80, 80);
    struct sc_tickets *one = tickets_new(), *two = tickets_new();
    ck_assert_int_eq(sc_tickets_use_file(one, fixture_path("second"), &changed, NULL), 0);
    ck_assert(changed);
    const uint64_t later_ns = sc_clock_ns() + UINT64_C(3600000000000);
    const uint64_t generation = sc_tickets_generation(one);
    sc_clock_fake(&later_ns, NULL);
    ck_assert_int_eq(sc_tickets_use_file(one, fixture_path("second"), &changed, NULL), 0);
    ck_assert(!changed);
    ck_assert_uint_eq(sc_tickets_generation(one), generation);
    ck_assert_uint_ge(sc_tickets_age_ms(one), 3600000); /* a reload makes them no younger */
    sc_clock_fake(NULL, NULL);
    ck_assert_int_eq(sc_tickets_use_file(two, fixture_path("both"), NULL, NULL), 0);
    struct sc_tls_context *here = server_with(one), *there = server_with(two);
    for (size_t i = 0; i < SC_COUNT_OF(versions); i++) {
        SSL_SESSION *session = NULL;
        ck_assert(!visit(here, versions[i], &session));
        ck_assert_msg(visit(there, versions[i], &session), "the second key opens");
        ck_assert_msg(!visit(here, versions[i], &session), "the first key made the new ticket");
        SSL_SESSION_free(session);
    }
    SSL_SESSION *session = NULL;
    ck_assert(!visit(here, TLS1_3_VERSION, &session));
    rotate(one);
    ck_assert_int_eq(sc_tickets_use_memory(one, NULL), 0);
    ck_assert_msg(visit(here, TLS1_3_VERSION, &session), "the file's key still opens");
    ck_assert_msg(!visit(there, TLS1_3_VERSION, &session), "and makes no more tickets");
    SSL_SESSION_free(session);
    sc_tls_context_unref(here);
    sc_tls_context_unref(there);
    sc_tickets_unref(one);
    sc_tickets_unref(two);
}
END_TEST

START_TEST(reads_base64_lines)
{
    unsigned char keys[160];
    char text[256];
    bool changed;
    ck_assert_int_eq(RAND_bytes(keys, sizeof(keys)), 1);
    int length = EVP_EncodeBlock((unsigned char *)text, keys, 80);
    ck_assert_int_eq(length, 108);
    text[length++] = '\n';
    length += EVP_EncodeBlock((unsigned char *)text + length, keys + 80, 80);
    text[length++] = '\r';
    text[length++] = '\n';
    fixture_write("text", text, (size_t)length);
    fixture_write("binary", keys, 160);
    struct sc_tickets *tickets = tickets_new();
    struct sc_err err = {0};
    ck_assert_msg(sc_tickets_use_file(tickets, fixture_path("text"), &changed, &err) == 0, "%s",
                  err.text);
    ck_assert(changed);
    ck_assert_int_eq(sc_tickets_use_file(tickets, fixture_path("binary"), &changed, NULL), 0);
    ck_assert_msg(!changed, "both spellings are the same keys");
    sc_tickets_unref(tickets);
}
END_TEST

START_TEST(names_what_is_wrong_with_the_file)
{
    unsigned char bytes[80 * 17];
    ck_assert_int_eq(RAND_bytes(bytes, sizeof(bytes)), 1);
    bytes[0] = 0xff;
    fixture_write("short", bytes, 79);
    fixture_write("many", bytes, sizeof(bytes));
    fixture_write("empty", "", 0);
    fixture_write("blank", "\n\n", 2);
    fixture_write("text", "hello\n", 6);
    memcpy(bytes + 80, bytes, 16);
    fixture_write("twins", bytes, 160);
    const struct {
        const char *name;
        int status;
        const char *words;
    } cases[] = {{"none", EX_NOINPUT, "No such file"},
                 {".", EX_NOINPUT, "directory"},
                 {"short", EX_CONFIG, "79 bytes"},
                 {"many", EX_CONFIG, "at most 16"},
                 {"empty", EX_CONFIG, "no key in it"},
                 {"blank", EX_CONFIG, "no key in it"},
                 {"text", EX_CONFIG, "key 1 is not a line"},
                 {"twins", EX_CONFIG, "1 and 2 start with the same name"}};
    struct sc_tickets *tickets = tickets_new();
    struct sc_tls_context *server = server_with(tickets);
    SSL_SESSION *session = NULL;
    ck_assert(!visit(server, TLS1_3_VERSION, &session));
    for (size_t i = 0; i < SC_COUNT_OF(cases); i++) {
        struct sc_err err = {0};
        ck_assert_int_eq(sc_tickets_use_file(tickets, fixture_path(cases[i].name), NULL, &err), -1);
        ck_assert_msg(err.status == cases[i].status && strstr(err.text, cases[i].words) &&
                          strstr(err.text, "ticket keys"),
                      "%d: %s", err.status, err.text);
        ck_assert_uint_eq(ERR_peek_error(), 0);
    }
    ck_assert_msg(visit(server, TLS1_3_VERSION, &session), "the active keys stay");
    SSL_SESSION_free(session);
    sc_tls_context_unref(server);
    sc_tickets_unref(tickets);
}
END_TEST

/* What a later process does: the keys keep their age, and rotate when they would have. */
START_TEST(a_later_process_takes_saved_keys)
{
    uint64_t now_ns = 1000000000U, next_ms;
    uint8_t saved[SC_TICKETS_SAVED_BYTES];
    SSL_SESSION *session = NULL, *old = NULL;
    sc_clock_fake(&now_ns, NULL);
    struct sc_tickets *one = tickets_new(), *two = tickets_new();
    struct sc_tls_context *before = server_with(one), *after = server_with(two);
    ck_assert(!visit(before, TLS1_3_VERSION, &old));
    const uint64_t generation = sc_tickets_generation(one);
    ck_assert_uint_eq(sc_tickets_save(one, saved), 104);
    ck_assert_uint_eq(sc_tickets_generation(one), generation);
    now_ns += PERIOD_MS * 1000000ULL;
    sc_clock_fake(&now_ns, NULL);
    rotate(one);
    ck_assert_uint_ne(sc_tickets_generation(one), generation);
    ck_assert(!visit(before, TLS1_3_VERSION, &session));
    ck_assert_uint_eq(sc_tickets_save(one, saved), 184);
    now_ns += PERIOD_MS / 2 * 1000000ULL;
    sc_clock_fake(&now_ns, NULL);
    const uint64_t fresh = sc_tickets_generation(two);
    ck_assert_int_eq(sc_tickets_restore(two, saved, 184, NULL), 0);
    ck_assert_uint_ne(sc_tickets_generation(two), fresh);
    ck_assert_msg(visit(after, TLS1_3_VERSION, &session), "the current key");
    ck_assert_msg(visit(after, TLS1_3_VERSION, &old), "the previous key");
    ck_assert_uint_eq(sc_tickets_age_ms(two), PERIOD_MS / 2);
    ck_assert_int_eq(sc_tickets_rotate(two, PERIOD_MS, &next_ms, NULL), 0);
    ck_assert_uint_eq(next_ms, PERIOD_MS / 2);

    /* Two periods later both are too old. */
    now_ns += 2ULL * PERIOD_MS * 1000000ULL;
    sc_clock_fake(&now_ns, NULL);
    ck_assert_int_eq(sc_tickets_restore(two, saved, 184, NULL), 0);
    ck_assert_int_eq(sc_tickets_rotate(two, PERIOD_MS, &next_ms, NULL), 0);
    ck_assert(!visit(after, TLS1_3_VERSION, &session));
    SSL_SESSION_free(session);
    SSL_SESSION_free(old);
    sc_tls_context_unref(before);
    sc_tls_context_unref(after);
    sc_tickets_unref(one);
    sc_tickets_unref(two);
    sc_clock_fake(NULL, NULL);
}
END_TEST

START_TEST(damaged_keys_are_not_taken)
{
    uint64_t now_ns = 5000000000U;
    uint8_t saved[SC_TICKETS_SAVED_BYTES], bytes[1024] = {0};
    static const struct {
        size_t at;
        uint8_t value;
        const char *words;
    } cases[] = {{0, 'x', "another version"}, /* the format */
                 {7, '2', "another version"},
                 {12, 1, "damaged"}, /* the age: later than now */
                 {18, 1, "damaged"}, /* how many keys */
                 {20, 1, "damaged"}};
    sc_clock_fake(&now_ns, NULL);
    struct sc_tickets *one = tickets_new(), *two = tickets_new();
    struct sc_tls_context *server = server_with(two);
    SSL_SESSION *session = NULL;
    struct sc_err err = {0};
    rotate(one);
    now_ns += PERIOD_MS * 1000000ULL;
    sc_clock_fake(&now_ns, NULL);
    rotate(one);
    ck_assert(!visit(server, TLS1_3_VERSION, &session));
    ck_assert_uint_eq(sc_tickets_save(one, saved), 184);
    const uint64_t generation = sc_tickets_generation(two);
    for (size_t i = 0; i < SC_COUNT_OF(cases); i++) {
        memcpy(bytes, saved, sizeof(saved));
        bytes[cases[i].at] = cases[i].value;
        ck_assert_int_eq(sc_tickets_restore(two, bytes, sizeof(saved), &err), -1);
        ck_assert_msg(strstr(err.text, cases[i].words) != NULL, "%s", err.text);
    }
    memcpy(bytes, saved, sizeof(saved));
    for (size_t length = 0; length <= sizeof(bytes); length++) {
        ck_assert(length == sizeof(saved) || sc_tickets_restore(two, bytes, length, &err) == -1);
    }
    memcpy(bytes + 104, bytes + 24, 16);
    ck_assert_int_eq(sc_tickets_restore(two, bytes, sizeof(saved), &err), -1);
    ck_assert_uint_eq(sc_tickets_generation(two), generation);
    ck_assert_msg(visit(server, TLS1_3_VERSION, &session), "the keys stay");
    SSL_SESSION_free(session);
    sc_tls_context_unref(server);
    sc_tickets_unref(one);
    sc_tickets_unref(two);
    sc_clock_fake(NULL, NULL);
}
END_TEST

START_TEST(keys_of_a_file_are_not_saved)
{
    unsigned char key[80];
    uint8_t saved[SC_TICKETS_SAVED_BYTES];
    ck_assert_int_eq(RAND_bytes(key, sizeof(key)), 1);
    fixture_write("one", key, sizeof(key));
    struct sc_tickets *tickets = tickets_new();
    const uint64_t generation = sc_tickets_generation(tickets);
    use_file(tickets, "one");
    ck_assert_uint_eq(sc_tickets_save(tickets, saved), 0);
    ck_assert_ptr_null(memmem(saved, sizeof(saved), key, 16));
    ck_assert_uint_ne(sc_tickets_generation(tickets), generation);
    ck_assert_int_eq(sc_tickets_use_memory(tickets, NULL), 0);
    ck_assert_uint_eq(sc_tickets_save(tickets, saved), 184);
    sc_tickets_unref(tickets);
}
END_TEST

SUITE_MAIN("tickets", resume_across_contexts, other_keys_make_a_full_handshake,
           previous_key_opens_and_renews, a_long_sleep_drops_both_keys,
           damaged_tickets_make_a_full_handshake, hosts_share_a_file, reads_base64_lines,
           names_what_is_wrong_with_the_file, a_later_process_takes_saved_keys,
           damaged_keys_are_not_taken, keys_of_a_file_are_not_saved)

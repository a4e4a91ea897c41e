/* SPDX-License-Identifier: MIT */
/* What tls/tickets makes of its keys: tickets, rotation, files, memory. */
#include "config.h"

#include <string.h>
#include <sysexits.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include "leaks.h"
#include "tickets_fixture.h"
#include "tls/ticket_file.h"

#define NAME_BYTES 16U
#define IV_BYTES 16U
#define MAC_BYTES 32U

/*
 * In place of OpenSSL's, for the library under test: how many secret bytes were asked for, and how
 * many were erased.
 */
static size_t random_bytes, erased_bytes;

int RAND_priv_bytes(unsigned char *bytes, int count)
{
    random_bytes += (size_t)count;
    return RAND_bytes(bytes, count);
}

void OPENSSL_cleanse(void *bytes, size_t count)
{
    memset(bytes, 0, count);
    erased_bytes += count;
}

static const unsigned char *ticket_of(const SSL_SESSION *session, size_t *length)
{
    const unsigned char *ticket;
    SSL_SESSION_get0_ticket(session, &ticket, length);
    ck_assert_uint_gt(*length, NAME_BYTES + IV_BYTES + MAC_BYTES);
    ck_assert_uint_lt(*length, 4096);
    return ticket;
}

START_TEST(keys_are_random_and_erased)
{
    random_bytes = 0;
    struct sc_tickets *tickets = tickets_new();
    ck_assert_uint_eq(random_bytes, 64); /* a cipher key and a MAC key */
    ck_assert_ptr_eq(sc_tickets_ref(tickets), tickets);
    sc_tickets_unref(tickets);
    erased_bytes = 0;
    sc_tickets_unref(tickets);
    ck_assert_uint_ge(erased_bytes, (size_t)SC_TICKETS_MAX_KEYS * SC_TICKETS_KEY_BYTES);
    sc_tickets_unref(NULL);
}
END_TEST

static void make_install_and_drop(void)
{
    struct sc_tickets *tickets = tickets_new();
    SSL_CTX *ssl_ctx = SSL_CTX_new(TLS_server_method());
    ck_assert_int_eq(sc_tickets_install(tickets, ssl_ctx, NULL), 0);
    SSL_CTX_free(ssl_ctx);
    sc_tickets_unref(sc_tickets_ref(tickets));
    sc_tickets_unref(tickets);
}

START_TEST(nothing_is_kept)
{
    ASSERT_KEEPS_NOTHING(make_install_and_drop());
}
END_TEST

/* Name, IV, AES-256-CBC, HMAC-SHA256 over all of it (RFC 5077, section 4). */
static void check_ticket(const unsigned char *ticket, size_t length, const unsigned char *key)
{
    unsigned char mac[EVP_MAX_MD_SIZE], plain[4096];
    unsigned mac_length;
    int first, last;
    const size_t signed_length = length - MAC_BYTES;
    ck_assert_mem_eq(ticket, key, NAME_BYTES);
    ck_assert_ptr_nonnull(
        HMAC(EVP_sha256(), key + 48, 32, ticket, signed_length, mac, &mac_length));
    ck_assert_mem_eq(ticket + signed_length, mac, MAC_BYTES);
    EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
    ck_assert_int_eq(
        EVP_DecryptInit_ex(cipher, EVP_aes_256_cbc(), NULL, key + 16, ticket + NAME_BYTES), 1);
    ck_assert_int_eq(EVP_DecryptUpdate(cipher, plain, &first, ticket + NAME_BYTES + IV_BYTES,
                                       (int)(signed_length - NAME_BYTES - IV_BYTES)),
                     1);
    ck_assert_int_eq(EVP_DecryptFinal_ex(cipher, plain + first, &last), 1);
    const unsigned char *cursor = plain;
    SSL_SESSION *session = d2i_SSL_SESSION(NULL, &cursor, first + last);
    ck_assert_msg(session != NULL, "the ticket does not hold a session");
    SSL_SESSION_free(session);
    EVP_CIPHER_CTX_free(cipher);
}

START_TEST(a_ticket_is_encrypted_and_signed_with_the_key)
{
    enum { VISITS = 4 };
    unsigned char key[80], seen[VISITS][IV_BYTES];
    size_t length;
    ck_assert_int_eq(RAND_bytes(key, sizeof(key)), 1);
    fixture_write("key", key, sizeof(key));
    struct sc_tickets *tickets = tickets_new();
    use_file(tickets, "key");
    struct sc_tls_context *server = server_with(tickets);
    for (size_t i = 0; i < VISITS; i++) {
        SSL_SESSION *session = NULL;
        ck_assert(!visit(server, versions[i / 2], &session));
        const unsigned char *ticket = ticket_of(session, &length);
        check_ticket(ticket, length, key);
        /* Every ticket has an IV of its own, all of it random. */
        memcpy(seen[i], ticket + NAME_BYTES, IV_BYTES);
        for (size_t k = 0; k < i; k++) {
            for (size_t part = 0; part < IV_BYTES; part += 4) {
                ck_assert_mem_ne(seen[k] + part, seen[i] + part, 4);
            }
        }
        SSL_SESSION_free(session);
    }
    sc_tls_context_unref(server);
    sc_tickets_unref(tickets);
}
END_TEST

/* A TLS 1.2 client keeps a ticket of the current key; with TLS 1.3 each use brings a new one. */
START_TEST(a_new_ticket_is_given_where_it_is_needed)
{
    struct sc_tickets *tickets = tickets_new();
    struct sc_tls_context *server = server_with(tickets);
    for (size_t i = 0; i < SC_COUNT_OF(versions); i++) {
        SSL_SESSION *session = NULL;
        unsigned char before[4096];
        size_t length, length_before;
        ck_assert(!visit(server, versions[i], &session));
        const unsigned char *ticket = ticket_of(session, &length_before);
        memcpy(before, ticket, length_before);
        ck_assert(visit(server, versions[i], &session));
        ticket = ticket_of(session, &length);
        const bool same = length == length_before && memcmp(ticket, before, length) == 0;
        ck_assert_int_eq(same, versions[i] == TLS1_2_VERSION);
        SSL_SESSION_free(session);
    }
    sc_tls_context_unref(server);
    sc_tickets_unref(tickets);
}
END_TEST

/* Names that begin alike are two names, and the right key is found. */
START_TEST(a_name_is_all_of_its_bytes)
{
    unsigned char keys[160];
    bool changed;
    ck_assert_int_eq(RAND_bytes(keys, sizeof(keys)), 1);
    memcpy(keys + 80, keys, 15);
    keys[80 + 15] = (unsigned char)(keys[15] + 1);
    fixture_write("both", keys, 160);
    fixture_write("second", keys + 80, 80);
    struct sc_tickets *one = tickets_new(), *two = tickets_new();
    use_file(one, "second");
    use_file(two, "both");
    struct sc_tls_context *here = server_with(one), *there = server_with(two);
    SSL_SESSION *session = NULL;
    ck_assert(!visit(here, TLS1_3_VERSION, &session));
    ck_assert(visit(there, TLS1_3_VERSION, &session));
    SSL_SESSION_free(session);

    /* The same name with another secret is another key. */
    keys[80 + 79] ^= 1;
    fixture_write("second", keys + 80, 80);
    ck_assert_int_eq(sc_tickets_use_file(one, fixture_path("second"), &changed, NULL), 0);
    ck_assert(changed);
    sc_tls_context_unref(here);
    sc_tls_context_unref(there);
    sc_tickets_unref(one);
    sc_tickets_unref(two);
}
END_TEST

START_TEST(keys_of_a_file_do_not_rotate)
{
    unsigned char key[80];
    uint64_t now_ns = 1000000000U, next_ms;
    sc_clock_fake(&now_ns, NULL);
    ck_assert_int_eq(RAND_bytes(key, sizeof(key)), 1);
    fixture_write("key", key, sizeof(key));
    struct sc_tickets *tickets = tickets_new();
    use_file(tickets, "key");
    struct sc_tls_context *server = server_with(tickets);
    SSL_SESSION *session = NULL;
    ck_assert(!visit(server, TLS1_3_VERSION, &session));
    now_ns += 10ULL * PERIOD_MS * 1000000ULL;
    sc_clock_fake(&now_ns, NULL);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(sc_tickets_rotate(tickets, PERIOD_MS, &next_ms, NULL), 0);
        ck_assert_uint_eq(next_ms, PERIOD_MS);
    }
    ck_assert(visit(server, TLS1_3_VERSION, &session));
    SSL_SESSION_free(session);
    sc_tls_context_unref(server);
    sc_tickets_unref(tickets);
    sc_clock_fake(NULL, NULL);
}
END_TEST

/* Reloads leave keys in memory as they are, however many there are. */
START_TEST(a_reload_does_not_rotate)
{
    struct sc_tickets *tickets = tickets_new();
    struct sc_tls_context *server = server_with(tickets);
    SSL_SESSION *session = NULL;
    ck_assert(!visit(server, TLS1_3_VERSION, &session));
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(sc_tickets_use_memory(tickets, NULL), 0);
    }
    ck_assert(visit(server, TLS1_3_VERSION, &session));
    SSL_SESSION_free(session);
    sc_tls_context_unref(server);
    sc_tickets_unref(tickets);
}
END_TEST

START_TEST(there_is_a_most_in_a_file)
{
    enum { MOST = SC_TICKETS_MAX_KEYS, LINE = 109 };
    unsigned char keys[(MOST + 1) * 80], lines[(MOST + 1) * LINE];
    struct sc_err err;
    ck_assert_int_eq(RAND_bytes(keys, sizeof(keys)), 1);
    keys[0] = 0xff; /* not text */
    for (size_t i = 0; i <= MOST; i++) {
        (void)EVP_EncodeBlock(lines + i * LINE, keys + i * 80, 80);
        lines[i * LINE + LINE - 1] = '\n';
    }
    struct sc_tickets *tickets = tickets_new();
    fixture_write("binary", keys, (size_t)MOST * 80);
    use_file(tickets, "binary");
    fixture_write("text", lines, (size_t)MOST * LINE);
    use_file(tickets, "text");
    fixture_write("binary", keys, sizeof(keys));
    ck_assert_int_eq(sc_tickets_use_file(tickets, fixture_path("binary"), NULL, &err), -1);
    ck_assert_ptr_nonnull(strstr(err.text, "at most 16"));
    fixture_write("text", lines, sizeof(lines));
    ck_assert_int_eq(sc_tickets_use_file(tickets, fixture_path("text"), NULL, &err), -1);
    ck_assert_ptr_nonnull(strstr(err.text, "more than 16 keys"));
    sc_tickets_unref(tickets);
}
END_TEST

static void refused(struct sc_tickets *tickets, const char *name, const char *words)
{
    struct sc_err err = {0};
    ck_assert_int_eq(sc_tickets_use_file(tickets, fixture_path(name), NULL, &err), -1);
    ck_assert_int_eq(err.status, EX_CONFIG);
    ck_assert_msg(strstr(err.text, words) != NULL, "%s", err.text);
    ck_assert_uint_eq(ERR_peek_error(), 0);
}

START_TEST(lines_and_names_that_are_wrong)
{
    unsigned char keys[240];
    char line[112];
    struct sc_tickets *tickets = tickets_new();
    ck_assert_int_eq(RAND_bytes(keys, sizeof(keys)), 1);
    keys[0] = 0xff;
    keys[80] = 0xfe;
    memcpy(keys + 160, keys, NAME_BYTES);
    fixture_write("apart", keys, sizeof(keys));
    refused(tickets, "apart", "keys 1 and 3 start with the same name");
    memset(line, 'A', sizeof(line));
    fixture_write("84 bytes", line, 112);
    refused(tickets, "84 bytes", "key 1 is not a line of 80 bytes");
    fixture_write("81 bytes", line, 108);
    refused(tickets, "81 bytes", "key 1 is not a line of 80 bytes");
    line[106] = line[107] = '=';
    fixture_write("79 bytes", line, 108);
    refused(tickets, "79 bytes", "key 1 is not a line of 80 bytes");
    line[106] = 'A';
    fixture_write("80 bytes", line, 108);
    use_file(tickets, "80 bytes");
    sc_tickets_unref(tickets);
}
END_TEST

SUITE_MAIN("ticket_keys", keys_are_random_and_erased, nothing_is_kept,
           a_ticket_is_encrypted_and_signed_with_the_key, a_new_ticket_is_given_where_it_is_needed,
           a_name_is_all_of_its_bytes, keys_of_a_file_do_not_rotate, a_reload_does_not_rotate,
           there_is_a_most_in_a_file, lines_and_names_that_are_wrong)

/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "tls/certificate.h"

#include <stdio.h>
#include <string.h>

#include "leaks.h"
#include "pin_fixture.h"
#include "suite.h"
#include "tls/pin.h"

#define JAN_1_2030 ((time_t)1893456000)
#define A_DAY ((time_t)86400)

static void validity_is(time_t from, time_t to, time_t now, const char *expected)
{
    char text[SC_CERTIFICATE_VALIDITY_BYTES];
    sc_certificate_describe_validity(from, to, now, text);
    ck_assert_str_eq(text, expected);
}

START_TEST(dates_in_words)
{
    const time_t from = JAN_1_2030, to = JAN_1_2030 + 10 * A_DAY;
    validity_is(from, to, from - 1, "not valid before 2030-01-01");
    validity_is(from, to, from, "valid until 2030-01-11, 10 more days");
    validity_is(from, to, to - 2 * A_DAY + 1, "valid until 2030-01-11, 1 more day");
    validity_is(from, to, to - A_DAY + 1, "valid until 2030-01-11, 0 more days");
    validity_is(from, to, to, "valid until 2030-01-11, 0 more days");
    validity_is(from, to, to + 1, "expired on 2030-01-11");
    struct identity leaf = make("a", "DNS:a", NULL, 1, 10);
    time_t not_before, not_after;
    sc_certificate_dates(leaf.certificate, &not_before, &not_after);
    ck_assert_int_eq(not_after - not_before, 9 * A_DAY + 3600);
    drop(&leaf);
}
END_TEST

static void names_are(const char *names, size_t out_size, const char *expected)
{
    struct identity leaf = make("a", names, NULL, 0, 10);
    char text[128];
    sc_certificate_names(leaf.certificate, text, out_size);
    ck_assert_str_eq(text, expected);
    drop(&leaf);
}

START_TEST(hosts_and_addresses)
{
    names_are("", 128, "");
    names_are("DNS:localhost,IP:127.0.0.1,IP:::1", 128, "localhost, 127.0.0.1, ::1");
    names_are("DNS:*.a.example,email:me@a.example,URI:b.example", 128, "*.a.example");
    /* Not a host name: what is printed goes to terminals and into commands. */
    names_are("DNS:a b,DNS:a;reboot,DNS:good", 128, "good");
    /* What does not fit is reported, and nothing is cut in the middle. */
    names_are("DNS:one.example,DNS:two.example,DNS:three.example", 128,
              "one.example, two.example, three.example");
    names_are("DNS:one.example,DNS:two.example,DNS:three.example", 40,
              "one.example, two.example, ...");
    names_are("DNS:one.example", 10, "...");
}
END_TEST

/*
 * Not the one that is known already, in any case of its letters; no address, no pattern, and
 * nothing that is no name.
 */
START_TEST(another_name_of_a_host)
{
    struct identity leaf = make("a",
                                "IP:192.0.2.9,DNS:localhost,DNS:x;y.example,DNS:Own.example,"
                                "DNS:*.wild.example,DNS:b.example",
                                NULL, 0, 10);
    struct identity without = make("a", "IP:192.0.2.9,DNS:own.example", NULL, 0, 10);
    char text[128];
    ck_assert(sc_certificate_host_name(leaf.certificate, "own.example", text, sizeof(text)));
    ck_assert_str_eq(text, "b.example");
    ck_assert(
        !sc_certificate_host_name(leaf.certificate, "own.example", text, strlen("b.example")));
    ck_assert(!sc_certificate_host_name(without.certificate, "own.example", text, sizeof(text)));
    ASSERT_KEEPS_NOTHING(
        (void)sc_certificate_host_name(leaf.certificate, "own.example", text, sizeof(text)));
    drop(&leaf);
    drop(&without);
}
END_TEST

/* A name with a NUL in it would be read as another one. */
START_TEST(a_name_ends_where_it_says)
{
    static const unsigned char bytes[] = "good.example\0.evil.example";
    GENERAL_NAME *name = GENERAL_NAME_new();
    ASN1_IA5STRING *value = ASN1_IA5STRING_new();
    char text[128];
    ck_assert_int_eq(ASN1_STRING_set(value, bytes, sizeof(bytes) - 1), 1);
    GENERAL_NAME_set0_value(name, GEN_DNS, value);
    ck_assert(!sc_certificate_name(name, text, sizeof(text)));
    ck_assert_int_eq(ASN1_STRING_set(value, bytes, (int)strlen((const char *)bytes)), 1);
    ck_assert(sc_certificate_name(name, text, sizeof(text)));
    ck_assert_str_eq(text, "good.example");
    ck_assert(!sc_certificate_name(name, text, strlen("good.example"))); /* no room for its end */
    GENERAL_NAME_free(name);
}
END_TEST

START_TEST(nothing_is_kept)
{
    struct identity leaf = make("a", "DNS:localhost,IP:127.0.0.1", NULL, 0, 10);
    char text[128];
    ASSERT_KEEPS_NOTHING(sc_certificate_names(leaf.certificate, text, sizeof(text)));
    drop(&leaf);
}
END_TEST

/* Why a certificate of the pinned issuer is refused; of another one, that goes first. */
static void cause_is(const struct identity *issuer, long from, long to, const char *host,
                     enum sc_pin_cause cause, const char *words)
{
    struct identity leaf = make("x", "DNS:a.example", issuer, from, to);
    struct identity root = *issuer;
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    SSL *ssl = SSL_new(ctx);
    struct sc_pin_set *set = sc_pin_set_new();
    struct sc_pin_result result;
    char path[32], spec[40];
    SSL_set_connect_state(ssl);
    write_pem(path, 1, &root.certificate);
    (void)snprintf(spec, sizeof(spec), "ca:%s", path);
    ck_assert_int_eq(sc_pin_set_add(set, spec, NULL), 0);
    ck_assert_int_eq(sc_pin_set_match_certificate(set, ssl, leaf.certificate, NULL, host, &result),
                     -1);
    ck_assert_int_eq(result.cause, cause);
    ck_assert_msg(strstr(result.reason, words) != NULL, "%s", result.reason);

    struct identity stranger = make("root", NULL, NULL, -100, 100);
    struct identity of_stranger = make("x", "DNS:a.example", &stranger, from, to);
    ck_assert_int_eq(
        sc_pin_set_match_certificate(set, ssl, of_stranger.certificate, NULL, host, &result), -1);
    ck_assert_int_eq(result.cause, SC_PIN_OTHER);
    ck_assert_int_eq(remove(path), 0);
    sc_pin_set_free(set);
    SSL_free(ssl);
    SSL_CTX_free(ctx);
    drop(&leaf);
    drop(&stranger);
    drop(&of_stranger);
}

START_TEST(why_a_certificate_of_the_pinned_issuer_is_refused)
{
    struct identity root = make("root", NULL, NULL, -100, 100);
    cause_is(&root, -20, -10, "a.example", SC_PIN_EXPIRED, "expired on");
    cause_is(&root, 10, 20, "a.example", SC_PIN_NOT_YET_VALID, "not valid before");
    cause_is(&root, -1, 10, "b.example", SC_PIN_WRONG_NAME, "is for a.example, not for b.example");
    cause_is(&root, -1, 10, "192.0.2.1", SC_PIN_WRONG_NAME, "is for a.example, not for 192.0.2.1");
    drop(&root);
}
END_TEST

SUITE_MAIN("certificate", dates_in_words, another_name_of_a_host, hosts_and_addresses,
           a_name_ends_where_it_says, nothing_is_kept,
           why_a_certificate_of_the_pinned_issuer_is_refused)

/* SPDX-License-Identifier: MIT */
/* What a server logs, without a reload, of certificates and OCSP responses that end. */
#include "config.h"

#include <openssl/ocsp.h>

#include "reload_fixture.h"
#include "tls/ocsp.h"

static void staple(long from_s, long to_s)
{
    fixture_write_ocsp("ocsp.der", certificate, certificate, certificate, key,
                       V_OCSP_CERTSTATUS_GOOD, from_s, to_s);
}

/* A pair that is good for so many days, and an OCSP response for so many seconds (0: none). */
static void begin_good_for(long days, long response_s)
{
    char text[700] = "[server]\nreload-interval = 0\n";
    key = fixture_key("P-256");
    certificate = fixture_certificate(key, "server", -3600, days * 86400, NULL, NULL);
    fixture_write_key("server.key", key, NULL);
    fixture_write_certificate("server.crt", certificate, false);
    if (response_s != 0) {
        staple(-1000, response_s);
        (void)snprintf(text + strlen(text), sizeof(text) - strlen(text),
                       "[tls]\nocsp-response = %s\n", fixture_path("ocsp.der"));
    }
    configure(text);
    start();
}

START_TEST(an_ocsp_response_that_ends)
{
    begin_good_for(40, 1000);
    ck_assert_uint_eq(kept_count, 1); /* no_next_key */
    ck_assert(waits(500)); /* a quarter of its time before the end */
    expect_after_s(490, NULL, NULL);
    expect_after_s(15, " warning ocsp_response_expiry ", "ocsp.der ends in 9 minutes");
    ck_assert(waits(495));
    expect_after_s(0, NULL, NULL); /* once */
    expect_after_s(496, " warning ocsp_response_ended ", "is not sent any more");
    expect_after_s(0, NULL, NULL);

    /* A new one is taken, and watched. */
    staple(-1000, 10000);
    hang_up();
    ck_assert(kept_has(" reloaded "));
    ck_assert(!kept_has("ocsp_response"));
    ck_assert(sc_ocsp_is_current(sc_tls_context_ocsp(snapshot.tls)));
    expect_after_s(9000, " warning ocsp_response_", "ocsp.der");

    /* One that is out of date already is one line, from wherever it comes. */
    staple(-7200, -3600);
    hang_up();
    ck_assert(kept_has("is out of date and is not sent; fetch a new one"));
    ck_assert(!kept_has("ocsp_response_"));
    finish();
}
END_TEST

/* Of a month: from a week before on, once a day. */
START_TEST(an_ocsp_response_that_is_good_for_long)
{
    begin_good_for(90, 28 * 86400L);
    expect_after_s(20 * DAY_S, NULL, NULL);
    expect_after_s(DAY_S + 7200, " warning ocsp_response_expiry ", "ocsp.der ends in 7 days");
    expect_after_s(0, NULL, NULL);
    expect_after_s(DAY_S, " warning ocsp_response_expiry ", "ocsp.der ends in 6 days");
    expect_after_s(7 * DAY_S, " warning ocsp_response_ended ", "");
    expect_after_s(DAY_S, " warning ocsp_response_ended ", "");
    finish();
}
END_TEST

START_TEST(a_certificate_that_ends)
{
    begin_good_for(31, 0);
    ck_assert_uint_eq(kept_count, 1);
    ASSERT_HAS(kept_last(), " no_next_key ");
    expect_after_s(DAY_S + 3600, " warning certificate_expiry ", "server.crt ends in 30 days");
    expect_after_s(0, NULL, NULL); /* once a day */
    expect_after_s(DAY_S, " warning certificate_expiry ", "ends in 29 days");
    expect_after_s(28 * DAY_S, " warning certificate_expiry ", "ends in 23 hours");
    expect_after_s(2 * DAY_S, " certificate_expiry ", "server.crt ended 1 day ago");
    /* Asked for by a signal it is the snapshot's warning, and no second line. */
    hang_up();
    ck_assert(kept_has(" warning certificate ") && kept_has(" expired at "));
    ck_assert(!kept_has("certificate_expiry"));
    finish();
}
END_TEST

static void write_next(EVP_PKEY *of, long days)
{
    X509 *next = fixture_certificate(of, "next", -3600, days * 86400, NULL, NULL);
    fixture_write_certificate("server.next.crt", next, false);
    X509_free(next);
}

/* It is read from its file, which nobody else reads: no reload is needed when it changes. */
START_TEST(the_certificate_of_the_next_key_ends)
{
    static const char event[] = " next_certificate_expiry ";
    EVP_PKEY *next = fixture_key("P-256"), *other = fixture_key("P-256");
    fixture_write_key("server.next.key", next, NULL);
    begin_good_for(3650, 0);
    ck_assert(!kept_has(event)); /* there is none */
    const unsigned before = finished;
    write_next(next, 31);
    expect_after_s(DAY_S + 3600, event, "server.next.crt of the next key ends in 30 days");
    ck_assert_uint_eq(finished, before + 1); /* metrics and status tell the new end */
    expect_after_s(0, NULL, NULL); /* once a day */
    ck_assert_uint_eq(finished, before + 1);
    expect_after_s(31 * DAY_S, event, "server.next.crt of the next key ended 1 day ago");
    write_next(other, 1); /* not its own */
    expect_after_s(DAY_S, NULL, NULL);
    ck_assert_int_eq(sc_reload_next_certificate_until(reload), 0);
    write_next(next, 365);
    expect_after_s(DAY_S, NULL, NULL);
    ck_assert_int_gt(sc_reload_next_certificate_until(reload), wall.tv_sec);
    finish();
    EVP_PKEY_free(next);
    EVP_PKEY_free(other);
}
END_TEST

SUITE_MAIN("reload_expiry", an_ocsp_response_that_ends, an_ocsp_response_that_is_good_for_long,
           a_certificate_that_ends, the_certificate_of_the_next_key_ends)

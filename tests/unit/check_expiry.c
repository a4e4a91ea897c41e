/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "server/expiry.h"

#include <stdlib.h>

#include <openssl/ocsp.h>

#include "kept_log.h"
#include "suite.h"
#include "tls/ocsp.h"
#include "tls_fixture.h"

#define DAY ((time_t)86400)
#define NOTICE SC_EXPIRY_NOTICE_S
#define END ((time_t)2000000000)

START_TEST(which_day_it_is)
{
    static const struct {
        time_t left;
        long day;
    } rows[] = {
        {30 * DAY + 1, SC_EXPIRY_FAR},
        {30 * DAY, 30},
        {29 * DAY + 1, 30},
        {29 * DAY, 29},
        {7 * DAY, 7},
        {DAY + 1, 2},
        {DAY, 1},
        {1, 1},
        {0, 0},
        {-1, 0},
        {1 - DAY, 0},
        {-DAY, -1},
        {-400 * DAY, -400},
    };
    for (size_t i = 0; i < SC_COUNT_OF(rows); i++) {
        ck_assert_int_eq(sc_expiry_day(END, NOTICE, END - rows[i].left), rows[i].day);
    }
}
END_TEST

/*
 * From half a year before to a month after the end, by the times at which it logs that there is
 * something to say: 30 warnings before the end and 31 after it, each on its second.
 */
START_TEST(a_warning_a_day)
{
    struct sc_expiry expiry = {0};
    unsigned warnings = 0;
    for (time_t now = END - 180 * DAY; now <= END + 30 * DAY;) {
        const long day = sc_expiry_day(END, NOTICE, now);
        const bool due = sc_expiry_is_due(&expiry, END, NOTICE, now);
        ck_assert_int_eq(due, day != SC_EXPIRY_FAR);
        if (due) {
            ck_assert_int_eq(now, END - day * DAY);
            warnings++;
        }
        const time_t next = sc_expiry_next(END, NOTICE, now);
        ck_assert_int_gt(next, 0);
        ck_assert(!sc_expiry_is_due(&expiry, END, NOTICE, now + next - 1));
        now += next;
    }
    ck_assert_uint_eq(warnings, 30 + 31);
}
END_TEST

/* Looked at every hour, as after a clock that is wrong; and after a pause of weeks. */
START_TEST(once_a_day_however_often_it_looks)
{
    struct sc_expiry expiry = {0};
    unsigned warnings = 0;
    for (time_t now = END - 40 * DAY + 5; now < END + 3 * DAY; now += 3600) {
        warnings += sc_expiry_is_due(&expiry, END, NOTICE, now);
    }
    ck_assert_uint_eq(warnings, 30 + 3);
    ck_assert(sc_expiry_is_due(&expiry, END, NOTICE, END + 90 * DAY));
    /* The clock was wrong: far ahead of the end there is nothing to say, and then again. */
    ck_assert(!sc_expiry_is_due(&expiry, END, NOTICE, END - 60 * DAY));
    ck_assert(sc_expiry_is_due(&expiry, END, NOTICE, END - 3 * DAY));
}
END_TEST

/* A new file with the same end on the same day is no news, one with another end is. */
START_TEST(another_end_is_another_matter)
{
    struct sc_expiry expiry = {0};
    ck_assert(sc_expiry_is_due(&expiry, END, NOTICE, END - 5 * DAY));
    ck_assert(!sc_expiry_is_due(&expiry, END, NOTICE, END - 5 * DAY + 60));
    ck_assert(sc_expiry_is_due(&expiry, END + 1, NOTICE, END - 5 * DAY + 61));
    ck_assert(!sc_expiry_is_due(&expiry, END + 365 * DAY, NOTICE, END - 5 * DAY + 62));
}
END_TEST

START_TEST(what_is_made_for_days_has_a_shorter_notice)
{
    static const struct {
        time_t lifetime, notice;
    } rows[] = {
        {365 * DAY, 30 * DAY},  {60 * DAY, 30 * DAY}, {60 * DAY - 2, 7 * DAY},
        {14 * DAY, 7 * DAY},    {7 * DAY, DAY},       {2 * DAY, DAY},
        {2 * DAY - 2, DAY / 2}, {2000, 500},          {0, 0},
    };
    for (size_t i = 0; i < SC_COUNT_OF(rows); i++) {
        ck_assert_int_le(labs((long)(sc_expiry_notice(rows[i].lifetime) - rows[i].notice)), 1);
    }
}
END_TEST

static struct sc_config config;
static struct sc_snapshot snapshot = {.config = &config};
static struct sc_expiries expiries;

/* A certificate that is good for so many days, and a response of the last 200 seconds for 600. */
static void begin(long days)
{
    static char path[] = "ocsp.der";
    EVP_PKEY *key = fixture_key("P-256");
    X509 *certificate = fixture_certificate(key, "server", -3600, days * DAY, NULL, NULL);
    fixture_write_key("server.key", key, NULL);
    fixture_write_certificate("server.crt", certificate, false);
    fixture_write_ocsp("ocsp.der", certificate, certificate, certificate, key,
                       V_OCSP_CERTSTATUS_GOOD, -200, 600);
    struct sc_tls_server_settings settings = fixture_settings("server");
    settings.ocsp_response_path = fixture_path(path);
    config.certificate = config.ocsp_response = path;
    snapshot.tls = fixture_server(&settings);
    kept_start(SC_LOG_INFO);
    X509_free(certificate);
    EVP_PKEY_free(key);
}

/* An OCSP response that ends before anything else is looked at in time. */
START_TEST(the_first_of_all_ends_decides_when_to_look_again)
{
    begin(1000);
    const time_t until = sc_tls_context_ocsp(snapshot.tls)->next_update;
    /* The last quarter of its time. */
    ck_assert_int_eq(sc_expiries_check(&expiries, &snapshot, until - 500), 300);
    ck_assert_uint_eq(kept_count, 0);
    ck_assert_int_eq(sc_expiries_check(&expiries, &snapshot, until - 200), 200);
    ck_assert_uint_eq(kept_count, 1);
    ASSERT_HAS(kept_last(), " ocsp_response_expiry ");
    ck_assert_int_eq(sc_expiries_check(&expiries, &snapshot, until), 3600);
    ck_assert_uint_eq(kept_count, 2);
    ASSERT_HAS(kept_last(), " ocsp_response_ended ");
    sc_tls_context_unref(snapshot.tls);
}
END_TEST

/* Adopts the snapshot and looks at its ends; returns how many lines that was. */
static unsigned adopt_and_check(time_t now)
{
    kept_count = 0;
    sc_expiries_adopt(&expiries, &snapshot, now);
    (void)sc_expiries_check(&expiries, &snapshot, now);
    return kept_count;
}

/* What is over already is logged by whoever loads a snapshot, and here from the next day on. */
START_TEST(what_has_ended_before_it_was_adopted_is_not_logged_twice)
{
    begin(1000);
    const time_t response = sc_tls_context_ocsp(snapshot.tls)->next_update;
    const time_t certificate = sc_tls_context_not_after(snapshot.tls);
    ck_assert_uint_eq(adopt_and_check(response), 0);
    (void)sc_expiries_check(&expiries, &snapshot, response + DAY);
    ck_assert_uint_eq(kept_count, 1);
    ASSERT_HAS(kept_last(), " ocsp_response_ended ");
    expiries = (struct sc_expiries){0};
    ck_assert_uint_eq(adopt_and_check(certificate), 0);
    (void)sc_expiries_check(&expiries, &snapshot, certificate + DAY);
    ck_assert(kept_has(" certificate_expiry "));
    sc_tls_context_unref(snapshot.tls);
}
END_TEST

/* What has not ended is logged once a day, also when it is loaded again on that day. */
START_TEST(what_is_to_end_is_not_logged_again_for_each_load)
{
    begin(20);
    const time_t soon = sc_tls_context_ocsp(snapshot.tls)->next_update - 100;
    ck_assert_uint_eq(adopt_and_check(soon), 2);
    ck_assert(kept_has(" certificate_expiry ") && kept_has(" ocsp_response_expiry "));
    ck_assert_uint_eq(adopt_and_check(soon + 1), 0);
    sc_tls_context_unref(snapshot.tls);
}
END_TEST

/* In days, and at the end in hours and minutes; never less than is left. */
START_TEST(how_long_it_is_good_for)
{
    static const struct {
        time_t left;
        const char *words;
    } rows[] = {
        {2 * DAY + 1, " ends in 3 days:"}, {2 * DAY, " ends in 48 hours:"},
        {7201, " ends in 3 hours:"},       {7200, " ends in 120 minutes:"},
        {61, " ends in 2 minutes:"},       {60, " ends in 1 minute:"},
        {0, " ended 0 days ago:"},         {-DAY, " ended 1 day ago:"},
    };
    begin(20);
    const time_t until = sc_tls_context_not_after(snapshot.tls);
    for (size_t i = 0; i < SC_COUNT_OF(rows); i++) {
        kept_count = 0;
        expiries = (struct sc_expiries){0};
        (void)sc_expiries_check(&expiries, &snapshot, until - rows[i].left);
        ck_assert_msg(kept_has(" certificate_expiry ") && kept_has(rows[i].words), "%s: %s",
                      rows[i].words, kept_lines[0]);
    }
    sc_tls_context_unref(snapshot.tls);
}
END_TEST

SUITE_MAIN("expiry", which_day_it_is, a_warning_a_day, once_a_day_however_often_it_looks,
           another_end_is_another_matter, what_is_made_for_days_has_a_shorter_notice,
           the_first_of_all_ends_decides_when_to_look_again, how_long_it_is_good_for,
           what_has_ended_before_it_was_adopted_is_not_logged_twice,
           what_is_to_end_is_not_logged_again_for_each_load)

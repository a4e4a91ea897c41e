/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "server/reload.h"

#include <unistd.h>

#include <openssl/rand.h>

#include "reload_fixture.h"
#include "tls/ticket_file.h"

/* In place of OpenSSL's, which may fail. */
static bool no_random;

int RAND_bytes(unsigned char *out, int count)
{
    return no_random ? 0 : RAND_bytes_ex(NULL, out, (size_t)count, 0);
}

/* Whether another key makes tickets now than when this was asked before. */
static bool another_key(void)
{
    static unsigned char name[16];
    unsigned char before[sizeof(name)];
    struct sc_tls_context *client = fixture_client();
    struct tls_pair pair;
    const unsigned char *ticket;
    size_t length;
    tls_pair_init(&pair, client, snapshot.tls);
    ck_assert(tls_pair_handshake(&pair));
    SSL_SESSION *session = tls_pair_session(&pair);
    ck_assert_ptr_nonnull(session);
    SSL_SESSION_get0_ticket(session, &ticket, &length);
    ck_assert_uint_gt(length, sizeof(name));
    memcpy(before, name, sizeof(name));
    memcpy(name, ticket, sizeof(name));
    SSL_SESSION_free(session);
    tls_pair_fini(&pair);
    sc_tls_context_unref(client);
    return memcmp(before, name, sizeof(name)) != 0;
}

START_TEST(ticket_keys_rotate)
{
    begin("[server]\nreload-interval = 0\n");
    (void)another_key();
    ck_assert(waits(12 * 3600));
    fire_after_ms(12 * HOUR_MS - 1000);
    ck_assert(!another_key());
    ck_assert(waits(1));
    fire_after_ms(1000);
    ck_assert(another_key());
    ck_assert(waits(12 * 3600));

    /* A longer session-timeout keeps a key for longer, a shorter one is used at once. */
    reload_with("[server]\nreload-interval = 0\n[tls]\nsession-timeout = 168h\n");
    ck_assert(waits(168 * 3600));
    fire_after_ms(20 * HOUR_MS);
    ck_assert(!another_key());
    reload_with("[server]\nreload-interval = 0\n[tls]\nsession-timeout = 5m\n");
    ck_assert(another_key());
    finish();
}
END_TEST

START_TEST(a_rotation_that_fails_is_tried_again)
{
    begin("[server]\nreload-interval = 0\n");
    (void)another_key();
    no_random = true;
    fire_after_ms(12 * HOUR_MS);
    no_random = false;
    ASSERT_HAS(kept_last(), " ticket_rotation_failed ");
    ck_assert(!another_key());
    ck_assert(waits(60));
    fire_after_ms(60000);
    ck_assert(another_key());
    ck_assert(waits(12 * 3600));
    finish();
}
END_TEST

/* How often it is tried again by itself; what fails is not logged again meanwhile. */
static int tries_left(void)
{
    int tries = 0;
    for (; waits(1); tries++) {
        ck_assert_int_lt(tries, 10);
        expect_after_s(0, NULL, NULL);
    }
    return tries;
}

START_TEST(what_fails_is_tried_again)
{
    begin("[server]\nreload-interval = 0\n");
    const size_t before = pending_timers().count;
    reload_with("[server]\nmax-boddy = 1\n");
    ck_assert(kept_has(" error reload_failed ") && kept_has("max-boddy"));
    ck_assert_uint_eq(published, 0);
    ck_assert_ptr_nonnull(strstr(sc_reload_last(reload)->failure, "max-boddy"));
    ck_assert_int_eq(sc_reload_last(reload)->result, SC_RELOAD_FAILURE);
    ck_assert(waits(1));
    expect_after_s(0, NULL, NULL); /* logged already */
    ck_assert_uint_eq(sc_stats_get(&stats.reloads_failed), 2);
    ck_assert_uint_eq(finished, 2);
    configure("[server]\nreload-interval = 1h\nmax-body = 1K\n");
    fire();
    ck_assert(kept_has(" reloaded ") &&
              kept_has("reload_changed key=max-body before=64K after=1K"));
    ck_assert_uint_eq(published, 1);
    ck_assert_str_eq(sc_reload_last(reload)->failure, "");
    ck_assert_int_eq(sc_reload_last(reload)->result, SC_RELOAD_SUCCESS);
    ck_assert_uint_eq(sc_stats_get(&stats.reloads_done), 1);
    ck_assert_uint_eq(pending_timers().count, before + 1); /* the interval that it brought */
    ck_assert(waits(3600));

    /* All that is wrong is told in one line. */
    reload_with("[server]\nmax-boddy = 1\nmax-buddy = 1\n");
    const char *const second = strstr(sc_reload_last(reload)->failure, "max-buddy");
    ck_assert_ptr_nonnull(second);
    ck_assert_ptr_nonnull(strstr(sc_reload_last(reload)->failure, "; "));
    ck_assert_ptr_null(strstr(second, "; "));

    /* But not for ever. */
    reload_with("[server]\nreload-interval = 0\n");
    reload_with("[server]\nreload-interval = 0\nmax-boddy = 1\n");
    ck_assert_int_eq(tries_left(), 5);

    /* A caller that asks gets it again, and that is a new start; so is a success. */
    hang_up();
    ck_assert(kept_has(" error reload_failed ") && kept_has("max-boddy"));
    ck_assert_int_eq(tries_left(), 5);
    reload_with("[server]\nreload-interval = 0\nmax-boddy = 1\n");
    ck_assert(waits(1));
    reload_with("[server]\nreload-interval = 1h\n");
    ck_assert(!waits(1));
    (void)unlink(fixture_path("sc.conf"));
    fire();
    ck_assert(kept_has(" error reload_failed "));
    ck_assert(waits(1));
    finish();
}
END_TEST

/* Of a reload that key-continuity refuses nothing is taken, the keys of tickets neither. */
START_TEST(a_refused_key_leaves_the_ticket_keys)
{
    char text[700], tickets_file[SC_TICKETS_KEY_BYTES] = "first\xff";
    fixture_write("tickets", tickets_file, sizeof(tickets_file));
    ck_assert_int_gt(snprintf(text, sizeof(text),
                              "[server]\nreload-interval = 0\nkey-continuity = enforce\n"
                              "[tls]\nticket-keys = %s\n",
                              fixture_path("tickets")),
                     0);
    begin(text);
    (void)another_key();
    tickets_file[0] = 'x';
    fixture_write("tickets", tickets_file, sizeof(tickets_file));
    fixture_write_pair("server", "RSA2048");
    hang_up();
    ck_assert(kept_has(" error reload_failed ") && kept_has("key-continuity = enforce"));
    ck_assert_uint_eq(published, 0);
    ck_assert(!another_key());
    finish();
}
END_TEST

/* That what was wrong is as it was before is logged, without a signal too. */
START_TEST(the_end_of_a_failure_and_the_stop)
{
    begin("[server]\nreload-interval = 1h\n");
    configure("[server]\nreload-interval = 1h\nmax-boddy = 1\n");
    fire();
    ck_assert(kept_has(" error reload_failed "));
    ck_assert(waits(1) && waits(3600));
    configure("[server]\nreload-interval = 1h\n");
    fire();
    ck_assert(kept_has(" reloaded message=\"nothing has changed\""));
    ck_assert_uint_eq(published, 0);
    ck_assert_str_eq(sc_reload_last(reload)->failure, ""); /* nor is it shown any more */
    ck_assert_int_eq(sc_reload_last(reload)->result, SC_RELOAD_UNCHANGED);
    ck_assert_int_eq(sc_reload_last(reload)->at.tv_sec, wall.tv_sec);

    /* After the stop nothing waits for another try. */
    reload_with("[server]\nmax-boddy = 1\n");
    ck_assert(waits(1) && waits(3600));
    sc_reload_stop(reload);
    ck_assert_uint_eq(pending_timers().count, 0);
    hang_up();
    ck_assert(kept_has("reload_ignored"));
    finish();
}
END_TEST

START_TEST(the_interval_is_the_active_one)
{
    begin("[server]\nreload-interval = 100s\n");
    ck_assert(waits(100));
    configure("[server]\nreload-interval = 200s\n");
    fire();
    ck_assert_uint_eq(published, 1);
    ck_assert(waits(200) && !waits(100));
    fire();
    ck_assert_uint_eq(published, 1);
    ck_assert_uint_eq(kept_count, 0);
    ck_assert_uint_eq(sc_stats_get(&stats.reloads_unchanged), 0); /* it has only looked */
    ck_assert(waits(200));
    fixture_write_pair("server", "P-256"); /* another certificate under the same name */
    fire();
    ck_assert_uint_eq(published, 2);
    reload_with("[server]\nreload-interval = 0\n");
    ck_assert(!waits(200));
    ck_assert_uint_eq(published, 3);
    finish();
}
END_TEST

START_TEST(a_signal_always_publishes)
{
    begin("[server]\nreload-interval = 100s\n");
    const struct sc_tls_context *before = snapshot.tls;
    hang_up();
    ck_assert_uint_eq(published, 1);
    ck_assert_ptr_ne(snapshot.tls, before);
    ck_assert(!kept_has("not_after"));
    ck_assert(kept_has(" reloaded message=\"nothing has changed\""));
    ck_assert_uint_eq(sc_stats_get(&stats.reloads_unchanged), 1);
    ck_assert_int_eq(sc_reload_last(reload)->result, SC_RELOAD_UNCHANGED);
    finish();
}
END_TEST

/* Who waits for it in the log finds everything else done. */
START_TEST(the_line_of_a_reload_is_its_last)
{
    fixture_write_pair("server", "P-256");
    configure("[server]\nreload-interval = 0\n");
    start();
    fixture_write_pair("server", "P-256"); /* another key */
    hang_up();
    ck_assert(kept_has(" key_never_announced "));
    ASSERT_HAS(kept_last(), " reloaded ");
    ck_assert_uint_eq(kept_before_finish, kept_count - 1);
    hang_up();
    ASSERT_HAS(kept_last(), " reloaded message=\"nothing has changed\"");
    ck_assert_uint_eq(kept_before_finish, kept_count - 1);
    configure("[server]\nreload-interval = 0\nmax-boddy = 1\n");
    hang_up();
    ASSERT_HAS(kept_last(), " reload_failed ");
    ck_assert_uint_eq(kept_before_finish, kept_count - 1);
    finish();
}
END_TEST

/* It is compared with what runs, not with what was read last. */
START_TEST(what_needs_a_restart_and_is_changed_back)
{
    begin("[server]\nreload-interval = 100s\nworkers = 1\n");
    reload_with("[server]\nreload-interval = 100s\nworkers = 2\n");
    ck_assert(kept_has(" warning reload_changed key=workers before=1 after=2 hint="));
    hang_up();
    ck_assert_msg(kept_has("key=workers before=1 after=2"), "a caller that asks gets it again");
    expect_after_s(0, NULL, NULL);
    reload_with("[server]\nreload-interval = 100s\nworkers = 3\n");
    ck_assert(kept_has("key=workers before=1 after=3"));
    reload_with("[server]\nreload-interval = 100s\nworkers = 1\n");
    ck_assert(!kept_has("reload_changed"));
    finish();
}
END_TEST

SUITE_MAIN("reload", ticket_keys_rotate, a_rotation_that_fails_is_tried_again,
           what_fails_is_tried_again, a_refused_key_leaves_the_ticket_keys,
           the_end_of_a_failure_and_the_stop, the_interval_is_the_active_one,
           a_signal_always_publishes, the_line_of_a_reload_is_its_last,
           what_needs_a_restart_and_is_changed_back)

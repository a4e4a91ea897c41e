/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "server/reload.h"

#include <signal.h>
#include <time.h>
#include <unistd.h>

#include <openssl/ocsp.h>

#include "base/clock.h"
#include "kept_log.h"
#include "suite.h"
#include "tls/ocsp.h"
#include "tls/ticket_file.h"
#include "tls_fixture.h"

#define DAY_S UINT64_C(86400)
#define HOUR_MS (3600U * 1000U)

/* What the reloads act on; the timers of one fire when a test says so. */
static struct event_base *base;
static struct sc_cmdline *cmdline;
static struct sc_tickets *tickets;
static struct sc_passphrase passphrase;
static struct sc_sysd sysd;
static struct sc_snapshot snapshot;
static struct sc_reload *reload;
static struct sc_stats stats;
static unsigned published, finished, kept_before_finish;
static uint64_t monotonic_ms;
static struct timespec wall;
static EVP_PKEY *key; /* of "server", where a test makes it itself */
static X509 *certificate;

static void publish(struct sc_snapshot *fresh, void *arg)
{
    (void)arg;
    sc_snapshot_unref(&snapshot);
    snapshot = *fresh;
    published++;
}

static void write_status(char *out, size_t out_size, void *arg)
{
    (void)arg;
    (void)snprintf(out, out_size, "serving");
}

static void configure(const char *text)
{
    fixture_write("sc.conf", text, strlen(text));
}

static void pass_time(uint64_t ms)
{
    monotonic_ms += ms;
    wall.tv_sec += (time_t)(ms / 1000);
    const uint64_t ns = monotonic_ms * 1000000U;
    sc_clock_fake(&ns, &wall);
}

static void on_finished(void *arg)
{
    (void)arg;
    finished++;
    kept_before_finish = kept_count;
}

/* With the pair "server" that is there, and sc.conf. */
static void start(void)
{
    static char *argv[8];
    const char *const words[] = {"sc-server",
                                 "-c",
                                 fixture_path("sc.conf"),
                                 "--certificate",
                                 fixture_path("server.crt"),
                                 "--private-key",
                                 fixture_path("server.key")};
    struct sc_config_errors errors = {0};
    struct sc_err err;
    for (size_t i = 0; i < SC_COUNT_OF(words); i++) {
        argv[i] = strdup(words[i]);
    }
    monotonic_ms = sc_clock_ms();
    wall = sc_clock_wall();
    pass_time(0);
    ck_assert_ptr_nonnull(base = event_base_new());
    ck_assert_ptr_nonnull(cmdline = sc_cmdline_parse((int)SC_COUNT_OF(words), argv, &errors));
    ck_assert_ptr_nonnull(tickets = sc_tickets_new(&err));
    ck_assert_msg(sc_snapshot_load(cmdline, &passphrase, NULL, tickets, &snapshot, &errors) == 0,
                  "%s", errors.text[0]);
    const struct sc_reload_parts parts = {.cmdline = cmdline,
                                          .passphrase = &passphrase,
                                          .tickets = tickets,
                                          .sysd = &sysd,
                                          .snapshot = &snapshot,
                                          .stats = &stats,
                                          .publish = publish,
                                          .finished = on_finished,
                                          .status = write_status};
    kept_start(SC_LOG_INFO);
    ck_assert_ptr_nonnull(reload = sc_reload_new(base, &parts, &err));
    sc_reload_start(reload);
}

/* With a new pair. */
static void begin(const char *text)
{
    fixture_write_pair("server", "P-256");
    configure(text);
    start();
}

static void finish(void)
{
    X509_free(certificate);
    EVP_PKEY_free(key);
    sc_reload_free(reload);
    sc_snapshot_unref(&snapshot);
    sc_tickets_unref(tickets);
    sc_cmdline_free(cmdline);
    event_base_free(base);
    sc_clock_fake(NULL, NULL);
}

static void hang_up(void)
{
    kept_count = 0;
    ck_assert_int_eq(raise(SIGHUP), 0);
    ck_assert_int_eq(event_base_loop(base, EVLOOP_NONBLOCK), 0);
}

static void reload_with(const char *text)
{
    configure(text);
    hang_up();
}

struct timers {
    const struct event *found[8];
    long after_s[8];
    size_t count;
};

static int note_timer(const struct event_base *of, const struct event *event, void *arg)
{
    struct timers *timers = arg;
    struct timeval at, now;
    if ((event_get_events(event) & EV_SIGNAL) == 0 && event_pending(event, EV_TIMEOUT, &at)) {
        ck_assert_int_eq(event_base_gettimeofday_cached((struct event_base *)(uintptr_t)of, &now),
                         0);
        timers->found[timers->count] = event;
        timers->after_s[timers->count++] = (long)(at.tv_sec - now.tv_sec);
    }
    return 0;
}

static struct timers pending_timers(void)
{
    struct timers timers = {.count = 0};
    (void)event_base_foreach_event(base, note_timer, &timers);
    return timers;
}

/* Is a timer set that fires in about so many seconds? */
static bool waits(long seconds)
{
    const struct timers timers = pending_timers();
    for (size_t i = 0; i < timers.count; i++) {
        if (timers.after_s[i] >= seconds - 2 && timers.after_s[i] <= seconds + 2) {
            return true;
        }
    }
    return false;
}

/* Every timer that is set fires. */
static void fire(void)
{
    const struct timers timers = pending_timers();
    kept_count = 0;
    for (size_t i = 0; i < timers.count; i++) {
        event_active((struct event *)(uintptr_t)timers.found[i], EV_TIMEOUT, 1);
    }
    ck_assert_int_eq(event_base_loop(base, EVLOOP_NONBLOCK), 0);
}

static void fire_after_ms(uint64_t ms)
{
    pass_time(ms);
    fire();
}

/* Time passes, and every timer fires: one line is logged with both of these, or none. */
static void expect_after_s(uint64_t s, const char *event, const char *words)
{
    fire_after_ms(s * 1000);
    ck_assert_uint_eq(kept_count, event ? 1 : 0);
    ck_assert_msg(!event || (kept_has(event) && kept_has(words)), "%s: %s", words, kept_lines[0]);
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

/* How often it is tried again by itself; what fails is not said again meanwhile. */
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
    expect_after_s(0, NULL, NULL); /* said already */
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

    /* But not for ever. */
    reload_with("[server]\nreload-interval = 0\n");
    reload_with("[server]\nreload-interval = 0\nmax-boddy = 1\n");
    ck_assert_int_eq(tries_left(), 5);

    /* A caller that asks is told again, and that is a new start; so is a success. */
    hang_up();
    ck_assert(kept_has(" error reload_failed ") && kept_has("max-boddy"));
    ck_assert_int_eq(tries_left(), 5);
    reload_with("[server]\nreload-interval = 1h\n");
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

/* That what was wrong is as it was before is said, without a signal too. */
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

/* It is compared with what runs, not with what was read last. */
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

START_TEST(what_needs_a_restart_and_is_changed_back)
{
    begin("[server]\nreload-interval = 100s\nworkers = 1\n");
    reload_with("[server]\nreload-interval = 100s\nworkers = 2\n");
    ck_assert(kept_has(" warning reload_changed key=workers before=1 after=2 hint="));
    hang_up();
    ck_assert_msg(kept_has("key=workers before=1 after=2"), "a caller that asks is told again");
    expect_after_s(0, NULL, NULL);
    reload_with("[server]\nreload-interval = 100s\nworkers = 3\n");
    ck_assert(kept_has("key=workers before=1 after=3"));
    reload_with("[server]\nreload-interval = 100s\nworkers = 1\n");
    ck_assert(!kept_has("reload_changed"));
    finish();
}
END_TEST

/* --- What ends --- */

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
    write_next(next, 31);
    expect_after_s(DAY_S + 3600, event, "server.next.crt of the next key ends in 30 days");
    expect_after_s(0, NULL, NULL); /* once a day */
    expect_after_s(31 * DAY_S, event, "server.next.crt of the next key ended 1 day ago");
    write_next(other, 1); /* not its own */
    expect_after_s(DAY_S, NULL, NULL);
    write_next(next, 365);
    expect_after_s(DAY_S, NULL, NULL);
    finish();
    EVP_PKEY_free(next);
    EVP_PKEY_free(other);
}
END_TEST

SUITE_MAIN("reload", the_certificate_of_the_next_key_ends, ticket_keys_rotate,
           what_fails_is_tried_again, a_refused_key_leaves_the_ticket_keys,
           the_end_of_a_failure_and_the_stop, the_interval_is_the_active_one,
           a_signal_always_publishes, the_line_of_a_reload_is_its_last,
           what_needs_a_restart_and_is_changed_back, an_ocsp_response_that_ends,
           an_ocsp_response_that_is_good_for_long, a_certificate_that_ends)

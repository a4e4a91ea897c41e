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
#include "tls_fixture.h"

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
static unsigned published, finished;
static uint64_t monotonic_ms;
static struct timespec wall;

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

/* With the pair "server" that is there, and sc.conf. */
static void on_finished(void *arg)
{
    (void)arg;
    finished++;
}

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
    ck_assert_msg(sc_snapshot_load(cmdline, &passphrase, tickets, &snapshot, &errors) == 0, "%s",
                  errors.text[0]);
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

static void finish(void)
{
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

static bool said(const char *words)
{
    for (unsigned i = 0; i < kept_count; i++) {
        if (strstr(kept_lines[i], words)) {
            return true;
        }
    }
    return false;
}

/* The name of the key that makes tickets now. */
static void key_name(unsigned char out[16])
{
    struct sc_tls_context *client = fixture_client();
    struct tls_pair pair;
    const unsigned char *ticket;
    size_t length;
    tls_pair_init(&pair, client, snapshot.tls);
    ck_assert(tls_pair_handshake(&pair));
    SSL_SESSION *session = tls_pair_session(&pair);
    ck_assert_ptr_nonnull(session);
    SSL_SESSION_get0_ticket(session, &ticket, &length);
    ck_assert_uint_gt(length, 16);
    memcpy(out, ticket, 16);
    SSL_SESSION_free(session);
    tls_pair_fini(&pair);
    sc_tls_context_unref(client);
}

static bool another_key(unsigned char before[16])
{
    unsigned char now[16];
    key_name(now);
    const bool another = memcmp(before, now, sizeof(now)) != 0;
    memcpy(before, now, sizeof(now));
    return another;
}

START_TEST(ticket_keys_rotate)
{
    unsigned char name[16];
    fixture_write_pair("server", "P-256");
    configure("[server]\nreload-interval = 0\n");
    start();
    key_name(name);
    ck_assert(waits(12 * 3600));
    pass_time(12 * HOUR_MS - 1000);
    fire();
    ck_assert(!another_key(name));
    ck_assert(waits(1));
    pass_time(1000);
    fire();
    ck_assert(another_key(name));
    ck_assert(waits(12 * 3600));

    /* A longer session-timeout keeps a key for longer, a shorter one is used at once. */
    configure("[server]\nreload-interval = 0\n[tls]\nsession-timeout = 168h\n");
    hang_up();
    ck_assert(waits(168 * 3600));
    pass_time(20 * HOUR_MS);
    fire();
    ck_assert(!another_key(name));
    configure("[server]\nreload-interval = 0\n[tls]\nsession-timeout = 5m\n");
    hang_up();
    ck_assert(another_key(name));
    finish();
}
END_TEST

/* How often it is tried again by itself; what fails is not said again meanwhile. */
static int tries_left(void)
{
    int tries = 0;
    for (; waits(1); tries++) {
        ck_assert_int_lt(tries, 10);
        fire();
        ck_assert_uint_eq(kept_count, 0);
    }
    return tries;
}

START_TEST(what_fails_is_tried_again)
{
    fixture_write_pair("server", "P-256");
    configure("[server]\nreload-interval = 0\n");
    start();
    const size_t before = pending_timers().count;
    configure("[server]\nmax-boddy = 1\n");
    hang_up();
    ck_assert(said(" error reload_failed ") && said("max-boddy"));
    ck_assert_uint_eq(published, 0);
    ck_assert_ptr_nonnull(strstr(sc_reload_last(reload)->failure, "max-boddy"));
    ck_assert_int_eq(sc_reload_last(reload)->result, SC_RELOAD_FAILURE);
    ck_assert(waits(1));
    fire();
    ck_assert_uint_eq(kept_count, 0); /* said already */
    ck_assert_uint_eq(sc_stats_get(&stats.reloads_failed), 2);
    ck_assert_uint_eq(finished, 2);
    configure("[server]\nreload-interval = 1h\nmax-body = 1K\n");
    fire();
    ck_assert(said(" reloaded ") && said("reload_changed key=max-body before=64K after=1K"));
    ck_assert_uint_eq(published, 1);
    ck_assert_str_eq(sc_reload_last(reload)->failure, "");
    ck_assert_int_eq(sc_reload_last(reload)->result, SC_RELOAD_SUCCESS);
    ck_assert_uint_eq(sc_stats_get(&stats.reloads_done), 1);
    ck_assert_uint_eq(pending_timers().count, before + 1); /* the interval that it brought */
    ck_assert(waits(3600));

    /* But not for ever. */
    configure("[server]\nreload-interval = 0\n");
    hang_up();
    configure("[server]\nreload-interval = 0\nmax-boddy = 1\n");
    hang_up();
    ck_assert_int_eq(tries_left(), 5);

    /* A caller that asks is told again, and that is a new start; so is a success. */
    hang_up();
    ck_assert(said(" error reload_failed ") && said("max-boddy"));
    ck_assert_int_eq(tries_left(), 5);
    configure("[server]\nreload-interval = 1h\n");
    hang_up();
    (void)unlink(fixture_path("sc.conf"));
    fire();
    ck_assert(said(" error reload_failed "));
    ck_assert(waits(1));
    finish();
}
END_TEST

/* What is wrong and then as it was before is said, without a signal too. */
START_TEST(the_end_of_a_failure_is_said)
{
    fixture_write_pair("server", "P-256");
    configure("[server]\nreload-interval = 1h\n");
    start();
    configure("[server]\nreload-interval = 1h\nmax-boddy = 1\n");
    fire();
    ck_assert(said(" error reload_failed "));
    configure("[server]\nreload-interval = 1h\n");
    fire();
    ck_assert(said(" reloaded message=\"nothing has changed\""));
    ck_assert_uint_eq(published, 0);
    finish();
}
END_TEST

START_TEST(after_the_stop_nothing_waits)
{
    fixture_write_pair("server", "P-256");
    configure("[server]\nreload-interval = 1h\n");
    start();
    configure("[server]\nreload-interval = 1h\nmax-boddy = 1\n");
    fire();
    ck_assert(waits(1) && waits(3600));
    sc_reload_stop(reload);
    ck_assert_uint_eq(pending_timers().count, 0);
    finish();
}
END_TEST

START_TEST(the_interval_is_the_active_one)
{
    fixture_write_pair("server", "P-256");
    configure("[server]\nreload-interval = 100s\n");
    start();
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
    configure("[server]\nreload-interval = 0\n");
    hang_up();
    ck_assert(!waits(200));
    sc_reload_stop(reload);
    ck_assert_uint_eq(pending_timers().count, 0);
    hang_up();
    ck_assert(said("reload_ignored"));
    ck_assert_uint_eq(published, 3);
    finish();
}
END_TEST

START_TEST(a_signal_always_publishes)
{
    fixture_write_pair("server", "P-256");
    configure("[server]\nreload-interval = 100s\n");
    start();
    const struct sc_tls_context *before = snapshot.tls;
    hang_up();
    ck_assert_uint_eq(published, 1);
    ck_assert_ptr_ne(snapshot.tls, before);
    ck_assert(!said("not_after"));
    ck_assert(said(" reloaded message=\"nothing has changed\""));
    ck_assert_uint_eq(sc_stats_get(&stats.reloads_unchanged), 1);
    ck_assert_int_eq(sc_reload_last(reload)->result, SC_RELOAD_UNCHANGED);
    finish();
}
END_TEST

/* It is compared with what runs, not with what was read last. */
START_TEST(what_needs_a_restart_and_is_changed_back)
{
    fixture_write_pair("server", "P-256");
    configure("[server]\nreload-interval = 100s\nworkers = 1\n");
    start();
    configure("[server]\nreload-interval = 100s\nworkers = 2\n");
    hang_up();
    ck_assert(said(" warning reload_changed key=workers before=1 after=2 hint="));
    hang_up();
    ck_assert_msg(said("key=workers before=1 after=2"), "a caller that asks is told again");
    fire();
    ck_assert_uint_eq(kept_count, 0);
    configure("[server]\nreload-interval = 100s\nworkers = 3\n");
    hang_up();
    ck_assert(said("key=workers before=1 after=3"));
    configure("[server]\nreload-interval = 100s\nworkers = 1\n");
    hang_up();
    ck_assert(!said("reload_changed"));
    finish();
}
END_TEST

START_TEST(an_ocsp_response_that_ends)
{
    EVP_PKEY *key = fixture_key("P-256");
    X509 *certificate = fixture_certificate(key, "server", -3600, 40L * 86400, NULL, NULL);
    char text[700];
    fixture_write_key("server.key", key, NULL);
    fixture_write_certificate("server.crt", certificate, false);
    fixture_write_ocsp("ocsp.der", certificate, certificate, certificate, key,
                       V_OCSP_CERTSTATUS_GOOD, -1000, 1000);
    ck_assert_int_gt(snprintf(text, sizeof(text),
                              "[server]\nreload-interval = 0\n[tls]\nocsp-response = %s\n",
                              fixture_path("ocsp.der")),
                     0);
    configure(text);
    start();
    ck_assert_ptr_nonnull(strstr(kept_last(), " no_next_key "));
    ck_assert_uint_eq(kept_count, 1);
    ck_assert(waits(500)); /* a quarter of its time before the end */
    pass_time(490U * 1000U);
    fire();
    ck_assert_uint_eq(kept_count, 0);
    pass_time(15U * 1000U);
    fire();
    ck_assert_uint_eq(kept_count, 1);
    ck_assert(said(" warning ocsp_response_expiry ") && said("ocsp.der ends in 9 minutes"));
    ck_assert(waits(495));
    fire();
    ck_assert_uint_eq(kept_count, 0); /* once */
    pass_time(496U * 1000U);
    fire();
    ck_assert_uint_eq(kept_count, 1);
    ck_assert(said(" warning ocsp_response_ended ") && said("is not sent any more"));
    fire();
    ck_assert_uint_eq(kept_count, 0);

    /* A new one is taken, and watched. */
    fixture_write_ocsp("ocsp.der", certificate, certificate, certificate, key,
                       V_OCSP_CERTSTATUS_GOOD, -1000, 10000);
    hang_up();
    ck_assert(said(" reloaded "));
    ck_assert(!said("ocsp_response"));
    ck_assert(sc_ocsp_is_current(sc_tls_context_ocsp(snapshot.tls)));
    pass_time(9000U * 1000U);
    fire();
    ck_assert(said(" warning ocsp_response_ended ") || said(" warning ocsp_response_expiry "));

    /* One that is out of date already is one line, from wherever it comes. */
    fixture_write_ocsp("ocsp.der", certificate, certificate, certificate, key,
                       V_OCSP_CERTSTATUS_GOOD, -7200, -3600);
    hang_up();
    ck_assert(said("is out of date and is not sent; fetch a new one"));
    ck_assert(!said("ocsp_response_"));
    finish();
    X509_free(certificate);
    EVP_PKEY_free(key);
}
END_TEST

/* Of a month: from a week before on. */
START_TEST(an_ocsp_response_that_is_good_for_long)
{
    EVP_PKEY *key = fixture_key("P-256");
    X509 *certificate = fixture_certificate(key, "server", -3600, 60L * 86400, NULL, NULL);
    char text[700];
    fixture_write_key("server.key", key, NULL);
    fixture_write_certificate("server.crt", certificate, false);
    fixture_write_ocsp("ocsp.der", certificate, certificate, certificate, key,
                       V_OCSP_CERTSTATUS_GOOD, -1000, 28L * 86400);
    ck_assert_int_gt(snprintf(text, sizeof(text),
                              "[server]\nreload-interval = 0\n[tls]\nocsp-response = %s\n",
                              fixture_path("ocsp.der")),
                     0);
    configure(text);
    start();
    pass_time(20U * 24U * HOUR_MS);
    fire();
    ck_assert(!said("ocsp_response_expiry"));
    pass_time(26U * HOUR_MS);
    fire();
    ck_assert(said(" warning ocsp_response_expiry ") && said("ocsp.der ends in 7 days"));
    fire();
    ck_assert(!said("ocsp_response_expiry")); /* once a day */
    pass_time(24U * HOUR_MS);
    fire();
    ck_assert(said("ocsp.der ends in 6 days"));
    pass_time(7U * 24U * HOUR_MS);
    fire();
    ck_assert(said(" warning ocsp_response_ended "));
    pass_time(24U * HOUR_MS);
    fire();
    ck_assert(said(" warning ocsp_response_ended "));
    finish();
    X509_free(certificate);
    EVP_PKEY_free(key);
}
END_TEST

START_TEST(a_certificate_that_ends)
{
    EVP_PKEY *key = fixture_key("P-256");
    X509 *certificate = fixture_certificate(key, "server", -3600, 31L * 86400, NULL, NULL);
    fixture_write_key("server.key", key, NULL);
    fixture_write_certificate("server.crt", certificate, false);
    configure("[server]\nreload-interval = 0\n");
    start();
    ck_assert_ptr_nonnull(strstr(kept_last(), " no_next_key "));
    ck_assert_uint_eq(kept_count, 1);
    pass_time(25U * HOUR_MS);
    fire();
    ck_assert_uint_eq(kept_count, 1);
    ck_assert(said(" warning certificate_expiry ") && said("server.crt ends in 30 days"));
    fire();
    ck_assert_uint_eq(kept_count, 0); /* once a day */
    pass_time(24U * HOUR_MS);
    fire();
    ck_assert(said("ends in 29 days"));
    pass_time(30U * 24U * HOUR_MS);
    fire();
    ck_assert(said("server.crt ended 1 days ago"));
    /* Asked for by a signal it is the snapshot's warning, and no second line. */
    hang_up();
    ck_assert(said(" warning certificate ") && said(" expired at "));
    ck_assert(!said("certificate_expiry"));
    finish();
    X509_free(certificate);
    EVP_PKEY_free(key);
}
END_TEST

/* It is read from its file, which nobody else reads: no reload is needed when it changes. */
START_TEST(the_certificate_of_the_next_key_ends)
{
    EVP_PKEY *key = fixture_key("P-256"), *other = fixture_key("P-256");
    X509 *certificate = fixture_certificate(key, "next", -3600, 31L * 86400, NULL, NULL);
    X509 *fresh = fixture_certificate(key, "next", -3600, 365L * 86400, NULL, NULL);
    X509 *of_other = fixture_certificate(other, "other", -3600, 86400, NULL, NULL);
    EVP_PKEY *current_key = fixture_key("P-256");
    X509 *current = fixture_certificate(current_key, "server", -3600, 3650L * 86400, NULL, NULL);
    fixture_write_key("server.key", current_key, NULL);
    fixture_write_certificate("server.crt", current, false);
    fixture_write_key("server.next.key", key, NULL);
    configure("[server]\nreload-interval = 0\n");
    start();
    ck_assert(!said("next_certificate_expiry")); /* there is none */
    fixture_write_certificate("server.next.crt", certificate, false);
    pass_time(25U * HOUR_MS);
    fire();
    ck_assert_uint_eq(kept_count, 1);
    ck_assert(said(" warning next_certificate_expiry ") &&
              said("server.next.crt of the next key ends in 30 days"));
    fire();
    ck_assert_uint_eq(kept_count, 0); /* once a day */
    pass_time(31U * 24U * HOUR_MS);
    fire();
    ck_assert(said("server.next.crt of the next key ended 1 days ago"));
    fixture_write_certificate("server.next.crt", of_other, false); /* not its own */
    pass_time(24U * HOUR_MS);
    fire();
    ck_assert_uint_eq(kept_count, 0);
    fixture_write_certificate("server.next.crt", fresh, false);
    pass_time(24U * HOUR_MS);
    fire();
    ck_assert_uint_eq(kept_count, 0);
    finish();
    X509_free(certificate);
    X509_free(fresh);
    X509_free(of_other);
    X509_free(current);
    EVP_PKEY_free(key);
    EVP_PKEY_free(other);
    EVP_PKEY_free(current_key);
}
END_TEST

SUITE_MAIN("reload", the_certificate_of_the_next_key_ends, ticket_keys_rotate,
           what_fails_is_tried_again, the_end_of_a_failure_is_said, after_the_stop_nothing_waits,
           the_interval_is_the_active_one, a_signal_always_publishes,
           what_needs_a_restart_and_is_changed_back, an_ocsp_response_that_ends,
           an_ocsp_response_that_is_good_for_long, a_certificate_that_ends)

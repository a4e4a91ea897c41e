/* SPDX-License-Identifier: MIT */
/*
 * What tests of server/reload share: a reload with what it acts on, a clock, and timers that fire
 * when a test says so.
 */
#ifndef SC_TESTS_RELOAD_FIXTURE_H
#define SC_TESTS_RELOAD_FIXTURE_H

#include <signal.h>
#include <time.h>

#include "base/clock.h"
#include "kept_log.h"
#include "server/reload.h"
#include "suite.h"
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

static inline void publish(struct sc_snapshot *fresh, void *arg)
{
    (void)arg;
    sc_snapshot_unref(&snapshot);
    snapshot = *fresh;
    published++;
}

static inline void write_status(char *out, size_t out_size, void *arg)
{
    (void)arg;
    (void)snprintf(out, out_size, "serving");
}

static inline void configure(const char *text)
{
    fixture_write("sc.conf", text, strlen(text));
}

static inline void pass_time(uint64_t ms)
{
    monotonic_ms += ms;
    wall.tv_sec += (time_t)(ms / 1000);
    const uint64_t ns = monotonic_ms * 1000000U;
    sc_clock_fake(&ns, &wall);
}

static inline void on_finished(void *arg)
{
    (void)arg;
    finished++;
    kept_before_finish = kept_count;
}

/* With the pair "server" that is there, and sc.conf. */
static inline void start(void)
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
static inline void begin(const char *text)
{
    fixture_write_pair("server", "P-256");
    configure(text);
    start();
}

static inline void finish(void)
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

static inline void hang_up(void)
{
    kept_count = 0;
    ck_assert_int_eq(raise(SIGHUP), 0);
    ck_assert_int_eq(event_base_loop(base, EVLOOP_NONBLOCK), 0);
}

static inline void reload_with(const char *text)
{
    configure(text);
    hang_up();
}

struct timers {
    const struct event *found[8];
    long after_s[8];
    size_t count;
};

static inline int note_timer(const struct event_base *of, const struct event *event, void *arg)
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

static inline struct timers pending_timers(void)
{
    struct timers timers = {.count = 0};
    (void)event_base_foreach_event(base, note_timer, &timers);
    return timers;
}

/* Is a timer set that fires in about so many seconds? */
static inline bool waits(long seconds)
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
static inline void fire(void)
{
    const struct timers timers = pending_timers();
    kept_count = 0;
    for (size_t i = 0; i < timers.count; i++) {
        event_active((struct event *)(uintptr_t)timers.found[i], EV_TIMEOUT, 1);
    }
    ck_assert_int_eq(event_base_loop(base, EVLOOP_NONBLOCK), 0);
}

static inline void fire_after_ms(uint64_t ms)
{
    pass_time(ms);
    fire();
}

/* Time passes, and every timer fires: one line is logged with both of these, or none. */
static inline void expect_after_s(uint64_t s, const char *event, const char *words)
{
    fire_after_ms(s * 1000);
    ck_assert_uint_eq(kept_count, event ? 1 : 0);
    ck_assert_msg(!event || (kept_has(event) && kept_has(words)), "%s: %s", words, kept_lines[0]);
}

#endif

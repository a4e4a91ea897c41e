/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "server/watchdog.h"

#include <stdbool.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "kept_log.h"
#include "net/loop.h"
#include "suite.h"
#include "worker_stand_in.h"

static struct event_base *base;
static struct sc_sysd sysd;
static struct sc_watchdog *watchdog;
static const char *status_text = "serving";
static int notify_fd;

static void write_status(char *out, size_t out_size, void *arg)
{
    (void)arg;
    (void)snprintf(out, out_size, "%s", status_text);
}

/* `watchdog_usec`: as in the environment, NULL: no watchdog. */
static void begin(const char *watchdog_usec)
{
    struct sc_err err;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char name[sizeof(address.sun_path)];
    (void)snprintf(name, sizeof(name), "@sc-check-watchdog-%ld", (long)getpid());
    memcpy(address.sun_path + 1, name + 1, strlen(name + 1));
    notify_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(notify_fd, (struct sockaddr *)&address,
                          (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name))),
                     0);
    ck_assert_int_eq(setenv("NOTIFY_SOCKET", name, 1), 0);
    (void)unsetenv("WATCHDOG_PID");
    (void)unsetenv("WATCHDOG_USEC");
    if (watchdog_usec) {
        ck_assert_int_eq(setenv("WATCHDOG_USEC", watchdog_usec, 1), 0);
    }
    ck_assert_int_eq(sc_sysd_init(&sysd, &err), 0);
    kept_start(SC_LOG_INFO);
    sc_loop_init();
    base = sc_loop_new_base(&err);
    watchdog = sc_watchdog_new(base, &sysd, workers, 2, write_status, NULL, &err);
    ck_assert_ptr_nonnull(watchdog);
}

static void end(void)
{
    sc_watchdog_free(watchdog);
    event_base_free(base);
    sc_loop_fini();
    (void)close(notify_fd);
}

/* The timer fires once; what systemd has got since the last time, each followed by "; ". */
static const char *tick(void)
{
    static char messages[1024];
    size_t length = 0;
    ssize_t got;
    ck_assert_int_eq(event_base_loop(base, EVLOOP_ONCE), 0);
    while ((got = recv(notify_fd, messages + length, sizeof(messages) - length - 3, 0)) > 0) {
        length += (size_t)got;
        length += (size_t)snprintf(messages + length, 3, "; ");
    }
    messages[length] = '\0';
    return messages;
}

START_TEST(as_long_as_every_worker_answers)
{
    begin("30000");
    ck_assert_str_eq(tick(), "WATCHDOG=1; STATUS=serving; ");
    ck_assert_str_eq(tick(), "WATCHDOG=1; ");
    status_text = "draining";
    ck_assert_str_eq(tick(), "WATCHDOG=1; STATUS=draining; ");
    ck_assert_uint_eq(first.pings, 3);
    ck_assert_uint_eq(second.pings, 3);
    ck_assert_uint_eq(kept_count, 0);
    end();
}
END_TEST

static int note_timer(const struct event_base *of, const struct event *event, void *seconds)
{
    struct timeval at, now, left;
    ck_assert_int_eq(event_base_gettimeofday_cached((struct event_base *)(uintptr_t)of, &now), 0);
    if (event_pending(event, EV_TIMEOUT, &at)) {
        evutil_timersub(&at, &now, &left);
        *(double *)seconds = (double)left.tv_sec + (double)left.tv_usec / 1e6;
    }
    return 0;
}

/* Without a watchdog, or one that is slower, the status is looked at all the same. */
START_TEST(the_status_is_told_every_five_seconds)
{
    static const char *const periods[] = {NULL, "600000000"};
    for (size_t i = 0; i < SC_COUNT_OF(periods); i++) {
        double seconds = 0;
        begin(periods[i]);
        ck_assert_int_eq(event_base_foreach_event(base, note_timer, &seconds), 0);
        ck_assert_msg(seconds > 0 && seconds <= 5.5, "in %g s", seconds);
        end();
    }
}
END_TEST

START_TEST(not_while_one_stands_still)
{
    begin("30000");
    second.stands_still = true;
    ck_assert_str_eq(tick(), "WATCHDOG=1; STATUS=serving; "); /* nobody was asked before */
    ck_assert_str_eq(tick(), "");
    ck_assert_str_eq(tick(), "");
    ck_assert_uint_eq(kept_count, 2);
    ASSERT_HAS(kept_last(), " worker_stuck ");
    second.answered++; /* the late answer */
    second.stands_still = false;
    ck_assert_str_eq(tick(), "WATCHDOG=1; ");
    ck_assert_str_eq(tick(), "WATCHDOG=1; ");
    first.stands_still = true;
    ck_assert_str_eq(tick(), "WATCHDOG=1; ");
    ck_assert_str_eq(tick(), "");
    end();
}
END_TEST

START_TEST(more_time_to_stop_only_while_every_worker_answers)
{
    begin("30000");
    sc_watchdog_stopping(watchdog);
    ck_assert_str_eq(tick(),
                     "EXTEND_TIMEOUT_USEC=15000000; WATCHDOG=1; EXTEND_TIMEOUT_USEC=15000000; "
                     "STATUS=serving; ");
    ck_assert_str_eq(tick(), "WATCHDOG=1; EXTEND_TIMEOUT_USEC=15000000; ");
    first.stands_still = true;
    (void)tick();
    ck_assert_str_eq(tick(), "");
    end();
}
END_TEST

static int find_timer(const struct event_base *of, const struct event *event, void *arg)
{
    (void)of;
    return event_pending(event, EV_TIMEOUT, arg) ? 1 : 0;
}

/* A third of the watchdog's time, and every five seconds for the status alone. */
START_TEST(often_enough)
{
    static const struct {
        const char *watchdog_usec;
        int64_t ms;
    } cases[] = {{"30000", 10}, {"9000000", 3000}, {"15000000", 5000}, {NULL, 5000}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct timeval now, due;
        begin(cases[i].watchdog_usec);
        ck_assert_int_eq(event_base_foreach_event(base, find_timer, &due), 1);
        ck_assert_int_eq(evutil_gettimeofday(&now, NULL), 0);
        evutil_timersub(&due, &now, &due);
        const int64_t left_ms = (int64_t)due.tv_sec * 1000 + due.tv_usec / 1000;
        /* A second for two clocks, read one after the other, and a busy machine. */
        ck_assert_int_le(left_ms, cases[i].ms + 1000);
        ck_assert_int_ge(left_ms, cases[i].ms - 1000);
        end();
    }
}
END_TEST

SUITE_MAIN("watchdog", as_long_as_every_worker_answers, the_status_is_told_every_five_seconds,
           not_while_one_stands_still, more_time_to_stop_only_while_every_worker_answers,
           often_enough)

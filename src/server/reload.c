/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "server/reload.h"

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "net/loop.h"
#include "server/continuity.h"
#include "server/expiry.h"
#include "server/stored_tickets.h"

#define RETRY_MS 1000U /* files that are being replaced are whole again by then */
#define MAX_RETRIES 5U
#define ROTATE_MIN_MS (12U * 3600U * 1000U)

struct sc_reload {
    struct sc_reload_parts parts;
    struct event *hangup, *interval, *retry, *rotation, *expiry;
    struct sc_continuity *continuity;
    uint64_t stored_tickets; /* which keys systemd has; 0: nothing was stored yet */
    struct sc_config *started; /* what the program runs with until it is restarted */
    bool stopped;
    unsigned retries;
    struct sc_reload_last last; /* its failure is said already */
    struct sc_expiries expiries;
};

static void set_timer(struct event *timer, uint64_t ms)
{
    const struct timeval delay = sc_clock_timeval(ms);
    event_add(timer, &delay);
}

/* --- What time does to a snapshot: ticket keys, ends (server/expiry) --- */

static void on_rotation(evutil_socket_t fd, short what, void *arg)
{
    struct sc_reload *reload = arg;
    struct sc_err err;
    uint64_t next_ms = 0;
    (void)fd;
    (void)what;
    const uint64_t session_ms = reload->parts.snapshot->config->session_timeout_ms;
    const uint64_t period_ms = session_ms > ROTATE_MIN_MS ? session_ms : ROTATE_MIN_MS;
    if (sc_tickets_rotate(reload->parts.tickets, period_ms, &next_ms, &err) != 0) {
        sc_log_message(SC_EVENT_TICKET_ROTATION_FAILED, "%s", err.text);
        next_ms = 60000U;
    }
    sc_stored_tickets_update(reload->parts.sysd, reload->parts.tickets, &reload->stored_tickets);
    set_timer(reload->rotation, next_ms);
}

static void on_expiry_check(evutil_socket_t fd, short what, void *arg)
{
    struct sc_reload *reload = arg;
    (void)fd;
    (void)what;
    const time_t known = reload->expiries.next_certificate_until;
    const time_t again_s =
        sc_expiries_check(&reload->expiries, reload->parts.snapshot, sc_clock_wall().tv_sec);
    set_timer(reload->expiry, 1000U * (uint64_t)again_s);
    if (reload->expiries.next_certificate_until != known) {
        reload->parts.finished(reload->parts.arg);
    }
}

static void arm_interval(struct sc_reload *reload)
{
    const uint64_t ms = reload->parts.snapshot->config->reload_interval_ms;
    if (ms > 0) {
        set_timer(reload->interval, ms);
    } else {
        event_del(reload->interval);
    }
}

/* Everything that waits for a time of the active snapshot. */
static void watch_snapshot(struct sc_reload *reload)
{
    sc_expiries_adopt(&reload->expiries, reload->parts.snapshot, sc_clock_wall().tv_sec);
    arm_interval(reload);
    on_rotation(-1, 0, reload);
    on_expiry_check(-1, 0, reload);
}

/* --- Reload --- */

enum cause { CAUSE_SIGNAL, CAUSE_INTERVAL, CAUSE_RETRY };

/* Notes and counts how it went. */
static void finish(struct sc_reload *reload, enum sc_reload_result result, const char *failure)
{
    struct sc_stats *stats = reload->parts.stats;
    sc_stats_add(result == SC_RELOAD_SUCCESS     ? &stats->reloads_done
                 : result == SC_RELOAD_UNCHANGED ? &stats->reloads_unchanged
                                                 : &stats->reloads_failed,
                 1);
    reload->last.result = result;
    reload->last.at = sc_clock_wall();
    (void)snprintf(reload->last.failure, sizeof(reload->last.failure), "%s", failure);
    reload->parts.finished(reload->parts.arg);
}

/* A failure that lasts is logged once, and again at each signal; metrics and status come first. */
static void report_failure(struct sc_reload *reload, const struct sc_config_errors *errors,
                           enum cause cause)
{
    char text[sizeof(reload->last.failure)] = "";
    for (size_t i = 0; i < errors->count; i++) {
        (void)strncat(text, errors->text[i], sizeof(text) - strlen(text) - 1);
        (void)strncat(text, i + 1 < errors->count ? "; " : "", sizeof(text) - strlen(text) - 1);
    }
    const bool is_news = cause == CAUSE_SIGNAL || strcmp(text, reload->last.failure) != 0;
    if (cause == CAUSE_SIGNAL) {
        reload->retries = 0;
    }
    if (reload->retries++ < MAX_RETRIES) {
        set_timer(reload->retry, RETRY_MS);
    }
    finish(reload, SC_RELOAD_FAILURE, text);
    if (is_news) {
        sc_log_message(SC_EVENT_RELOAD_FAILED, "everything stays as it was: %s", text);
    }
}

static void log_change(void *arg, const char *key, bool needs_restart, const char *before,
                       const char *after)
{
    struct sc_log_line line;
    (void)arg;
    if (sc_log_begin(&line,
                     needs_restart ? SC_EVENT_RELOAD_NEEDS_RESTART : SC_EVENT_RELOAD_CHANGED)) {
        sc_log_str(&line, "key", key);
        sc_log_str(&line, "before", before);
        sc_log_str(&line, "after", after);
        if (needs_restart) {
            sc_log_str(&line, "hint", "this takes a restart to change: the old value stays active");
        }
        sc_log_end(&line);
    }
}

/* The last line of a reload: all that it changes has changed by then. */
static void log_reloaded(const struct sc_snapshot *snapshot, bool equal)
{
    struct sc_log_line line;
    if (equal) {
        sc_log_message(SC_EVENT_RELOADED, "nothing has changed");
        return;
    }
    const time_t end = sc_tls_context_not_after(snapshot->tls);
    struct timespec at = {.tv_sec = end, .tv_nsec = 0};
    char text[SC_CLOCK_RFC3339_BYTES + 1];
    if (sc_log_begin(&line, SC_EVENT_RELOADED)) {
        sc_clock_rfc3339(at, text);
        sc_log_str(&line, "certificate", snapshot->config->certificate);
        sc_log_str(&line, "not_after", text);
        sc_log_end(&line);
    }
}

static void adopt_keys(struct sc_reload *reload)
{
    const struct sc_snapshot *snapshot = reload->parts.snapshot;
    sc_continuity_adopt(reload->continuity, snapshot->config,
                        sc_tls_context_announcement(snapshot->tls));
}

static void run_reload(struct sc_reload *reload, enum cause cause)
{
    const struct sc_reload_parts *parts = &reload->parts;
    struct sc_config_errors errors = {0};
    struct sc_snapshot fresh = {0};
    event_del(reload->retry);
    if (sc_snapshot_load(parts->cmdline, parts->passphrase, reload->continuity, parts->tickets,
                         &fresh, &errors) != 0) {
        report_failure(reload, &errors, cause);
        return;
    }
    const bool failed_before = reload->last.failure[0] != '\0';
    reload->retries = 0;
    const bool equal = sc_snapshot_equal(&fresh, parts->snapshot);
    /* A signal publishes what was read, whatever the comparison says. */
    if (equal && cause != CAUSE_SIGNAL) {
        sc_snapshot_unref(&fresh);
        if (failed_before) {
            finish(reload, SC_RELOAD_UNCHANGED, "");
            log_reloaded(parts->snapshot, true);
        }
        return;
    }
    (void)sc_config_diff(reload->started, parts->snapshot->config, fresh.config, log_change, NULL);
    parts->publish(&fresh, parts->arg);
    sc_snapshot_log_warnings(parts->snapshot);
    adopt_keys(reload);
    watch_snapshot(reload);
    finish(reload, equal ? SC_RELOAD_UNCHANGED : SC_RELOAD_SUCCESS, "");
    log_reloaded(parts->snapshot, equal);
}

static void on_hangup(evutil_socket_t signal_number, short what, void *arg)
{
    struct sc_reload *reload = arg;
    char status[SC_SYSD_STATUS_BYTES];
    (void)signal_number;
    (void)what;
    if (reload->stopped) {
        sc_log_message(SC_EVENT_RELOAD_IGNORED, "the server is stopping");
        return;
    }
    sc_sysd_reloading(reload->parts.sysd);
    run_reload(reload, CAUSE_SIGNAL);
    reload->parts.status(status, sizeof(status), reload->parts.arg);
    sc_sysd_ready(reload->parts.sysd, status);
}

static void on_interval(evutil_socket_t fd, short what, void *arg)
{
    struct sc_reload *reload = arg;
    (void)fd;
    (void)what;
    run_reload(reload, CAUSE_INTERVAL);
    arm_interval(reload);
}

static void on_retry(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    run_reload(arg, CAUSE_RETRY);
}

/* --- Creating and freeing --- */

struct sc_reload *sc_reload_new(struct event_base *base, const struct sc_reload_parts *parts,
                                struct sc_err *err)
{
    struct sc_reload *reload = calloc(1, sizeof(*reload));
    if (reload) {
        reload->parts = *parts;
        reload->started = sc_config_ref(parts->snapshot->config);
        reload->hangup = evsignal_new(base, SIGHUP, on_hangup, reload);
        reload->interval = evtimer_new(base, on_interval, reload);
        reload->retry = evtimer_new(base, on_retry, reload);
        reload->rotation = evtimer_new(base, on_rotation, reload);
        reload->expiry = evtimer_new(base, on_expiry_check, reload);
    }
    if (reload && !(reload->continuity = sc_continuity_new(parts->snapshot->config, err))) {
        sc_reload_free(reload);
        return NULL;
    }
    if (!reload || !reload->hangup || !reload->interval || !reload->retry || !reload->rotation ||
        !reload->expiry || event_add(reload->hangup, NULL) != 0) {
        (void)sc_err_set(err, EX_OSERR, "can't watch for reloads: out of memory");
        sc_reload_free(reload);
        return NULL;
    }
    return reload;
}

void sc_reload_start(struct sc_reload *reload)
{
    adopt_keys(reload);
    watch_snapshot(reload);
}

time_t sc_reload_next_key_since(const struct sc_reload *reload)
{
    return sc_continuity_next_key_since(reload->continuity,
                                        sc_tls_context_announcement(reload->parts.snapshot->tls));
}

time_t sc_reload_next_certificate_until(const struct sc_reload *reload)
{
    return reload->expiries.next_certificate_until;
}

const struct sc_reload_last *sc_reload_last(const struct sc_reload *reload)
{
    return &reload->last;
}

void sc_reload_stop(struct sc_reload *reload)
{
    reload->stopped = true;
    event_del(reload->interval);
    event_del(reload->retry);
    event_del(reload->rotation);
    event_del(reload->expiry);
}

void sc_reload_free(struct sc_reload *reload)
{
    if (!reload) {
        return;
    }
    sc_loop_free_event(reload->hangup);
    sc_loop_free_event(reload->interval);
    sc_loop_free_event(reload->retry);
    sc_loop_free_event(reload->rotation);
    sc_loop_free_event(reload->expiry);
    sc_continuity_free(reload->continuity);
    sc_config_unref(reload->started);
    free(reload);
}

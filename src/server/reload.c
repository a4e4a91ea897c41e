#include "config.h"

#include "server/reload.h"

#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"

#define RETRY_MS 1000U /* files that are being replaced are whole again by then */
#define MAX_RETRIES 5U
#define ROTATE_MIN_MS (12U * 3600U * 1000U)
#define EXPIRY_CHECK_MS (3600U * 1000U)
#define DAY_S 86400

struct sc_reload {
    struct sc_reload_parts parts;
    struct event *hangup, *interval, *retry, *rotation, *expiry;
    struct sc_config *started; /* what the program runs with until it is restarted */
    bool stopped;
    unsigned retries;
    char last_failure[1024]; /* said already */
    long warned_on_day; /* since the epoch; of the end of the certificate */
};

static void set_timer(struct event *timer, uint64_t ms)
{
    const struct timeval delay = {.tv_sec = (time_t)(ms / 1000),
                                  .tv_usec = (suseconds_t)(ms % 1000 * 1000)};
    event_add(timer, &delay);
}

/* --- Reload --- */

enum cause { CAUSE_SIGNAL, CAUSE_INTERVAL, CAUSE_RETRY };

static void arm_interval(struct sc_reload *reload)
{
    const uint64_t ms = reload->parts.snapshot->config->reload_interval_ms;
    if (ms > 0) {
        set_timer(reload->interval, ms);
    } else {
        event_del(reload->interval);
    }
}

/* A failure that lasts is said once, and again whenever somebody asks with a signal. */
static void report_failure(struct sc_reload *reload, const struct sc_config_errors *errors,
                           enum cause cause)
{
    char text[sizeof(reload->last_failure)] = "";
    for (size_t i = 0; i < errors->count; i++) {
        (void)strncat(text, errors->text[i], sizeof(text) - strlen(text) - 1);
        (void)strncat(text, i + 1 < errors->count ? "; " : "", sizeof(text) - strlen(text) - 1);
    }
    if (cause == CAUSE_SIGNAL || strcmp(text, reload->last_failure) != 0) {
        sc_log_message(SC_LOG_ERROR, "reload_failed", "everything stays as it was: %s", text);
        memcpy(reload->last_failure, text, sizeof(text));
    }
    if (cause == CAUSE_SIGNAL) {
        reload->retries = 0;
    }
    if (reload->retries++ < MAX_RETRIES) {
        set_timer(reload->retry, RETRY_MS);
    }
}

static void log_change(void *arg, const char *key, bool needs_restart, const char *before,
                       const char *after)
{
    struct sc_log_line line;
    (void)arg;
    if (sc_log_begin(&line, needs_restart ? SC_LOG_WARNING : SC_LOG_INFO, "reload_changed")) {
        sc_log_str(&line, "key", key);
        sc_log_str(&line, "before", before);
        sc_log_str(&line, "after", after);
        if (needs_restart) {
            sc_log_str(&line, "hint", "this takes a restart to change: the old value stays active");
        }
        sc_log_end(&line);
    }
}

static void log_reloaded(const struct sc_snapshot *snapshot)
{
    struct sc_log_line line;
    const time_t end = sc_tls_context_not_after(snapshot->tls);
    struct timespec at = {.tv_sec = end, .tv_nsec = 0};
    char text[SC_CLOCK_RFC3339_BYTES + 1];
    if (sc_log_begin(&line, SC_LOG_INFO, "reloaded")) {
        sc_clock_rfc3339(at, text);
        sc_log_str(&line, "certificate", snapshot->config->certificate);
        sc_log_str(&line, "not_after", text);
        sc_log_end(&line);
    }
}

static void run_reload(struct sc_reload *reload, enum cause cause)
{
    const struct sc_reload_parts *parts = &reload->parts;
    struct sc_config_errors errors = {0};
    struct sc_snapshot fresh = {0};
    event_del(reload->retry);
    if (sc_snapshot_load(parts->cmdline, parts->passphrase, parts->tickets, &fresh, &errors) != 0) {
        report_failure(reload, &errors, cause);
        return;
    }
    const bool failed_before = reload->last_failure[0] != '\0';
    reload->last_failure[0] = '\0';
    reload->retries = 0;
    if (sc_snapshot_equal(&fresh, parts->snapshot)) {
        sc_snapshot_unref(&fresh);
        if (cause == CAUSE_SIGNAL || failed_before) {
            sc_log_message(SC_LOG_INFO, "reloaded", "nothing has changed");
        }
        return;
    }
    (void)sc_config_diff(reload->started, parts->snapshot->config, fresh.config, log_change, NULL);
    parts->publish(&fresh, parts->arg);
    sc_snapshot_log_warnings(parts->snapshot);
    log_reloaded(parts->snapshot);
    reload->warned_on_day = 0;
}

static void on_hangup(evutil_socket_t signal_number, short what, void *arg)
{
    struct sc_reload *reload = arg;
    char status[SC_SYSD_STATUS_BYTES];
    (void)signal_number;
    (void)what;
    if (reload->stopped) {
        sc_log_message(SC_LOG_INFO, "reload_ignored", "the server is stopping");
        return;
    }
    sc_sysd_reloading(reload->parts.sysd);
    run_reload(reload, CAUSE_SIGNAL);
    arm_interval(reload);
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

/* --- Tickets and the end of the certificate --- */

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
        sc_log_message(SC_LOG_ERROR, "ticket_rotation_failed", "%s", err.text);
        next_ms = 60000U;
    }
    set_timer(reload->rotation, next_ms);
}

/* Once a day in the last 30 days, and for as long as it is past. */
static void on_expiry_check(evutil_socket_t fd, short what, void *arg)
{
    struct sc_reload *reload = arg;
    const time_t now = sc_clock_wall().tv_sec;
    const time_t left = sc_tls_context_not_after(reload->parts.snapshot->tls) - now;
    const long today = (long)(now / DAY_S);
    (void)fd;
    (void)what;
    if (left <= (time_t)30 * DAY_S && today != reload->warned_on_day) {
        const char *path = reload->parts.snapshot->config->certificate;
        reload->warned_on_day = today;
        sc_log_message(SC_LOG_WARNING, "certificate_expiry",
                       left > 0 ? "the certificate %s ends in %ld days: put a new one for the same "
                                  "key in its place, then reload"
                                : "the certificate %s ended %ld days ago: put a new one for the "
                                  "same key in its place, then reload",
                       path, labs((long)left / DAY_S));
    }
    set_timer(reload->expiry, EXPIRY_CHECK_MS);
}

/* --- Life --- */

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
    if (!reload || !reload->hangup || !reload->interval || !reload->retry || !reload->rotation ||
        !reload->expiry || event_add(reload->hangup, NULL) != 0) {
        (void)sc_err_set(err, EX_OSERR, "cannot watch for reloads: out of memory");
        sc_reload_free(reload);
        return NULL;
    }
    arm_interval(reload);
    on_rotation(-1, 0, reload);
    on_expiry_check(-1, 0, reload);
    return reload;
}

const char *sc_reload_failure(const struct sc_reload *reload)
{
    return reload->last_failure[0] != '\0' ? reload->last_failure : NULL;
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
    struct event *const events[] = {reload->hangup, reload->interval, reload->retry,
                                    reload->rotation, reload->expiry};
    for (size_t i = 0; i < SC_COUNT_OF(events); i++) {
        if (events[i]) {
            event_free(events[i]);
        }
    }
    sc_config_unref(reload->started);
    free(reload);
}

/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "server/watchdog.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/clock.h"
#include "base/log.h"
#include "net/loop.h"

#define STATUS_EVERY_MS 5000U
#define STOP_EXTENSION_MS (3U * STATUS_EVERY_MS) /* one may be late */

struct sc_watchdog {
    const struct sc_sysd *sysd;
    struct sc_worker *const *workers;
    uint32_t *pings_answered; /* by each worker, when it was last pinged */
    size_t worker_count;
    void (*status)(char *out, size_t out_size, void *arg);
    void *arg;
    struct event *timer;
    char last_status[SC_SYSD_STATUS_BYTES];
    bool has_pinged;
    bool stopping;
};

static bool every_worker_has_answered(const struct sc_watchdog *watchdog)
{
    for (size_t i = 0; i < watchdog->worker_count; i++) {
        if (watchdog->has_pinged &&
            sc_worker_pings_answered(watchdog->workers[i]) == watchdog->pings_answered[i]) {
            return false;
        }
    }
    return true;
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct sc_watchdog *watchdog = arg;
    char status[sizeof(watchdog->last_status)];
    (void)fd;
    (void)what;
    if (every_worker_has_answered(watchdog)) {
        sc_sysd_watchdog(watchdog->sysd);
        if (watchdog->stopping) {
            sc_sysd_extend_timeout(watchdog->sysd, STOP_EXTENSION_MS);
        }
        for (size_t i = 0; i < watchdog->worker_count; i++) {
            watchdog->pings_answered[i] = sc_worker_pings_answered(watchdog->workers[i]);
            sc_worker_ping(watchdog->workers[i]);
        }
        watchdog->has_pinged = true;
    } else {
        sc_log_message(SC_EVENT_WORKER_STUCK,
                       "a worker does not answer: systemd's watchdog is not notified");
    }
    watchdog->status(status, sizeof(status), watchdog->arg);
    if (strcmp(status, watchdog->last_status) != 0) {
        memcpy(watchdog->last_status, status, sizeof(status));
        sc_sysd_status(watchdog->sysd, status);
    }
}

/* Three notifications in the time of the watchdog: one may be late. */
static uint64_t period_ms(const struct sc_sysd *sysd)
{
    const uint64_t third = sysd->watchdog_ms / 3;
    return sysd->watchdog_ms > 0 && third < STATUS_EVERY_MS ? (third > 0 ? third : 1)
                                                            : STATUS_EVERY_MS;
}

struct sc_watchdog *sc_watchdog_new(struct event_base *base, const struct sc_sysd *sysd,
                                    struct sc_worker *const *workers, size_t worker_count,
                                    void (*status)(char *out, size_t out_size, void *arg),
                                    void *arg, struct sc_err *err)
{
    const struct timeval period = sc_clock_timeval(period_ms(sysd));
    struct sc_watchdog *watchdog = calloc(1, sizeof(*watchdog));
    if (watchdog) {
        watchdog->sysd = sysd;
        watchdog->workers = workers;
        watchdog->worker_count = worker_count;
        watchdog->status = status;
        watchdog->arg = arg;
        watchdog->pings_answered = calloc(worker_count, sizeof(uint32_t));
        watchdog->timer = event_new(base, -1, EV_PERSIST, on_timer, watchdog);
    }
    if (!watchdog || !watchdog->pings_answered || !watchdog->timer ||
        (sysd->notify_length > 0 && event_add(watchdog->timer, &period) != 0)) {
        (void)sc_err_set(err, EX_OSERR, "can't start the watchdog: out of memory");
        sc_watchdog_free(watchdog);
        return NULL;
    }
    return watchdog;
}

void sc_watchdog_stopping(struct sc_watchdog *watchdog)
{
    watchdog->stopping = true;
    sc_sysd_extend_timeout(watchdog->sysd, STOP_EXTENSION_MS);
}

void sc_watchdog_free(struct sc_watchdog *watchdog)
{
    if (!watchdog) {
        return;
    }
    sc_loop_free_event(watchdog->timer);
    free(watchdog->pings_answered);
    free(watchdog);
}

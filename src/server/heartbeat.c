#include "config.h"

#include "server/heartbeat.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/log.h"

#define STATUS_EVERY_MS 5000U
#define STOP_EXTENSION_MS (3U * STATUS_EVERY_MS) /* one may be late */

struct sc_heartbeat {
    const struct sc_sysd *sysd;
    struct sc_worker *const *workers;
    uint32_t *beats; /* of each worker, when it was last asked */
    size_t worker_count;
    void (*status)(char *out, size_t out_size, void *arg);
    void *arg;
    struct event *timer;
    char last_status[SC_SYSD_STATUS_BYTES];
    bool asked; /* the workers have been asked at least once */
    bool stopping;
};

static bool every_worker_turns(const struct sc_heartbeat *heartbeat)
{
    for (size_t i = 0; i < heartbeat->worker_count; i++) {
        if (heartbeat->asked && sc_worker_beats(heartbeat->workers[i]) == heartbeat->beats[i]) {
            return false;
        }
    }
    return true;
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct sc_heartbeat *heartbeat = arg;
    char status[sizeof(heartbeat->last_status)];
    (void)fd;
    (void)what;
    if (every_worker_turns(heartbeat)) {
        sc_sysd_watchdog(heartbeat->sysd);
        if (heartbeat->stopping) {
            sc_sysd_extend_timeout(heartbeat->sysd, STOP_EXTENSION_MS);
        }
        for (size_t i = 0; i < heartbeat->worker_count; i++) {
            heartbeat->beats[i] = sc_worker_beats(heartbeat->workers[i]);
            sc_worker_ping(heartbeat->workers[i]);
        }
        heartbeat->asked = true;
    } else {
        sc_log_message(SC_LOG_WARNING, "worker_stuck",
                       "a worker's loop has not turned: the watchdog is not fed");
    }
    heartbeat->status(status, sizeof(status), heartbeat->arg);
    if (strcmp(status, heartbeat->last_status) != 0) {
        memcpy(heartbeat->last_status, status, sizeof(status));
        sc_sysd_status(heartbeat->sysd, status);
    }
}

/* Three beats in the time of the watchdog: one may be late. */
static uint64_t period_ms(const struct sc_sysd *sysd)
{
    const uint64_t third = sysd->watchdog_ms / 3;
    return sysd->watchdog_ms > 0 && third < STATUS_EVERY_MS ? (third > 0 ? third : 1)
                                                            : STATUS_EVERY_MS;
}

struct sc_heartbeat *sc_heartbeat_new(struct event_base *base, const struct sc_sysd *sysd,
                                      struct sc_worker *const *workers, size_t worker_count,
                                      void (*status)(char *out, size_t out_size, void *arg),
                                      void *arg, struct sc_err *err)
{
    const uint64_t ms = period_ms(sysd);
    const struct timeval period = {.tv_sec = (time_t)(ms / 1000),
                                   .tv_usec = (suseconds_t)(ms % 1000 * 1000)};
    struct sc_heartbeat *heartbeat = calloc(1, sizeof(*heartbeat));
    if (heartbeat) {
        heartbeat->sysd = sysd;
        heartbeat->workers = workers;
        heartbeat->worker_count = worker_count;
        heartbeat->status = status;
        heartbeat->arg = arg;
        heartbeat->beats = calloc(worker_count, sizeof(uint32_t));
        heartbeat->timer = event_new(base, -1, EV_PERSIST, on_timer, heartbeat);
    }
    if (!heartbeat || !heartbeat->beats || !heartbeat->timer ||
        (sysd->notify_length > 0 && event_add(heartbeat->timer, &period) != 0)) {
        (void)sc_err_set(err, EX_OSERR, "cannot start the heartbeat: out of memory");
        sc_heartbeat_free(heartbeat);
        return NULL;
    }
    return heartbeat;
}

void sc_heartbeat_stopping(struct sc_heartbeat *heartbeat)
{
    heartbeat->stopping = true;
    sc_sysd_extend_timeout(heartbeat->sysd, STOP_EXTENSION_MS);
}

void sc_heartbeat_free(struct sc_heartbeat *heartbeat)
{
    if (!heartbeat) {
        return;
    }
    if (heartbeat->timer) {
        event_free(heartbeat->timer);
    }
    free(heartbeat->beats);
    free(heartbeat);
}

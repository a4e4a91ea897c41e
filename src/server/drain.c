/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "server/drain.h"

#include <signal.h>
#include <stdlib.h>
#include <sysexits.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/parse.h"
#include "net/loop.h"

#define SLOW_MS 5000U /* a drain that takes longer is worth a line */

struct sc_drain {
    struct event_base *base;
    const struct sc_drain_callbacks *callbacks;
    void *arg;
    struct event *signals[2], *timer;
    time_t since;
    uint64_t limit_ms, waited_ms; /* when the timer is due */
};

static void wait_for(struct sc_drain *drain, uint64_t ms)
{
    const struct timeval delay = sc_clock_timeval(ms);
    drain->waited_ms += ms;
    event_add(drain->timer, &delay);
}

/* Until the log says that the drain takes long, or it is over. */
static uint64_t first_wait_ms(uint64_t limit_ms)
{
    const uint64_t half_ms = limit_ms / 2;
    return limit_ms < 1000 ? limit_ms : half_ms < SLOW_MS ? half_ms : SLOW_MS;
}

static void on_signal(evutil_socket_t number, short what, void *arg)
{
    struct sc_drain *drain = arg;
    const char *name = number == SIGTERM ? "SIGTERM" : "SIGINT";
    const unsigned open = drain->callbacks->open_connections(drain->arg);
    (void)what;
    if (drain->since) {
        sc_log_message(SC_EVENT_STOPPING_NOW, "second signal (%s): %u connection%s cut", name, open,
                       sc_plural(open));
        event_base_loopbreak(drain->base);
        return;
    }
    sc_log_message(SC_EVENT_STOPPING, "%s: draining %u connection%s", name, open, sc_plural(open));
    drain->since = sc_clock_wall().tv_sec;
    drain->limit_ms = drain->callbacks->begin(drain->arg);
    wait_for(drain, first_wait_ms(drain->limit_ms));
}

/* Says that clients hold it up, after 5, 10, 20, ... seconds; at the end they are cut. */
static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct sc_drain *drain = arg;
    const unsigned open = drain->callbacks->open_connections(drain->arg);
    const uint64_t limit_ms = drain->limit_ms, waited_ms = drain->waited_ms;
    (void)fd;
    (void)what;
    if (waited_ms < limit_ms) {
        sc_log_message(SC_EVENT_DRAIN_SLOW,
                       "%u connection%s still open after %.1f s; drain-timeout cuts what is left "
                       "after %.1f s",
                       open, sc_plural(open), (double)waited_ms / 1000, (double)limit_ms / 1000);
        wait_for(drain, 2 * waited_ms < limit_ms ? waited_ms : limit_ms - waited_ms);
        return;
    }
    sc_log_message(SC_EVENT_DRAIN_TIMEOUT, "%u connection%s did not end in time: cut", open,
                   sc_plural(open));
    event_base_loopbreak(drain->base);
}

static struct event *watch_signal(struct sc_drain *drain, int number)
{
    struct event *event = evsignal_new(drain->base, number, on_signal, drain);
    if (event && event_add(event, NULL) != 0) {
        event_free(event);
        event = NULL;
    }
    return event;
}

struct sc_drain *sc_drain_new(struct event_base *base, const struct sc_drain_callbacks *callbacks,
                              void *arg, struct sc_err *err)
{
    struct sc_drain *drain = calloc(1, sizeof(*drain));
    if (drain) {
        drain->base = base;
        drain->callbacks = callbacks;
        drain->arg = arg;
        drain->signals[0] = watch_signal(drain, SIGTERM);
        drain->signals[1] = watch_signal(drain, SIGINT);
        drain->timer = evtimer_new(base, on_timer, drain);
    }
    if (!drain || !drain->signals[0] || !drain->signals[1] || !drain->timer) {
        sc_drain_free(drain);
        (void)sc_err_set(err, EX_OSERR, "can't watch for signals: out of memory");
        return NULL;
    }
    return drain;
}

time_t sc_drain_since(const struct sc_drain *drain)
{
    return drain->since;
}

void sc_drain_free(struct sc_drain *drain)
{
    if (drain) {
        sc_loop_free_event(drain->signals[0]);
        sc_loop_free_event(drain->signals[1]);
        sc_loop_free_event(drain->timer);
        free(drain);
    }
}

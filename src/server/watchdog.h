/* SPDX-License-Identifier: MIT */
/*
 * Pings the watchdog of systemd (WatchdogSec=), only when every worker has answered the last ping,
 * and sends the status line. Does nothing without systemd. Thread: the main one.
 */
#ifndef SC_SERVER_WATCHDOG_H
#define SC_SERVER_WATCHDOG_H

#include <stddef.h>

#include <event2/event.h>

#include "base/err.h"
#include "base/sysd.h"
#include "server/worker.h"

struct sc_watchdog;

/* Calls `status` for the text of the status line. Everything is borrowed. NULL on failure. */
struct sc_watchdog *sc_watchdog_new(struct event_base *base, const struct sc_sysd *sysd,
                                    struct sc_worker *const *workers, size_t worker_count,
                                    void (*status)(char *out, size_t out_size, void *arg),
                                    void *arg, struct sc_err *err) SC_NODISCARD;

/*
 * The server drains: from now on, as long as every worker answers, systemd is asked for more
 * time than TimeoutStopSec=, so that drain-timeout alone decides.
 */
void sc_watchdog_stopping(struct sc_watchdog *watchdog);

void sc_watchdog_free(struct sc_watchdog *watchdog); /* NULL is fine */

#endif

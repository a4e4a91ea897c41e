/*
 * Signs of life for systemd: the watchdog, fed only when every worker's loop has turned since the
 * last time, and the status line. Nothing happens outside of systemd. Thread: the main one.
 */
#ifndef SC_SERVER_HEARTBEAT_H
#define SC_SERVER_HEARTBEAT_H

#include <stddef.h>

#include <event2/event.h>

#include "base/err.h"
#include "base/sysd.h"
#include "server/worker.h"

struct sc_heartbeat;

/* Calls `status` for the text of the status line. Everything is borrowed. NULL on failure. */
struct sc_heartbeat *sc_heartbeat_new(struct event_base *base, const struct sc_sysd *sysd,
                                      struct sc_worker *const *workers, size_t worker_count,
                                      void (*status)(char *out, size_t out_size, void *arg),
                                      void *arg, struct sc_err *err) SC_NODISCARD;

/*
 * The server drains: from now on, as long as every worker's loop turns, systemd is asked for more
 * time than TimeoutStopSec=, so that drain-timeout alone decides.
 */
void sc_heartbeat_stopping(struct sc_heartbeat *heartbeat);

void sc_heartbeat_free(struct sc_heartbeat *heartbeat); /* NULL is fine */

#endif

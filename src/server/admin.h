/* SPDX-License-Identifier: MIT */
/*
 * The admin interface over HTTP (`metrics-listen`): /metrics for Prometheus, /healthz and /readyz
 * for supervisors, the status page / with its data /status.json, and /status.txt for sc-server
 * --status. GET and HEAD only; one request for each connection; requests with a Host header of
 * another site are refused (DNS rebinding).
 *
 * It runs in a thread and an event loop of its own, reads counters and nothing else, and so delays
 * no request and works while an event loop of the server does not. Thread: its functions are called
 * from the main one.
 */
#ifndef SC_SERVER_ADMIN_H
#define SC_SERVER_ADMIN_H

#include "base/err.h"
#include "base/parse.h"
#include "net/listen.h"
#include "server/loop_health.h"
#include "server/metrics.h"

struct sc_admin;

/*
 * Starts the thread. Takes over `listen`, also on failure; borrows the rest for its life. `names`
 * are the addresses of metrics-listen: their host names may stand in a Host header. NULL on
 * failure.
 */
struct sc_admin *sc_admin_new(struct sc_listen *listen, const struct sc_address *names,
                              size_t name_count, struct sc_metrics_source *source,
                              struct sc_loop_health *health, struct sc_err *err) SC_NODISCARD;

/* Its sockets. */
const struct sc_listen *sc_admin_listen(const struct sc_admin *admin);

/* Ends the thread and closes the sockets. NULL is fine. */
void sc_admin_free(struct sc_admin *admin);

#endif

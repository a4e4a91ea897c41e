/* SPDX-License-Identifier: MIT */
/*
 * The lines of a start that went well, with how clients reach the server and what it runs on, and
 * of a stop. Thread: the main one.
 */
#ifndef SC_SERVER_LIFECYCLE_LOG_H
#define SC_SERVER_LIFECYCLE_LOG_H

#include "net/listen.h"
#include "server/snapshot.h"
#include "server/stats.h"

/* All borrowed for the call. */
struct sc_lifecycle_log_start {
    const struct sc_snapshot *snapshot;
    const struct sc_listen *listen;
    const struct sc_listen *metrics; /* NULL: no admin interface */
    size_t workers;
    const char *backend; /* what libevent waits with */
    uint32_t max_connections;
    const char *client_command;
};

void sc_lifecycle_log_client_command(const struct sc_lifecycle_log_start *start);
void sc_lifecycle_log_ready(const struct sc_lifecycle_log_start *start);

/* What was counted, but for zeros. */
void sc_lifecycle_log_stopped(const struct sc_stats *sum);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * The facts of the status page, for the page itself (JSON) and for a terminal (text). Pure
 * functions. Thread: any.
 */
#ifndef SC_SERVER_STATUS_H
#define SC_SERVER_STATUS_H

#include <stdio.h>

#include "server/history.h"
#include "server/metrics.h"

/* One object. Reasons and types with 0 are left out; times are seconds since the epoch. */
void sc_status_write_json(const struct sc_metrics *metrics, const struct sc_history *history,
                          FILE *out);

/* Lines of "name   value", for sc-server --status. */
void sc_status_write_text(const struct sc_metrics *metrics, const struct sc_history *history,
                          FILE *out);

#endif

/*
 * sc-server --status: asks the admin interface of a running server for the facts of the status
 * page. Waits, never longer than a few seconds. Thread: any.
 */
#ifndef SC_SERVER_STATUS_CLIENT_H
#define SC_SERVER_STATUS_CLIENT_H

#include <stdio.h>

#include "base/err.h"
#include "base/parse.h"

/*
 * Writes them, escaped for a terminal. -1: EX_UNAVAILABLE, nobody answers there in time, or
 * something else than this server does.
 */
int sc_status_client_print(const struct sc_address *address, FILE *out,
                           struct sc_err *err) SC_NODISCARD;

#endif

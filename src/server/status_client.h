/* SPDX-License-Identifier: MIT */
/*
 * Asks the admin interface of a running server for the facts of the status page, for sc-server
 * --status and sc-keygen --status --connect. Waits, never longer than a few seconds. Thread: any;
 * sc_status_client_print() one at a time.
 */
#ifndef SC_SERVER_STATUS_CLIENT_H
#define SC_SERVER_STATUS_CLIENT_H

#include <stdio.h>

#include "base/err.h"
#include "base/parse.h"

#define SC_STATUS_CLIENT_BYTES 65536U

/*
 * What is at `path`, "/status.json": into `buffer`, of SC_STATUS_CLIENT_BYTES, with a NUL; *body
 * points into it. -1: EX_UNAVAILABLE, there is no answer in time, or it is of something else
 * than this server.
 */
int sc_status_client_get(const struct sc_address *address, const char *path, char *buffer,
                         const char **body, struct sc_err *err) SC_NODISCARD;

/*
 * Writes them as text, escaped for a terminal. -1: as above.
 */
int sc_status_client_print(const struct sc_address *address, FILE *out,
                           struct sc_err *err) SC_NODISCARD;

#endif

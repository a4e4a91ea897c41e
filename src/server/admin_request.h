/* SPDX-License-Identifier: MIT */
/*
 * What the headers of a request to the admin interface mean. Pure functions. Thread: any.
 */
#ifndef SC_SERVER_ADMIN_REQUEST_H
#define SC_SERVER_ADMIN_REQUEST_H

#include <stdbool.h>
#include <stddef.h>

#include "base/parse.h"
#include "server/prometheus.h"

/*
 * Whether a Host header (or the authority of an absolute URI) is one that a browser sends only
 * when its user has typed it: an address, localhost, or a host of `names`. Any other may be a name
 * of an attacker's that now resolves to our address (DNS rebinding).
 */
bool sc_admin_host_is_ours(const char *host, const struct sc_address *names, size_t name_count);

/*
 * The format that an Accept header prefers (RFC 9110, section 12.5.1); NULL: there is none.
 * OpenMetrics only if it is named, in version 1.0.0 or in none, and with a quality not below that
 * of text.
 */
enum sc_prometheus_format sc_admin_accepted_format(const char *accept);

#endif

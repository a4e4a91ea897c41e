/* SPDX-License-Identifier: MIT */
/* Where a connection came from. Thread: any. */
#ifndef SC_SERVER_CONN_ORIGIN_H
#define SC_SERVER_CONN_ORIGIN_H

#include <stdint.h>

#include "net/addr.h"

struct sc_address_entry;

/* What the acceptor knows of a connection; copied. */
struct sc_conn_origin {
    uint64_t id; /* names the connection in the log */
    uint64_t accepted_ns; /* sc_clock_ns() */
    struct sc_addr peer; /* the client, also behind a load balancer (proxy-protocol-from) */
    struct sc_address_entry *address_entry; /* the acceptor's; NULL: not counted */
    const char
        *client; /* its name in client-pin, of the connection's TLS context; NULL: none yet */
};

#endif

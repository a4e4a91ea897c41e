/* SPDX-License-Identifier: MIT */
/*
 * Limits on open connections per client address: IPv4 by address, IPv6 by /64 (what one customer
 * usually gets), unix sockets not at all. A hash table with an entry for each address that has an
 * open connection. Thread: sc_address_limits_acquire() one; sc_address_limits_release() any.
 */
#ifndef SC_SERVER_ADDRESS_LIMITS_H
#define SC_SERVER_ADDRESS_LIMITS_H

#include <stdint.h>

#include "base/compiler.h"
#include "net/addr.h"

struct sc_address_limits;
struct sc_address_entry;

struct sc_address_limits *sc_address_limits_new(void); /* NULL: no memory, or no randomness */
void sc_address_limits_free(struct sc_address_limits *limits); /* NULL is fine */

/*
 * Counts a connection. 0: it may be served, and *entry is to be given to
 * sc_address_limits_release() (NULL when it is not counted: no limit, a unix socket, or no memory
 * for an entry). -1: the address has `limit` connections already. `limit` 0: no limit.
 */
int sc_address_limits_acquire(struct sc_address_limits *limits, const struct sc_addr *peer,
                              uint32_t limit, struct sc_address_entry **entry) SC_NODISCARD;

void sc_address_limits_release(struct sc_address_limits *limits,
                               struct sc_address_entry *entry); /* NULL is fine */

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Networks, for lists of hosts that are treated in a way of their own: "192.0.2.1",
 * "192.0.2.0/24", "2001:db8::/32", and "unix:" for every peer on a unix socket. Thread: any.
 */
#ifndef SC_NET_NETWORK_H
#define SC_NET_NETWORK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/err.h"
#include "net/addr.h"

#define SC_NETWORK_TEXT_BYTES 64U

struct sc_network {
    uint8_t host[16]; /* of IPv4 the first four; all 0 after the first `bits` */
    uint8_t bits;
    uint8_t family; /* AF_INET, AF_INET6, AF_UNIX */
};

/*
 * Names are refused, and so is an address that has bits beyond those of its network: it is often a
 * mistake. IPv4 inside of IPv6 (::ffff:192.0.2.0/120) is IPv4.
 */
int sc_network_parse(const char *text, struct sc_network *out, struct sc_err *err) SC_NODISCARD;

/* In the same form. */
void sc_network_format(const struct sc_network *network, char out[SC_NETWORK_TEXT_BYTES]);

/*
 * Whether one of them has the address. One of IPv4 that came to an IPv6 socket is of IPv4; "::/0"
 * does not have it.
 */
bool sc_networks_have(const struct sc_network *networks, size_t count,
                      const struct sc_addr *address);

#endif

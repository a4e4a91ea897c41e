/* SPDX-License-Identifier: MIT */
/* Socket addresses as text, and as keys for limits. Thread: any. */
#ifndef SC_NET_ADDR_H
#define SC_NET_ADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/* Room for any address: "unix:" and a path of 107 bytes, and the NUL. */
#define SC_ADDR_TEXT_BYTES 128U

/*
 * "192.0.2.1:5", "[2001:db8::1]:5", "[fe80::1%eth0]:5", "unix:/path", and "unix" for a socket
 * without a name, as most clients have. An IPv4 address inside of an IPv6 one (::ffff:192.0.2.1,
 * what a dual-stack socket sees) is written as IPv4.
 */
void sc_addr_format(const struct sockaddr *address, socklen_t length, char out[SC_ADDR_TEXT_BYTES]);

/*
 * The address of a peer in 24 bytes, formatted only when it is needed. Of a unix socket only that
 * it is one.
 */
struct sc_addr {
    uint8_t host[16];
    uint32_t scope;
    uint16_t port;
    uint8_t family; /* AF_*; 0: unknown */
};
struct sc_addr sc_addr_pack(const struct sockaddr *address, socklen_t length);
void sc_addr_format_packed(const struct sc_addr *packed,
                           char out[SC_ADDR_TEXT_BYTES]); /* like sc_addr_format() */

/* Our end of a connected or listening socket; "unknown" when the kernel does not say. */
void sc_addr_format_local(int fd, char out[SC_ADDR_TEXT_BYTES]);

/* Whether only this host reaches an address of sc_addr_format(): loopback, or a unix socket. */
bool sc_addr_is_local(const char *text);

/*
 * The address that this host sends from to others, as text, by the routes that it has; nothing is
 * sent. False: it has no route of that family (AF_INET, AF_INET6), and `out` is as it was.
 */
bool sc_addr_source(int family, char *out, size_t out_size);

/*
 * What counts as one client, as a number: an IPv4 address (also inside of IPv6), or an IPv6 /64,
 * the least that one customer is given (RFC 6177). IPv4 is put where no /64 of the internet is
 * (below ::ffff:0:0:0:0). 0: neither, and limits per address do not apply.
 */
uint64_t sc_addr_key(const struct sc_addr *packed);

#endif

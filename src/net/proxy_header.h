/* SPDX-License-Identifier: MIT */
/*
 * The header that a load balancer sends before the bytes of a client, to say where that comes from:
 * version 2 of the PROXY protocol (haproxy's proxy-protocol.txt, section 2.2). Bytes in, address
 * out: no I/O. Thread: any.
 *
 *   struct sc_proxy_header header = {0};
 *   do {
 *       got = recv(fd, bytes, sc_proxy_header_wants(&header), 0);
 *       verdict = sc_proxy_header_take(&header, bytes, got, &client);
 *   } while (verdict == SC_PROXY_INCOMPLETE);
 *
 * What follows the header stays in the socket. A header is 16 bytes, two addresses of up to 108
 * bytes each, and additions (TLV vectors), which are skipped whatever they are; at most
 * SC_PROXY_HEADER_MAX_BYTES in all. Haproxy's additions are short; the longest is a client
 * certificate of some KiB.
 */
#ifndef SC_NET_PROXY_HEADER_H
#define SC_NET_PROXY_HEADER_H

#include <stddef.h>
#include <stdint.h>

#include "net/addr.h"

#define SC_PROXY_HEADER_MAX_BYTES 4096U
#define SC_PROXY_FIXED_BYTES 16U

enum sc_proxy_verdict {
    SC_PROXY_INCOMPLETE,
    SC_PROXY_CLIENT, /* complete, with the client's address */
    SC_PROXY_NO_CLIENT, /* complete, without: the balancer's own connection (LOCAL), as for a health
                           check, or one whose client it does not name (UNSPEC) */
    /* Refused: */
    SC_PROXY_TLS, /* a TLS record */
    SC_PROXY_VERSION_1,
    SC_PROXY_NO_HEADER, /* neither */
    SC_PROXY_MALFORMED, /* another version, command or family than there is, or too short for its
                           addresses */
    SC_PROXY_TOO_LONG,
};

/* Zero-initialised: nothing has come. */
struct sc_proxy_header {
    uint16_t have; /* bytes that have come */
    uint8_t bytes[SC_PROXY_FIXED_BYTES + 36]; /* the first of them, up to the addresses of IPv6 */
};

/* Bytes that can be taken next, of which the last still belongs to the header; 0 at its end. */
size_t sc_proxy_header_wants(const struct sc_proxy_header *header);

/*
 * The next bytes, not more than sc_proxy_header_wants(), in whatever pieces; not after another
 * verdict than INCOMPLETE. *client is set with SC_PROXY_CLIENT.
 */
enum sc_proxy_verdict sc_proxy_header_take(struct sc_proxy_header *header, const void *bytes,
                                           size_t length, struct sc_addr *client);

#endif

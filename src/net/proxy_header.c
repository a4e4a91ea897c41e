/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "net/proxy_header.h"

#include <string.h>

#define SIGNATURE_BYTES 12U
#define V4_BYTES 12U /* two addresses, two ports */
#define V6_BYTES 36U
#define UNIX_BYTES 216U /* two paths */
#define TLS_HANDSHAKE 22U /* RFC 8446 section 5.1 */

enum { COMMAND_LOCAL = 0, COMMAND_PROXY = 1 };
enum { FAMILY_UNSPEC = 0, FAMILY_INET = 1, FAMILY_INET6 = 2, FAMILY_UNIX = 3 };
enum { TRANSPORT_UNSPEC = 0, TRANSPORT_STREAM = 1 };

static size_t get_u16(const uint8_t *from)
{
    return (size_t)from[0] << 8 | from[1];
}

/* Of all of it; the fixed part alone as long as that has not come. */
static size_t total(const struct sc_proxy_header *header)
{
    return SC_PROXY_FIXED_BYTES +
           (header->have < SC_PROXY_FIXED_BYTES ? 0 : get_u16(header->bytes + 14));
}

size_t sc_proxy_header_wants(const struct sc_proxy_header *header)
{
    return total(header) - header->have;
}

static enum sc_proxy_verdict check_signature(const struct sc_proxy_header *header)
{
    static const uint8_t signature[SIGNATURE_BYTES] = "\r\n\r\n\0\r\nQUIT\n";
    static const char version_1[] = "PROXY ";
    const size_t have = header->have < SIGNATURE_BYTES ? header->have : SIGNATURE_BYTES;
    const size_t text = have < sizeof(version_1) - 1 ? have : sizeof(version_1) - 1;
    if (memcmp(header->bytes, signature, have) == 0) {
        return SC_PROXY_INCOMPLETE;
    }
    if (memcmp(header->bytes, version_1, text) == 0) {
        return text == sizeof(version_1) - 1 ? SC_PROXY_VERSION_1 : SC_PROXY_INCOMPLETE;
    }
    return header->bytes[0] == TLS_HANDSHAKE ? SC_PROXY_TLS : SC_PROXY_NO_HEADER;
}

/* The fixed part says everything that can be wrong. */
static enum sc_proxy_verdict check_fixed(const struct sc_proxy_header *header)
{
    static const size_t address_bytes[] = {[FAMILY_UNSPEC] = 0,
                                           [FAMILY_INET] = V4_BYTES,
                                           [FAMILY_INET6] = V6_BYTES,
                                           [FAMILY_UNIX] = UNIX_BYTES};
    const unsigned version = header->bytes[12] >> 4, command = header->bytes[12] & 15U;
    const unsigned family = header->bytes[13] >> 4, transport = header->bytes[13] & 15U;
    if (version != 2 || command > COMMAND_PROXY) {
        return SC_PROXY_MALFORMED;
    }
    if (total(header) > SC_PROXY_HEADER_MAX_BYTES) {
        return SC_PROXY_TOO_LONG;
    }
    if (command == COMMAND_LOCAL) {
        return SC_PROXY_INCOMPLETE; /* the rest means nothing */
    }
    /* Datagrams don't come over a connection; without a family the transport means nothing. */
    if (family > FAMILY_UNIX || (family != FAMILY_UNSPEC && transport != TRANSPORT_STREAM) ||
        get_u16(header->bytes + 14) < address_bytes[family]) {
        return SC_PROXY_MALFORMED;
    }
    return SC_PROXY_INCOMPLETE;
}

/* Source address, destination address, source port, destination port. */
static enum sc_proxy_verdict read_client(const struct sc_proxy_header *header,
                                         struct sc_addr *client)
{
    const uint8_t *addresses = header->bytes + SC_PROXY_FIXED_BYTES;
    const unsigned family = header->bytes[13] >> 4;
    if ((header->bytes[12] & 15U) == COMMAND_LOCAL || family == FAMILY_UNSPEC) {
        return SC_PROXY_NO_CLIENT;
    }
    *client = (struct sc_addr){.family = AF_UNIX};
    if (family == FAMILY_INET) {
        client->family = AF_INET;
        memcpy(client->host, addresses, 4);
        client->port = (uint16_t)get_u16(addresses + 8);
    } else if (family == FAMILY_INET6) {
        client->family = AF_INET6;
        memcpy(client->host, addresses, 16);
        client->port = (uint16_t)get_u16(addresses + 32);
    }
    return SC_PROXY_CLIENT;
}

enum sc_proxy_verdict sc_proxy_header_take(struct sc_proxy_header *header, const void *bytes,
                                           size_t length, struct sc_addr *client)
{
    const size_t before = header->have;
    if (before < sizeof(header->bytes)) {
        const size_t room = sizeof(header->bytes) - before;
        memcpy(header->bytes + before, bytes, length < room ? length : room);
    }
    header->have = (uint16_t)(before + length);
    enum sc_proxy_verdict verdict = SC_PROXY_INCOMPLETE;
    if (before < SIGNATURE_BYTES) {
        verdict = check_signature(header);
    }
    if (verdict == SC_PROXY_INCOMPLETE && before < SC_PROXY_FIXED_BYTES &&
        header->have == SC_PROXY_FIXED_BYTES) {
        verdict = check_fixed(header);
    }
    if (verdict == SC_PROXY_INCOMPLETE && header->have >= SC_PROXY_FIXED_BYTES &&
        header->have == total(header)) {
        verdict = read_client(header, client);
    }
    return verdict;
}

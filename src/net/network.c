/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "net/network.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "base/parse.h"

#define V4_BITS 32U
#define V6_BITS 128U
#define MAPPED_BITS (V6_BITS - V4_BITS)

static bool is_mapped(const uint8_t host[16])
{
    struct in6_addr v6;
    memcpy(&v6, host, sizeof(v6));
    return IN6_IS_ADDR_V4MAPPED(&v6);
}

static void clear_beyond(uint8_t host[16], unsigned bits)
{
    for (unsigned i = 0; i < 16; i++) {
        const unsigned left = bits > i * 8 ? bits - i * 8 : 0;
        if (left < 8) {
            host[i] &= (uint8_t)(0xff00U >> left);
        }
    }
}

static int refuse(const char *text, struct sc_err *err)
{
    return sc_err_set(err, EX_USAGE,
                      "invalid value \"%.64s\": expected an address (192.0.2.1), a network "
                      "(192.0.2.0/24, 2001:db8::/32) or unix:",
                      text);
}

/* The part before the slash. */
static int parse_host(const char *text, size_t length, struct sc_network *out)
{
    char host[INET6_ADDRSTRLEN];
    if (length >= sizeof(host)) {
        return -1;
    }
    memcpy(host, text, length);
    host[length] = '\0';
    *out = (struct sc_network){.family = AF_INET, .bits = V4_BITS};
    if (inet_pton(AF_INET, host, out->host) == 1) {
        return 0;
    }
    *out = (struct sc_network){.family = AF_INET6, .bits = V6_BITS};
    return inet_pton(AF_INET6, host, out->host) == 1 ? 0 : -1;
}

/* An IPv6 network inside of ::ffff:0:0/96: a larger one does not have these bits. */
static void unmap(struct sc_network *network)
{
    if (network->family == AF_INET6 && is_mapped(network->host)) {
        memmove(network->host, network->host + 12, 4);
        memset(network->host + 4, 0, 12);
        network->family = AF_INET;
        network->bits = (uint8_t)(network->bits - MAPPED_BITS);
    }
}

int sc_network_parse(const char *text, struct sc_network *out, struct sc_err *err)
{
    const char *slash = strchr(text, '/');
    struct sc_err number_err;
    uint64_t bits;
    if (strcmp(text, "unix:") == 0) {
        *out = (struct sc_network){.family = AF_UNIX};
        return 0;
    }
    if (parse_host(text, slash ? (size_t)(slash - text) : strlen(text), out) != 0) {
        return refuse(text, err);
    }
    if (slash) {
        if (sc_parse_u64(slash + 1, 0, out->bits, &bits, &number_err) != 0) {
            return sc_err_set(err, EX_USAGE, "invalid value \"%.64s\": expected /0 to /%u", text,
                              out->bits);
        }
        out->bits = (uint8_t)bits;
    }
    struct sc_network network = *out;
    clear_beyond(network.host, network.bits);
    if (memcmp(network.host, out->host, sizeof(network.host)) != 0) {
        char expected[SC_NETWORK_TEXT_BYTES];
        unmap(&network);
        sc_network_format(&network, expected);
        return sc_err_set(err, EX_USAGE,
                          "invalid value \"%.64s\": the address is longer than its network: "
                          "expected %s",
                          text, expected);
    }
    unmap(out);
    return 0;
}

void sc_network_format(const struct sc_network *network, char out[SC_NETWORK_TEXT_BYTES])
{
    char host[INET6_ADDRSTRLEN] = "";
    if (network->family == AF_UNIX) {
        (void)snprintf(out, SC_NETWORK_TEXT_BYTES, "unix:");
        return;
    }
    (void)inet_ntop(network->family, network->host, host, sizeof(host));
    if (network->bits == (network->family == AF_INET ? V4_BITS : V6_BITS)) {
        (void)snprintf(out, SC_NETWORK_TEXT_BYTES, "%s", host);
    } else {
        (void)snprintf(out, SC_NETWORK_TEXT_BYTES, "%s/%u", host, network->bits);
    }
}

bool sc_networks_have(const struct sc_network *networks, size_t count,
                      const struct sc_addr *address)
{
    const bool mapped = address->family == AF_INET6 && is_mapped(address->host);
    const uint8_t family = mapped ? AF_INET : address->family;
    for (size_t i = 0; i < count; i++) {
        uint8_t host[16];
        memcpy(host, address->host, sizeof(host));
        if (mapped) {
            memmove(host, host + 12, 4);
        }
        clear_beyond(host, networks[i].bits);
        if (networks[i].family == family && memcmp(host, networks[i].host, sizeof(host)) == 0) {
            return true;
        }
    }
    return false;
}

/* SPDX-License-Identifier: MIT */
/*
 * Strict reading of numbers, sizes, durations and addresses: the whole text must be consumed,
 * nothing overflows, and an error says what is allowed. Knows no option names: callers prefix the
 * error. Thread: any.
 */
#ifndef SC_BASE_PARSE_H
#define SC_BASE_PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/err.h"

/* A decimal number from min to max. */
int sc_parse_u64(const char *text, uint64_t min, uint64_t max, uint64_t *out,
                 struct sc_err *err) SC_NODISCARD;

/*
 * The decimal at *text, digits that may have a point and more digits after it, and moves past it:
 * what follows is the caller's. -1: there is none. No sign, exponent, hexadecimal or blank.
 */
int sc_take_decimal(const char **text, double *out) SC_NODISCARD;

/* Bytes: a number, optionally with K, M or G (powers of 1024), from min to max. */
int sc_parse_size(const char *text, uint64_t min, uint64_t max, uint64_t *out,
                  struct sc_err *err) SC_NODISCARD;

/*
 * Milliseconds: a number with ms, s, m or h; a number without a unit is refused, except 0.
 * Decimals ("0.5s") are accepted.
 */
int sc_parse_duration_ms(const char *text, uint64_t min, uint64_t max, uint64_t *out,
                         struct sc_err *err) SC_NODISCARD;

/* The same, and a number without a unit is seconds: "2", "0.5", "500ms". */
int sc_parse_seconds_ms(const char *text, uint64_t min, uint64_t max, uint64_t *out,
                        struct sc_err *err) SC_NODISCARD;

/* The end of a noun after a number, "s" but for 1: "%u day%s". */
static inline const char *sc_plural(uint64_t count)
{
    return count == 1 ? "" : "s";
}

/* A duration in the largest unit that fits: "300ms", "30s", "5m". */
void sc_format_duration_ms(uint64_t ms, char out[32]);

/* A size in the largest unit that fits: "64K", "100", "16M". */
void sc_format_size(uint64_t bytes, char out[32]);

/* Where to listen or connect: "HOST:PORT", "[V6]:PORT", "unix:/path". */
struct sc_address {
    bool is_unix;
    char host[256]; /* name, IPv4 or IPv6 literal without brackets, "*" for any; or the path of a
                       unix socket */
    char port[6]; /* decimal, "0" to "65535"; empty for a unix socket */
};

/*
 * `default_port` (NULL: a port must be given) is used when the text names none. A URL is refused,
 * and a host that is a number but not an IPv4 address: getaddrinfo(3) would make an address of it.
 */
int sc_parse_address(const char *text, const char *default_port, struct sc_address *out,
                     struct sc_err *err) SC_NODISCARD;

/* The same, of a server that is to be connected to: port 0 is refused. */
int sc_parse_server_address(const char *text, const char *default_port, struct sc_address *out,
                            struct sc_err *err) SC_NODISCARD;

/*
 * The name of `host` in TLS's server_name (RFC 6066 section 3): without a final dot. Empty for an
 * address.
 */
void sc_host_server_name(const char *host, char out[256]);

/* The address in the same form; out takes at least 300 bytes. */
void sc_format_address(const struct sc_address *address, char *out, size_t out_size);

#endif

/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "base/parse.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

struct unit {
    const char *suffix;
    uint64_t factor;
};

static const struct unit size_units[] = {
    {"", 1}, {"K", 1U << 10}, {"M", 1U << 20}, {"G", 1U << 30}, {NULL, 0}};
static const struct unit duration_units[] = {
    {"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {NULL, 0}};

/* The digits at *text; moves past them. -1: none, or more than fits. */
static int take_digits(const char **text, uint64_t *out)
{
    const char *p = *text;
    uint64_t value = 0;
    if (!isdigit((unsigned char)*p)) {
        return -1;
    }
    for (; isdigit((unsigned char)*p); p++) {
        const uint64_t digit = (uint64_t)(*p - '0');
        if (value > (UINT64_MAX - digit) / 10) {
            return -1;
        }
        value = value * 10 + digit;
    }
    *text = p;
    *out = value;
    return 0;
}

static const struct unit *find_unit(const struct unit *units, const char *suffix)
{
    for (; units->suffix; units++) {
        if (strcmp(units->suffix, suffix) == 0) {
            return units;
        }
    }
    return NULL;
}

static bool multiply(uint64_t value, uint64_t factor, uint64_t *out)
{
    return !__builtin_mul_overflow(value, factor, out);
}

int sc_parse_u64(const char *text, uint64_t min, uint64_t max, uint64_t *out, struct sc_err *err)
{
    const char *p = text;
    uint64_t value;
    if (take_digits(&p, &value) != 0 || *p != '\0' || value < min || value > max) {
        return sc_err_set(err, EX_USAGE,
                          "invalid value \"%.64s\": expected a number, %" PRIu64 " to %" PRIu64,
                          text, min, max);
    }
    *out = value;
    return 0;
}

int sc_take_decimal(const char **text, double *out)
{
    static const char digits[] = "0123456789";
    char number[64];
    size_t length = strspn(*text, digits);
    if (length > 0 && (*text)[length] == '.') {
        const size_t more = strspn(*text + length + 1, digits);
        length = more > 0 ? length + 1 + more : 0;
    }
    if (length == 0 || length >= sizeof(number)) {
        return -1;
    }
    memcpy(number, *text, length);
    number[length] = '\0';
    *out = strtod(number, NULL);
    *text += length;
    return 0;
}

int sc_parse_size(const char *text, uint64_t min, uint64_t max, uint64_t *out, struct sc_err *err)
{
    const char *p = text;
    const struct unit *unit;
    uint64_t value;
    if (take_digits(&p, &value) != 0 || !(unit = find_unit(size_units, p)) ||
        !multiply(value, unit->factor, &value) || value < min || value > max) {
        char low[32], high[32];
        sc_format_size(min, low);
        sc_format_size(max, high);
        return sc_err_set(err, EX_USAGE, "invalid value \"%.64s\": expected a size, %s to %s", text,
                          low, high);
    }
    *out = value;
    return 0;
}

/* One to three digits after a decimal point, as thousandths. */
static int take_thousandths(const char **text, uint64_t *out)
{
    static const uint64_t scale[] = {1000, 100, 10, 1};
    const char *start = *text + 1;
    const char *p = start;
    uint64_t value = 0;
    for (; isdigit((unsigned char)*p); p++) {
        if (p - start < 3) {
            value = value * 10 + (uint64_t)(*p - '0');
        }
    }
    if (p == start || p - start > 3) {
        return -1;
    }
    *out = value * scale[p - start];
    *text = p;
    return 0;
}

/* `bare`: the unit of a number that has none; NULL: only 0 may lack it. */
static int parse_duration(const char *text, const char *bare, uint64_t min, uint64_t max,
                          uint64_t *out, struct sc_err *err)
{
    const char *p = text;
    uint64_t value = 0;
    uint64_t thousandths = 0;
    const struct unit *unit = NULL;
    bool good = take_digits(&p, &value) == 0;
    if (good && *p == '.') {
        good = take_thousandths(&p, &thousandths) == 0;
    }
    if (good) {
        unit = strcmp(text, "0") == 0 ? &duration_units[0]
                                      : find_unit(duration_units, *p == '\0' && bare ? bare : p);
    }
    if (!unit || !multiply(value, unit->factor, &value) ||
        __builtin_add_overflow(value, thousandths * unit->factor / 1000, &value) || value < min ||
        value > max) {
        char low[32], high[32];
        sc_format_duration_ms(min, low);
        sc_format_duration_ms(max, high);
        return sc_err_set(err, EX_USAGE, "invalid value \"%.64s\": expected a duration, %s to %s",
                          text, low, high);
    }
    *out = value;
    return 0;
}

int sc_parse_duration_ms(const char *text, uint64_t min, uint64_t max, uint64_t *out,
                         struct sc_err *err)
{
    return parse_duration(text, NULL, min, max, out, err);
}

int sc_parse_seconds_ms(const char *text, uint64_t min, uint64_t max, uint64_t *out,
                        struct sc_err *err)
{
    return parse_duration(text, "s", min, max, out, err);
}

static void format_with_unit(uint64_t value, const struct unit *units, char out[32])
{
    const struct unit *best = units;
    for (const struct unit *unit = units; unit->suffix; unit++) {
        if (value % unit->factor == 0 && value >= unit->factor) {
            best = unit;
        }
    }
    (void)snprintf(out, 32, "%" PRIu64 "%s", value / best->factor, best->suffix);
}

void sc_format_duration_ms(uint64_t ms, char out[32])
{
    if (ms == 0) {
        (void)snprintf(out, 32, "0");
        return;
    }
    format_with_unit(ms, duration_units, out);
}

void sc_format_size(uint64_t bytes, char out[32])
{
    format_with_unit(bytes, size_units, out);
}

static bool is_ipv6(const char *host)
{
    char address[INET6_ADDRSTRLEN];
    unsigned char bytes[sizeof(struct in6_addr)];
    const size_t length = strcspn(host, "%"); /* then a zone */
    (void)snprintf(address, sizeof(address), "%.*s", (int)length, host);
    return length < sizeof(address) && inet_pton(AF_INET6, address, bytes) == 1;
}

static int bad_address(struct sc_err *err, const char *text, const char *why)
{
    return sc_err_set(
        err, EX_USAGE,
        "invalid address \"%.128s\": %s; expected HOST:PORT, [IPV6]:PORT or unix:/path", text, why);
}

static int parse_unix(const char *text, const char *path, struct sc_address *out,
                      struct sc_err *err)
{
    const size_t sun_path_bytes = 108; /* unix(7) */
    if (*path == '\0' || strlen(path) >= sun_path_bytes) {
        return bad_address(err, text,
                           *path ? "the path is longer than 107 bytes" : "the path is missing");
    }
    out->is_unix = true;
    (void)snprintf(out->host, sizeof(out->host), "%s", path);
    out->port[0] = '\0';
    return 0;
}

/*
 * getaddrinfo(3) reads any number as an IPv4 address: 4242 is 0.0.16.146. As in the URL standard, a
 * host whose last label is a number is an IPv4 address in four parts, or a mistake.
 */
static bool is_misread_number(const char *host, bool is_alone, const char **why)
{
    const char *dot = strrchr(host, '.');
    const char *label = dot ? dot + 1 : host;
    const bool hex = label[0] == '0' && (label[1] == 'x' || label[1] == 'X');
    const size_t digits =
        hex ? 2 + strspn(label + 2, "0123456789abcdefABCDEF") : strspn(label, "0123456789");
    unsigned char bytes[sizeof(struct in_addr)];
    if (*label == '\0' || label[digits] != '\0' || inet_pton(AF_INET, host, bytes) == 1) {
        return false;
    }
    *why = dot        ? "the host is neither a name nor an IPv4 address"
           : is_alone ? "a port alone does not say which host, as in localhost:4242"
                      : "the host is a number";
    return true;
}

/* The host at the start; *rest is what follows it. */
static int take_host(const char *text, char out[256], const char **rest, struct sc_err *err)
{
    const char *why, *host = text;
    size_t count = strcspn(text, ":");
    *rest = text + count;
    if (*text == '[') {
        host = text + 1;
        count = strcspn(host, "]");
        if (host[count] != ']') {
            return bad_address(err, text, "the ']' is missing");
        }
        *rest = host + count + 1;
    } else if (**rest == ':' && strchr(*rest + 1, ':')) {
        return bad_address(err, text, "an IPv6 address needs brackets");
    }
    if (count == 0 || count >= 256) {
        return bad_address(err, text, "the host is missing or too long");
    }
    for (size_t i = 0; i < count; i++) {
        if ((unsigned char)host[i] <= ' ' || host[i] == 0x7f || strchr("[]/", host[i])) {
            return bad_address(err, text, "the host has a character that no host has");
        }
    }
    memcpy(out, host, count);
    out[count] = '\0';
    if (*text == '[' && !is_ipv6(out)) {
        return bad_address(err, text, "what is in brackets is not an IPv6 address");
    }
    return *text != '[' && is_misread_number(out, **rest == '\0', &why)
               ? bad_address(err, text, why)
               : 0;
}

int sc_parse_address(const char *text, const char *default_port, struct sc_address *out,
                     struct sc_err *err)
{
    char host[sizeof(out->host)];
    const char *rest;
    uint64_t port;
    if (strncmp(text, "unix:", 5) == 0) {
        return parse_unix(text, text + 5, out, err);
    }
    if (strstr(text, "://")) {
        return bad_address(err, text, "a URL is not one, leave out what is before the host");
    }
    if (take_host(text, host, &rest, err) != 0) {
        return -1;
    }
    if (*rest == '\0' && default_port) {
        rest = default_port;
    } else if (*rest == ':') {
        rest++;
    } else {
        return bad_address(err, text, "the port is missing");
    }
    if (sc_parse_u64(rest, 0, 65535, &port, NULL) != 0) {
        return bad_address(err, text, "the port is not a number from 0 to 65535");
    }
    out->is_unix = false;
    (void)snprintf(out->host, sizeof(out->host), "%s", host);
    (void)snprintf(out->port, sizeof(out->port), "%u", (unsigned)port);
    return 0;
}

int sc_parse_server_address(const char *text, const char *default_port, struct sc_address *out,
                            struct sc_err *err)
{
    if (sc_parse_address(text, default_port, out, err) != 0) {
        return -1;
    }
    return !out->is_unix && strcmp(out->port, "0") == 0
               ? bad_address(err, text, "port 0 can't be connected to")
               : 0;
}

void sc_host_server_name(const char *host, char out[256])
{
    unsigned char bytes[sizeof(struct in_addr)];
    const bool is_address = strchr(host, ':') || inet_pton(AF_INET, host, bytes) == 1;
    (void)snprintf(out, 256, "%s", is_address ? "" : host);
    const size_t length = strlen(out);
    if (length > 0 && out[length - 1] == '.') {
        out[length - 1] = '\0';
    }
}

void sc_format_address(const struct sc_address *address, char *out, size_t out_size)
{
    if (address->is_unix) {
        (void)snprintf(out, out_size, "unix:%s", address->host);
    } else if (strchr(address->host, ':')) {
        (void)snprintf(out, out_size, "[%s]:%s", address->host, address->port);
    } else {
        (void)snprintf(out, out_size, "%s:%s", address->host, address->port);
    }
}

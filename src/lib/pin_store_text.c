/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "lib/pin_store_text.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include <arpa/inet.h>

#include "tls/pin.h"

static const char unix_prefix[] = "unix:";
static const char heading[] = "# Pins of Space Captain servers: host, port, pin, since when, how "
                              "it was learnt (sc-client(1))\n";

/* --- The name of a server --- */

/* An address in its one form. */
static void put_host(const char *host, char *out, size_t room)
{
    unsigned char bytes[sizeof(struct in6_addr)];
    const size_t length = strlen(host);
    if (inet_pton(AF_INET6, host, bytes) == 1 && inet_ntop(AF_INET6, bytes, out, (socklen_t)room)) {
        return;
    }
    (void)snprintf(out, room, "%s", host);
    for (char *p = out; *p; p++) {
        *p = (char)tolower((unsigned char)*p);
    }
    if (length > 1 && out[length - 1] == '.') {
        out[length - 1] = '\0';
    }
}

/* What separates fields, or would not be seen. */
static bool is_blank(char c)
{
    return (unsigned char)c <= ' ' || c == 0x7f;
}

int sc_pin_store_server(const struct sc_address *address, char out[SC_PIN_STORE_SERVER_BYTES],
                        struct sc_err *err)
{
    char host[sizeof(address->host)];
    bool usable = *address->host != '\0' && *address->host != '#';
    for (const char *p = address->host; *p; p++) {
        usable = usable && !is_blank(*p);
    }
    if (!usable) {
        return sc_err_set(err, EX_USAGE,
                          "the pins of \"%.100s\" can't be stored: the name has blanks, or begins "
                          "with #",
                          address->host);
    }
    if (address->is_unix) {
        (void)snprintf(out, SC_PIN_STORE_SERVER_BYTES, "%s%s -", unix_prefix, address->host);
    } else {
        put_host(address->host, host, sizeof(host));
        (void)snprintf(out, SC_PIN_STORE_SERVER_BYTES, "%s %s", host, address->port);
    }
    return 0;
}

/* --- A line --- */

struct field {
    const char *at;
    size_t length;
};

/* The next word of what is left. */
static struct field next_field(const char **at, const char *end)
{
    while (*at < end && (**at == ' ' || **at == '\t')) {
        (*at)++;
    }
    struct field field = {.at = *at};
    while (*at < end && **at != ' ' && **at != '\t') {
        (*at)++;
    }
    field.length = (size_t)(*at - field.at);
    return field;
}

static bool copy_field(const struct field *field, char *out, size_t room)
{
    if (field->length == 0 || field->length >= room) {
        return false;
    }
    memcpy(out, field->at, field->length);
    out[field->length] = '\0';
    return true;
}

static bool take_server(const struct field *host, const struct field *port, char *out)
{
    struct sc_address address = {.is_unix = false};
    uint64_t number;
    const size_t prefix = sizeof(unix_prefix) - 1;
    if (port->length == 1 && *port->at == '-') {
        const struct field path = {host->at + prefix, host->length - prefix};
        address.is_unix = true;
        return host->length > prefix && memcmp(host->at, unix_prefix, prefix) == 0 &&
               copy_field(&path, address.host, sizeof(address.host)) &&
               sc_pin_store_server(&address, out, NULL) == 0;
    }
    return copy_field(host, address.host, sizeof(address.host)) &&
           copy_field(port, address.port, sizeof(address.port)) &&
           sc_parse_u64(address.port, 1, 65535, &number, NULL) == 0 && *address.port != '0' &&
           sc_pin_store_server(&address, out, NULL) == 0;
}

static bool take_pin(const struct field *field, uint8_t pin[SC_PINS_PIN_BYTES])
{
    char text[64];
    return copy_field(field, text, sizeof(text)) && sc_pin_from_text(text, pin) == 0;
}

/* "2026-11-22T00:12:43Z" */
static bool take_date(const struct field *field, char out[24])
{
    static const char form[] = "dddd-dd-ddTdd:dd:ddZ";
    bool good = field->length == sizeof(form) - 1 && copy_field(field, out, 24);
    for (size_t i = 0; good && form[i]; i++) {
        good = form[i] == 'd' ? isdigit((unsigned char)out[i]) != 0 : out[i] == form[i];
    }
    return good;
}

static bool take_how(const struct field *field, char out[SC_PIN_STORE_HOW_BYTES])
{
    bool good = copy_field(field, out, SC_PIN_STORE_HOW_BYTES);
    for (const char *p = out; good && *p; p++) {
        good = islower((unsigned char)*p) || *p == '-';
    }
    return good;
}

const char *sc_pin_store_parse_line(const char *line, size_t length, struct sc_pin_store_line *out,
                                    bool *is_remark)
{
    const char *at = line, *end = line + length;
    const struct field host = next_field(&at, end), port = next_field(&at, end),
                       pin = next_field(&at, end), date = next_field(&at, end),
                       how = next_field(&at, end);
    *is_remark = host.length == 0 || *host.at == '#';
    if (*is_remark) {
        return NULL;
    }
    if (memchr(line, '\0', length)) {
        return "there is a NUL byte in it";
    }
    if (how.length == 0 || next_field(&at, end).length > 0) {
        return "expected host, port, pin, date, and how it was learnt";
    }
    if (!take_server(&host, &port, out->server)) {
        return "the first two words are not a host and a port";
    }
    if (!take_pin(&pin, out->pin)) {
        return "the third word is not a pin, sha256//BASE64";
    }
    if (!take_date(&date, out->date)) {
        return "the fourth word is not a date, as 2026-11-22T00:12:43Z";
    }
    return take_how(&how, out->how) ? NULL : "the fifth word does not say how it was learnt";
}

size_t sc_pin_store_format_line(const struct sc_pin_store_line *line,
                                char out[SC_PIN_STORE_LINE_BYTES])
{
    struct sc_pin_formats as;
    sc_pin_format(line->pin, NULL, &as);
    return (size_t)snprintf(out, SC_PIN_STORE_LINE_BYTES, "%s %s %s %s\n", line->server, as.curl,
                            line->date, line->how);
}

/* --- The pins of a server --- */

/* The line at *at, without its newline; *at is then that of the next one. */
static struct field next_line(const char **at, const char *end)
{
    const char *newline = memchr(*at, '\n', (size_t)(end - *at));
    const struct field line = {*at, (size_t)((newline ? newline : end) - *at)};
    *at = newline ? newline + 1 : end;
    return line;
}

int sc_pin_store_find(const char *text, size_t length, const char *path, const char *server,
                      struct sc_pin_store_pins *out, struct sc_err *err)
{
    const char *at = text, *end = text + length;
    memset(out, 0, sizeof(*out));
    for (unsigned number = 1; at < end; number++) {
        struct sc_pin_store_line line;
        bool is_remark;
        const struct field bytes = next_line(&at, end);
        const char *why = sc_pin_store_parse_line(bytes.at, bytes.length, &line, &is_remark);
        if (!why && !is_remark && strcmp(line.server, server) == 0 &&
            sc_pin_store_index(out, line.pin) == out->count) {
            if (out->count == SC_PINS_MAX_ACCEPTED) {
                why = "a server has at most 8 pins";
            } else {
                sc_pin_store_add(out, line.pin, NULL);
                out->list[out->count - 1].line = number;
            }
        }
        if (why) {
            return sc_err_set(err, EX_DATAERR, "%s:%u: %s", path, number, why);
        }
    }
    return 0;
}

size_t sc_pin_store_index(const struct sc_pin_store_pins *pins,
                          const uint8_t pin[SC_PINS_PIN_BYTES])
{
    for (size_t i = 0; i < pins->count; i++) {
        if (!pins->list[i].drop && memcmp(pins->list[i].pin, pin, SC_PINS_PIN_BYTES) == 0) {
            return i;
        }
    }
    return pins->count;
}

void sc_pin_store_add(struct sc_pin_store_pins *pins, const uint8_t pin[SC_PINS_PIN_BYTES],
                      const char *how)
{
    memcpy(pins->list[pins->count].pin, pin, SC_PINS_PIN_BYTES);
    pins->list[pins->count].how = how;
    pins->count++;
}

void sc_pin_store_remove_dropped(struct sc_pin_store_pins *pins)
{
    size_t count = 0;
    for (size_t i = 0; i < pins->count; i++) {
        if (!pins->list[i].drop) {
            pins->list[count++] = pins->list[i];
        }
    }
    pins->count = count;
}

bool sc_pin_store_replace(struct sc_pin_store_pins *pins, const uint8_t key[SC_PINS_PIN_BYTES])
{
    if (sc_pin_store_index(pins, key) < pins->count) {
        return false;
    }
    for (size_t i = 0; i < pins->count; i++) {
        pins->list[i].drop = true;
    }
    sc_pin_store_add(pins, key, SC_PIN_STORE_GIVEN);
    return true;
}

bool sc_pin_store_learn(struct sc_pin_store_pins *pins, const uint8_t current[SC_PINS_PIN_BYTES],
                        const uint8_t *next, bool proven)
{
    const size_t at = sc_pin_store_index(pins, current), known = pins->count;
    const size_t next_at = next ? sc_pin_store_index(pins, next) : known;
    bool changed = false;
    if (at == known) {
        return false; /* somebody has taken it out meanwhile */
    }
    for (size_t i = 0; i < known && at > 0; i++) {
        /* A next key that was used before this one moves after it. */
        const bool stays = i == at || (i == next_at && (i > at || !proven));
        pins->list[i].drop = !stays;
        changed |= !stays;
    }
    if (next && proven && sc_pin_store_index(pins, next) == known) {
        /* The oldest of those that were announced and never used makes room. */
        pins->list[1].drop |= at == 0 && known >= SC_PINS_MAX_ACCEPTED;
        sc_pin_store_add(pins, next, SC_PIN_STORE_ANNOUNCED);
        changed = true;
    }
    return changed;
}

/* --- The text --- */

static bool is_dropped(const struct sc_pin_store_pins *pins, const struct sc_pin_store_line *line)
{
    for (size_t i = 0; i < pins->count; i++) {
        if (pins->list[i].drop && memcmp(pins->list[i].pin, line->pin, SC_PINS_PIN_BYTES) == 0) {
            return true;
        }
    }
    return false;
}

/* Copies the lines that stay, each with a newline. Returns where it ends. */
static char *copy_lines(char *to, const char *text, size_t length, const char *server,
                        const struct sc_pin_store_pins *pins)
{
    const char *at = text, *end = text + length;
    while (at < end) {
        struct sc_pin_store_line line;
        bool is_remark;
        const struct field bytes = next_line(&at, end);
        if (!sc_pin_store_parse_line(bytes.at, bytes.length, &line, &is_remark) && !is_remark &&
            strcmp(line.server, server) == 0 && is_dropped(pins, &line)) {
            continue;
        }
        memcpy(to, bytes.at, bytes.length);
        to += bytes.length;
        *to++ = '\n';
    }
    return to;
}

char *sc_pin_store_edit(const char *text, size_t length, const char *server,
                        const struct sc_pin_store_pins *pins, const char *date, size_t *out_length)
{
    char *out = malloc(length + 1 + sizeof(heading) + pins->count * SC_PIN_STORE_LINE_BYTES);
    if (!out) {
        return NULL;
    }
    char *to = copy_lines(out, text, length, server, pins);
    if (length == 0) {
        memcpy(to, heading, sizeof(heading) - 1);
        to += sizeof(heading) - 1;
    }
    for (size_t i = 0; i < pins->count; i++) {
        struct sc_pin_store_line line;
        if (pins->list[i].line == 0 && !pins->list[i].drop) {
            (void)snprintf(line.server, sizeof(line.server), "%s", server);
            memcpy(line.pin, pins->list[i].pin, sizeof(line.pin));
            (void)snprintf(line.date, sizeof(line.date), "%.23s", date);
            (void)snprintf(line.how, sizeof(line.how), "%s", pins->list[i].how);
            to += sc_pin_store_format_line(&line, to);
        }
    }
    *out_length = (size_t)(to - out);
    return out;
}

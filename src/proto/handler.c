/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "proto/handler.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/compiler.h"
#include "proto/frame.h"
#include "proto/pins.h"

static size_t run_echo(const uint8_t *body, size_t body_length, uint8_t *reply)
{
    memcpy(reply, body, body_length);
    return body_length;
}

static size_t run_reverse(const uint8_t *body, size_t body_length, uint8_t *reply)
{
    /* Eight bytes at a time; the compiler makes one swap of the inner loop. */
    size_t left = body_length;
    while (left >= 8) {
        uint64_t word;
        left -= 8;
        memcpy(&word, body + left, sizeof(word));
        word = __builtin_bswap64(word);
        memcpy(reply, &word, sizeof(word));
        reply += 8;
    }
    while (left > 0) {
        *reply++ = body[--left];
    }
    return body_length;
}

static size_t run_time(const uint8_t *body, size_t body_length, uint8_t *reply)
{
    (void)body;
    (void)body_length;
    char text[SC_CLOCK_RFC3339_BYTES + 1]; /* terminated */
    sc_clock_rfc3339(sc_clock_wall(), text);
    memcpy(reply, text, SC_CLOCK_RFC3339_BYTES);
    return SC_CLOCK_RFC3339_BYTES;
}

static unsigned two_digits(const uint8_t *text)
{
    return (unsigned)(text[0] - '0') * 10U + (unsigned)(text[1] - '0');
}

static bool is_time(const uint8_t *text)
{
    static const char shape[] = "0000-00-00T00:00:00.000000Z";
    static const struct {
        size_t at;
        unsigned least, most;
    } fields[] = {{5, 1, 12}, {8, 1, 31}, {11, 0, 23}, {14, 0, 59}, {17, 0, 60}};
    for (size_t i = 0; i < SC_CLOCK_RFC3339_BYTES; i++) {
        if (shape[i] == '0' ? text[i] < '0' || text[i] > '9' : text[i] != (uint8_t)shape[i]) {
            return false;
        }
    }
    for (size_t i = 0; i < SC_COUNT_OF(fields); i++) {
        const unsigned value = two_digits(text + fields[i].at);
        if (value < fields[i].least || value > fields[i].most) {
            return false;
        }
    }
    return true;
}

static const struct sc_handler handlers[] = {
    {SC_FRAME_ECHO, "echo", "get TEXT back", .takes_body = true, .same_length = true,
     .run = run_echo},
    {SC_FRAME_REVERSE, "reverse", "get TEXT back, the last byte first", .takes_body = true,
     .same_length = true, .run = run_reverse},
    {SC_FRAME_TIME, "time", "get the time of the server", .reply_max = SC_CLOCK_RFC3339_BYTES,
     .run = run_time, .is_reply = is_time},
    {SC_FRAME_PINS, "pins", "get the pins of the keys of the server, now and next",
     .reply_max = SC_PINS_MAX_BYTES},
#ifdef SC_TEST_HANDLERS
    SC_TEST_HANDLERS /* tests/tools/handler_ping.c */
#endif
};

_Static_assert(SC_COUNT_OF(handlers) <= SC_HANDLER_MAX, "counters have room for every row");

const struct sc_handler *sc_handler_at(size_t index)
{
    return index < SC_COUNT_OF(handlers) ? &handlers[index] : NULL;
}

size_t sc_handler_index(const struct sc_handler *handler)
{
    return (size_t)(handler - handlers);
}

const struct sc_handler *sc_handler_find(uint32_t type)
{
    /* Types are dense and start at 1: the row is the type. The check below keeps that true. */
    const struct sc_handler *handler = sc_handler_at(type - 1U);
    return handler && handler->type == type ? handler : NULL;
}

const struct sc_handler *sc_handler_find_name(const char *name)
{
    for (size_t i = 0; i < SC_COUNT_OF(handlers); i++) {
        if (strcmp(handlers[i].name, name) == 0) {
            return &handlers[i];
        }
    }
    return NULL;
}

void sc_handler_list(char out[SC_HANDLER_LIST_BYTES])
{
    size_t used = 0;
    out[0] = '\0';
    for (size_t i = 0; i < SC_COUNT_OF(handlers) && used < SC_HANDLER_LIST_BYTES; i++) {
        used +=
            (size_t)snprintf(out + used, SC_HANDLER_LIST_BYTES - used, "%s%s%s", i > 0 ? ", " : "",
                             handlers[i].name, handlers[i].takes_body ? " TEXT" : "");
    }
}

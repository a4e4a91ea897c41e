#include "config.h"

#include "proto/handler.h"

#include <string.h>

#include "base/clock.h"
#include "proto/frame.h"

static size_t same_length(size_t body_length)
{
    return body_length;
}

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

static size_t time_length(size_t body_length)
{
    (void)body_length;
    return SC_CLOCK_RFC3339_BYTES + 1U;
}

static size_t run_time(const uint8_t *body, size_t body_length, uint8_t *reply)
{
    (void)body;
    (void)body_length;
    char text[SC_CLOCK_RFC3339_BYTES + 1];
    sc_clock_rfc3339(sc_clock_wall(), text);
    memcpy(reply, text, SC_CLOCK_RFC3339_BYTES);
    return SC_CLOCK_RFC3339_BYTES;
}

static const struct sc_handler handlers[] = {
    {SC_FRAME_ECHO, "echo", true, same_length, run_echo},
    {SC_FRAME_REVERSE, "reverse", false, same_length, run_reverse},
    {SC_FRAME_TIME, "time", false, time_length, run_time},
};

_Static_assert(sizeof(handlers) / sizeof(handlers[0]) == SC_HANDLER_COUNT, "one row, one count");

const struct sc_handler *sc_handler_at(size_t index)
{
    return index < SC_HANDLER_COUNT ? &handlers[index] : NULL;
}

size_t sc_handler_index(const struct sc_handler *handler)
{
    return (size_t)(handler - handlers);
}

const struct sc_handler *sc_handler_find(uint32_t type)
{
    /*
     * Types are dense and start at 1: the row is the type. The check keeps that true for whoever
     * adds one.
     */
    const struct sc_handler *handler = type - 1U < SC_HANDLER_COUNT ? &handlers[type - 1U] : NULL;
    return handler && handler->type == type ? handler : NULL;
}

const struct sc_handler *sc_handler_find_name(const char *name)
{
    for (size_t i = 0; i < SC_HANDLER_COUNT; i++) {
        if (strcmp(handlers[i].name, name) == 0) {
            return &handlers[i];
        }
    }
    return NULL;
}

/*
 * What the server answers: one table, a row for each message type. A new type is a value in enum
 * sc_frame_type, one function, and one row in handler.c; dispatch, limits, logs and the names that
 * programs print follow from the row.
 *
 * A handler sees the bytes of a request and writes the bytes of its reply; it knows nothing of
 * sockets, TLS, or who asked. Thread: any.
 */
#ifndef SC_PROTO_HANDLER_H
#define SC_PROTO_HANDLER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sc_handler {
    uint32_t type; /* enum sc_frame_type */
    const char *name; /* lower case: log lines, metrics, commands of the client */

    /*
     * The reply's body is the request's body, so a caller may pass the bytes on without calling
     * run().
     */
    bool echoes;

    /* Room that run() needs for a request of this length, bytes. */
    size_t (*reply_max)(size_t body_length);

    /*
     * Writes the reply's body and returns its length. `reply` and `body` do not overlap. Cannot
     * fail.
     */
    size_t (*run)(const uint8_t *body, size_t body_length, uint8_t *reply);
};

/* NULL: no such request. */
const struct sc_handler *sc_handler_find(uint32_t type);
const struct sc_handler *sc_handler_find_name(const char *name);

/* The rows in order; NULL after the last. */
const struct sc_handler *sc_handler_at(size_t index);

/* How many rows there are, as a constant: counters are kept per row. */
#define SC_HANDLER_COUNT 3U

/* A row's place in the table. */
size_t sc_handler_index(const struct sc_handler *handler);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * What the server answers: one table, a row for each message type. A new type is a value in enum
 * sc_frame_type, one function, and one row in handler.c. The server's dispatch, its counters and
 * logs, what the client checks of a reply, its commands and their lists follow from the row.
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
    const char *help; /* what a user gets, after the name of the command; no full stop */
    bool takes_body; /* false: clients send none, and the server ignores one */
    bool same_length; /* the reply's body has the length of the request's */
    size_t reply_max; /* unless same_length: the most that a reply's body has, bytes */

    /*
     * Writes the reply's body, to sc_handler_reply_max() bytes of room, and returns its length.
     * `reply` and `body` do not overlap. Cannot fail.
     *
     * NULL: the reply depends on the connection, and the server makes it (server/conn_pins.c).
     */
    size_t (*run)(const uint8_t *body, size_t body_length, uint8_t *reply);

    /*
     * Whether this can be the body of a reply, for those that do not follow from the request
     * alone: they always have reply_max bytes, at most SC_HANDLER_CHECKED_MAX. NULL: run() gives
     * the same reply to the same request.
     */
    bool (*is_reply)(const uint8_t *reply);
};

#define SC_HANDLER_CHECKED_MAX 64U

/* NULL: no such request. */
const struct sc_handler *sc_handler_find(uint32_t type);
const struct sc_handler *sc_handler_find_name(const char *name);

/* The rows in order; NULL after the last. */
const struct sc_handler *sc_handler_at(size_t index);

/* The most rows that there can be, as a constant: counters are kept per row. */
#define SC_HANDLER_MAX 16U

/* A row's place in the table. */
size_t sc_handler_index(const struct sc_handler *handler);

/* Room that run() needs for a request of this length, bytes. */
static inline size_t sc_handler_reply_max(const struct sc_handler *handler, size_t body_length)
{
    return handler->same_length ? body_length : handler->reply_max;
}

/* Whether a reply's body may have this length. */
static inline bool sc_handler_is_reply_length(const struct sc_handler *handler, size_t body_length,
                                              size_t reply_length)
{
    return handler->same_length ? reply_length == body_length : reply_length <= handler->reply_max;
}

/* "echo TEXT, reverse TEXT, time", for usage and error messages; cut to fit. */
#define SC_HANDLER_LIST_BYTES 256
void sc_handler_list(char out[SC_HANDLER_LIST_BYTES]);

#endif

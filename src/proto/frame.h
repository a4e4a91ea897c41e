/* SPDX-License-Identifier: MIT */
/*
 * The wire format, version 1: an 8-byte header and a body, the same in both directions
 * (docs/protocol.md).
 *
 *   offset 0, 4 bytes   type              unsigned, network byte order
 *   offset 4, 4 bytes   length of body    unsigned, network byte order
 *   offset 8            body
 *
 * Bytes only: no sockets, no evbuffers. Thread: any.
 */
#ifndef SC_PROTO_FRAME_H
#define SC_PROTO_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SC_FRAME_HEADER_BYTES 8U
#define SC_FRAME_MAX_BODY_BYTES (16U << 20) /* the largest value that max-body takes */
#define SC_PROTOCOL_ALPN "space-captain/1"
#define SC_PROTOCOL_PORT "4242"

enum sc_frame_type {
    SC_FRAME_ERROR = 0, /* replies only */
    SC_FRAME_ECHO = 1,
    SC_FRAME_REVERSE = 2,
    SC_FRAME_TIME = 3,
    SC_FRAME_PINS = 4,
    SC_FRAME_FIRST_UNUSED, /* types are dense */
};

enum sc_error_code {
    SC_ERROR_UNKNOWN_TYPE = 1, /* the body was skipped, the connection goes on */
    SC_ERROR_BODY_TOO_LARGE = 2, /* close follows */
    SC_ERROR_GOING_AWAY = 3, /* the server stops; retry-after says when to come back */
    SC_ERROR_OVER_LIMIT = 4, /* close follows */
    SC_ERROR_INTERNAL = 5,
};

struct sc_frame_header {
    uint32_t type;
    uint32_t length; /* of the body, bytes */
};

static inline uint32_t sc_get_u32(const uint8_t *from)
{
    return (uint32_t)from[0] << 24 | (uint32_t)from[1] << 16 | (uint32_t)from[2] << 8 |
           (uint32_t)from[3];
}

static inline void sc_put_u32(uint8_t *to, uint32_t value)
{
    to[0] = (uint8_t)(value >> 24);
    to[1] = (uint8_t)(value >> 16);
    to[2] = (uint8_t)(value >> 8);
    to[3] = (uint8_t)value;
}

static inline struct sc_frame_header sc_frame_get_header(const uint8_t from[SC_FRAME_HEADER_BYTES])
{
    return (struct sc_frame_header){.type = sc_get_u32(from), .length = sc_get_u32(from + 4)};
}

static inline void sc_frame_put_header(uint8_t to[SC_FRAME_HEADER_BYTES], uint32_t type,
                                       uint32_t length)
{
    sc_put_u32(to, type);
    sc_put_u32(to + 4, length);
}

/* What the header at the start of `size` bytes says. */
enum sc_frame_status {
    SC_FRAME_COMPLETE, /* the whole frame is there: header + length bytes */
    SC_FRAME_NEED_MORE, /* the header or a part of the body is missing */
    SC_FRAME_TOO_LARGE, /* the header announces a body above max_body; known before a byte of the
                           body is there */
};

/* `*header` is valid unless fewer than 8 bytes are there. */
static inline enum sc_frame_status sc_frame_peek(const uint8_t *bytes, size_t size, size_t max_body,
                                                 struct sc_frame_header *header)
{
    if (size < SC_FRAME_HEADER_BYTES) {
        return SC_FRAME_NEED_MORE;
    }
    *header = sc_frame_get_header(bytes);
    if (header->length > max_body) {
        return SC_FRAME_TOO_LARGE;
    }
    return size - SC_FRAME_HEADER_BYTES >= header->length ? SC_FRAME_COMPLETE : SC_FRAME_NEED_MORE;
}

/* The largest ERROR frame that sc_frame_put_error() makes, header included. */
#define SC_FRAME_ERROR_MAX_BYTES 256U

/*
 * Writes a whole ERROR frame: code, advice when to come back (0: none), and a readable text
 * (cut to fit). Returns its size.
 */
size_t sc_frame_put_error(uint8_t to[SC_FRAME_ERROR_MAX_BYTES], enum sc_error_code code,
                          uint32_t retry_after_ms, const char *text);

/*
 * A received ERROR body. `text` points into the body and is not terminated. Returns -1 when the
 * body is too short.
 */
struct sc_frame_error {
    uint32_t code;
    uint32_t retry_after_ms;
    const char *text;
    size_t text_length;
};
int sc_frame_get_error(const uint8_t *body, size_t length, struct sc_frame_error *out);

/* Whether the server closes the connection after an ERROR with this code. */
static inline bool sc_error_code_closes(uint32_t code)
{
    return code == SC_ERROR_BODY_TOO_LARGE || code == SC_ERROR_GOING_AWAY ||
           code == SC_ERROR_OVER_LIMIT;
}

/* "unknown type", "body too large", ...; "error" for a code that is not known. */
const char *sc_error_code_name(uint32_t code);

#endif

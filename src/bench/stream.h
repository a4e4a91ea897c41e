/* SPDX-License-Identifier: MIT */
/*
 * The bytes of a load: a ring of requests, made once, of which a connection sends slices, and the
 * expected replies. Bodies are pseudo-random and differ from one request to the next, so that a
 * reply that is swapped, shifted or another connection's is found by comparing. Knows no sockets.
 * Thread: a stream is immutable; a reader belongs to one connection.
 */
#ifndef SC_BENCH_STREAM_H
#define SC_BENCH_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "proto/frame.h"
#include "proto/handler.h"

/*
 * The types that a load can have: rows of the table of message types whose replies follow from
 * the request, or can be checked. NULL after the last. Where a type is wanted, NULL is all of
 * them in turn.
 */
const struct sc_handler *sc_bench_type_at(size_t index);
#define SC_BENCH_MIX "mix"
const char *sc_bench_type_name(const struct sc_handler *type);

/* Bodies of requests and replies, bytes; of a mix the mean. Types without a body have no size. */
struct sc_bench_bytes {
    double request, reply;
};
struct sc_bench_bytes sc_bench_type_bytes(const struct sc_handler *type, size_t size_bytes);

struct sc_bench_stream;

/* `depth`: requests wanted in one slice, at most. NULL on failure (EX_OSERR). */
struct sc_bench_stream *sc_bench_stream_new(const struct sc_handler *type, size_t size_bytes,
                                            unsigned depth, struct sc_err *err) SC_NODISCARD;
void sc_bench_stream_free(struct sc_bench_stream *stream); /* NULL is fine */

/* How many different requests there are; after the last slot comes slot 0. */
size_t sc_bench_stream_slots(const struct sc_bench_stream *stream);

/*
 * Up to `count` requests from `slot` on, contiguous. `*count` becomes how many they are, 1 or
 * more.
 */
const uint8_t *sc_bench_stream_requests(const struct sc_bench_stream *stream, size_t slot,
                                        size_t *count, size_t *bytes);
size_t sc_bench_stream_request_bytes(const struct sc_bench_stream *stream, size_t slot);

/* The position of a connection in the expected replies. */
struct sc_bench_reader {
    size_t slot; /* of the next reply */
    size_t have; /* bytes of it that came */
    bool unexpected; /* it is another one: its start is collected in `bytes`, to name it */
    uint8_t bytes[SC_FRAME_ERROR_MAX_BYTES]; /* of such a reply, and of one for is_reply() */
    char why[192]; /* what is wrong, or the text of the ERROR; not escaped */
};

/* `slot`: of the first request that the connection sends. */
void sc_bench_reader_init(struct sc_bench_reader *reader, size_t slot);

enum sc_bench_verdict {
    SC_BENCH_REPLY_OK,
    SC_BENCH_REPLY_ERROR, /* the server answered ERROR: see why */
    SC_BENCH_REPLY_WRONG, /* a frame of the protocol, but not this reply: see why */
    SC_BENCH_REPLY_INVALID, /* not a frame of the protocol: see why */
};

/*
 * Compares all `size` bytes. At most `due` replies may come; `*complete` becomes how many did.
 * After anything but OK the reader is not used again.
 */
enum sc_bench_verdict sc_bench_stream_check(const struct sc_bench_stream *stream,
                                            struct sc_bench_reader *reader, const uint8_t *bytes,
                                            size_t size, size_t due, size_t *complete);

#endif

/*
 * The bytes of a load: a ring of requests, made once, of which a connection sends slices, and the
 * replies that are due to them. Bodies are patterned and differ from one request to the next, so
 * that a reply that is swapped, shifted or mixed up with another connection's is found by
 * comparing. Knows no sockets. Thread: a stream is immutable; a reader belongs to one connection.
 */
#ifndef SC_BENCH_STREAM_H
#define SC_BENCH_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "proto/frame.h"

enum sc_bench_type { SC_BENCH_ECHO, SC_BENCH_REVERSE, SC_BENCH_TIME, SC_BENCH_MIX };

/* The words of the options, in the order of the enumerators, NULL at the end. */
extern const char *const sc_bench_type_names[];

struct sc_bench_stream;

/* `depth`: how many requests are wanted in one slice. NULL on failure (EX_OSERR). */
struct sc_bench_stream *sc_bench_stream_new(enum sc_bench_type type, size_t size_bytes,
                                            unsigned depth, struct sc_err *err) SC_NODISCARD;
void sc_bench_stream_free(struct sc_bench_stream *stream); /* NULL is fine */

/* How many different requests there are; slots are numbered from 0 and go round. */
size_t sc_bench_stream_slots(const struct sc_bench_stream *stream);

/*
 * Up to `count` requests from `slot` on, contiguous. `*count` becomes how many they are, 1 or
 * more.
 */
const uint8_t *sc_bench_stream_requests(const struct sc_bench_stream *stream, size_t slot,
                                        size_t *count, size_t *bytes);
size_t sc_bench_stream_request_bytes(const struct sc_bench_stream *stream, size_t slot);

/* Where a connection is in its replies. */
struct sc_bench_reader {
    size_t slot; /* of the reply that is due */
    size_t have; /* bytes of it that came */
    bool odd; /* it is not what was due: its start is collected in `bytes`, to say what it is */
    uint8_t bytes[SC_FRAME_ERROR_MAX_BYTES]; /* of an odd reply, and of the reply to TIME */
    uint32_t error_code; /* the code of an ERROR */
    char why[192];
};

/* `slot`: of the first request that the connection sends. */
void sc_bench_reader_init(struct sc_bench_reader *reader, size_t slot);

enum sc_bench_verdict {
    SC_BENCH_GOOD,
    SC_BENCH_GOT_ERROR, /* the server answered ERROR: see error_code and why */
    SC_BENCH_GOT_WRONG, /* a frame of the protocol, but not this reply: see why */
    SC_BENCH_GOT_JUNK, /* no frame of the protocol: see why */
};

/*
 * Takes all `size` bytes. At most `due` replies may come; `*complete` says how many did. After
 * anything but GOOD the reader is done.
 */
enum sc_bench_verdict sc_bench_stream_check(const struct sc_bench_stream *stream,
                                            struct sc_bench_reader *reader, const uint8_t *bytes,
                                            size_t size, size_t due, size_t *complete);

#endif

/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "bench/stream.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#define MAX_SLOTS 63U
#define RING_BYTES ((size_t)2 << 20) /* about; one slot of each type at least */
#define SLICE_BYTES ((size_t)4 << 20)

struct slot {
    const struct sc_handler *handler;
    size_t request_at; /* offset in `requests` */
    size_t reply_at, reply_bytes;
};

struct sc_bench_stream {
    size_t slot_count;
    size_t max_slice; /* requests */
    uint8_t *requests; /* slot_count + max_slice of them, so that a slice never wraps */
    uint8_t *replies; /* one for each slot; only the header counts where the row has is_reply() */
    struct slot *slots; /* slot_count + max_slice + 1; the last has only request_at */
};

/* --- Types --- */

const struct sc_handler *sc_bench_type_at(size_t index)
{
    const struct sc_handler *handler = NULL;
    for (size_t i = 0; (handler = sc_handler_at(i)); i++) {
        if (handler->run && index-- == 0) {
            break;
        }
    }
    return handler;
}

const char *sc_bench_type_name(const struct sc_handler *type)
{
    return type ? type->name : SC_BENCH_MIX;
}

static size_t type_count(void)
{
    size_t count = 0;
    while (sc_bench_type_at(count)) {
        count++;
    }
    return count;
}

static const struct sc_handler *handler_of(const struct sc_handler *type, size_t slot)
{
    return type ? type : sc_bench_type_at(slot % type_count());
}

static size_t request_length(const struct sc_handler *handler, size_t size)
{
    return handler->takes_body ? size : 0;
}

struct sc_bench_bytes sc_bench_type_bytes(const struct sc_handler *type, size_t size)
{
    const size_t count = type ? 1 : type_count();
    struct sc_bench_bytes sum = {0};
    for (size_t i = 0; i < count; i++) {
        const struct sc_handler *handler = handler_of(type, i);
        const size_t length = request_length(handler, size);
        sum.request += (double)length / (double)count;
        sum.reply += (double)sc_handler_reply_max(handler, length) / (double)count;
    }
    return sum;
}

/* --- Requests --- */

/* No two bodies agree at any shift (xorshift64*, Vigna 2016). */
static void fill(uint8_t *to, size_t size, uint64_t seed)
{
    uint64_t state = (seed + 1U) * UINT64_C(0x9e3779b97f4a7c15);
    for (size_t i = 0; i < size; i++) {
        if (i % 8 == 0) {
            state ^= state >> 12;
            state ^= state << 25;
            state ^= state >> 27;
        }
        to[i] = (uint8_t)((state * UINT64_C(0x2545f4914f6cdd1d)) >> (i % 8 * 8));
    }
}

static void make_frames(struct sc_bench_stream *stream, const struct sc_handler *type, size_t size)
{
    size_t request_at = 0, reply_at = 0;
    for (size_t i = 0; i < stream->slot_count + stream->max_slice; i++) {
        struct slot *slot = &stream->slots[i];
        const struct sc_handler *handler = handler_of(type, i % stream->slot_count);
        const size_t body = request_length(handler, size);
        uint8_t *request = stream->requests + request_at;
        sc_frame_put_header(request, handler->type, (uint32_t)body);
        fill(request + SC_FRAME_HEADER_BYTES, body, i % stream->slot_count);
        slot->handler = handler;
        slot->request_at = request_at;
        request_at += SC_FRAME_HEADER_BYTES + body;
        if (i >= stream->slot_count) {
            continue;
        }
        uint8_t *reply = stream->replies + reply_at;
        const size_t length =
            handler->run(request + SC_FRAME_HEADER_BYTES, body, reply + SC_FRAME_HEADER_BYTES);
        sc_frame_put_header(reply, handler->type, (uint32_t)length);
        slot->reply_at = reply_at;
        slot->reply_bytes = SC_FRAME_HEADER_BYTES + length;
        reply_at += slot->reply_bytes;
    }
    stream->slots[stream->slot_count + stream->max_slice].request_at = request_at;
}

/*
 * The largest odd multiple of the types in `fit`, or one of each: a depth of 2, 4, 8 ... is then
 * no divisor of it, and a reply that comes a depth too early is not taken for the right one.
 */
static size_t count_slots(size_t fit, size_t types)
{
    const size_t most = fit < MAX_SLOTS ? fit : MAX_SLOTS;
    return most < types ? types : ((most / types - 1U) | 1U) * types;
}

/* The most that a reply of any type has, header included. */
static size_t largest_reply(const struct sc_handler *type, size_t size)
{
    size_t most = 0;
    for (size_t i = 0; i < (type ? 1 : type_count()); i++) {
        const size_t length = sc_handler_reply_max(handler_of(type, i), size);
        most = length > most ? length : most;
    }
    return SC_FRAME_HEADER_BYTES + most;
}

struct sc_bench_stream *sc_bench_stream_new(const struct sc_handler *type, size_t size_bytes,
                                            unsigned depth, struct sc_err *err)
{
    const size_t frame = SC_FRAME_HEADER_BYTES + size_bytes;
    const size_t reply = largest_reply(type, size_bytes);
    struct sc_bench_stream *stream = calloc(1, sizeof(*stream));
    if (!stream) {
        goto out_of_memory;
    }
    stream->slot_count = count_slots(RING_BYTES / frame, type ? 1 : type_count());
    stream->max_slice = SLICE_BYTES / frame;
    stream->max_slice = stream->max_slice < 1U      ? 1U
                        : stream->max_slice > depth ? depth
                                                    : stream->max_slice;
    stream->requests = malloc((stream->slot_count + stream->max_slice) * frame);
    stream->replies = malloc(stream->slot_count * reply);
    stream->slots = calloc(stream->slot_count + stream->max_slice + 1U, sizeof(*stream->slots));
    if (!stream->requests || !stream->replies || !stream->slots) {
        goto out_of_memory;
    }
    make_frames(stream, type, size_bytes);
    return stream;

out_of_memory:
    sc_bench_stream_free(stream);
    (void)sc_err_set(err, EX_OSERR, "can't prepare the requests: out of memory");
    return NULL;
}

void sc_bench_stream_free(struct sc_bench_stream *stream)
{
    if (stream) {
        free(stream->requests);
        free(stream->replies);
        free(stream->slots);
        free(stream);
    }
}

size_t sc_bench_stream_slots(const struct sc_bench_stream *stream)
{
    return stream->slot_count;
}

const uint8_t *sc_bench_stream_requests(const struct sc_bench_stream *stream, size_t slot,
                                        size_t *count, size_t *bytes)
{
    *count = *count < stream->max_slice ? *count : stream->max_slice;
    *bytes = stream->slots[slot + *count].request_at - stream->slots[slot].request_at;
    return stream->requests + stream->slots[slot].request_at;
}

size_t sc_bench_stream_request_bytes(const struct sc_bench_stream *stream, size_t slot)
{
    return stream->slots[slot + 1U].request_at - stream->slots[slot].request_at;
}

void sc_bench_reader_init(struct sc_bench_reader *reader, size_t slot)
{
    reader->slot = slot;
    reader->have = 0;
    reader->unexpected = false;
    reader->why[0] = '\0';
}

/* --- Unexpected replies --- */

static enum sc_bench_verdict name_error(struct sc_bench_reader *reader, size_t length)
{
    struct sc_frame_error error;
    if (sc_frame_get_error(reader->bytes + SC_FRAME_HEADER_BYTES, length, &error) != 0) {
        (void)snprintf(reader->why, sizeof(reader->why),
                       "not a reply of this protocol: an ERROR frame is too short");
        return SC_BENCH_REPLY_INVALID;
    }
    (void)snprintf(reader->why, sizeof(reader->why),
                   "the server answered ERROR %" PRIu32 " (%s): %.*s", error.code,
                   sc_error_code_name(error.code),
                   (int)(error.text_length > 100 ? 100 : error.text_length), error.text);
    return SC_BENCH_REPLY_ERROR;
}

/* The start of the reply is in `bytes`. OK: more of it must come before it can be named. */
static enum sc_bench_verdict name_unexpected(const struct sc_bench_stream *stream,
                                             struct sc_bench_reader *reader, bool is_due)
{
    if (reader->have < SC_FRAME_HEADER_BYTES) {
        return SC_BENCH_REPLY_OK;
    }
    const struct sc_frame_header header = sc_frame_get_header(reader->bytes);
    if (header.type == SC_FRAME_ERROR &&
        header.length <= sizeof(reader->bytes) - SC_FRAME_HEADER_BYTES) {
        if (reader->have < SC_FRAME_HEADER_BYTES + header.length) {
            return SC_BENCH_REPLY_OK;
        }
        return name_error(reader, header.length);
    }
    const struct sc_handler *handler = sc_handler_find(header.type);
    if (!handler || header.length > SC_FRAME_MAX_BODY_BYTES) {
        (void)snprintf(reader->why, sizeof(reader->why),
                       "not a reply of this protocol: type %" PRIu32 ", length %" PRIu32,
                       header.type, header.length);
        return SC_BENCH_REPLY_INVALID;
    }
    if (!is_due) {
        (void)snprintf(reader->why, sizeof(reader->why),
                       "a reply to nothing: %s of %" PRIu32 " bytes", handler->name, header.length);
        return SC_BENCH_REPLY_WRONG;
    }
    const struct slot *slot = &stream->slots[reader->slot];
    (void)snprintf(reader->why, sizeof(reader->why),
                   "%s of %" PRIu32 " bytes where %s of %zu was due", handler->name, header.length,
                   slot->handler->name, slot->reply_bytes - SC_FRAME_HEADER_BYTES);
    return SC_BENCH_REPLY_WRONG;
}

static size_t collect(struct sc_bench_reader *reader, const uint8_t *bytes, size_t size,
                      size_t most)
{
    const size_t take = size < most - reader->have ? size : most - reader->have;
    memcpy(reader->bytes + reader->have, bytes, take);
    reader->have += take;
    return take;
}

/* --- Expected replies --- */

/* Takes bytes of the reply that is due; returns how many, 0 when they are not its own. */
static size_t take_reply(const struct sc_bench_stream *stream, const struct slot *slot,
                         struct sc_bench_reader *reader, const uint8_t *bytes, size_t size)
{
    const struct sc_handler *handler = slot->handler;
    const size_t known = handler->is_reply ? SC_FRAME_HEADER_BYTES : slot->reply_bytes;
    const size_t rest = slot->reply_bytes - reader->have;
    const size_t take = size < rest ? size : rest;
    if (reader->have < known) {
        const size_t same = take < known - reader->have ? take : known - reader->have;
        if (memcmp(stream->replies + slot->reply_at + reader->have, bytes, same) != 0) {
            return 0;
        }
    }
    if (handler->is_reply) {
        (void)collect(reader, bytes, take, slot->reply_bytes);
        if (reader->have == slot->reply_bytes &&
            !handler->is_reply(reader->bytes + SC_FRAME_HEADER_BYTES)) {
            reader->have -= take;
            return 0;
        }
        return take;
    }
    reader->have += take;
    return take;
}

/* Some of these bytes are wrong: in the header, then the reply is collected; or in the body. */
static enum sc_bench_verdict reject(const struct sc_bench_stream *stream, const struct slot *slot,
                                    struct sc_bench_reader *reader, const uint8_t *bytes,
                                    size_t size)
{
    const uint8_t *due = stream->replies + slot->reply_at;
    const size_t first =
        reader->have < SC_FRAME_HEADER_BYTES ? SC_FRAME_HEADER_BYTES - reader->have : 0;
    if (first > 0 && memcmp(due + reader->have, bytes, size < first ? size : first) != 0) {
        memcpy(reader->bytes, due, reader->have);
        reader->unexpected = true;
        return SC_BENCH_REPLY_OK;
    }
    size_t at = reader->have;
    while (!slot->handler->is_reply && at - reader->have < size &&
           due[at] == bytes[at - reader->have]) {
        at++;
    }
    (void)snprintf(reader->why, sizeof(reader->why),
                   "wrong content in the reply to %s of %zu bytes, from byte %zu on",
                   slot->handler->name, slot->reply_bytes - SC_FRAME_HEADER_BYTES,
                   at > SC_FRAME_HEADER_BYTES ? at - SC_FRAME_HEADER_BYTES : 0);
    return SC_BENCH_REPLY_WRONG;
}

enum sc_bench_verdict sc_bench_stream_check(const struct sc_bench_stream *stream,
                                            struct sc_bench_reader *reader, const uint8_t *bytes,
                                            size_t size, size_t due, size_t *complete)
{
    *complete = 0;
    while (size > 0) {
        const bool is_due = *complete < due;
        reader->unexpected = reader->unexpected || !is_due;
        if (reader->unexpected) {
            const size_t most = sizeof(reader->bytes);
            if (reader->have < most) {
                (void)collect(reader, bytes, size, most);
            }
            return name_unexpected(stream, reader, is_due);
        }
        const struct slot *slot = &stream->slots[reader->slot];
        const size_t took = take_reply(stream, slot, reader, bytes, size);
        if (took == 0) {
            const enum sc_bench_verdict verdict = reject(stream, slot, reader, bytes, size);
            if (verdict != SC_BENCH_REPLY_OK) {
                return verdict;
            }
            continue;
        }
        bytes += took;
        size -= took;
        if (reader->have == slot->reply_bytes) {
            (*complete)++;
            reader->have = 0;
            reader->slot = reader->slot + 1U == stream->slot_count ? 0 : reader->slot + 1U;
        }
    }
    return SC_BENCH_REPLY_OK;
}

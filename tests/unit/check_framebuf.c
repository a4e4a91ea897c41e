/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "net/framebuf.h"

#include <stdlib.h>
#include <string.h>

#include <event2/buffer.h>

#include "suite.h"

/*
 * A stream of frames, and where its frames are: what framebuf must find in it, however it is cut.
 */
#define MAX_FRAMES 512U
struct stream {
    uint8_t bytes[1U << 18];
    size_t length;
    struct {
        uint32_t type, length;
        size_t at; /* of the body */
    } frames[MAX_FRAMES];
    size_t count;
};

static struct stream stream;

static void stream_add(uint32_t type, uint32_t length)
{
    ck_assert_uint_lt(stream.count, MAX_FRAMES);
    ck_assert_uint_le(stream.length + SC_FRAME_HEADER_BYTES + length, sizeof(stream.bytes));
    sc_frame_put_header(stream.bytes + stream.length, type, length);
    stream.length += SC_FRAME_HEADER_BYTES;
    stream.frames[stream.count].type = type;
    stream.frames[stream.count].length = length;
    stream.frames[stream.count].at = stream.length;
    stream.count++;
    for (uint32_t i = 0; i < length; i++) {
        stream.bytes[stream.length++] = (uint8_t)(stream.count * 31U + i * 7U);
    }
}

static void stream_reset(void)
{
    stream.length = 0;
    stream.count = 0;
}

/* An assertion writes to a file each time; there are a million of these. */
static void require(bool fact, const char *what, size_t number)
{
    if (!fact) {
        ck_abort_msg("%s, number %zu", what, number);
    }
}

/* One piece of memory of its own: libevent makes a chain for each reference. */
static void add_piece(struct evbuffer *buffer, const uint8_t *bytes, size_t length)
{
    if (length > 0) {
        require(evbuffer_add_reference(buffer, bytes, length, NULL, NULL) == 0, "a piece", length);
    }
}

/*
 * Takes all complete frames out, compares each with the stream from frame `next` on, and returns
 * the next one.
 */
static size_t take_frames(struct evbuffer *buffer, size_t next)
{
    struct sc_framebuf frames;
    struct sc_frame_header header = {0, 0};
    const uint8_t *body;
    sc_framebuf_begin(&frames, buffer);
    while (sc_framebuf_next(&frames, SC_FRAME_MAX_BODY_BYTES, &header, &body) ==
           SC_FRAME_COMPLETE) {
        require(next < stream.count && header.type == stream.frames[next].type &&
                    header.length == stream.frames[next].length &&
                    memcmp(body, stream.bytes + stream.frames[next].at, header.length) == 0,
                "another frame than was added", next);
        next++;
    }
    const size_t left = sc_framebuf_left(&frames);
    if (left >= SC_FRAME_HEADER_BYTES) {
        require(header.type == stream.frames[next].type &&
                    header.length == stream.frames[next].length,
                "another header than was added", next);
    }
    sc_framebuf_end(&frames);
    require(evbuffer_get_length(buffer) == left && sc_framebuf_left(&frames) == left,
            "another length is left than was reported, after frame", next);
    return next;
}

START_TEST(an_empty_buffer_needs_more)
{
    struct evbuffer *buffer = evbuffer_new();
    struct sc_framebuf frames;
    struct sc_frame_header header;
    const uint8_t *body;
    sc_framebuf_begin(&frames, buffer);
    ck_assert_uint_eq(sc_framebuf_left(&frames), 0);
    ck_assert_int_eq(sc_framebuf_next(&frames, 100, &header, &body), SC_FRAME_NEED_MORE);
    ck_assert_int_eq(sc_framebuf_next(&frames, 100, &header, &body), SC_FRAME_NEED_MORE);
    sc_framebuf_end(&frames);
    evbuffer_free(buffer);
}
END_TEST

/* Two frames, cut once, at every byte. */
START_TEST(every_single_cut)
{
    stream_reset();
    stream_add(SC_FRAME_ECHO, 13);
    stream_add(SC_FRAME_TIME, 0);
    stream_add(77, 1);
    for (size_t cut = 0; cut <= stream.length; cut++) {
        struct evbuffer *buffer = evbuffer_new();
        add_piece(buffer, stream.bytes, cut);
        add_piece(buffer, stream.bytes + cut, stream.length - cut);
        ck_assert_uint_eq(take_frames(buffer, 0), stream.count);
        ck_assert_uint_eq(evbuffer_get_length(buffer), 0);
        evbuffer_free(buffer);
    }
}
END_TEST

/* The same, but the rest comes only after the first part has been looked at. */
START_TEST(every_cut_in_time)
{
    stream_reset();
    stream_add(SC_FRAME_ECHO, 20);
    stream_add(SC_FRAME_REVERSE, 5);
    for (size_t cut = 0; cut <= stream.length; cut++) {
        struct evbuffer *buffer = evbuffer_new();
        add_piece(buffer, stream.bytes, cut);
        const size_t seen = take_frames(buffer, 0);
        ck_assert_uint_eq(seen, (size_t)(cut >= 28) + (size_t)(cut == stream.length));
        add_piece(buffer, stream.bytes + cut, stream.length - cut);
        ck_assert_uint_eq(take_frames(buffer, seen), stream.count);
        evbuffer_free(buffer);
    }
}
END_TEST

START_TEST(chains_of_one_byte)
{
    stream_reset();
    for (uint32_t length = 0; length < 40; length++) {
        stream_add(SC_FRAME_ECHO + length % 3, length);
    }
    struct evbuffer *buffer = evbuffer_new();
    for (size_t i = 0; i < stream.length; i++) {
        add_piece(buffer, stream.bytes + i, 1);
    }
    ck_assert_uint_eq(take_frames(buffer, 0), stream.count);
    ck_assert_uint_eq(evbuffer_get_length(buffer), 0);
    /* And one at a time, with a look after each. */
    size_t next = 0;
    for (size_t i = 0; i < stream.length; i++) {
        add_piece(buffer, stream.bytes + i, 1);
        next = take_frames(buffer, next);
    }
    ck_assert_uint_eq(next, stream.count);
    evbuffer_free(buffer);
}
END_TEST

/* Headers without bodies: each is a frame, and the last may lie at the very end of a piece. */
START_TEST(bodies_of_no_length)
{
    stream_reset();
    for (unsigned i = 0; i < 100; i++) {
        stream_add(i, 0);
    }
    for (size_t piece = 1; piece <= 24; piece++) {
        struct evbuffer *buffer = evbuffer_new();
        for (size_t at = 0; at < stream.length; at += piece) {
            add_piece(buffer, stream.bytes + at,
                      piece < stream.length - at ? piece : stream.length - at);
        }
        ck_assert_uint_eq(take_frames(buffer, 0), stream.count);
        evbuffer_free(buffer);
    }
}
END_TEST

/* What lies in one piece is seen where it is. */
START_TEST(a_pipeline_is_not_copied)
{
    stream_reset();
    for (unsigned i = 0; i < 300; i++) {
        stream_add(SC_FRAME_ECHO, i);
    }
    struct evbuffer *buffer = evbuffer_new();
    add_piece(buffer, stream.bytes, stream.length);
    struct sc_framebuf frames;
    struct sc_frame_header header;
    const uint8_t *body;
    sc_framebuf_begin(&frames, buffer);
    for (size_t i = 0; i < stream.count; i++) {
        ck_assert_int_eq(sc_framebuf_next(&frames, 300, &header, &body), SC_FRAME_COMPLETE);
        ck_assert_ptr_eq(body, stream.bytes + stream.frames[i].at);
    }
    /* The buffer is drained once, at the end. */
    ck_assert_uint_eq(evbuffer_get_length(buffer), stream.length);
    ck_assert_uint_eq(sc_framebuf_left(&frames), 0);
    sc_framebuf_end(&frames);
    ck_assert_uint_eq(evbuffer_get_length(buffer), 0);
    evbuffer_free(buffer);
}
END_TEST

/* Frames that nobody asked for stay. */
START_TEST(what_was_not_asked_for_stays)
{
    stream_reset();
    stream_add(SC_FRAME_ECHO, 10);
    stream_add(SC_FRAME_ECHO, 11);
    struct evbuffer *buffer = evbuffer_new();
    struct sc_framebuf frames;
    struct sc_frame_header header;
    const uint8_t *body;
    add_piece(buffer, stream.bytes, 25);
    add_piece(buffer, stream.bytes + 25, stream.length - 25);
    sc_framebuf_begin(&frames, buffer);
    ck_assert_int_eq(sc_framebuf_next(&frames, 100, &header, &body), SC_FRAME_COMPLETE);
    ck_assert_uint_eq(sc_framebuf_left(&frames), 19);
    sc_framebuf_end(&frames);
    ck_assert_uint_eq(take_frames(buffer, 1), 2);
    evbuffer_free(buffer);
}
END_TEST

/*
 * The header alone decides, wherever it is cut, after a good frame, and nothing of it is
 * consumed.
 */
START_TEST(too_large_on_the_header_alone)
{
    stream_reset();
    stream_add(SC_FRAME_ECHO, 3);
    const size_t good = stream.length;
    sc_frame_put_header(stream.bytes + good, SC_FRAME_ECHO, 1001);
    for (size_t cut = 0; cut <= good + SC_FRAME_HEADER_BYTES; cut++) {
        struct evbuffer *buffer = evbuffer_new();
        struct sc_framebuf frames;
        struct sc_frame_header header;
        const uint8_t *body;
        add_piece(buffer, stream.bytes, cut);
        add_piece(buffer, stream.bytes + cut, good + SC_FRAME_HEADER_BYTES - cut);
        sc_framebuf_begin(&frames, buffer);
        ck_assert_int_eq(sc_framebuf_next(&frames, 1000, &header, &body), SC_FRAME_COMPLETE);
        ck_assert_int_eq(sc_framebuf_next(&frames, 1000, &header, &body), SC_FRAME_TOO_LARGE);
        ck_assert_int_eq(sc_framebuf_next(&frames, 1000, &header, &body), SC_FRAME_TOO_LARGE);
        ck_assert_uint_eq(header.length, 1001);
        ck_assert_uint_eq(sc_framebuf_left(&frames), SC_FRAME_HEADER_BYTES);
        sc_framebuf_end(&frames);
        ck_assert_uint_eq(evbuffer_get_length(buffer), SC_FRAME_HEADER_BYTES);
        evbuffer_free(buffer);
    }
    /* One byte less, and it is only not complete. */
    struct evbuffer *buffer = evbuffer_new();
    struct sc_framebuf frames;
    struct sc_frame_header header;
    const uint8_t *body;
    add_piece(buffer, stream.bytes + good, SC_FRAME_HEADER_BYTES - 1);
    sc_framebuf_begin(&frames, buffer);
    ck_assert_int_eq(sc_framebuf_next(&frames, 1000, &header, &body), SC_FRAME_NEED_MORE);
    sc_framebuf_end(&frames);
    evbuffer_free(buffer);
}
END_TEST

/* Frames of every size, in pieces of every size that arrive at any time: always the same frames. */
static void random_frames(unsigned seed)
{
    srandom(seed);
    stream_reset();
    for (unsigned i = 0; i < 200; i++) {
        const long kind = random() % 10;
        stream_add((uint32_t)random(), (uint32_t)(kind < 3   ? 0
                                                  : kind < 9 ? random() % 64
                                                             : random() % 9000));
    }
    for (unsigned round = 0; round < 8; round++) {
        struct evbuffer *buffer = evbuffer_new();
        const long most = round % 4 == 0 ? 3 : round % 4 == 1 ? 20 : round % 4 == 2 ? 4096 : 100000;
        size_t next = 0;
        for (size_t at = 0; at < stream.length;) {
            size_t piece = 1 + (size_t)(random() % most);
            piece = piece < stream.length - at ? piece : stream.length - at;
            if (random() % 2) {
                add_piece(buffer, stream.bytes + at, piece);
            } else {
                require(evbuffer_add(buffer, stream.bytes + at, piece) == 0, "a piece", piece);
            }
            at += piece;
            if (random() % 3 == 0) {
                next = take_frames(buffer, next);
            }
        }
        ck_assert_uint_eq(take_frames(buffer, next), stream.count);
        ck_assert_uint_eq(evbuffer_get_length(buffer), 0);
        evbuffer_free(buffer);
    }
}

START_TEST(random_frames_in_random_pieces)
{
    for (unsigned seed = 0; seed < 10; seed++) {
        random_frames(seed);
    }
}
END_TEST

SUITE_MAIN("framebuf", an_empty_buffer_needs_more, every_single_cut, every_cut_in_time,
           chains_of_one_byte, bodies_of_no_length, a_pipeline_is_not_copied,
           what_was_not_asked_for_stays, too_large_on_the_header_alone,
           random_frames_in_random_pieces)

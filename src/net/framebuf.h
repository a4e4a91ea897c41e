/* SPDX-License-Identifier: MIT */
/*
 * Frames out of an evbuffer, in one pass: the frames that lie in one piece of memory are seen
 * where they are, without a copy and without a call into libevent for each; a frame that straddles
 * pieces is made contiguous once. Does not know message types. Thread: the buffer's.
 *
 *   struct sc_framebuf frames;
 *   sc_framebuf_begin(&frames, input);
 *   while (sc_framebuf_next(&frames, max_body, &header, &body) == SC_FRAME_COMPLETE) { ... }
 *   sc_framebuf_end(&frames);
 */
#ifndef SC_NET_FRAMEBUF_H
#define SC_NET_FRAMEBUF_H

#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "proto/frame.h"

struct evbuffer;

struct sc_framebuf {
    struct evbuffer *buffer;
    const uint8_t *at; /* not yet seen, contiguous */
    size_t left; /* bytes at `at` */
    size_t seen; /* in front of `at`, to be drained */
    size_t total; /* in the buffer: seen, left, and what lies in other pieces */
};

void sc_framebuf_begin(struct sc_framebuf *frames, struct evbuffer *buffer);

/*
 * The next frame. COMPLETE: *body points to header->length bytes, valid until the next call on
 * `frames` or the buffer, and the frame is consumed. NEED_MORE: nothing is consumed, and
 * header->length is valid if sc_framebuf_left() is 8 or more. TOO_LARGE: nothing is consumed.
 */
static inline enum sc_frame_status sc_framebuf_next(struct sc_framebuf *frames, size_t max_body,
                                                    struct sc_frame_header *header,
                                                    const uint8_t **body);

/* Bytes that no frame has consumed. */
static inline size_t sc_framebuf_left(const struct sc_framebuf *frames)
{
    return frames->total - frames->seen;
}

/* Takes the consumed frames out of the buffer. */
void sc_framebuf_end(struct sc_framebuf *frames);

/*
 * A header or body that does not lie in the first piece alone: makes it contiguous if all of it is
 * there.
 */
enum sc_frame_status sc_framebuf_join(struct sc_framebuf *frames, size_t max_body,
                                      struct sc_frame_header *header);

static inline enum sc_frame_status sc_framebuf_next(struct sc_framebuf *frames, size_t max_body,
                                                    struct sc_frame_header *header,
                                                    const uint8_t **body)
{
    enum sc_frame_status status = sc_frame_peek(frames->at, frames->left, max_body, header);
    if (SC_UNLIKELY(status == SC_FRAME_NEED_MORE && sc_framebuf_left(frames) > frames->left)) {
        status = sc_framebuf_join(frames, max_body, header);
    }
    if (status == SC_FRAME_COMPLETE) {
        const size_t size = SC_FRAME_HEADER_BYTES + (size_t)header->length;
        *body = frames->at + SC_FRAME_HEADER_BYTES;
        frames->at += size;
        frames->left -= size;
        frames->seen += size;
    }
    return status;
}

#endif

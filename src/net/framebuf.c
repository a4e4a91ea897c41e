/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "net/framebuf.h"

#include <event2/buffer.h>

static void see_first_piece(struct sc_framebuf *frames)
{
    struct evbuffer_iovec piece = {NULL, 0};
    frames->total = evbuffer_get_length(frames->buffer);
    frames->left = evbuffer_peek(frames->buffer, -1, NULL, &piece, 1) < 1 ? 0 : piece.iov_len;
    frames->at = piece.iov_base;
    frames->seen = 0;
}

void sc_framebuf_begin(struct sc_framebuf *frames, struct evbuffer *buffer)
{
    frames->buffer = buffer;
    see_first_piece(frames);
}

void sc_framebuf_end(struct sc_framebuf *frames)
{
    if (frames->seen > 0) {
        evbuffer_drain(frames->buffer, frames->seen);
    }
    frames->total -= frames->seen;
    frames->left = 0;
    frames->seen = 0;
}

enum sc_frame_status sc_framebuf_join(struct sc_framebuf *frames, size_t max_body,
                                      struct sc_frame_header *header)
{
    uint8_t bytes[SC_FRAME_HEADER_BYTES];
    sc_framebuf_end(frames);
    const size_t total = evbuffer_get_length(frames->buffer);
    const ev_ssize_t got = evbuffer_copyout(frames->buffer, bytes, sizeof(bytes));
    const enum sc_frame_status status =
        sc_frame_peek(bytes, got == (ev_ssize_t)sizeof(bytes) ? total : 0, max_body, header);
    if (status == SC_FRAME_COMPLETE &&
        !evbuffer_pullup(frames->buffer,
                         (ev_ssize_t)(SC_FRAME_HEADER_BYTES + (size_t)header->length))) {
        return SC_FRAME_NEED_MORE; /* out of memory: the frame's deadline ends the connection */
    }
    see_first_piece(frames);
    return status;
}

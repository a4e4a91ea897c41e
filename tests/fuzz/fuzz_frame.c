/* SPDX-License-Identifier: MIT */
/*
 * Frames out of an evbuffer that is cut into pieces: what comes out is what a plain reading of the
 * bytes says.
 */
#include "config.h"

#include <string.h>

#include <event2/buffer.h>

#include "fuzz.h"
#include "net/framebuf.h"

#define MAX_BODY 64U

const uint8_t fuzz_seed[] = "\5\0\0\0\1\0\0\0\5hello\0\0\0\2\0\0\0\0\0\0\0\3\0\0\0\1x\0\0\0\11\0\0"
                            "\0\100................................";
const size_t fuzz_seed_bytes = sizeof(fuzz_seed) - 1;

/* The first byte is the size of the pieces, the rest the stream. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1) {
        return 0;
    }
    const size_t piece = 1U + data[0] % 32U;
    const uint8_t *stream = data + 1;
    const size_t length = size - 1;
    struct evbuffer *buffer = evbuffer_new();
    FUZZ_CHECK(buffer != NULL);
    for (size_t at = 0; at < length; at += piece) {
        FUZZ_CHECK(evbuffer_add_reference(buffer, stream + at,
                                          length - at < piece ? length - at : piece, NULL,
                                          NULL) == 0);
    }
    struct sc_framebuf frames;
    struct sc_frame_header header, expected;
    const uint8_t *body = NULL;
    enum sc_frame_status status;
    size_t at = 0;
    sc_framebuf_begin(&frames, buffer);
    do {
        status = sc_framebuf_next(&frames, MAX_BODY, &header, &body);
        FUZZ_CHECK(status == sc_frame_peek(stream + at, length - at, MAX_BODY, &expected));
        if (status == SC_FRAME_COMPLETE) {
            FUZZ_CHECK(header.type == expected.type && header.length == expected.length);
            FUZZ_CHECK(memcmp(body, stream + at + SC_FRAME_HEADER_BYTES, header.length) == 0);
            at += SC_FRAME_HEADER_BYTES + header.length;
        }
    } while (status == SC_FRAME_COMPLETE);
    FUZZ_CHECK(sc_framebuf_left(&frames) == length - at);
    sc_framebuf_end(&frames);
    FUZZ_CHECK(evbuffer_get_length(buffer) == length - at);
    evbuffer_free(buffer);
    return 0;
}

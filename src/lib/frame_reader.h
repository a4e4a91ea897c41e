/* SPDX-License-Identifier: MIT */
/*
 * One frame at a time out of bytes that arrive in any pieces. The header is looked at before
 * memory is taken for the body, and memory grows with what has really arrived. Thread: one.
 */
#ifndef SC_LIB_FRAME_READER_H
#define SC_LIB_FRAME_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "proto/frame.h"

/* Zero-initialised: empty. */
struct sc_frame_reader {
    uint8_t header[SC_FRAME_HEADER_BYTES];
    size_t header_have;
    uint8_t *body;
    size_t have, room;
};

/* Where the next bytes go, at least one; NULL: out of memory. Not when it is complete. */
uint8_t *sc_frame_reader_space(struct sc_frame_reader *reader, size_t *room) SC_NODISCARD;
void sc_frame_reader_add(struct sc_frame_reader *reader, size_t count);

static inline bool sc_frame_reader_has_header(const struct sc_frame_reader *reader)
{
    return reader->header_have == SC_FRAME_HEADER_BYTES;
}
struct sc_frame_header sc_frame_reader_header(const struct sc_frame_reader *reader);
bool sc_frame_reader_is_complete(const struct sc_frame_reader *reader);

/* Begins the next frame; memory of a large body is freed. */
void sc_frame_reader_next(struct sc_frame_reader *reader);
void sc_frame_reader_fini(struct sc_frame_reader *reader);

#endif

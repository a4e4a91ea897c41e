/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "lib/frame_reader.h"

#include <stdlib.h>

#define KEPT_BYTES ((size_t)4096) /* of memory between two frames */
#define FIRST_BYTES ((size_t)1024)

struct sc_frame_header sc_frame_reader_header(const struct sc_frame_reader *reader)
{
    return sc_frame_get_header(reader->header);
}

bool sc_frame_reader_is_complete(const struct sc_frame_reader *reader)
{
    return sc_frame_reader_has_header(reader) &&
           reader->have == sc_frame_reader_header(reader).length;
}

uint8_t *sc_frame_reader_space(struct sc_frame_reader *reader, size_t *room)
{
    if (!sc_frame_reader_has_header(reader)) {
        *room = sizeof(reader->header) - reader->header_have;
        return reader->header + reader->header_have;
    }
    const size_t length = sc_frame_reader_header(reader).length;
    if (reader->have == reader->room) {
        size_t larger = reader->room == 0 ? FIRST_BYTES : reader->room * 2;
        larger = larger < length ? larger : length;
        larger = larger > reader->room ? larger : reader->room + 1;
        uint8_t *body = realloc(reader->body, larger);
        if (!body) {
            return NULL;
        }
        reader->body = body;
        reader->room = larger;
    }
    const size_t missing = length - reader->have;
    *room = reader->room - reader->have < missing ? reader->room - reader->have : missing;
    return reader->body + reader->have;
}

void sc_frame_reader_add(struct sc_frame_reader *reader, size_t count)
{
    if (sc_frame_reader_has_header(reader)) {
        reader->have += count;
    } else {
        reader->header_have += count;
    }
}

void sc_frame_reader_next(struct sc_frame_reader *reader)
{
    if (reader->room > KEPT_BYTES) {
        free(reader->body);
        reader->body = NULL;
        reader->room = 0;
    }
    reader->header_have = 0;
    reader->have = 0;
}

void sc_frame_reader_fini(struct sc_frame_reader *reader)
{
    free(reader->body);
    *reader = (struct sc_frame_reader){0};
}

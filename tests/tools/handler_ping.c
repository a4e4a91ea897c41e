/* SPDX-License-Identifier: MIT */
/*
 * The table of message types with two rows more, for programs that are otherwise as they ship:
 * test-handlers.sh sees that a row is all that a new type takes. Linked before libscproto.a, whose
 * table is then left out.
 */
#include "config.h"

#include <ctype.h>
#include <string.h>

#include "proto/frame.h"
#include "proto/handler.h"

static size_t run_ping(const uint8_t *body, size_t body_length, uint8_t *reply)
{
    (void)body;
    (void)body_length;
    memcpy(reply, "pong", 4);
    return 4;
}

static size_t run_upper(const uint8_t *body, size_t body_length, uint8_t *reply)
{
    for (size_t i = 0; i < body_length; i++) {
        reply[i] = (uint8_t)toupper(body[i]);
    }
    return body_length;
}

#define SC_TEST_HANDLERS \
    {SC_FRAME_FIRST_UNUSED, "ping", "get a pong", .reply_max = 4, .run = run_ping}, \
        {SC_FRAME_FIRST_UNUSED + 1, "upper",         "get TEXT in capitals", .takes_body = true, \
         .same_length = true,       .run = run_upper},

/* NOLINTNEXTLINE(bugprone-suspicious-include): the table, with its rows */
#include "../../src/proto/handler.c"

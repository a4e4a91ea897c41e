/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "client/body.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "proto/frame.h"

/* All of standard input, up to what a frame can carry. */
static int read_all(struct sc_cli_body *body, struct sc_err *err)
{
    size_t room = 0;
    for (;;) {
        if (body->length == room) {
            room = room > 0 ? 2 * room : 64U << 10;
            uint8_t *bytes = realloc(body->read, room);
            if (!bytes) {
                return sc_err_set(err, EX_OSERR, "standard input: out of memory");
            }
            body->read = bytes;
        }
        const ssize_t got = read(STDIN_FILENO, body->read + body->length, room - body->length);
        if (got == 0) {
            return 0;
        }
        if (got < 0 && errno != EINTR) {
            return sc_err_set_errno(err, EX_NOINPUT, errno, "can't read standard input");
        }
        body->length += got > 0 ? (size_t)got : 0;
        if (body->length > SC_FRAME_MAX_BODY_BYTES) {
            return sc_err_set(
                err, EX_DATAERR,
                "standard input is longer than 16M, the most that a message can carry");
        }
    }
}

int sc_cli_body_init(struct sc_cli_body *body, const struct sc_cli_options *options,
                     struct sc_err *err)
{
    *body = (struct sc_cli_body){0};
    if (options->text) {
        body->bytes = (const uint8_t *)options->text;
        body->length = strlen(options->text);
        return 0;
    }
    const int result = read_all(body, err);
    body->bytes = body->read;
    return result;
}

void sc_cli_body_fini(struct sc_cli_body *body)
{
    free(body->read);
}

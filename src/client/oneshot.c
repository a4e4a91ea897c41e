/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "client/cli.h"

#include <stdlib.h>
#include <sysexits.h>

#include "client/body.h"
#include "client/output.h"
#include "proto/handler.h"

/* A COMMAND of the command line, sent once. */
static int start(struct sc_cli *client, struct sc_err *err)
{
    struct sc_cli_body *body = calloc(1, sizeof(*body));
    client->state = body;
    return body ? sc_cli_body_init(body, client->options, err)
                : sc_err_set(err, EX_OSERR, "out of memory");
}

static void on_ready(struct sc_cli *client)
{
    const struct sc_cli_body *body = client->state;
    sc_session_send(client->session, client->options->command->type, body->bytes, body->length);
}

static void on_reply(struct sc_cli *client, const struct sc_session_reply *reply)
{
    if (reply->error_code != 0) {
        client->status = 1;
    }
    /* What came in byte for byte goes out byte for byte. */
    sc_cli_print_reply(client->options, client->info, reply, client->options->text != NULL);
}

static void on_progress(struct sc_cli *client)
{
    if (sc_session_unanswered(client->session) == 0) {
        sc_session_close(client->session);
    }
}

static void stop(struct sc_cli *client)
{
    if (client->state) {
        sc_cli_body_fini(client->state);
        free(client->state);
    }
}

const struct sc_cli_mode sc_cli_oneshot = {
    .start = start,
    .on_ready = on_ready,
    .on_reply = on_reply,
    .on_progress = on_progress,
    .stop = stop,
};

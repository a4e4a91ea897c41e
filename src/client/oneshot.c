#include "config.h"

#include "base/clock.h"
#include "client/cli.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "client/output.h"
#include "proto/frame.h"
#include "proto/handler.h"

/* A COMMAND of the command line, sent once or, with --count or --interval, again and again. */
struct oneshot {
    char *body; /* NULL: options->text */
    size_t length;
    uint64_t sent, answered;
    bool refused; /* by an ERROR after which the server closes: nothing more is sent */
    struct sc_hist times; /* of the replies that are no ERROR */
    struct event *tick;
    struct event *interrupt;
};

/* All of standard input, up to what a frame can carry. */
static int read_body(struct oneshot *oneshot, struct sc_err *err)
{
    size_t room = 0;
    for (;;) {
        if (oneshot->length == room) {
            room = room > 0 ? 2 * room : 64U << 10;
            char *body = realloc(oneshot->body, room);
            if (!body) {
                return sc_err_set(err, EX_OSERR, "standard input: out of memory");
            }
            oneshot->body = body;
        }
        const ssize_t got =
            read(STDIN_FILENO, oneshot->body + oneshot->length, room - oneshot->length);
        if (got == 0) {
            return 0;
        }
        if (got < 0 && errno != EINTR) {
            return sc_err_set_errno(err, EX_NOINPUT, errno, "can't read standard input");
        }
        oneshot->length += got > 0 ? (size_t)got : 0;
        if (oneshot->length > SC_FRAME_MAX_BODY_BYTES) {
            return sc_err_set(
                err, EX_DATAERR,
                "standard input is longer than 16M, the most that a message can carry");
        }
    }
}

/* Nothing more is to be sent. */
static bool all_sent(const struct sc_cli *client)
{
    const struct oneshot *oneshot = client->state;
    return oneshot->refused ||
           oneshot->sent >= (client->options->repeat ? client->options->count : 1);
}

static void send_one(struct sc_cli *client)
{
    struct oneshot *oneshot = client->state;
    const char *body = client->options->text ? client->options->text : oneshot->body;
    sc_session_send(client->session, client->options->command->type, body, oneshot->length);
    oneshot->sent++;
}

static void set_tick(const struct sc_cli *client)
{
    const struct oneshot *oneshot = client->state;
    const uint64_t ms = client->options->interval_ms;
    const struct timeval wait = sc_clock_timeval(ms);
    if (!all_sent(client) && ms > 0) {
        (void)evtimer_add(oneshot->tick, &wait);
    }
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct sc_cli *client = arg;
    if (!all_sent(client) && !sc_session_is_full(client->session)) {
        send_one(client);
    }
    set_tick(client);
}

static void on_interrupt(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct sc_cli *client = arg;
    const struct oneshot *oneshot = client->state;
    (void)evtimer_del(oneshot->tick);
    sc_session_close(client->session);
}

static int start(struct sc_cli *client, struct sc_err *err)
{
    struct oneshot *oneshot = calloc(1, sizeof(*oneshot));
    client->state = oneshot;
    if (!oneshot) {
        return sc_err_set(err, EX_OSERR, "out of memory");
    }
    sc_hist_init(&oneshot->times);
    if (client->options->text) {
        oneshot->length = strlen(client->options->text);
    } else if (read_body(oneshot, err) != 0) {
        return -1;
    }
    if (client->options->repeat) {
        oneshot->tick = evtimer_new(client->base, on_tick, client);
        oneshot->interrupt = evsignal_new(client->base, SIGINT, on_interrupt, client);
        if (!oneshot->tick || !oneshot->interrupt) {
            return sc_err_set(err, EX_OSERR, "out of memory");
        }
    }
    return 0;
}

static void on_ready(struct sc_cli *client)
{
    const struct oneshot *oneshot = client->state;
    if (oneshot->interrupt) {
        (void)evsignal_add(oneshot->interrupt,
                           NULL); /* not before: an interrupt while it connects ends the program */
    }
    send_one(client);
    set_tick(client);
}

static void on_reply(struct sc_cli *client, const struct sc_session_reply *reply)
{
    struct oneshot *oneshot = client->state;
    oneshot->answered++;
    if (!client->options->repeat) {
        /* What came in byte for byte goes out byte for byte. */
        sc_cli_print_reply(client->options, reply, client->options->text != NULL);
    } else {
        sc_cli_print_ping(client->options, client->info, reply, oneshot->answered);
    }
    if (reply->error_code != 0) {
        client->status = 1;
        oneshot->refused = sc_error_code_closes(reply->error_code);
    } else {
        sc_hist_record(&oneshot->times, reply->elapsed_ns);
    }
}

static void on_progress(struct sc_cli *client)
{
    const struct oneshot *oneshot = client->state;
    if (oneshot->answered < oneshot->sent) {
        return;
    }
    if (all_sent(client)) {
        sc_session_close(client->session);
    } else if (client->options->interval_ms == 0) {
        send_one(client);
    }
}

static void on_end(struct sc_cli *client)
{
    const struct oneshot *oneshot = client->state;
    if (oneshot->tick) {
        (void)evtimer_del(oneshot->tick);
    }
    if (client->options->repeat && client->info) {
        sc_cli_print_summary(client->options, oneshot->sent, oneshot->answered, &oneshot->times);
    }
}

static void stop(struct sc_cli *client)
{
    struct oneshot *oneshot = client->state;
    if (!oneshot) {
        return;
    }
    if (oneshot->tick) {
        event_free(oneshot->tick);
    }
    if (oneshot->interrupt) {
        event_free(oneshot->interrupt);
    }
    free(oneshot->body);
    free(oneshot);
}

const struct sc_cli_mode sc_cli_oneshot = {
    .start = start,
    .on_ready = on_ready,
    .on_reply = on_reply,
    .on_progress = on_progress,
    .on_end = on_end,
    .stop = stop,
};

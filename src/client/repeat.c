/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "client/cli.h"

#include <signal.h>
#include <stdlib.h>
#include <sysexits.h>

#include "base/backoff.h"
#include "base/clock.h"
#include "client/body.h"
#include "client/output.h"
#include "proto/frame.h"
#include "proto/handler.h"

/*
 * A COMMAND again and again, as ping(8) does. A lost connection is as many lost replies as were
 * missing; nothing is sent twice, and the next request connects again.
 */
struct repeat {
    struct sc_cli_body body;
    uint64_t sent, answered;
    struct sc_hist times; /* of the replies other than ERROR */
    bool over; /* nothing more is sent */
    struct sc_backoff backoff; /* since the last reply */
    struct event *tick; /* the next request */
    struct event *interrupt;
};

/* The next request is sent after this time, unless it was the last one. */
static void set_tick(struct sc_cli *client, uint64_t ms)
{
    struct repeat *repeat = client->state;
    const struct timeval wait = sc_clock_timeval(ms);
    if (repeat->sent < client->options->count && !repeat->over) {
        (void)evtimer_add(repeat->tick, &wait);
    }
}

static void send_one(struct sc_cli *client)
{
    struct repeat *repeat = client->state;
    if (!sc_session_send(client->session, client->options->command->type, repeat->body.bytes,
                         repeat->body.length)) {
        return; /* it has just ended: on_end follows */
    }
    repeat->sent++;
    if (client->options->interval_ms > 0) {
        set_tick(client, client->options->interval_ms);
    }
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct sc_cli *client = arg;
    if (!client->session) {
        sc_cli_connect(client); /* on_ready sends it */
    } else if (!sc_session_is_full(client->session)) {
        send_one(client);
    } else {
        set_tick(client, client->options->interval_ms);
    }
}

static void sum_up(const struct sc_cli *client)
{
    const struct repeat *repeat = client->state;
    sc_cli_print_summary(client->options, repeat->sent, repeat->answered, &repeat->times);
}

static void on_interrupt(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct sc_cli *client = arg;
    struct repeat *repeat = client->state;
    (void)evtimer_del(repeat->tick);
    repeat->over = true;
    client->status = SC_EXIT_INTERRUPTED;
    if (!client->session) {
        sum_up(client);
    }
    sc_cli_end(client);
}

static int start(struct sc_cli *client, struct sc_err *err)
{
    struct repeat *repeat = calloc(1, sizeof(*repeat));
    client->state = repeat;
    if (!repeat) {
        return sc_err_set(err, EX_OSERR, "out of memory");
    }
    sc_hist_init(&repeat->times);
    if (sc_cli_body_init(&repeat->body, client->options, err) != 0) {
        return -1;
    }
    repeat->tick = evtimer_new(client->base, on_tick, client);
    repeat->interrupt = evsignal_new(client->base, SIGINT, on_interrupt, client);
    return repeat->tick && repeat->interrupt && evsignal_add(repeat->interrupt, NULL) == 0
               ? 0
               : sc_err_set(err, EX_OSERR, "out of memory");
}

static void on_reply(struct sc_cli *client, const struct sc_session_reply *reply)
{
    struct repeat *repeat = client->state;
    repeat->answered++;
    sc_backoff_reset(&repeat->backoff);
    sc_cli_print_ping(client->options, client->info, reply, repeat->answered);
    if (reply->error_code != 0) {
        client->status = 1;
        repeat->over |= sc_error_code_closes(reply->error_code);
    } else {
        sc_hist_record(&repeat->times, reply->elapsed_ns);
    }
}

static void on_progress(struct sc_cli *client)
{
    const struct repeat *repeat = client->state;
    if (sc_session_unanswered(client->session) > 0) {
        return;
    }
    if (repeat->over || repeat->sent >= client->options->count) {
        sc_cli_end(client);
    } else if (client->options->interval_ms == 0) {
        send_one(client);
    }
}

static bool on_end(struct sc_cli *client, const struct sc_session_end *end)
{
    struct repeat *repeat = client->state;
    const uint64_t interval_ms = client->options->interval_ms;
    uint64_t lost = end ? end->unanswered : 0;
    (void)evtimer_del(repeat->tick);
    if (!client->was_ready && end) {
        return false; /* no connection was made: only an interrupt has a summary */
    }
    if (!client->is_ready && end) {
        repeat->sent++; /* what it connected for */
        lost = 1;
    }
    if (!end || !end->temporary || repeat->over || repeat->sent >= client->options->count ||
        client->options->no_retry) {
        sum_up(client);
        return false;
    }
    if (lost > 0) {
        client->status = end->err.status;
        sc_cli_print_loss(client->options, &end->err, lost);
    }
    const uint64_t wait_ms = sc_backoff_next_ms(&repeat->backoff, end->retry_after_ms);
    set_tick(client, wait_ms > interval_ms ? wait_ms : interval_ms);
    return true;
}

static void stop(struct sc_cli *client)
{
    struct repeat *repeat = client->state;
    if (!repeat) {
        return;
    }
    if (repeat->tick) {
        event_free(repeat->tick);
    }
    if (repeat->interrupt) {
        event_free(repeat->interrupt);
    }
    sc_cli_body_fini(&repeat->body);
    free(repeat);
}

const struct sc_cli_mode sc_cli_repeat = {
    .start = start,
    .on_ready = send_one,
    .on_reply = on_reply,
    .on_progress = on_progress,
    .on_end = on_end,
    .stop = stop,
};

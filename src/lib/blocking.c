/* SPDX-License-Identifier: MIT */
/* Calls that wait: the non-blocking ones and poll(2). They touch nothing but the public calls. */
#include "config.h"

#include <poll.h>
#include <stdbool.h>
#include <stdio.h>

#include "base/clock.h"
#include "lib/sized.h"
#include "spacecaptain/client.h"

/* The sooner of two timeouts in milliseconds, -1 is never. */
static int sooner(int a, int b)
{
    return a < 0 || (b >= 0 && b < a) ? b : a;
}

int sc_client_wait(struct sc_client *client, int timeout_ms, struct sc_client_event *event)
{
    const uint64_t until_ms = sc_clock_ms() + (timeout_ms > 0 ? (uint64_t)timeout_ms : 0);
    for (bool polled = false; !sc_client_next_event(client, event); polled = true) {
        const uint64_t now_ms = sc_clock_ms();
        const int left_ms = timeout_ms < 0 ? -1 : until_ms > now_ms ? (int)(until_ms - now_ms) : 0;
        const int wait_ms = sooner(left_ms, sc_client_timeout_ms(client));
        struct pollfd ready = {.fd = sc_client_fd(client), .events = sc_client_events(client)};
        if ((polled && left_ms == 0) || (wait_ms < 0 && ready.events == 0)) {
            return 0; /* the time is up, or its end was reported */
        }
        (void)poll(&ready, 1, wait_ms);
        sc_client_process(client);
    }
    return 1;
}

/* Hands the error of an END over. Returns -1. */
static int ended(const struct sc_client_event *event, struct sc_client_error *error)
{
    if (error && event->error) {
        sc_sized_copy(error, event->error, sizeof(*event->error));
        if (error->code == SC_CLIENT_OK) {
            error->code = SC_CLIENT_USAGE;
            (void)snprintf(error->text, sizeof(error->text), "the connection is closed");
        }
    }
    return -1;
}

struct sc_client *sc_client_connect(struct sc_client_settings *settings, const char *address,
                                    struct sc_client_error *error)
{
    struct sc_client_event event = SC_CLIENT_EVENT_INIT;
    struct sc_client *client = sc_client_start(settings, address, error);
    if (client && (!sc_client_wait(client, -1, &event) || event.type != SC_CLIENT_EVENT_READY)) {
        (void)ended(&event, error);
        sc_client_free(client);
        client = NULL;
    }
    return client;
}

int sc_client_call(struct sc_client *client, uint32_t type, const void *body, size_t length,
                   struct sc_client_reply *reply, struct sc_client_error *error)
{
    struct sc_client_event event = SC_CLIENT_EVENT_INIT;
    const int64_t request = sc_client_send(client, type, body, length, error);
    if (request < 0) {
        return -1;
    }
    sc_client_process(client);
    while (sc_client_wait(client, -1, &event)) {
        if (event.type == SC_CLIENT_EVENT_END) {
            break;
        }
        if (event.type == SC_CLIENT_EVENT_REPLY && event.reply->request == (uint64_t)request) {
            sc_sized_copy(reply, event.reply, sizeof(*event.reply));
            return 0;
        }
    }
    return ended(&event, error);
}

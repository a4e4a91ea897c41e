/* SPDX-License-Identifier: MIT */
/* The same in an event loop of libevent. */
#include <stdio.h>
#include <string.h>

#include <spacecaptain/client_libevent.h>

static int status;

static void on_event(struct sc_client *client, const struct sc_client_event *event, void *arg)
{
    if (event->type == SC_CLIENT_EVENT_READY) {
        (void)sc_client_send(client, SC_CLIENT_TIME, NULL, 0, NULL);
    } else if (event->type == SC_CLIENT_EVENT_REPLY) {
        printf("%.*s\n", (int)event->reply->length, (const char *)event->reply->body);
        sc_client_close(client);
    } else if (event->type == SC_CLIENT_EVENT_END) {
        status = event->error->code;
        if (status != SC_CLIENT_OK) {
            fprintf(stderr, "%s\n", event->error->text);
        }
        event_base_loopbreak(arg);
    }
}

int main(int argc, char **argv)
{
    struct sc_client_error error = SC_CLIENT_ERROR_INIT;
    struct event_base *base = event_base_new();
    struct sc_client_settings *settings = sc_client_settings_new(NULL, &error);
    struct sc_client *client = NULL;
    struct sc_client_libevent *driver = NULL;
    if (argc != 3 || !base || !settings ||
        sc_client_settings_add_pin(settings, argv[2], &error) != 0 ||
        (client = sc_client_start(settings, argv[1], &error)) == NULL ||
        (driver = sc_client_libevent_new(base, client, on_event, base)) == NULL) {
        fprintf(stderr, "%s\n", argc == 3 ? error.text : "usage: libevent ADDRESS PIN");
        status = 1;
    } else {
        (void)event_base_dispatch(base);
    }
    sc_client_libevent_free(driver);
    sc_client_free(client);
    sc_client_settings_free(settings);
    event_base_free(base);
    return status;
}

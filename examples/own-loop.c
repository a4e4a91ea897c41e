/* SPDX-License-Identifier: MIT */
/* Several requests under way at once, driven by a loop of one's own: here it is poll(2). */
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include <spacecaptain/client.h>

int main(int argc, char **argv)
{
    static const char *const texts[] = {"one", "two", "three"};
    struct sc_client_error error = SC_CLIENT_ERROR_INIT;
    struct sc_client_event event = SC_CLIENT_EVENT_INIT;
    struct sc_client_settings *settings = sc_client_settings_new(NULL, &error);
    struct sc_client *client = NULL;
    if (argc != 3 || !settings || sc_client_settings_add_pin(settings, argv[2], &error) != 0 ||
        (client = sc_client_start(settings, argv[1], &error)) == NULL) {
        fprintf(stderr, "%s\n", argc == 3 ? error.text : "usage: own-loop ADDRESS PIN");
        sc_client_settings_free(settings);
        return 1;
    }
    int status = 0;
    for (int ended = 0; !ended;) {
        while (!ended && sc_client_next_event(client, &event)) {
            if (event.type == SC_CLIENT_EVENT_READY) {
                for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
                    (void)sc_client_send(client, SC_CLIENT_REVERSE, texts[i], strlen(texts[i]),
                                         NULL);
                }
            } else if (event.type == SC_CLIENT_EVENT_REPLY) {
                printf("%.*s\n", (int)event.reply->length, (const char *)event.reply->body);
                if (sc_client_unanswered(client) == 0) {
                    sc_client_close(client);
                }
            } else if (event.type == SC_CLIENT_EVENT_END) {
                ended = 1;
                status = event.error->code;
                if (status != SC_CLIENT_OK) {
                    fprintf(stderr, "%s\n", event.error->text);
                }
            }
        }
        struct pollfd ready = {.fd = sc_client_fd(client), .events = sc_client_events(client)};
        if (!ended) {
            (void)poll(&ready, 1, sc_client_timeout_ms(client));
            sc_client_process(client);
        }
    }
    sc_client_free(client);
    sc_client_settings_free(settings);
    return status;
}

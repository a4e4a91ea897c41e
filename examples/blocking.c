/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <spacecaptain/client.h>

int main(void)
{
    struct sc_client_error error = SC_CLIENT_ERROR_INIT;
    struct sc_client_reply reply = SC_CLIENT_REPLY_INIT;
    struct sc_client_settings *settings = sc_client_settings_new(NULL, &error);
    struct sc_client *client = NULL;
    int status = 1;
    if (settings && sc_client_settings_add_pin(settings, "server.crt", &error) == 0 &&
        (client = sc_client_connect(settings, "localhost:4242", &error)) != NULL &&
        sc_client_call(client, SC_CLIENT_ECHO, "hello", 5, &reply, &error) == 0) {
        printf("%.*s\n", (int)reply.length, (const char *)reply.body);
        status = 0;
    } else {
        fprintf(stderr, "%s\n", error.text);
    }
    sc_client_free(client);
    sc_client_settings_free(settings);
    return status;
}

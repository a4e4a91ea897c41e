/* SPDX-License-Identifier: MIT */
/*
 * driver NAME LIBRARY ADDRESS PIN TIMEOUT: drives a connection of libspacecaptain in one of the
 * ways that there are, and prints its events, a line for each. Once it is ready three requests are
 * sent together; when they are answered it closes.
 *
 * NAME: blocking, poll (sc_client_process() in a loop of its own), libevent, or bytes (an engine,
 * and a socket that the library does not see). TIMEOUT in milliseconds. `driver libraries` prints
 * the names of the TLS libraries that are built in.
 */
#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

#include <spacecaptain/client_libevent.h>

#include "base/clock.h"
#include "base/compiler.h"
#include "base/parse.h"

#define REQUESTS 3U

static const char *address;
static unsigned replies, ends;

_Noreturn static void die(const char *what, const struct sc_client_error *error)
{
    fprintf(stderr, "driver: %s: %s\n", what, error ? error->text : strerror(errno));
    exit(EX_SOFTWARE);
}

static void print_end(const struct sc_client_error *error, uint64_t unanswered)
{
    ends++;
    printf("end %d, %" PRIu64 " unanswered: %s\n", error->code, unanswered, error->text);
}

static void print_event(const struct sc_client_event *event)
{
    const struct sc_client_reply *reply = event->reply;
    switch (event->type) {
    case SC_CLIENT_EVENT_READY: puts("ready"); break;
    case SC_CLIENT_EVENT_REPLY:
        replies++;
        printf("reply %" PRIu64 ", type %" PRIu32 ", error %" PRIu32 ", %zu bytes\n",
               reply->request, reply->type, reply->error_code, reply->length);
        break;
    case SC_CLIENT_EVENT_END: print_end(event->error, event->unanswered); break;
    default: break;
    }
}

static void send_requests(struct sc_client *client)
{
    struct sc_client_error error = SC_CLIENT_ERROR_INIT;
    if (sc_client_send(client, SC_CLIENT_ECHO, "hello", 5, &error) != 1 ||
        sc_client_send(client, SC_CLIENT_REVERSE, "abc", 3, &error) != 2 ||
        sc_client_send(client, SC_CLIENT_TIME, "", 0, &error) != 3) {
        die("send", &error);
    }
}

static void drive_blocking(struct sc_client_settings *settings)
{
    struct sc_client_error error = SC_CLIENT_ERROR_INIT;
    struct sc_client_event event = SC_CLIENT_EVENT_INIT;
    struct sc_client *client = sc_client_connect(settings, address, &error);
    if (!client) {
        print_end(&error, 0);
        return;
    }
    puts("ready");
    send_requests(client);
    sc_client_process(client);
    while (sc_client_wait(client, -1, &event)) {
        print_event(&event);
        if (replies == REQUESTS) {
            sc_client_close(client);
        }
    }
    sc_client_free(client);
}

static void drive_poll(struct sc_client_settings *settings)
{
    struct sc_client_error error = SC_CLIENT_ERROR_INIT;
    struct sc_client_event event = SC_CLIENT_EVENT_INIT;
    struct sc_client *client = sc_client_start(settings, address, &error);
    if (!client) {
        die("start", &error);
    }
    while (event.type != SC_CLIENT_EVENT_END) {
        struct pollfd ready = {.fd = sc_client_fd(client), .events = sc_client_events(client)};
        (void)poll(&ready, 1, sc_client_timeout_ms(client));
        sc_client_process(client);
        while (sc_client_next_event(client, &event)) {
            print_event(&event);
            if (event.type == SC_CLIENT_EVENT_READY) {
                send_requests(client);
            } else if (event.type == SC_CLIENT_EVENT_END) {
                break;
            } else if (replies == REQUESTS) {
                sc_client_close(client);
            }
        }
    }
    if (sc_client_next_event(client, &event)) {
        print_event(&event); /* there must be none */
    }
    sc_client_free(client);
}

static void on_event(struct sc_client *client, const struct sc_client_event *event, void *arg)
{
    (void)arg;
    print_event(event);
    if (event->type == SC_CLIENT_EVENT_READY) {
        send_requests(client);
    } else if (event->type == SC_CLIENT_EVENT_REPLY && replies == REQUESTS) {
        sc_client_close(client);
    }
}

static void drive_libevent(struct sc_client_settings *settings)
{
    struct sc_client_error error = SC_CLIENT_ERROR_INIT;
    struct event_base *base = event_base_new();
    struct sc_client *client = sc_client_start(settings, address, &error);
    struct sc_client_libevent *driver =
        base && client ? sc_client_libevent_new(base, client, on_event, NULL) : NULL;
    if (!driver) {
        die("start", &error);
    }
    (void)event_base_dispatch(base); /* until nothing is waited for */
    sc_client_libevent_free(driver);
    sc_client_free(client);
    event_base_free(base);
}

static int open_socket(void)
{
    struct sc_address parsed;
    struct sockaddr_in to = {.sin_family = AF_INET};
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (sc_parse_address(address, NULL, &parsed, NULL) != 0 ||
        inet_pton(AF_INET, parsed.host, &to.sin_addr) != 1) {
        die(address, NULL);
    }
    to.sin_port = htons((uint16_t)atoi(parsed.port));
    if (fd < 0 || connect(fd, (const struct sockaddr *)&to, sizeof(to)) != 0) {
        die("connect", NULL);
    }
    return fd;
}

/* Returns whether it goes on. */
static bool take_engine_events(struct sc_client_engine *engine)
{
    struct sc_client_event event = SC_CLIENT_EVENT_INIT;
    struct sc_client_error error = SC_CLIENT_ERROR_INIT;
    while (sc_client_engine_next_event(engine, sc_clock_ms(), &event)) {
        print_event(&event);
        if (event.type == SC_CLIENT_EVENT_READY &&
            (sc_client_engine_send(engine, SC_CLIENT_ECHO, "hello", 5, sc_clock_ms(), &error) < 0 ||
             sc_client_engine_send(engine, SC_CLIENT_REVERSE, "abc", 3, sc_clock_ms(), &error) <
                 0 ||
             sc_client_engine_send(engine, SC_CLIENT_TIME, "", 0, sc_clock_ms(), &error) < 0)) {
            die("send", &error);
        }
        if (event.type == SC_CLIENT_EVENT_REPLY && replies == REQUESTS) {
            sc_client_engine_close(engine, sc_clock_ms());
        }
    }
    return ends == 0;
}

static void drive_bytes(struct sc_client_settings *settings)
{
    struct sc_client_error error = SC_CLIENT_ERROR_INIT;
    const int fd = open_socket();
    struct sc_client_engine *engine =
        sc_client_engine_new(settings, "127.0.0.1", sc_clock_ms(), &error);
    if (!engine) {
        die("start", &error);
    }
    while (take_engine_events(engine)) {
        uint8_t bytes[1000];
        const void *from;
        uint64_t at_ms;
        const size_t count = sc_client_engine_output(engine, &from);
        const ssize_t sent = count > 0 ? send(fd, from, count, MSG_NOSIGNAL) : 0;
        sc_client_engine_sent(engine, sent < 0 ? count : (size_t)sent);
        struct pollfd ready = {.fd = fd, .events = POLLIN};
        int wait_ms = -1;
        if (sc_client_engine_deadline(engine, &at_ms)) {
            wait_ms = at_ms > sc_clock_ms() ? (int)(at_ms - sc_clock_ms()) : 0;
        }
        if (poll(&ready, 1, wait_ms) > 0) {
            const ssize_t got = recv(fd, bytes, sizeof(bytes), 0);
            if (got <= 0) {
                sc_client_engine_receive_end(engine, got < 0 ? errno : 0);
            }
            for (ssize_t at = 0; at < got && take_engine_events(engine);) {
                at += (ssize_t)sc_client_engine_receive(engine, bytes + at, (size_t)(got - at));
            }
        }
        sc_client_engine_tick(engine, sc_clock_ms());
    }
    sc_client_engine_free(engine);
    (void)close(fd);
}

int main(int argc, char *argv[])
{
    static const struct {
        const char *name;
        void (*drive)(struct sc_client_settings *settings);
    } drivers[] = {{"blocking", drive_blocking},
                   {"poll", drive_poll},
                   {"libevent", drive_libevent},
                   {"bytes", drive_bytes}};
    struct sc_client_error error = SC_CLIENT_ERROR_INIT;
    if (argc == 2 && strcmp(argv[1], "libraries") == 0) {
        puts(sc_client_tls_version("mbedtls") ? "openssl mbedtls" : "openssl");
        return EX_OK;
    }
    for (size_t i = 0; argc == 6 && i < SC_COUNT_OF(drivers); i++) {
        if (strcmp(drivers[i].name, argv[1]) == 0) {
            struct sc_client_settings *settings = sc_client_settings_new(argv[2], &error);
            address = argv[3];
            if (!settings || sc_client_settings_add_pin(settings, argv[4], &error) != 0 ||
                sc_client_settings_set_timeout(settings, (uint32_t)atoi(argv[5]), &error) != 0) {
                die("settings", &error);
            }
            drivers[i].drive(settings);
            sc_client_settings_free(settings);
            return ends == 1 ? EX_OK : EX_SOFTWARE;
        }
    }
    fputs("usage: driver blocking|poll|libevent|bytes LIBRARY ADDRESS PIN TIMEOUT\n", stderr);
    return EX_USAGE;
}

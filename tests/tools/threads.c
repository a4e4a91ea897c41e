/* SPDX-License-Identifier: MIT */
/*
 * threads LIBRARY PORT PIN STORE: connections of libspacecaptain to 127.0.0.1 in several threads at
 * once, as its header allows: settings that all share, with a pin and a session that each replaces,
 * and settings of their own over one pin store. A thread has blocking calls, a loop with poll(2),
 * or an engine and a socket that the library does not see. Prints how many replies there were.
 */
#include "config.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

#include <spacecaptain/client.h>

#include "base/clock.h"
#include "base/compiler.h"

#define THREADS 6U
#define CONNECTIONS 4U /* of each, one after the other */
#define REQUESTS 20U /* over each */
#define BODY_BYTES 3000U

static const char *tls_library, *pin, *store;
static unsigned short port;
static struct sc_client_settings *shared;

struct thread {
    pthread_t id;
    unsigned number, replies;
    uint8_t body[BODY_BYTES]; /* another one in each thread */
};

_Noreturn static void die(const char *what, const struct sc_client_error *error)
{
    fprintf(stderr, "threads: %s: %s\n", what, error ? error->text : "");
    exit(EX_SOFTWARE);
}

static struct sc_client_settings *new_settings(const char *library)
{
    struct sc_client_error error = SC_CLIENT_ERROR_INIT;
    struct sc_client_settings *settings = sc_client_settings_new(library, &error);
    if (!settings || sc_client_settings_set_timeout(settings, 60000, &error) != 0) {
        die("settings", &error);
    }
    return settings;
}

/* Each second thread has settings of its own, and all of those one pin store. */
static struct sc_client_settings *settings_of(const struct thread *thread)
{
    struct sc_client_error error = SC_CLIENT_ERROR_INIT;
    char address[64];
    if (thread->number % 2 == 0) {
        return shared;
    }
    struct sc_client_settings *settings = new_settings(tls_library);
    (void)snprintf(address, sizeof(address), "127.0.0.1:%u", port);
    if (sc_client_settings_set_pin_store(settings, store, address, SC_CLIENT_FIRST_USE_STORE,
                                         &error) != 0) {
        die("the pin store", &error);
    }
    return settings;
}

static void check_reply(struct thread *thread, const struct sc_client_reply *reply)
{
    if (reply->error_code != 0 || reply->length != sizeof(thread->body) ||
        memcmp(reply->body, thread->body, sizeof(thread->body)) != 0) {
        die("a reply is that of another thread", NULL);
    }
    thread->replies++;
}

static void drive_blocking(struct thread *thread, struct sc_client_settings *settings)
{
    struct sc_client_error error = SC_CLIENT_ERROR_INIT;
    struct sc_client_reply reply = SC_CLIENT_REPLY_INIT;
    uint8_t session[16384];
    char address[64];
    (void)snprintf(address, sizeof(address), "localhost:%u", port); /* which is looked up */
    struct sc_client *client = sc_client_connect(settings, address, &error);
    if (!client) {
        die("connect", &error);
    }
    for (unsigned i = 0; i < REQUESTS; i++) {
        if (sc_client_call(client, SC_CLIENT_ECHO, thread->body, sizeof(thread->body), &reply,
                           &error) != 0) {
            die("call", &error);
        }
        check_reply(thread, &reply);
    }
    const size_t size = sc_client_session(client, session, sizeof(session));
    if (size > 0 && sc_client_settings_set_session(settings, session, size, &error) != 0) {
        die("session", &error);
    }
    sc_client_free(client);
}

static void drive_poll(struct thread *thread, struct sc_client_settings *settings)
{
    struct sc_client_error error = SC_CLIENT_ERROR_INIT;
    struct sc_client_event event = SC_CLIENT_EVENT_INIT;
    char address[64];
    (void)snprintf(address, sizeof(address), "127.0.0.1:%u", port);
    struct sc_client *client = sc_client_start(settings, address, &error);
    if (!client) {
        die("start", &error);
    }
    while (event.type != SC_CLIENT_EVENT_END) {
        struct pollfd ready = {.fd = sc_client_fd(client), .events = sc_client_events(client)};
        (void)poll(&ready, 1, sc_client_timeout_ms(client));
        sc_client_process(client);
        while (event.type != SC_CLIENT_EVENT_END && sc_client_next_event(client, &event)) {
            for (unsigned i = 0; event.type == SC_CLIENT_EVENT_READY && i < REQUESTS; i++) {
                (void)sc_client_send(client, SC_CLIENT_ECHO, thread->body, sizeof(thread->body),
                                     NULL);
            }
            if (event.type == SC_CLIENT_EVENT_REPLY) {
                check_reply(thread, event.reply);
                if (event.reply->request == REQUESTS) {
                    sc_client_close(client);
                }
            }
        }
    }
    if (event.error->code != SC_CLIENT_OK) {
        die("poll", event.error);
    }
    sc_client_free(client);
}

/* Returns whether it goes on. */
static int take_engine_events(struct thread *thread, struct sc_client_engine *engine)
{
    struct sc_client_event event = SC_CLIENT_EVENT_INIT;
    while (sc_client_engine_next_event(engine, sc_clock_ms(), &event)) {
        for (unsigned i = 0; event.type == SC_CLIENT_EVENT_READY && i < REQUESTS; i++) {
            (void)sc_client_engine_send(engine, SC_CLIENT_ECHO, thread->body, sizeof(thread->body),
                                        sc_clock_ms(), NULL);
        }
        if (event.type == SC_CLIENT_EVENT_REPLY) {
            check_reply(thread, event.reply);
            if (event.reply->request == REQUESTS) {
                return 0;
            }
        } else if (event.type == SC_CLIENT_EVENT_END) {
            die("bytes", event.error);
        }
    }
    return 1;
}

static void drive_bytes(struct thread *thread, struct sc_client_settings *settings)
{
    struct sc_client_error error = SC_CLIENT_ERROR_INIT;
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sc_client_engine *engine =
        sc_client_engine_new(settings, "127.0.0.1", sc_clock_ms(), &error);
    if (!engine || fd < 0 || connect(fd, (const struct sockaddr *)&to, sizeof(to)) != 0) {
        die("engine", &error);
    }
    while (take_engine_events(thread, engine)) {
        uint8_t bytes[1000];
        const void *from;
        const size_t count = sc_client_engine_output(engine, &from);
        if (count > 0) {
            const ssize_t sent = send(fd, from, count, MSG_NOSIGNAL);
            sc_client_engine_sent(engine, sent < 0 ? count : (size_t)sent);
            continue;
        }
        const ssize_t got = recv(fd, bytes, sizeof(bytes), 0);
        if (got <= 0) {
            die("the server has gone away", NULL);
        }
        for (ssize_t at = 0; at < got && take_engine_events(thread, engine);) {
            at += (ssize_t)sc_client_engine_receive(engine, bytes + at, (size_t)(got - at));
        }
    }
    sc_client_engine_free(engine);
    (void)close(fd);
}

static void *run(void *arg)
{
    static void (*const ways[])(struct thread *, struct sc_client_settings *) = {
        drive_blocking, drive_poll, drive_bytes};
    struct thread *thread = arg;
    struct sc_client_settings *settings = settings_of(thread);
    memset(thread->body, 'a' + (int)thread->number, sizeof(thread->body));
    for (unsigned i = 0; i < CONNECTIONS; i++) {
        ways[(thread->number / 4 + i) % SC_COUNT_OF(ways)](thread, settings);
    }
    if (settings != shared) {
        sc_client_settings_free(settings);
    }
    return NULL;
}

int main(int argc, char *argv[])
{
    static struct thread threads[THREADS];
    struct sc_client_error error = SC_CLIENT_ERROR_INIT;
    unsigned replies = 0;
    if (argc != 5) {
        fputs("usage: threads LIBRARY PORT PIN STORE\n", stderr);
        return EX_USAGE;
    }
    tls_library = argv[1];
    port = (unsigned short)atoi(argv[2]);
    pin = argv[3];
    store = argv[4];
    shared = new_settings(tls_library);
    if (sc_client_settings_add_pin(shared, pin, &error) != 0) {
        die("the pin", &error);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        threads[i].number = i;
        if (pthread_create(&threads[i].id, NULL, run, &threads[i]) != 0) {
            die("pthread_create", NULL);
        }
    }
    for (unsigned i = 0; i < THREADS; i++) {
        (void)pthread_join(threads[i].id, NULL);
        replies += threads[i].replies;
    }
    sc_client_settings_free(shared);
    printf("%u\n", replies);
    return replies == THREADS * CONNECTIONS * REQUESTS ? EX_OK : EX_SOFTWARE;
}

/* SPDX-License-Identifier: MIT */
/*
 * The adapter for libevent when memory runs out: each single allocation fails once, libevent's too,
 * and the owner gets an END, or it goes on; nothing waits for what never comes.
 */
#include "config.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <spacecaptain/client_libevent.h>

#include "engine_peer.h"
#include "failing_malloc.h"
#include "suite.h"
#include "tls_fixture.h"

static struct sc_tls_context *context;
static struct sc_client_settings *settings;
static struct event_base *base;
static struct engine_peer server;
static int server_fd;
static struct sc_client_libevent *driver;
static unsigned replies, ends;
static int end_code;

static void on_event(struct sc_client *client, const struct sc_client_event *event, void *arg)
{
    struct sc_client_error error = SC_CLIENT_ERROR_INIT;
    (void)arg;
    const bool was_armed = armed;
    armed = false; /* what the test does here does not count */
    ck_assert_uint_eq(ends, 0);
    if (event->type == SC_CLIENT_EVENT_READY) {
        if (LIB(sc_client_send(client, SC_CLIENT_ECHO, "hello", 5, &error)) != 1) {
            ck_assert_int_eq(error.code, SC_CLIENT_SYSTEM);
            sc_client_close(client);
        }
    } else if (event->type == SC_CLIENT_EVENT_REPLY) {
        replies++;
        ck_assert_uint_eq(event->reply->length, 5);
        sc_client_close(client);
    } else if (event->type == SC_CLIENT_EVENT_END) {
        ends++;
        end_code = event->error->code;
        ck_assert(end_code != SC_CLIENT_SYSTEM || event->error->temporary == 1);
        sc_client_libevent_free(driver);
        driver = NULL;
    }
    armed = was_armed;
}

/* Moves what is there between the socket and the server in memory. */
static void serve(void)
{
    uint8_t bytes[ENGINE_PEER_BYTES];
    const ssize_t got = recv(server_fd, bytes, sizeof(bytes), MSG_DONTWAIT);
    if (got > 0) {
        engine_peer_take(&server, bytes, (size_t)got);
        if (SSL_get_shutdown(server.ssl) == SSL_RECEIVED_SHUTDOWN) {
            (void)SSL_shutdown(server.ssl);
        }
    }
    const size_t count = engine_peer_give(&server, bytes, sizeof(bytes));
    if (count > 0) {
        (void)send(server_fd, bytes, count, MSG_NOSIGNAL);
    }
}

static void echo(struct engine_peer *peer, const struct sc_frame_header *header,
                 const uint8_t *body)
{
    (void)SSL_write(peer->ssl, body - SC_FRAME_HEADER_BYTES,
                    (int)(SC_FRAME_HEADER_BYTES + header->length));
}

static void run(unsigned long failing)
{
    int fds[2];
    struct sc_client_error error = SC_CLIENT_ERROR_INIT;
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    server_fd = fds[1];
    engine_peer_open(&server, context);
    server.on_request = echo;
    replies = ends = 0;
    counted = 0;
    fails_at = failing;
    struct sc_client *client =
        LIB_POINTER(sc_client_start_fd(settings, fds[0], "localhost", &error));
    if (!client) {
        ck_assert_int_eq(error.code, SC_CLIENT_SYSTEM);
        (void)close(fds[0]);
    } else {
        driver = LIB_POINTER(sc_client_libevent_new(base, client, on_event, NULL));
        /* With nothing to wait for the loop returns 1: then END was reported. */
        for (int i = 0; driver && ends == 0; i++) {
            ck_assert_int_lt(i, 1000);
            const long long loop = LIB(event_base_loop(base, EVLOOP_NONBLOCK));
            ck_assert_msg(loop != 1 || ends > 0, "failure %lu is not reported", failing);
            serve();
        }
        ck_assert(ends == 0 || replies == 1 || end_code != 0 || failing != 0);
    }
    fails_at = 0;
    LIB_VOID(sc_client_free(client));
    (void)close(server_fd);
    engine_peer_close(&server);
    OPENSSL_thread_stop();
}

START_TEST(each_allocation_fails_once)
{
    struct sc_client_error error = SC_CLIENT_ERROR_INIT;
    const unsigned long step = getenv("SC_TEST_ALL") ? 1 : getenv("CK_TIMEOUT_MULTIPLIER") ? 50 : 3;
    fixture_write_pair("server", "P-256");
    const struct sc_tls_server_settings server_settings = fixture_settings("server");
    context = fixture_server(&server_settings);
    settings = sc_client_settings_new(NULL, &error);
    ck_assert_int_eq(sc_client_settings_add_pin(settings, fixture_path("server.crt"), &error), 0);
    base = event_base_new();
    run(0);
    ck_assert_int_eq(end_code, 0);
    run(0);
    const unsigned long all = counted;
    ck_assert(all > 100 || !malloc_is_ours());
    for (unsigned long failing = 1; failing <= all; failing += step) {
        const long before = blocks;
        run(failing);
        for (int i = 0; blocks > before; i++) {
            ck_assert_msg(i < 4, "failure %lu leaks %ld blocks", failing, blocks - before);
            const long now = blocks;
            run(failing);
            if (blocks <= now) {
                break;
            }
        }
    }
    event_base_free(base);
    sc_client_settings_free(settings);
    sc_tls_context_unref(context);
}
END_TEST

/* libevent itself does not take memory for each event: these are refused by a stand-in. */
static bool refuse_events;

int event_add(struct event *event, const struct timeval *timeout)
{
    static int (*real)(struct event *, const struct timeval *);
    if (!real) {
        *(void **)&real = dlsym(RTLD_NEXT, "event_add");
    }
    return refuse_events ? -1 : real(event, timeout);
}

START_TEST(an_event_that_cannot_be_added_is_an_end)
{
    struct sc_client_error error = SC_CLIENT_ERROR_INIT;
    int fds[2];
    fixture_write_pair("server", "P-256");
    settings = sc_client_settings_new(NULL, &error);
    ck_assert_int_eq(sc_client_settings_add_pin(settings, fixture_path("server.crt"), &error), 0);
    base = event_base_new();
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    struct sc_client *client = sc_client_start_fd(settings, fds[0], "localhost", &error);
    replies = ends = 0;
    driver = sc_client_libevent_new(base, client, on_event, NULL);
    ck_assert_ptr_nonnull(driver);
    refuse_events = true;
    (void)event_base_loop(base, EVLOOP_NONBLOCK);
    refuse_events = false;
    ck_assert_uint_eq(ends, 1);
    ck_assert_int_eq(end_code, SC_CLIENT_SYSTEM);
    ck_assert_ptr_null(driver);
    sc_client_free(client);
    (void)close(fds[1]);
    event_base_free(base);
    sc_client_settings_free(settings);
}
END_TEST

SUITE_MAIN("client_libevent", each_allocation_fails_once, an_event_that_cannot_be_added_is_an_end)

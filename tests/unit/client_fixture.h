/* SPDX-License-Identifier: MIT */
/*
 * A client over sockets, and a server of its own thread that leaves in every way. For one program:
 * everything is static.
 */
#ifndef SC_TESTS_CLIENT_FIXTURE_H
#define SC_TESTS_CLIENT_FIXTURE_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/ssl.h>

#include "base/clock.h"
#include "base/compiler.h"
#include "proto/frame.h"
#include "spacecaptain/client.h"
#include "suite.h"
#include "tls_fixture.h"

enum ending {
    CUT, /* the socket is closed */
    CLOSED, /* close_notify first */
    LEAVES, /* ERROR 3, come back in 300 ms */
    LIMIT, /* ERROR 4, likewise */
    FAR, /* ERROR 3, come back in 49 days */
    HALF, /* a half of the next reply */
    BROKEN, /* a reply of the wrong type */
    RESET, /* the socket is reset */
    SILENT, /* the socket is closed instead of a handshake */
    STAYS, /* answers all, until the client leaves */
    MUTE, /* answers nothing more, likewise */
};

/* What the server does with a connection; the last one holds for all that follow. */
struct turn {
    int replies;
    enum ending ending;
};

static struct {
    SSL_CTX *ctx;
    struct sc_tls_watch watch;
    const struct turn *turns;
    size_t count;
    int listener;
    pthread_t thread;
    char address[64];
    char got[4096]; /* "a b|b c": the bodies of each connection */
    unsigned connections, resumed, notified; /* by close_notify */
} server;

/* Held by a test: no reply comes meanwhile. */
static pthread_mutex_t answering = PTHREAD_MUTEX_INITIALIZER;

/* Changes a reply, which is the request; NULL: it stays. `connection` counts from 1. */
static void (*change_reply)(unsigned connection, uint8_t frame[1024], size_t *length);

static struct sc_tls_context *context;
static struct sc_client_settings *settings;
static struct sc_client *client;
static struct sc_client_error error = SC_CLIENT_ERROR_INIT;
static struct sc_client_event event = SC_CLIENT_EVENT_INIT;
static struct sc_client_reply reply = SC_CLIENT_REPLY_INIT;

static bool read_exactly(SSL *ssl, uint8_t *out, size_t length)
{
    size_t got;
    for (size_t have = 0; have < length; have += got) {
        if (SSL_read_ex(ssl, out + have, length - have, &got) != 1) {
            return false;
        }
    }
    return true;
}

static bool take_request(SSL *ssl, uint8_t frame[1024], size_t *length)
{
    if (!read_exactly(ssl, frame, SC_FRAME_HEADER_BYTES)) {
        return false;
    }
    *length = sc_frame_get_header(frame).length;
    if (*length > 1000 || !read_exactly(ssl, frame + SC_FRAME_HEADER_BYTES, *length)) {
        return false;
    }
    const size_t used = strlen(server.got);
    (void)snprintf(server.got + used, sizeof(server.got) - used, "%s%.*s",
                   used > 0 && server.got[used - 1] != '|' ? " " : "", (int)*length,
                   (const char *)frame + SC_FRAME_HEADER_BYTES);
    return true;
}

static void end_connection(SSL *ssl, enum ending ending)
{
    uint8_t frame[1024];
    size_t length = 0;
    switch (ending) {
    case LEAVES:
    case LIMIT:
    case FAR:
        length =
            sc_frame_put_error(frame, ending == LIMIT ? SC_ERROR_OVER_LIMIT : SC_ERROR_GOING_AWAY,
                               ending == FAR ? UINT32_MAX : 300, "bye");
        break;
    case HALF:
        if (take_request(ssl, frame, &length)) {
            length = SC_FRAME_HEADER_BYTES;
        }
        break;
    case BROKEN:
        if (take_request(ssl, frame, &length)) {
            sc_frame_put_header(frame, SC_FRAME_TIME, (uint32_t)length);
            length = SC_FRAME_HEADER_BYTES;
        }
        break;
    default: break;
    }
    if (length > 0) {
        (void)SSL_write(ssl, frame, (int)length);
    }
    if (ending == LEAVES || ending == LIMIT || ending == FAR || ending == CLOSED) {
        (void)SSL_shutdown(ssl);
    }
    if (ending == RESET) {
        const struct linger at_once = {.l_onoff = 1};
        (void)setsockopt(SSL_get_fd(ssl), SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    }
    if (ending == MUTE) {
        while (take_request(ssl, frame, &length)) {
        }
    }
}

static void serve_one(int fd, const struct turn *turn)
{
    uint8_t frame[1024];
    size_t length;
    SSL *ssl = SSL_new(server.ctx);
    SSL_set_app_data(ssl, &server.watch);
    if (turn->ending != SILENT && SSL_set_fd(ssl, fd) == 1 && SSL_accept(ssl) == 1) {
        server.resumed += (unsigned)SSL_session_reused(ssl);
        for (int i = 0; i < turn->replies || turn->ending == STAYS; i++) {
            if (!take_request(ssl, frame, &length)) {
                break;
            }
            if (change_reply) {
                change_reply(server.connections, frame, &length);
            }
            (void)pthread_mutex_lock(&answering);
            (void)SSL_write(ssl, frame, (int)(SC_FRAME_HEADER_BYTES + length));
            (void)pthread_mutex_unlock(&answering);
        }
        end_connection(ssl, turn->ending);
        server.notified += (SSL_get_shutdown(ssl) & SSL_RECEIVED_SHUTDOWN) != 0;
    }
    SSL_free(ssl);
}

static void *serve(void *arg)
{
    (void)arg;
    /* A client may be gone before its answer. Only here: the library is to raise none itself. */
    sigset_t pipe_signal;
    (void)sigemptyset(&pipe_signal);
    (void)sigaddset(&pipe_signal, SIGPIPE);
    (void)pthread_sigmask(SIG_BLOCK, &pipe_signal, NULL);
    for (;;) {
        const int fd = accept(server.listener, NULL, NULL);
        if (fd < 0 && errno == EMFILE) { /* a test took them away from both */
            (void)poll(&(struct pollfd){.fd = server.listener, .events = POLLIN}, 1, -1);
            continue;
        }
        if (fd < 0) {
            return NULL; /* shut down */
        }
        const size_t i = server.connections < server.count ? server.connections : server.count - 1;
        if (server.connections++ > 0) {
            strcat(server.got, "|");
        }
        serve_one(fd, &server.turns[i]);
        /* Unread requests would make a reset of the end, which destroys replies. */
        if (server.turns[i].ending != RESET) {
            (void)shutdown(fd, SHUT_WR);
            for (char byte; recv(fd, &byte, 1, 0) > 0;) {
            }
        }
        (void)close(fd);
    }
}

/* `retry_ms` 0: a lost connection is the end. */
static void set_up(const struct turn *turns, size_t count, uint32_t retry_ms)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(address);
    fixture_write_pair("server", "P-256");
    const struct sc_tls_server_settings server_settings = fixture_settings("server");
    context = fixture_server(&server_settings);
    server.ctx = sc_tls_context_ssl_ctx(context);
    sc_tls_watch_init(&server.watch);
    server.turns = turns;
    server.count = count;
    server.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(server.listener, (struct sockaddr *)&address, sizeof(address)), 0);
    ck_assert_int_eq(listen(server.listener, 16), 0);
    (void)getsockname(server.listener, (struct sockaddr *)&address, &length);
    (void)snprintf(server.address, sizeof(server.address), "127.0.0.1:%u", ntohs(address.sin_port));
    ck_assert_int_eq(pthread_create(&server.thread, NULL, serve, NULL), 0);
    settings = sc_client_settings_new(NULL, &error);
    ck_assert_int_eq(sc_client_settings_add_pin(settings, fixture_path("server.crt"), &error), 0);
    ck_assert_int_eq(sc_client_settings_set_retry(settings, retry_ms, &error), 0);
    client = sc_client_connect(settings, server.address, &error);
    ck_assert_msg(client != NULL, "%s", error.text);
}

static void stop_server(void)
{
    if (server.listener >= 0) {
        (void)shutdown(server.listener, SHUT_RDWR);
        (void)pthread_join(server.thread, NULL);
        (void)close(server.listener);
        server.listener = -1;
    }
}

static void tear_down(void)
{
    sc_client_free(client);
    stop_server();
    sc_client_settings_free(settings);
    sc_tls_watch_fini(&server.watch);
    sc_tls_context_unref(context);
}

static void send_text(const char *text)
{
    ck_assert_msg(sc_client_send(client, SC_CLIENT_ECHO, text, strlen(text), &error) > 0, "%s",
                  error.text);
}

/* Waits for an event of that type. */
static void expect(int type)
{
    sc_client_process(client);
    ck_assert_int_eq(sc_client_wait(client, 20000, &event), 1);
    ck_assert_msg(event.type == type, "event %d, not %d: %s", event.type, type,
                  event.error ? event.error->text : "");
}

static void expect_reply(uint64_t number, const char *text)
{
    expect(SC_CLIENT_EVENT_REPLY);
    ck_assert_uint_eq(event.reply->request, number);
    ck_assert_uint_eq(event.reply->length, strlen(text));
    ck_assert_int_eq(memcmp(event.reply->body, text, strlen(text)), 0);
}

#endif

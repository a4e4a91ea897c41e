/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "server/status_client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

#include "suite.h"

/* Answers one client with `answer`, whatever it asks for, and ends. */
struct server {
    const char *answer;
    int fd;
};

static void *answer_one(void *arg)
{
    const struct server *server = arg;
    char request[512];
    const int fd = accept(server->fd, NULL, NULL);
    if (fd >= 0) {
        (void)recv(fd, request, sizeof(request), 0);
        (void)send(fd, server->answer, strlen(server->answer), MSG_NOSIGNAL);
        (void)shutdown(fd, SHUT_RDWR);
        (void)close(fd);
    }
    return NULL;
}

/* What the client takes from this answer; NULL: nothing, and `err` says why. */
static const char *ask(const char *answer, struct sc_err *err)
{
    static char buffer[SC_STATUS_CLIENT_BYTES];
    struct server server = {answer, socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t length = sizeof(at);
    struct sc_address address;
    const char *body = NULL;
    char text[32];
    pthread_t thread;
    ck_assert_int_eq(bind(server.fd, (const struct sockaddr *)&at, length), 0);
    ck_assert_int_eq(listen(server.fd, 1), 0);
    ck_assert_int_eq(getsockname(server.fd, (struct sockaddr *)&at, &length), 0);
    (void)snprintf(text, sizeof(text), "127.0.0.1:%u", ntohs(at.sin_port));
    ck_assert_int_eq(sc_parse_address(text, NULL, &address, err), 0);
    ck_assert_int_eq(pthread_create(&thread, NULL, answer_one, &server), 0);
    const int rc = sc_status_client_get(&address, "/status.txt", buffer, &body, err);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    (void)close(server.fd);
    return rc == 0 ? body : NULL;
}

START_TEST(what_a_server_answers)
{
    struct sc_err err;
    ck_assert_str_eq(ask("HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nready", &err), "ready");
    ck_assert_str_eq(ask("HTTP/1.1 200 OK\r\nX: y\r\ncontent-length:5\r\n\r\nready", &err),
                     "ready");
    ck_assert_str_eq(ask("HTTP/1.1 200 OK\r\nX: y\r\n\r\nready", &err), "ready");
}
END_TEST

/* A server that ends while it answers: a part of the facts is not shown as all of them. */
START_TEST(an_answer_that_is_cut)
{
    static const char *const answers[] = {
        "HTTP/1.0 200 OK\r\nContent-Length: 6\r\n\r\nready",
        "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\nready",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n",
    };
    for (size_t i = 0; i < SC_COUNT_OF(answers); i++) {
        struct sc_err err;
        ck_assert_msg(ask(answers[i], &err) == NULL, "%s", answers[i]);
        ck_assert_int_eq(err.status, EX_UNAVAILABLE);
        ck_assert_ptr_nonnull(strstr(err.text, "it ended in the middle of its answer"));
    }
}
END_TEST

START_TEST(what_is_not_the_server)
{
    static const char *const answers[] = {
        "", "SSH-2.0-OpenSSH_9\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 5",
        "HTTP/1.1 404 Not Found\r\n\r\nContent-Length: 5", "HTTP/2 200 OK\r\n\r\nready"};
    for (size_t i = 0; i < SC_COUNT_OF(answers); i++) {
        struct sc_err err;
        ck_assert_msg(ask(answers[i], &err) == NULL, "%s", answers[i]);
        ck_assert_ptr_nonnull(strstr(err.text, "what answers there is not metrics-listen"));
    }
}
END_TEST

SUITE_MAIN("status_client", what_a_server_answers, an_answer_that_is_cut, what_is_not_the_server)

/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "server/status_client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "suite.h"

/* Answers one client with `answer`, whatever it asks for, and ends. NULL: says nothing until the
 * client ends. */
struct server {
    const char *answer;
    int fd;
};

/* In place of the C library's: a wait of seconds is one of milliseconds. */
static time_t waits_s;

int setsockopt(int fd, int level, int name, const void *value, socklen_t length)
{
    const struct timeval soon = {.tv_usec = 50000};
    if (level == SOL_SOCKET && name == SO_RCVTIMEO) {
        waits_s = ((const struct timeval *)value)->tv_sec;
        value = &soon;
    }
    return (int)syscall(SYS_setsockopt, fd, level, name, value, length);
}

/* If not 0: why there is no socket. */
static int socket_errno;

int socket(int family, int type, int protocol)
{
    if (socket_errno != 0) {
        errno = socket_errno;
        return -1;
    }
    return (int)syscall(SYS_socket, family, type, protocol);
}

static pthread_t thread;

/* Of the client, while `drip_bytes` are left: a byte comes, and with it a second passes. */
static unsigned drip_bytes;
static uint64_t drip_ns;

/* Of the client, if not 0: its next read fails so, once. */
static int read_errno;

ssize_t recv(int fd, void *out, size_t size, int flags)
{
    if (read_errno != 0 && !pthread_equal(pthread_self(), thread)) {
        errno = read_errno;
        read_errno = 0;
        return -1;
    }
    if (drip_bytes == 0 || pthread_equal(pthread_self(), thread)) {
        return recvfrom(fd, out, size, flags, NULL, NULL);
    }
    drip_bytes--;
    drip_ns += 1000000000U;
    sc_clock_fake(&drip_ns, NULL);
    memcpy(out, "H", 1);
    return 1;
}

static void *answer_one(void *arg)
{
    const struct server *server = arg;
    char request[512];
    const int fd = accept(server->fd, NULL, NULL);
    if (fd >= 0) {
        (void)recv(fd, request, sizeof(request), 0);
        if (server->answer) {
            (void)send(fd, server->answer, strlen(server->answer), MSG_NOSIGNAL);
        } else {
            (void)recv(fd, request, sizeof(request), 0);
        }
        (void)shutdown(fd, SHUT_RDWR);
        (void)close(fd);
    }
    return NULL;
}

static struct server server;

static struct sc_address begin(const char *answer)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t length = sizeof(at);
    struct sc_address address;
    char text[32];
    server = (struct server){answer, socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    ck_assert_int_eq(bind(server.fd, (const struct sockaddr *)&at, length), 0);
    ck_assert_int_eq(listen(server.fd, 1), 0);
    ck_assert_int_eq(getsockname(server.fd, (struct sockaddr *)&at, &length), 0);
    (void)snprintf(text, sizeof(text), "127.0.0.1:%u", ntohs(at.sin_port));
    ck_assert_int_eq(sc_parse_address(text, NULL, &address, NULL), 0);
    ck_assert_int_eq(pthread_create(&thread, NULL, answer_one, &server), 0);
    return address;
}

static void end(void)
{
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    (void)close(server.fd);
}

/* What the client takes from this answer; NULL: nothing, and `err` says why. */
static const char *ask(const char *answer, struct sc_err *err)
{
    static char buffer[SC_STATUS_CLIENT_BYTES];
    const char *body = NULL;
    const struct sc_address address = begin(answer);
    const int rc = sc_status_client_get(&address, "/status.txt", buffer, &body, err);
    end();
    return rc == 0 ? body : NULL;
}

START_TEST(what_a_server_answers)
{
    struct sc_err err;
    ck_assert_str_eq(ask("HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nready", &err), "ready");
    ck_assert_str_eq(ask("HTTP/1.1 200 OK\r\nX: y\r\ncontent-length:5\r\n\r\nready", &err),
                     "ready");
    ck_assert_str_eq(ask("HTTP/1.1 200 OK\r\nX: y\r\n\r\nready", &err), "ready");
    ck_assert_str_eq(ask("HTTP/1.1 200 OK\r\n\r\nx\r\nContent-Length: 99", &err),
                     "x\r\nContent-Length: 99");
    read_errno = EINTR;
    ck_assert_str_eq(ask("HTTP/1.0 200 OK\r\n\r\nready", &err), "ready");
}
END_TEST

START_TEST(a_read_that_fails)
{
    struct sc_err err;
    read_errno = ECONNRESET;
    ck_assert_ptr_null(ask("HTTP/1.0 200 OK\r\n\r\nready", &err));
    ck_assert_int_eq(err.status, EX_UNAVAILABLE);
    ck_assert_ptr_nonnull(strstr(err.text, "Connection reset by peer"));
}
END_TEST

/* It is not shown up to where the buffer ends. */
START_TEST(an_answer_that_is_too_long)
{
    static char answer[2 * SC_STATUS_CLIENT_BYTES] = "HTTP/1.0 200 OK\r\n\r\n";
    struct sc_err err;
    memset(answer + strlen(answer), 'x', sizeof(answer) - strlen(answer) - 1);
    ck_assert_ptr_null(ask(answer, &err));
    ck_assert_int_eq(err.status, EX_UNAVAILABLE);
    ck_assert_ptr_nonnull(strstr(err.text, "Message too long"));
}
END_TEST

/* As a server listens: on all addresses. */
START_TEST(every_address)
{
    static char buffer[SC_STATUS_CLIENT_BYTES];
    struct sc_address address = begin("HTTP/1.0 200 OK\r\n\r\nready");
    const char *body = NULL;
    struct sc_err err;
    (void)strcpy(address.host, "*");
    ck_assert_int_eq(sc_status_client_get(&address, "/status.txt", buffer, &body, &err), 0);
    end();
    ck_assert_str_eq(body, "ready");
}
END_TEST

static void is_unavailable(const char *port, const char *text)
{
    static char buffer[SC_STATUS_CLIENT_BYTES];
    struct sc_address address = {.host = "127.0.0.1"};
    const char *body = NULL;
    struct sc_err err;
    (void)strcpy(address.port, port);
    ck_assert_int_eq(sc_status_client_get(&address, "/status.txt", buffer, &body, &err), -1);
    ck_assert_int_eq(err.status, EX_UNAVAILABLE);
    ck_assert_msg(strstr(err.text, text) != NULL, "%s", err.text);
}

/* It is the status of "the server does not answer", whatever was the reason. */
START_TEST(no_connection)
{
    socket_errno = EMFILE;
    is_unavailable("1", "Too many open files");
    socket_errno = 0;
}
END_TEST

/* As it may stand in a configuration: nothing listens there. */
START_TEST(any_port)
{
    is_unavailable("0", "port 0 stands for any");
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
    static const char *const answers[] = {"",
                                          "SSH-2.0-OpenSSH_9\r\n",
                                          "HTTP/1.1 200 OK\r\nContent-Length: 5",
                                          "HTTP/1.1 404 Not Found\r\n\r\nContent-Length: 5",
                                          "RTSP/1.0 200 OK\r\n\r\nready",
                                          "HTTP/2 200 OK\r\n\r\nready"};
    for (size_t i = 0; i < SC_COUNT_OF(answers); i++) {
        struct sc_err err;
        ck_assert_msg(ask(answers[i], &err) == NULL, "%s", answers[i]);
        ck_assert_ptr_nonnull(strstr(err.text, "what answers there is not metrics-listen"));
    }
}
END_TEST

START_TEST(a_silent_server_is_not_waited_for)
{
    struct sc_err err;
    ck_assert_ptr_null(ask(NULL, &err));
    ck_assert_int_eq(err.status, EX_UNAVAILABLE);
    ck_assert_int_ge(waits_s, 1);
    ck_assert_int_le(waits_s, 10);
}
END_TEST

/* Nor one that says a byte now and then: no single wait is too long. */
START_TEST(a_server_that_drips_is_not_waited_for)
{
    struct sc_err err;
    drip_ns = sc_clock_ns();
    drip_bytes = 100;
    ck_assert_ptr_null(ask("", &err));
    sc_clock_fake(NULL, NULL);
    ck_assert_int_eq(err.status, EX_UNAVAILABLE);
    ck_assert_msg(strstr(err.text, "it does not answer in time") != NULL, "%s", err.text);
    ck_assert_uint_gt(drip_bytes, 100 - 10);
    drip_bytes = 0;
}
END_TEST

/* Whoever answers there does not steer the terminal. */
START_TEST(an_answer_moves_no_cursor)
{
    struct sc_err err;
    char *text = NULL;
    size_t length = 0;
    const struct sc_address address = begin("HTTP/1.0 200 OK\r\n\r\nstate\n\033[2Jready\n");
    FILE *out = open_memstream(&text, &length);
    ck_assert_int_eq(sc_status_client_print(&address, out, &err), 0);
    ck_assert_int_eq(fclose(out), 0);
    end();
    ck_assert_ptr_null(strchr(text, '\033'));
    ck_assert_ptr_nonnull(strstr(text, "state\n"));
    ck_assert_ptr_nonnull(strstr(text, "ready\n"));
    free(text);
}
END_TEST

SUITE_MAIN("status_client", what_a_server_answers, a_read_that_fails, an_answer_that_is_too_long,
           every_address, no_connection, any_port, an_answer_that_is_cut, what_is_not_the_server,
           a_silent_server_is_not_waited_for, a_server_that_drips_is_not_waited_for,
           an_answer_moves_no_cursor)

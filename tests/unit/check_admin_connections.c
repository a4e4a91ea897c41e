/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "server/admin_connections.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "net/loop.h"
#include "suite.h"

static struct event_base *base;
static struct evhttp *http;
static struct sc_listen *listen_;
static struct sc_admin_connections *connections;
static uint64_t now_ns = UINT64_C(1000000000000);

static void on_request(struct evhttp_request *request, void *arg)
{
    (void)arg;
    evhttp_add_header(evhttp_request_get_output_headers(request), "Connection", "close");
    evhttp_send_reply(request, HTTP_OK, "OK", NULL);
}

static void begin(void)
{
    const struct sc_address address = {.host = "127.0.0.1", .port = "0"};
    struct sc_err err;
    sc_clock_fake(&now_ns, NULL);
    sc_loop_init();
    ck_assert_ptr_nonnull(base = sc_loop_new_base(&err));
    ck_assert_ptr_nonnull(http = evhttp_new(base));
    evhttp_set_gencb(http, on_request, NULL);
    ck_assert_ptr_nonnull(listen_ = sc_listen_open(&address, 1, &err));
    ck_assert_ptr_nonnull(connections = sc_admin_connections_new(base, http, listen_, &err));
}

static void end(void)
{
    evhttp_free(http);
    sc_admin_connections_free(connections);
    event_base_loop(base, EVLOOP_NONBLOCK);
    event_base_free(base);
    sc_listen_close(listen_);
    sc_loop_fini();
}

static int client(const char *text)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    const int port = atoi(strrchr(sc_listen_address(listen_, 0), ':') + 1);
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    address.sin_port = htons((uint16_t)port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    ck_assert_int_eq(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
    return fd;
}

static bool has_ended(int fd)
{
    char byte;
    return recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

static bool is_answered(int fd)
{
    char text[12] = "";
    return recv(fd, text, sizeof(text), MSG_PEEK | MSG_DONTWAIT) == sizeof(text) &&
           memcmp(text, "HTTP/1.1 200", sizeof(text)) == 0;
}

/* Passes of the loop until it is so, at most for a few seconds. */
#define PASS_UNTIL(condition) \
    do { \
        const time_t limit = time(NULL) + 10; \
        while (!(condition)) { \
            ck_assert_msg(time(NULL) < limit, "never: %s", #condition); \
            event_base_loop(base, EVLOOP_NONBLOCK); \
        } \
    } while (0)

static void pass_time(uint64_t ms)
{
    now_ns += ms * 1000000;
    sc_clock_fake(&now_ns, NULL);
    sc_admin_connections_look(connections);
}

/* However much it sends: evhttp's own timeout would start again. */
START_TEST(none_lives_longer_than_its_time)
{
    begin();
    const int early = client("GET / HTTP/1.1\r\nX: ");
    const int first = client("GET / HTTP/1.1\r\n\r\n");
    PASS_UNTIL(is_answered(first)); /* so the one before it is accepted, too */
    pass_time(SC_ADMIN_CONNECTION_MS / 2);
    const int late = client("GET / HTTP/1.1\r\nX: ");
    const int second = client("GET / HTTP/1.1\r\n\r\n");
    PASS_UNTIL(is_answered(second));
    ck_assert_int_eq(send(early, "y", 1, MSG_NOSIGNAL), 1);
    pass_time(SC_ADMIN_CONNECTION_MS / 2);
    PASS_UNTIL(has_ended(early));
    ck_assert(!has_ended(late));
    pass_time(SC_ADMIN_CONNECTION_MS / 2);
    PASS_UNTIL(has_ended(late));
    (void)close(early);
    (void)close(first);
    (void)close(late);
    (void)close(second);
    end();
}
END_TEST

/* A tenth of a second, and not the time that a connection may live. */
START_TEST(those_who_stay_keep_nobody_out)
{
    int fds[3 * SC_ADMIN_MAX_CONNECTIONS];
    size_t open = 0;
    unsigned ms = 0;
    begin();
    for (size_t i = 0; i < SC_COUNT_OF(fds); i++) {
        fds[i] = client("GET / HTTP/1.1\r\nX: ");
    }
    const int right = client("GET / HTTP/1.1\r\n\r\n");
    PASS_UNTIL((pass_time(1), ms++, is_answered(right)));
    ck_assert_uint_ge(ms, 2 * 20); /* each had time for its request */
    for (size_t i = 0; i < SC_COUNT_OF(fds); i++) {
        open += !has_ended(fds[i]);
        ck_assert(!is_answered(fds[i]));
        ck_assert(i < SC_COUNT_OF(fds) / 2 ? has_ended(fds[i]) : true); /* the oldest first */
        (void)close(fds[i]);
    }
    ck_assert_uint_lt(open, SC_ADMIN_MAX_CONNECTIONS);
    ck_assert_uint_ge(open, SC_ADMIN_MAX_CONNECTIONS / 2);
    (void)close(right);
    end();
}
END_TEST

/* However slow it is: the clock stands still. */
START_TEST(many_at_once_are_all_answered)
{
    int fds[4 * SC_ADMIN_MAX_CONNECTIONS];
    begin();
    for (size_t i = 0; i < SC_COUNT_OF(fds); i++) {
        fds[i] = client("GET / HTTP/1.1\r\n\r\n");
    }
    for (size_t i = 0; i < SC_COUNT_OF(fds); i++) {
        PASS_UNTIL(is_answered(fds[i]));
        (void)close(fds[i]);
    }
    end();
}
END_TEST

/*
 * evhttp waits for the end of the line that begins a chunk, however long it gets. What the kernel
 * takes comes on top of what we read.
 */
START_TEST(a_line_without_an_end_is_not_read_for_ever)
{
    static char bytes[65536];
    size_t taken = 0;
    begin();
    errno = 0;
    const int fd = client("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n");
    memset(bytes, 'a', sizeof(bytes));
    do {
        event_base_loop(base, EVLOOP_NONBLOCK);
        const ssize_t n = send(fd, bytes, sizeof(bytes), MSG_DONTWAIT | MSG_NOSIGNAL);
        ck_assert(n > 0 || errno == EAGAIN || errno == EPIPE || errno == ECONNRESET);
        taken += n > 0 ? (size_t)n : 0;
        ck_assert_uint_lt(taken, 64U << 20);
    } while (errno != EPIPE && errno != ECONNRESET);
    const int right = client("GET / HTTP/1.1\r\n\r\n");
    PASS_UNTIL(is_answered(right));
    (void)close(fd);
    (void)close(right);
    end();
}
END_TEST

/* The socket would be readable again at once, for ever. */
START_TEST(without_a_descriptor_it_accepts_nothing_until_the_next_look)
{
    struct rlimit before;
    begin();
    const int waiting = client("GET / HTTP/1.1\r\n\r\n");
    const int listening = event_base_get_num_events(base, EVENT_BASE_COUNT_ADDED);
    const int lowest_free = dup(waiting);
    (void)close(lowest_free);
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
    const struct rlimit none = {.rlim_cur = (rlim_t)lowest_free, .rlim_max = before.rlim_max};
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
    PASS_UNTIL(event_base_get_num_events(base, EVENT_BASE_COUNT_ADDED) == listening - 1);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
    const int next = client("GET / HTTP/1.1\r\n\r\n");
    event_base_loop(base, EVLOOP_NONBLOCK);
    ck_assert(!is_answered(next));
    pass_time(1);
    PASS_UNTIL(is_answered(next));
    (void)close(waiting);
    (void)close(next);
    end();
}
END_TEST

SUITE_MAIN("admin_connections", none_lives_longer_than_its_time, those_who_stay_keep_nobody_out,
           many_at_once_are_all_answered, a_line_without_an_end_is_not_read_for_ever,
           without_a_descriptor_it_accepts_nothing_until_the_next_look)

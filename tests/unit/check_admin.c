/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "server/admin.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/loop.h"
#include "suite.h"

/* The admin interface of a server whose main thread is this test. */
static struct event_base *base;
static struct sc_stats stats;
static struct sc_metrics_source source;
static struct sc_loop_health *health;
static struct sc_admin *admin;

static void begin(void)
{
    const struct sc_address address = {.host = "127.0.0.1", .port = "0"};
    struct sc_err err;
    sc_loop_init();
    ck_assert_ptr_nonnull(base = sc_loop_new_base(&err));
    ck_assert_ptr_nonnull(health = sc_loop_health_new(base, &stats, NULL, 0, &err));
    sc_metrics_source_init(&source, NULL, 0, &stats, NULL, NULL);
    struct sc_listen *listen = sc_listen_open(&address, 1, &err);
    ck_assert_ptr_nonnull(listen);
    ck_assert_ptr_nonnull(admin = sc_admin_new(listen, &address, 1, &source, health, &err));
}

static void end(void)
{
    sc_admin_free(admin);
    sc_loop_health_free(health);
    sc_metrics_source_fini(&source);
    event_base_free(base);
    sc_loop_fini();
}

/* The whole answer to GET `path`; the server ends the connection after it. */
static const char *get(const char *path)
{
    static char answer[4096];
    struct sockaddr_in address = {.sin_family = AF_INET};
    size_t length = 0;
    char request[128];
    address.sin_port =
        htons((uint16_t)atoi(strrchr(sc_listen_address(sc_admin_listen(admin), 0), ':') + 1));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    (void)snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", path);
    ck_assert_int_eq(send(fd, request, strlen(request), MSG_NOSIGNAL), (ssize_t)strlen(request));
    for (ssize_t n; (n = recv(fd, answer + length, sizeof(answer) - 1 - length, 0)) > 0;) {
        length += (size_t)n;
    }
    answer[length] = '\0';
    ck_assert_int_eq(close(fd), 0);
    return answer;
}

static void set_state(enum sc_metrics_state state)
{
    const struct sc_metrics_facts facts = {.state = state};
    sc_metrics_source_set_facts(&source, &facts);
}

static void assert_ready(const char *status, const char *body)
{
    const char *answer = get("/readyz");
    ck_assert_msg(strncmp(answer, status, strlen(status)) == 0, "not %s: %s", status, answer);
    const char *end_of_headers = strstr(answer, "\r\n\r\n");
    ck_assert_ptr_nonnull(end_of_headers);
    ck_assert_str_eq(end_of_headers + 4, body);
}

/* Also before any state was set, and while the main thread's loop does not run. */
START_TEST(ready_only_while_it_takes_clients)
{
    begin();
    assert_ready("HTTP/1.1 503 ", "starting\n");
    set_state(SC_METRICS_STARTING);
    assert_ready("HTTP/1.1 503 ", "starting\n");
    set_state(SC_METRICS_READY);
    assert_ready("HTTP/1.1 200 ", "ready\n");
    set_state(SC_METRICS_DRAINING);
    assert_ready("HTTP/1.1 503 ", "draining\n");
    ck_assert_ptr_nonnull(strstr(get("/healthz"), "\r\n\r\nok\n"));
    end();
}
END_TEST

/* For what is shown of the last minute. */
START_TEST(the_sum_has_what_the_main_thread_counts)
{
    struct sc_stats sum = {0};
    begin();
    sc_stats_add(&stats.reloads_failed, 3);
    sc_metrics_source_sum(&source, &sum);
    ck_assert_uint_eq(sc_stats_get(&sum.reloads_failed), 3);
    end();
}
END_TEST

SUITE_MAIN("admin", ready_only_while_it_takes_clients, the_sum_has_what_the_main_thread_counts)

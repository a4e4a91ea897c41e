/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "server/proxy_wait.h"

#include <stdio.h>
#include <string.h>

#include "acceptor_fixture.h"

/* 127.0.0.8 and 127.0.0.9 are load balancers. */

#define HEADER_BYTES 28U

static void start_behind_a_balancer(uint32_t max_per_address, uint64_t header_timeout_ms)
{
    static struct sc_network balancer;
    struct sc_err err;
    ck_assert_int_eq(sc_network_parse("127.0.0.8/31", &balancer, &err), 0);
    start(100, 0);
    sc_acceptor_set_limits(
        acceptor, &(const struct sc_acceptor_limits){.max_connections = 100,
                                                     .max_connections_per_address = max_per_address,
                                                     .balancers = &balancer,
                                                     .balancer_count = 1,
                                                     .header_timeout_ms = header_timeout_ms});
    kept_start(SC_LOG_DEBUG);
}

static const uint8_t *header_of(uint8_t host)
{
    static uint8_t header[HEADER_BYTES];
    const uint8_t addresses[] = {192, 0, 2, host, 198, 51, 100, 1, 0, 7, 0, 8};
    memcpy(header, "\r\n\r\n\0\r\nQUIT\n\41\21\0\14", 16);
    memcpy(header + 16, addresses, sizeof(addresses));
    return header;
}

static void send_bytes(int fd, const void *bytes, size_t length)
{
    ck_assert_int_eq(send(fd, bytes, length, MSG_NOSIGNAL), (ssize_t)length);
}

static uint32_t given(void)
{
    return sc_worker_load(workers[0]) + sc_worker_load(workers[1]);
}

static uint64_t refused_headers(void)
{
    return sc_stats_get(&sc_acceptor_stats(acceptor)->refused_proxy_header);
}

/* A connection of the balancer that was accepted, and waits for its header. */
static int wait_from_balancer(void)
{
    const int fd = enter(9);
    run_ready(base);
    return fd;
}

START_TEST(a_header_says_where_the_client_is)
{
    start_behind_a_balancer(0, 60000);
    for (size_t cut = 1; cut <= HEADER_BYTES; cut++) {
        const int fd = wait_from_balancer();
        send_bytes(fd, header_of(7), cut);
        run_ready(base);
        ck_assert_uint_eq(given(), cut == HEADER_BYTES);
        ck_assert_uint_eq(sc_acceptor_waiting(acceptor), cut < HEADER_BYTES);
        if (cut < HEADER_BYTES) {
            send_bytes(fd, header_of(7) + cut, HEADER_BYTES - cut);
            RUN_UNTIL(base, given() == 1);
        }
        char expected[80];
        (void)snprintf(expected, sizeof(expected),
                       " debug proxy_header conn=%zu peer=192.0.2.7:7 balancer=127.0.0.9:", cut);
        ck_assert_msg(kept_has(expected), "%s", expected);
        leave(fd);
        (void)snprintf(expected, sizeof(expected), " conn=%zu peer=192.0.2.7:7 ", cut);
        ASSERT_HAS(kept_last(), expected); /* that it left */
        kept_count = 0;
    }
    ck_assert_uint_eq(refused_headers(), 0);

    /* From elsewhere nobody waits for one. */
    const int other = enter(1);
    ck_assert_uint_eq(given(), 1);
    leave(other);
    finish();
}
END_TEST

/* Whoever is behind the load balancer decides how many come. */
START_TEST(lines_about_headers_are_limited)
{
    unsigned lines = 0;
    start_behind_a_balancer(0, 60000);
    at_second(1000);
    for (unsigned i = 0; i < 210; i++) {
        const int fd = wait_from_balancer();
        kept_count = 0;
        send_bytes(fd, header_of(7), HEADER_BYTES);
        RUN_UNTIL(base, given() == 1);
        lines += kept_has(" debug proxy_header ");
        leave(fd);
    }
    ck_assert_uint_eq(lines, 200);
    finish();
}
END_TEST

START_TEST(limits_are_those_of_the_client)
{
    int fds[3];
    start_behind_a_balancer(1, 60000);
    for (unsigned i = 0; i < SC_COUNT_OF(fds); i++) {
        fds[i] = wait_from_balancer();
        send_bytes(fds[i], header_of((uint8_t)i), HEADER_BYTES);
        RUN_UNTIL(base, given() == i + 1);
    }
    const int late = wait_from_balancer();
    send_bytes(late, header_of(1), HEADER_BYTES);
    RUN_UNTIL(base, is_closed(late));
    ASSERT_HAS(kept_last(), " connection_refused conn=");
    ASSERT_HAS(kept_last(), " peer=192.0.2.1:7 reason=max_connections_per_address ");
    ck_assert_uint_eq(sc_acceptor_open(acceptor), SC_COUNT_OF(fds));
    ck_assert_uint_eq(sc_stats_get(&sc_acceptor_stats(acceptor)->refused_per_address), 1);
    leave(fds[1]);
    fds[1] = wait_from_balancer();
    send_bytes(fds[1], header_of(1), HEADER_BYTES);
    RUN_UNTIL(base, given() == SC_COUNT_OF(fds));
    for (size_t i = 0; i < SC_COUNT_OF(fds); i++) {
        leave(fds[i]);
    }
    (void)close(late);
    finish();
}
END_TEST

START_TEST(what_is_not_a_header_is_refused)
{
    static const struct {
        const char *bytes;
        size_t length;
        bool ends;
        const char *hint;
    } rows[] = {
        {"\26\3\1\2\0\1\0\1\374\3\3", 11, false, "TLS without a PROXY header before it"},
        {"PROXY TCP4 192.0.2.7 198.51.100.1 7 8\r\n", 40, false, "version 1 of the PROXY"},
        {"GET / HTTP/1.0\r\n\r\n", 18, false, "neither a PROXY header nor TLS"},
        {"\r\n\r\n\0\r\nQUIT\n\61\21\0\14", 16, false, "a version, command or address"},
        {"\r\n\r\n\0\r\nQUIT\n\41\21\377\377", 16, false, "longer than 4096 bytes"},
        {"\r\n\r\n\0\r\nQUIT\n\41\21\0\14\300\0\2", 19, true, "ended in the middle of the PROXY"},
    };
    start_behind_a_balancer(0, 60000);
    for (size_t i = 0; i < SC_COUNT_OF(rows); i++) {
        at_second(5 + i); /* a line each */
        const int fd = wait_from_balancer();
        send_bytes(fd, rows[i].bytes, rows[i].length);
        if (rows[i].ends) {
            ck_assert_int_eq(shutdown(fd, SHUT_WR), 0);
        }
        RUN_UNTIL(base, is_closed(fd));
        ck_assert_uint_eq(sc_acceptor_open(acceptor), 0);
        ck_assert_uint_eq(refused_headers(), i + 1);
        ASSERT_HAS(kept_last(), " peer=127.0.0.9:");
        ASSERT_HAS(kept_last(), " reason=proxy_header hint=\"");
        ASSERT_HAS(kept_last(), rows[i].hint);
        (void)close(fd);
    }
    ck_assert_uint_eq(given(), 0);
    finish();
}
END_TEST

START_TEST(a_header_has_a_deadline)
{
    start_behind_a_balancer(0, 50);
    const int silent = wait_from_balancer();
    RUN_UNTIL(base, is_closed(silent));
    ASSERT_HAS(kept_last(), " reason=proxy_header hint=\"no PROXY header came within handshake-t");
    /* A byte from time to time does not move it. */
    const int dripping = wait_from_balancer();
    for (size_t i = 0; i < HEADER_BYTES && !is_closed(dripping); i++) {
        send_bytes(dripping, header_of(7) + i, 1);
        const uint64_t from = sc_clock_ms();
        while (sc_clock_ms() - from < 8 && !is_closed(dripping)) {
            (void)event_base_loop(base, EVLOOP_NONBLOCK); /* the next byte does not wait for it */
        }
        ck_assert_uint_eq(given(), 0);
    }
    ck_assert(is_closed(dripping));
    ck_assert_uint_eq(refused_headers(), 2);
    ck_assert_uint_eq(sc_acceptor_open(acceptor), 0);
    (void)close(silent);
    (void)close(dripping);
    finish();
}
END_TEST

/* It counts from accept(2), and not from the last byte. */
START_TEST(the_deadline_is_not_moved)
{
    uint64_t now_ns = sc_clock_ns();
    start_behind_a_balancer(0, 60000);
    sc_clock_fake(&now_ns, NULL);
    const int fd = wait_from_balancer();
    for (size_t i = 0; i < 20; i++) {
        send_bytes(fd, header_of(7) + i, 1);
        run_ready(base);
        ck_assert(!is_closed(fd));
        now_ns += UINT64_C(3100000000);
        sc_clock_fake(&now_ns, NULL);
    }
    send_bytes(fd, header_of(7) + 20, 1); /* after 62 s */
    RUN_UNTIL(base, is_closed(fd));
    ck_assert_uint_eq(refused_headers(), 1);
    (void)close(fd);
    sc_clock_fake(NULL, NULL);
    finish();
}
END_TEST

/* Health checks: with a LOCAL header, or that only connect. */
START_TEST(connections_of_the_balancer_itself)
{
    start_behind_a_balancer(0, 60000);
    const int local = wait_from_balancer();
    send_bytes(local, "\r\n\r\n\0\r\nQUIT\n\40\0\0\0", 16);
    RUN_UNTIL(base, given() == 1);
    ck_assert(kept_has(" proxy_header conn=1 peer=127.0.0.9:"));
    leave(local);
    ASSERT_HAS(kept_last(), " debug tls_handshake_failed conn=1 peer=127.0.0.9:");
    ASSERT_HAS(kept_last(), " reason=probe ");

    leave(wait_from_balancer());
    ASSERT_HAS(kept_last(), " debug tls_handshake_failed conn=2 peer=127.0.0.9:");
    ASSERT_HAS(kept_last(), " reason=probe ");

    const int reset = wait_from_balancer();
    const struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    ck_assert_int_eq(setsockopt(reset, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)), 0);
    leave(reset);
    ASSERT_HAS(kept_last(), " reason=probe ");
    ck_assert_uint_eq(refused_headers(), 0);
    finish();
}
END_TEST

/* The time for the handshake is not given twice. */
START_TEST(the_handshake_timeout_counts_from_accept)
{
    const uint64_t start_ns = sc_clock_ns() / 1000000000U * 1000000000U;
    uint64_t now_ns = start_ns;
    start_behind_a_balancer(0, 60000);
    sc_clock_fake(&now_ns, NULL);
    const int fd = wait_from_balancer();
    now_ns = start_ns + 59 * UINT64_C(1000000000);
    sc_clock_fake(&now_ns, NULL);
    send_bytes(fd, header_of(7), HEADER_BYTES);
    RUN_UNTIL(base, given() == 1);
    now_ns = start_ns + 61 * UINT64_C(1000000000);
    sc_clock_fake(&now_ns, NULL);
    RUN_UNTIL(base, sc_acceptor_open(acceptor) == 0);
    ASSERT_HAS(kept_last(), " tls_handshake_failed conn=1 peer=192.0.2.7:7 ");
    ASSERT_HAS(kept_last(), " reason=timeout ");
    (void)close(fd);
    sc_clock_fake(NULL, NULL);
    finish();
}
END_TEST

START_TEST(a_stop_takes_headers_that_have_come)
{
    start_behind_a_balancer(0, 60000);
    const int with = wait_from_balancer(), without = wait_from_balancer();
    ck_assert_uint_eq(sc_acceptor_waiting(acceptor), 2);
    send_bytes(with, header_of(7), HEADER_BYTES);
    sc_acceptor_stop(acceptor);
    ck_assert_uint_eq(given(), 1);
    ck_assert_uint_eq(sc_acceptor_open(acceptor), 1);
    ck_assert(is_closed(without));
    ck_assert_uint_eq(refused_headers(), 1);
    leave(with);
    (void)close(without);
    finish();
}
END_TEST

SUITE_MAIN("proxy_wait", a_header_says_where_the_client_is, lines_about_headers_are_limited,
           limits_are_those_of_the_client, what_is_not_a_header_is_refused, a_header_has_a_deadline,
           the_deadline_is_not_moved, connections_of_the_balancer_itself,
           the_handshake_timeout_counts_from_accept, a_stop_takes_headers_that_have_come)

/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <sys/socket.h>

#include <event2/buffer.h>

#include "conn_fixture.h"
#include "proto/frame.h"

static struct evbuffer *requests, *expected; /* to send, and the replies to all of them */

static void test_init(void)
{
    conn_fixture_init(NULL);
    requests = evbuffer_new();
    expected = evbuffer_new();
}

static void begin_connected(void)
{
    begin();
    await_open();
}

static void test_fini(void)
{
    end();
    evbuffer_free(requests);
    evbuffer_free(expected);
    conn_fixture_fini();
}

/* --- Requests and the replies to them --- */

static void put_frame(struct evbuffer *to, uint32_t type, const void *body, size_t length)
{
    uint8_t header[SC_FRAME_HEADER_BYTES];
    sc_frame_put_header(header, type, (uint32_t)length);
    evbuffer_add(to, header, sizeof(header));
    evbuffer_add(to, body, length);
}

static void expect_error(enum sc_error_code code, uint32_t retry_after_ms, const char *text)
{
    uint8_t frame[SC_FRAME_ERROR_MAX_BYTES];
    evbuffer_add(expected, frame, sc_frame_put_error(frame, code, retry_after_ms, text));
}

/* The next request of a mix, and what it must be answered with. */
static void put_request(unsigned i, size_t length)
{
    static uint8_t body[70000], reply[70000];
    for (size_t k = 0; k < length; k++) {
        body[k] = (uint8_t)(i * 3U + k * 5U);
        reply[length - 1 - k] = body[k];
    }
    switch (i % 3) {
    case 0:
        put_frame(requests, SC_FRAME_ECHO, body, length);
        put_frame(expected, SC_FRAME_ECHO, body, length);
        break;
    case 1:
        put_frame(requests, SC_FRAME_REVERSE, body, length);
        put_frame(expected, SC_FRAME_REVERSE, reply, length);
        break;
    default:
        put_frame(requests, 4711 + i, body, length);
        expect_error(SC_ERROR_UNKNOWN_TYPE, 0, "unknown message type");
        break;
    }
}

static void send_all(size_t at_once)
{
    while (evbuffer_get_length(requests) > 0) {
        const size_t left = evbuffer_get_length(requests);
        const size_t count = at_once && at_once < left ? at_once : left;
        tls_peer_write(&peer, evbuffer_pullup(requests, (ev_ssize_t)count), count);
        evbuffer_drain(requests, count);
    }
}

static void await_replies(void)
{
    const size_t length = evbuffer_get_length(expected);
    RUN_UNTIL(base, evbuffer_get_length(peer.got) >= length);
    ck_assert_uint_eq(evbuffer_get_length(peer.got), length);
    ck_assert_int_eq(memcmp(evbuffer_pullup(peer.got, -1), evbuffer_pullup(expected, -1), length),
                     0);
}

/* Every size of TLS record and of segment gives the same replies. */
TEST(any_split)
{
    static const size_t records[] = {1, 3, 8, 9, 100, 0};
    static const size_t writes[] = {1, 0};
    begin_connected();
    for (size_t r = 0; r < 6; r++) {
        for (size_t w = 0; w < 2; w++) {
            peer.at_once = writes[w];
            for (unsigned i = 0; i < 9; i++) {
                put_request(i, (size_t)i * 2);
            }
            send_all(records[r]);
            await_replies();
        }
    }
    ck_assert_uint_eq(sc_stats_get(&stats.requests[0]), 36);
    ck_assert_uint_eq(sc_stats_get(&stats.errors[SC_ERROR_UNKNOWN_TYPE]), 36);
}

TEST(a_long_pipeline)
{
    begin_connected();
    for (unsigned i = 0; i < 10000; i++) {
        put_request(i, i % 50);
    }
    send_all(0);
    tls_peer_close_notify(&peer);
    RUN_UNTIL(base, peer.closed && !conn);
    await_replies();
}

TEST(large_bodies)
{
    begin_connected();
    for (unsigned i = 0; i < 12; i++) {
        put_request(i, 65536);
    }
    send_all(0);
    await_replies();
}

TEST(too_large)
{
    uint8_t header[SC_FRAME_HEADER_BYTES];
    begin_connected();
    put_request(0, 10);
    sc_frame_put_header(header, SC_FRAME_ECHO, 65537);
    evbuffer_add(requests, header, sizeof(header));
    expect_error(SC_ERROR_BODY_TOO_LARGE, 0, "the body is larger than max-body");
    send_all(0);
    RUN_UNTIL(base, peer.closed);
    await_replies();
    tls_peer_shut_write(&peer);
    RUN_UNTIL(base, !conn);
}

/* A reply is not as long as its request here, so that the two counters cannot be mistaken. */
TEST(bytes_are_counted)
{
    begin_connected();
    for (unsigned i = 0; i < 5; i++) {
        put_request(2, 60000);
    }
    send_all(0);
    await_replies();
    end();
    ck_assert_uint_gt(sc_stats_get(&stats.bytes_received), 300000);
    ck_assert_uint_lt(sc_stats_get(&stats.bytes_received), 310000);
    ck_assert_uint_gt(sc_stats_get(&stats.bytes_sent), 100);
    ck_assert_uint_lt(sc_stats_get(&stats.bytes_sent), 10000);
    begin();
}

/* --- Who may come --- */

static int accept_any(X509_STORE_CTX *store, void *arg)
{
    (void)store;
    (void)arg;
    return 1;
}

/* The policy is asked again when the handshake is done, whatever OpenSSL has found in it. */
TEST(a_client_is_checked_after_its_handshake)
{
    const char *const pins[] = {fixture_path("known.crt")};
    struct sc_tls_server_settings settings = fixture_settings("server");
    struct sc_err err = {0};
    fixture_write_pair("known", "P-256");
    fixture_write_pair("other", "P-256");
    settings.client_auth = SC_PEER_AUTH_REQUIRE;
    settings.client_pins = pins;
    settings.client_pin_count = 1;
    sc_tls_context_unref(server_context);
    server_context = fixture_server(&settings);
    SSL_CTX_set_cert_verify_callback(sc_tls_context_ssl_ctx(server_context), accept_any, NULL);
    const struct sc_tls_client_settings client = {.certificate_path = fixture_path("other.crt"),
                                                  .private_key_path = fixture_path("other.key")};
    sc_tls_context_unref(client_context);
    ck_assert_ptr_nonnull(client_context = sc_tls_context_new_client(&client, &err));
    begin();
    RUN_UNTIL(base, !conn);
    ck_assert_uint_eq(sc_stats_handshakes_failed(&stats), 1);
    ck_assert_uint_eq(sc_stats_get(&stats.handshakes_failed[SC_TLS_REASON_CLIENT_CERTIFICATE]), 1);
    ck_assert_uint_eq(sc_stats_handshakes_completed(&stats), 0);
    ASSERT_HAS(kept_last(), " warning client_refused conn=17 peer=192.0.2.1:5 message=");
    ASSERT_HAS(kept_last(), " stage=answered reason=client_certificate versions_offered=");
    ASSERT_HAS(kept_last(), " end\"");
    ASSERT_HAS(kept_last(), "matches no client-pin");
}

TEST(a_hello_that_is_refused_is_logged)
{
    begin();
    tls_peer_hold(&peer);
    ck_assert_int_eq(send(peer.fd, "\x16\3\1\x40\0\1\2\0\0\3", 10, 0), 10);
    RUN_UNTIL(base, !conn);
    ASSERT_HAS(kept_last(), " stage=hello reason=hello_refused hint=");
    ASSERT_HAS(kept_last(), " alert_sent=\"illegal parameter\"");
    ASSERT_HAS(kept_last(), " detail=\"excessive message size\"");
}

/* --- How clients end --- */

TEST(half_closed_tcp)
{
    begin_connected();
    for (unsigned i = 0; i < 1000; i++) {
        put_request(i, 20);
    }
    send_all(0);
    RUN_UNTIL(base, tls_peer_all_sent(&peer));
    tls_peer_shut_write(&peer);
    RUN_UNTIL(base, peer.closed && !conn);
    await_replies();
}

TEST(ended_in_a_frame)
{
    begin_connected();
    put_request(0, 20);
    send_all(0);
    put_frame(requests, SC_FRAME_ECHO, "never whole", 11);
    tls_peer_write(&peer, evbuffer_pullup(requests, 18), 18);
    tls_peer_close_notify(&peer);
    RUN_UNTIL(base, peer.closed && !conn);
    await_replies();
    ck_assert_uint_eq(sc_stats_get(&stats.closed[SC_CLOSE_TRUNCATED]), 1);
}

/* --- Clients that make us wait --- */

TEST(handshake_timeout)
{
    limits.handshake_timeout_ms = 50;
    begin();
    tls_peer_hold(&peer);
    RUN_UNTIL(base, !conn);
    ck_assert_uint_eq(sc_stats_get(&stats.handshakes_failed[SC_TLS_REASON_TIMEOUT]), 1);
    ck_assert_uint_eq(sc_stats_handshakes_failed(&stats), 1);
}

static void on_drip(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    (void)arg;
    if (!peer.closed) {
        tls_peer_write(&peer, "x", 1);
    }
}

/* Bytes that keep coming do not move the deadline of a frame. */
TEST(frame_timeout)
{
    uint8_t header[SC_FRAME_HEADER_BYTES];
    const struct timeval often = {.tv_sec = 0, .tv_usec = 5000};
    limits.frame_timeout_ms = 60;
    begin_connected();
    sc_frame_put_header(header, SC_FRAME_ECHO, 60000);
    tls_peer_write(&peer, header, sizeof(header));
    struct event *drip = event_new(base, -1, EV_PERSIST, on_drip, NULL);
    event_add(drip, &often);
    expect_error(SC_ERROR_OVER_LIMIT, 0, "the frame did not arrive in time (frame-timeout)");
    RUN_UNTIL(base, peer.closed);
    event_free(drip);
    await_replies();
    ck_assert_int_eq(conn->close_reason, SC_CLOSE_FRAME_TIMEOUT);
}

TEST(idle_timeout)
{
    limits.idle_timeout_ms = 50;
    begin_connected();
    expect_error(SC_ERROR_OVER_LIMIT, 0, "no request for too long (idle-timeout)");
    RUN_UNTIL(base, peer.closed);
    await_replies();
    ck_assert_int_eq(conn->close_reason, SC_CLOSE_IDLE_TIMEOUT);
}

/* A reload may bring a limit where there was none. */
TEST(idle_timeout_of_a_reload)
{
    limits.idle_timeout_ms = 0;
    limits.handshake_timeout_ms = 500;
    begin_connected();
    RUN_UNTIL(base, conn->timer.due_ms == SC_WHEEL_NEVER);
    limits.idle_timeout_ms = 50;
    sc_conn_limits_changed(conn);
    RUN_UNTIL(base, peer.closed);
    ck_assert_int_eq(conn->close_reason, SC_CLOSE_IDLE_TIMEOUT);
}

/*
 * Many more replies than the client reads: what waits is bounded, and nothing is lost when it
 * reads again.
 */
static void flood(void)
{
    begin_connected();
    tls_peer_stop_reading(&peer);
    for (unsigned i = 0; i < 300; i += 3) {
        put_request(i, 65000);
    }
    send_all(0);
    RUN_UNTIL(base, !conn || sc_stats_get(&stats.paused) >
                                 0); /* a short write-timeout may be over by then */
    run_ready(base);
}

TEST(output_limit)
{
    flood();
    /* Far from all of it has been read: 256 KiB of replies, and what the kernel holds. */
    ck_assert_uint_lt(sc_stats_get(&stats.requests[0]), 30);
    const uint64_t answered = sc_stats_get(&stats.requests[0]);
    run_ready(base);
    ck_assert_uint_eq(sc_stats_get(&stats.requests[0]), answered);
    tls_peer_start_reading(&peer);
    await_replies();
    ck_assert_uint_eq(sc_stats_get(&stats.requests[0]), 100);
}

TEST(write_timeout)
{
    limits.write_timeout_ms = 80;
    flood();
    RUN_UNTIL(base, !conn);
    ck_assert_uint_eq(sc_stats_get(&stats.closed[SC_CLOSE_WRITE_TIMEOUT]), 1);
}

/* All requests have been read when the client stops reading: nothing but its reading wakes us. */
TEST(what_was_read_is_answered_when_there_is_room)
{
    /* 40 KB of requests, 180 KB of replies: more than the sockets take, in whatever pieces they
     * come. */
    const unsigned count = 5000;
    limits.output_limit_bytes = 4096;
    begin_connected();
    stop_reading_at_once();
    for (unsigned i = 0; i < count; i++) {
        put_request(2, 0);
    }
    send_all(0);
    RUN_UNTIL(base, sc_stats_get(&stats.paused) > 0 && tls_peer_all_sent(&peer));
    run_ready(base);
    ck_assert_uint_lt(sc_stats_get(&stats.errors[SC_ERROR_UNKNOWN_TYPE]), count);
    tls_peer_start_reading(&peer);
    await_replies();
}

/* One that is longer than the limit: what was read with it is not answered as well. */
TEST(a_large_reply_counts_for_the_limit)
{
    static uint8_t body[300000];
    limits.max_body_bytes = sizeof(body);
    limits.output_limit_bytes = 100000;
    begin_connected();
    stop_reading_at_once();
    put_frame(requests, SC_FRAME_ECHO, body, sizeof(body));
    put_frame(expected, SC_FRAME_ECHO, body, sizeof(body));
    for (unsigned i = 0; i < 150; i += 3) {
        put_request(i, 300);
    }
    send_all(0);
    RUN_UNTIL(base, sc_stats_get(&stats.paused) > 0 && tls_peer_all_sent(&peer));
    run_ready(base);
    ck_assert_uint_eq(sc_stats_get(&stats.requests[0]), 1);
    tls_peer_start_reading(&peer);
    await_replies();
}

/* What waits already counts, too: only the last reply may go beyond the limit. */
TEST(what_waits_counts_for_the_limit)
{
    static uint8_t body[190000];
    size_t most = 0;
    limits.max_body_bytes = sizeof(body);
    limits.output_limit_bytes = 200000;
    begin_connected();
    stop_reading_at_once();
    put_frame(requests, SC_FRAME_ECHO, body, sizeof(body));
    put_frame(expected, SC_FRAME_ECHO, body, sizeof(body));
    send_all(0);
    RUN_UNTIL(base, sc_stats_get(&stats.requests[0]) == 1);
    run_ready(base);
    for (unsigned i = 0; i < 60; i += 3) {
        put_request(i, 3000);
    }
    send_all(0);
    RUN_UNTIL(base, tls_peer_all_sent(&peer));
    for (int i = 0; i < 20; i++) {
        (void)event_base_loop(base, EVLOOP_NONBLOCK);
        most = sc_tlsbev_pending(conn->tls) > most ? sc_tlsbev_pending(conn->tls) : most;
    }
    ck_assert_uint_gt(most, 100000);
    ck_assert_uint_lt(most, 205000);
    tls_peer_start_reading(&peer);
    await_replies();
}

/*
 * A client that sends small requests faster than they are answered fills its socket, not our
 * memory.
 */
TEST(small_requests_are_not_hoarded)
{
    const unsigned count = 400000;
    uint64_t most = 0, most_answered = 0;
    begin_connected();
    for (unsigned i = 0; i < count; i++) {
        put_frame(requests, SC_FRAME_ECHO, "", 0);
    }
    evbuffer_add_buffer_reference(expected, requests);
    send_all(0);
    while (sc_stats_get(&stats.requests[0]) < count) {
        const uint64_t before = sc_stats_get(&stats.requests[0]);
        run_once(base);
        const uint64_t answered = sc_stats_get(&stats.requests[0]) - before;
        most_answered = answered > most_answered ? answered : most_answered;
        const uint64_t waits = sc_tlsbev_received(conn->tls) -
                               sc_stats_get(&stats.requests[0]) * SC_FRAME_HEADER_BYTES;
        most = waits > most ? waits : most;
    }
    ck_assert_uint_lt(most, 256U << 10);
    ck_assert_uint_lt(most_answered, 1000); /* then it is the turn of others */
    await_replies();
}

/* --- The end of the server --- */

TEST(drained)
{
    begin_connected();
    for (unsigned i = 0; i < 900; i++) {
        put_request(i, 30);
    }
    send_all(0);
    RUN_UNTIL(base, tls_peer_all_sent(&peer) && sc_stats_get(&stats.requests[0]) > 0);
    sc_conn_drain(conn, 1234);
    expect_error(SC_ERROR_GOING_AWAY, 1234, "the server is stopping; come back later");
    RUN_UNTIL(base, peer.closed);
    await_replies();
    tls_peer_close_notify(&peer);
    tls_peer_shut_write(&peer);
    RUN_UNTIL(base, !conn);
}

TEST(drained_in_the_handshake)
{
    begin();
    sc_conn_drain(conn, 99);
    expect_error(SC_ERROR_GOING_AWAY, 99, "the server is stopping; come back later");
    RUN_UNTIL(base, peer.closed);
    await_replies();
}

TEST(freed_at_any_time)
{
    for (int turns = 0; turns < 10; turns++) {
        begin();
        for (int i = 0; i < turns && conn; i++) {
            (void)event_base_loop(base, EVLOOP_NONBLOCK);
        }
        sc_conn_free(conn);
        ck_assert_ptr_null(conn);
        run_ready(base);
        if (turns < 9) {
            tls_peer_fini(&peer);
        }
    }
}

SUITE_MAIN("conn", any_split, a_long_pipeline, large_bodies, too_large, bytes_are_counted,
           a_client_is_checked_after_its_handshake, a_hello_that_is_refused_is_logged,
           half_closed_tcp, ended_in_a_frame, handshake_timeout, frame_timeout, idle_timeout,
           idle_timeout_of_a_reload, output_limit, write_timeout,
           what_was_read_is_answered_when_there_is_room, a_large_reply_counts_for_the_limit,
           what_waits_counts_for_the_limit, small_requests_are_not_hoarded, drained,
           drained_in_the_handshake, freed_at_any_time)

/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <sys/socket.h>

#include <event2/buffer.h>

#include "conn_fixture.h"
#include "proto/frame.h"
#include "server/conn_deadline.h"

/*
 * What a connection waits for, and how long: by a clock that stands still until the test moves it.
 */
static uint64_t now_ns;

static void set_clock(uint64_t ns)
{
    now_ns = ns;
    sc_clock_fake(&now_ns, NULL);
}

/* Lets time go by, and what is due then happen. */
static void pass(uint64_t ms)
{
    set_clock(now_ns + ms * 1000000U);
    sc_wheel_run(worker.wheel);
    run_ready(base);
}

static void test_init(void)
{
    set_clock(5000000000U);
    conn_fixture_init(NULL);
    limits.output_limit_bytes = 4U << 20;
    limits.handshake_timeout_ms = 3000;
    limits.frame_timeout_ms = 4000;
    limits.idle_timeout_ms = 10000;
    limits.write_timeout_ms = 1000;
    begin();
}

static void connect_peer(void)
{
    await_open();
    run_ready(base);
}

static void test_fini(void)
{
    end();
    conn_fixture_fini();
    sc_clock_fake(NULL, NULL);
}

static void send_echo(size_t length)
{
    static uint8_t frame[SC_FRAME_HEADER_BYTES + 200000];
    sc_frame_put_header(frame, SC_FRAME_ECHO, (uint32_t)length);
    tls_peer_write(&peer, frame, SC_FRAME_HEADER_BYTES + length);
}

/* The server ends its side: an ERROR frame of that code, close_notify, and a FIN. */
static void expect_refusal(enum sc_error_code code)
{
    struct sc_frame_error error;
    RUN_UNTIL(base, peer.closed && peer.eof);
    const size_t length = evbuffer_get_length(peer.got);
    const uint8_t *frame = evbuffer_pullup(peer.got, -1);
    ck_assert_uint_gt(length, SC_FRAME_HEADER_BYTES);
    ck_assert_int_eq(
        sc_frame_get_error(frame + SC_FRAME_HEADER_BYTES, length - SC_FRAME_HEADER_BYTES, &error),
        0);
    ck_assert_uint_eq(error.code, code);
}

/* --- The handshake --- */

TEST(a_handshake_has_a_deadline)
{
    tls_peer_hold(&peer);
    pass(2900);
    ck_assert_ptr_nonnull(conn);
    pass(200);
    ck_assert_ptr_null(conn);
    ck_assert_uint_eq(sc_stats_get(&stats.handshakes_failed[SC_TLS_REASON_TIMEOUT]), 1);
}

TEST(a_proxy_header_takes_of_its_time)
{
    end();
    header_ns = 2000000000U;
    begin();
    header_ns = 0;
    tls_peer_hold(&peer);
    pass(900);
    ck_assert_ptr_nonnull(conn);
    pass(200);
    ck_assert_ptr_null(conn);
}

/* One that waits for handshake-rate has the same. */
static void begin_waiting(void)
{
    end();
    sc_admission_set_rate(&admission, 1);
    while (sc_admission_try(&admission.full)) {
    }
    begin();
    RUN_UNTIL(base, sc_stats_get(&stats.handshakes_delayed) == 1);
}

TEST(a_waiting_handshake_has_a_deadline)
{
    begin_waiting();
    set_clock(now_ns + 2900000000U); /* nothing else runs: it would get its token */
    sc_wheel_run(worker.wheel);
    ck_assert_ptr_nonnull(conn);
    set_clock(now_ns + 200000000U);
    sc_wheel_run(worker.wheel);
    ck_assert_ptr_null(conn);
    ck_assert_uint_eq(sc_stats_get(&stats.handshakes_failed[SC_TLS_REASON_TIMEOUT]), 1);
    sc_admission_set_rate(&admission, 0);
}

/* --- Requests --- */

TEST(a_request_restarts_idle_timeout)
{
    connect_peer();
    for (size_t i = 1; i <= 4; i++) {
        pass(7000);
        ck_assert(!peer.closed);
        send_echo(10);
        RUN_UNTIL(base, evbuffer_get_length(peer.got) == i * 18);
    }
    evbuffer_drain(peer.got, evbuffer_get_length(peer.got));
    pass(9900);
    ck_assert(!peer.closed);
    pass(200);
    expect_refusal(SC_ERROR_OVER_LIMIT);
    ck_assert_int_eq(conn->close_reason, SC_CLOSE_IDLE_TIMEOUT);
}

/* A request costs no work on timers: the one that runs looks again when it fires. */
TEST(a_request_leaves_the_timer_alone)
{
    connect_peer();
    const uint64_t due_ms = conn->timer.due_ms;
    pass(100);
    send_echo(10);
    RUN_UNTIL(base, evbuffer_get_length(peer.got) == 18);
    ck_assert_uint_eq(conn->timer.due_ms, due_ms);
}

TEST(idle_timeout_is_off_at_0)
{
    limits.idle_timeout_ms = 0;
    connect_peer();
    pass(100000000);
    ck_assert_ptr_nonnull(conn);
    ck_assert(!peer.closed);
}

/* From its first byte, whatever follows; and each has its own. */
TEST(a_frame_has_a_deadline)
{
    connect_peer();
    uint8_t frame[SC_FRAME_HEADER_BYTES + 10] = {0};
    sc_frame_put_header(frame, SC_FRAME_ECHO, 10);
    for (size_t i = 1; i <= 3; i++) {
        tls_peer_write(&peer, frame, 5);
        run_ready(base);
        pass(3000);
        tls_peer_write(&peer, frame + 5, sizeof(frame) - 5);
        RUN_UNTIL(base, evbuffer_get_length(peer.got) == i * 18);
    }
    evbuffer_drain(peer.got, evbuffer_get_length(peer.got));
    for (size_t i = 0; i < 3; i++) {
        tls_peer_write(&peer, frame + i, 1);
        run_ready(base);
        pass(1300);
        ck_assert(!peer.closed);
    }
    pass(200);
    expect_refusal(SC_ERROR_OVER_LIMIT);
    ck_assert_int_eq(conn->close_reason, SC_CLOSE_FRAME_TIMEOUT);
}

/* Each from its own first byte, also when that comes with the end of the one before. */
TEST(a_frame_behind_another_has_a_deadline_of_its_own)
{
    uint8_t frames[2 * (SC_FRAME_HEADER_BYTES + 10)] = {0};
    sc_frame_put_header(frames, SC_FRAME_ECHO, 10);
    memcpy(frames + sizeof(frames) / 2, frames, sizeof(frames) / 2);
    connect_peer();
    tls_peer_write(&peer, frames, 5);
    run_ready(base);
    pass(3000);
    tls_peer_write(&peer, frames + 5, 20);
    RUN_UNTIL(base, evbuffer_get_length(peer.got) == 18);
    pass(3000);
    ck_assert(!peer.closed);
    tls_peer_write(&peer, frames + 25, sizeof(frames) - 25);
    RUN_UNTIL(base, evbuffer_get_length(peer.got) == 36);
}

/* One of an unknown type, whose bytes are not kept, too. */
TEST(a_frame_that_is_skipped_has_a_deadline)
{
    uint8_t frame[SC_FRAME_HEADER_BYTES + 10] = {0};
    sc_frame_put_header(frame, 4711, 1000);
    connect_peer();
    for (int i = 0; i < 3; i++) {
        tls_peer_write(&peer, frame, i == 0 ? sizeof(frame) : 10);
        run_ready(base);
        pass(1300);
        ck_assert(!peer.closed);
    }
    pass(200);
    expect_refusal(SC_ERROR_OVER_LIMIT);
    ck_assert_int_eq(conn->close_reason, SC_CLOSE_FRAME_TIMEOUT);
}

/* It does not run while the server does not read. */
TEST(a_frame_has_no_deadline_while_replies_wait)
{
    static uint8_t frame[SC_FRAME_HEADER_BYTES + 190000];
    sc_frame_put_header(frame, SC_FRAME_ECHO, 190000);
    limits.max_body_bytes = 190000;
    limits.output_limit_bytes = 4096;
    limits.write_timeout_ms = 1000000;
    connect_peer();
    stop_reading_at_once();
    tls_peer_hold(&peer);
    tls_peer_write(&peer, frame, sizeof(frame));
    tls_peer_write(&peer, frame, 3);
    tls_peer_release(&peer);
    RUN_UNTIL(base, conn->frame_since_ms != 0 && sc_stats_get(&stats.requests[0]) == 1);
    tls_peer_write(&peer, frame + 3, 3);
    RUN_UNTIL(base, sc_stats_get(&stats.paused) > 0);
    pass(5000);
    tls_peer_start_reading(&peer);
    RUN_UNTIL(base, evbuffer_get_length(peer.got) == sizeof(frame));
    pass(3900);
    ck_assert(!peer.closed);
    tls_peer_write(&peer, frame + 6, sizeof(frame) - 6);
    RUN_UNTIL(base, evbuffer_get_length(peer.got) == 2 * sizeof(frame));
}

/* --- A reload --- */

TEST(a_shorter_idle_timeout_holds_at_once)
{
    connect_peer();
    pass(1500);
    limits.idle_timeout_ms = 2000;
    sc_conn_limits_changed(conn);
    pass(600);
    expect_refusal(SC_ERROR_OVER_LIMIT);
}

TEST(a_shorter_frame_timeout_holds_at_once)
{
    connect_peer();
    tls_peer_write(&peer, "x", 1);
    run_ready(base);
    pass(500);
    limits.frame_timeout_ms = 700;
    sc_conn_limits_changed(conn);
    pass(300);
    expect_refusal(SC_ERROR_OVER_LIMIT);
    ck_assert_int_eq(conn->close_reason, SC_CLOSE_FRAME_TIMEOUT);
}

TEST(a_shorter_handshake_timeout_holds_at_once)
{
    tls_peer_hold(&peer);
    pass(500);
    limits.handshake_timeout_ms = 600;
    sc_conn_limits_changed(conn);
    pass(200);
    ck_assert_ptr_null(conn);
}

/* --- The end --- */

/* After our close_notify the client has two seconds to end its side. */
TEST(a_closing_connection_has_a_deadline)
{
    connect_peer();
    sc_conn_drain(conn, 1234);
    expect_refusal(SC_ERROR_GOING_AWAY);
    pass(1900);
    ck_assert_ptr_nonnull(conn);
    send_echo(10); /* dropped, and does not move it */
    pass(200);
    ck_assert_ptr_null(conn);
}

/* Not before the last byte has left. */
TEST(it_lingers_from_the_last_byte_on)
{
    connect_peer();
    tls_peer_stop_reading(&peer);
    for (int i = 0; i < 10; i++) {
        send_echo(60000);
    }
    RUN_UNTIL(base, tls_peer_all_sent(&peer) && sc_stats_get(&stats.requests[0]) == 10);
    sc_conn_drain(conn, 1234);
    RUN_UNTIL(base, conn->state == SC_CONN_CLOSING);
    ck_assert(sc_tlsbev_is_blocked(conn->tls));
    limits.write_timeout_ms = 100000;
    pass(5000);
    ck_assert_ptr_nonnull(conn);
    tls_peer_start_reading(&peer);
    RUN_UNTIL(base, peer.closed && peer.eof);
    pass(1900);
    ck_assert_ptr_nonnull(conn);
    pass(200);
    ck_assert_ptr_null(conn);
}

/* What comes after the last request is read and dropped, whatever was held back before. */
TEST(what_comes_after_the_end_is_read)
{
    static uint8_t junk[100000];
    uint8_t header[SC_FRAME_HEADER_BYTES];
    connect_peer();
    tls_peer_hold(&peer);
    for (int i = 0; i < 800; i++) {
        send_echo(0);
    }
    sc_frame_put_header(header, SC_FRAME_ECHO, 65537);
    tls_peer_write(&peer, header, sizeof(header));
    tls_peer_write(&peer, junk, sizeof(junk));
    tls_peer_release(&peer);
    RUN_UNTIL(base, peer.closed && tls_peer_all_sent(&peer));
    tls_peer_close_notify(&peer);
    tls_peer_flush(&peer);
    tls_peer_shut_write(&peer);
    RUN_UNTIL(base, !conn);
}

/* Nobody who has ended is lingered for; not even while the last replies leave. */
TEST(who_has_ended_is_not_waited_for)
{
    connect_peer();
    tls_peer_stop_reading(&peer);
    for (int i = 0; i < 10; i++) {
        send_echo(60000);
    }
    RUN_UNTIL(base, tls_peer_all_sent(&peer) && sc_stats_get(&stats.requests[0]) == 10);
    tls_peer_close_notify(&peer);
    tls_peer_flush(&peer);
    tls_peer_shut_write(&peer);
    RUN_UNTIL(base, conn->state == SC_CONN_CLOSING);
    ck_assert(sc_tlsbev_is_blocked(conn->tls));
    tls_peer_start_reading(&peer);
    RUN_UNTIL(base, !conn);
    RUN_UNTIL(base, peer.closed);
    ck_assert_uint_eq(evbuffer_get_length(peer.got), 600080);
}

/* It ends its side when we have ended ours, and has not read everything yet. */
TEST(what_waits_still_leaves_when_the_client_has_ended)
{
    connect_peer();
    tls_peer_stop_reading(&peer);
    for (int i = 0; i < 10; i++) {
        send_echo(60000);
    }
    RUN_UNTIL(base, tls_peer_all_sent(&peer) && sc_stats_get(&stats.requests[0]) == 10);
    sc_conn_drain(conn, 1234);
    RUN_UNTIL(base, conn->state == SC_CONN_CLOSING);
    ck_assert(sc_tlsbev_is_blocked(conn->tls));
    tls_peer_close_notify(&peer);
    tls_peer_flush(&peer);
    tls_peer_shut_write(&peer);
    RUN_UNTIL(base, conn->input_ended);
    run_ready(base);
    tls_peer_start_reading(&peer);
    RUN_UNTIL(base, !conn);
    RUN_UNTIL(base, peer.closed);
    ck_assert_uint_gt(evbuffer_get_length(peer.got), 600080); /* and the goodbye */
}

/* A reply that had memory of its own: it goes back to the system soon. */
TEST(after_a_large_reply_memory_is_trimmed)
{
    limits.max_body_bytes = 200000;
    connect_peer();
    pass(5000);
    send_echo(65000);
    RUN_UNTIL(base, sc_stats_get(&stats.requests[0]) == 1);
    ck_assert_uint_lt(worker.memory_trim.last_ms, now_ns / 1000000U);
    send_echo(150000);
    RUN_UNTIL(base, sc_stats_get(&stats.requests[0]) == 2);
    ck_assert_uint_eq(worker.memory_trim.last_ms, now_ns / 1000000U);
}

/* So does what a handshake has needed. */
TEST(after_a_handshake_memory_is_trimmed)
{
    ck_assert(!worker.memory_trim.is_armed);
    connect_peer();
    ck_assert(worker.memory_trim.is_armed);
}

/* --- Clients that read slowly --- */

/* So many replies that the peer does not read. */
static void flood(uint64_t count)
{
    connect_peer();
    tls_peer_stop_reading(&peer);
    for (uint64_t i = 0; i < count; i++) {
        send_echo(65000);
    }
    RUN_UNTIL(base, sc_stats_get(&stats.requests[0]) == count);
    run_ready(base);
    ck_assert(sc_tlsbev_is_blocked(conn->tls));
}

/* Takes so many bytes out of the peer's socket, and nobody looks at them. */
static void take(size_t bytes)
{
    static uint8_t room[65536];
    for (int tries = 0; bytes > 0 && tries < 1000; tries++) {
        const ssize_t got =
            recv(peer.fd, room, bytes < sizeof(room) ? bytes : sizeof(room), MSG_DONTWAIT);
        if (got > 0) {
            bytes -= (size_t)got;
        }
        run_ready(base);
    }
    ck_assert_uint_eq(bytes, 0);
}

TEST(a_client_that_does_not_read)
{
    flood(10);
    pass(900);
    ck_assert_ptr_nonnull(conn);
    pass(400);
    ck_assert_ptr_null(conn);
    ck_assert_uint_eq(sc_stats_get(&stats.closed[SC_CLOSE_WRITE_TIMEOUT]), 1);
}

/* Nothing else happens on the connection. */
TEST(a_client_that_does_not_read_the_only_reply)
{
    limits.idle_timeout_ms = 0;
    connect_peer();
    stop_reading_at_once();
    send_echo(65000);
    RUN_UNTIL(base, sc_stats_get(&stats.requests[0]) == 1);
    run_ready(base);
    ck_assert(sc_tlsbev_is_blocked(conn->tls));
    pass(900);
    ck_assert_ptr_nonnull(conn);
    pass(400);
    ck_assert_ptr_null(conn);
}

/* Its time begins when it has read last, or a quarter of it later. */
TEST(a_client_that_stops_reading)
{
    int ms = 100;
    flood(60);
    pass(100);
    take(1000000);
    for (; conn && ms < 5000; ms += 100) {
        pass(100);
    }
    ck_assert_int_ge(ms, 1100);
    ck_assert_int_le(ms, 1700);
}

/* Each time before write-timeout is over; but ten of them are enough for what waits. */
TEST(a_client_that_reads_too_slowly)
{
    int steps = 0;
    flood(60);
    for (; conn && sc_tlsbev_is_blocked(conn->tls); steps++) {
        take(130000);
        pass(500);
    }
    ck_assert_ptr_null(conn);
    ck_assert_int_ge(steps, 20);
    ck_assert_int_le(steps, 25);
    ck_assert_uint_eq(sc_stats_get(&stats.closed[SC_CLOSE_WRITE_TIMEOUT]), 1);
}

/* There is always something that waits, but nothing for too long. */
TEST(a_client_that_reads_slowly)
{
    flood(30);
    for (int i = 0; i < 50; i++) {
        send_echo(65000);
        send_echo(65000);
        take(130000);
        pass(500);
        ck_assert_msg(conn != NULL, "after %d", i);
        ck_assert(sc_tlsbev_is_blocked(conn->tls));
    }
    ck_assert_uint_eq(sc_stats_get(&stats.closed[SC_CLOSE_WRITE_TIMEOUT]), 0);
}

SUITE_MAIN("conn_deadline", a_handshake_has_a_deadline, a_proxy_header_takes_of_its_time,
           a_waiting_handshake_has_a_deadline, a_request_restarts_idle_timeout,
           a_request_leaves_the_timer_alone, idle_timeout_is_off_at_0, a_frame_has_a_deadline,
           a_frame_behind_another_has_a_deadline_of_its_own, a_frame_that_is_skipped_has_a_deadline,
           a_frame_has_no_deadline_while_replies_wait, a_shorter_idle_timeout_holds_at_once,
           a_shorter_frame_timeout_holds_at_once, a_shorter_handshake_timeout_holds_at_once,
           a_closing_connection_has_a_deadline, it_lingers_from_the_last_byte_on,
           what_comes_after_the_end_is_read, who_has_ended_is_not_waited_for,
           what_waits_still_leaves_when_the_client_has_ended, after_a_large_reply_memory_is_trimmed,
           after_a_handshake_memory_is_trimmed, a_client_that_does_not_read,
           a_client_that_does_not_read_the_only_reply, a_client_that_stops_reading,
           a_client_that_reads_too_slowly, a_client_that_reads_slowly)

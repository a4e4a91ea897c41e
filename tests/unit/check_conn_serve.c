/* SPDX-License-Identifier: MIT */
/* How much a connection answers at once, for a client that does not read. */
#include "config.h"

#include "conn_fixture.h"
#include "proto/frame.h"
#include "proto/handler.h"
#include "proto/pins.h"

#define COLLECTED (12U << 10) /* replies that are encrypted together */
#define LIMIT 30000U
#define MAX_OVER 2048U /* the last reply, and what TLS adds */
#define LARGE 120000U /* more than that and what sockets take */

static uint8_t requests[LARGE + 8192];
static size_t used;

/* The reply to PINS, whose request is 8 bytes, is 200 with two keys. */
static void test_init(void)
{
    conn_fixture_init(NULL);
    sc_tls_context_unref(server_context);
    fixture_write_pair("server", "P-256");
    fixture_write_pair("next", "P-256");
    struct sc_tls_server_settings settings = fixture_settings("server");
    settings.next_private_key_path = fixture_path("next.key");
    server_context = fixture_server(&settings);
    ck_assert_uint_gt(worker.replies.size, COLLECTED);
    ck_assert_uint_gt(COLLECTED, SC_FRAME_HEADER_BYTES + SC_PINS_MAX_BYTES);
    worker.replies.size = COLLECTED;
    limits.output_limit_bytes = LIMIT;
    limits.max_body_bytes = LARGE;
    used = 0;
    begin();
    await_open();
    stop_reading_at_once();
}

static void test_fini(void)
{
    end();
    conn_fixture_fini();
}

static void put_request(uint32_t type, size_t length)
{
    sc_frame_put_header(requests + used, type, (uint32_t)length);
    used += SC_FRAME_HEADER_BYTES + length;
    ck_assert_uint_le(used, sizeof(requests));
}

/* They arrive together. */
static void send_requests(void)
{
    tls_peer_hold(&peer);
    tls_peer_write(&peer, requests, used);
    tls_peer_release(&peer);
    used = 0;
}

static void ask_for_pins(unsigned count)
{
    while (count-- > 0) {
        put_request(SC_FRAME_PINS, 0);
    }
    send_requests();
}

static uint64_t answered(uint32_t type)
{
    return sc_stats_get(&stats.requests[sc_handler_index(sc_handler_find(type))]);
}

/* Also of those that were encrypted before the end of the cycle. */
TEST(the_replies_of_a_cycle_are_counted)
{
    ask_for_pins(600);
    RUN_UNTIL(base, conn->paused);
    ck_assert_uint_ge(sc_tlsbev_pending(conn->tls), LIMIT);
    ck_assert_uint_le(sc_tlsbev_pending(conn->tls), LIMIT + MAX_OVER);
}

TEST(what_waits_already_is_counted)
{
    for (uint64_t i = 1; sc_tlsbev_pending(conn->tls) < LIMIT / 2; i++) {
        put_request(SC_FRAME_ECHO, 4000);
        send_requests();
        RUN_UNTIL(base, answered(SC_FRAME_ECHO) == i);
    }
    ck_assert(!conn->paused);
    ask_for_pins(600);
    RUN_UNTIL(base, conn->paused);
    ck_assert_uint_le(sc_tlsbev_pending(conn->tls), LIMIT + MAX_OVER);
}

/* A reply that has memory of its own is more than the limit: nothing is answered behind it. */
TEST(a_large_reply_is_counted)
{
    put_request(SC_FRAME_ECHO, LARGE);
    for (unsigned i = 0; i < 200; i++) {
        put_request(SC_FRAME_PINS, 0);
    }
    send_requests();
    RUN_UNTIL(base, conn->paused);
    ck_assert_uint_eq(answered(SC_FRAME_ECHO), 1);
    ck_assert_uint_eq(answered(SC_FRAME_PINS), 0);
}

SUITE_MAIN("conn_serve", the_replies_of_a_cycle_are_counted, what_waits_already_is_counted,
           a_large_reply_is_counted)

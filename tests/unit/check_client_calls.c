/* SPDX-License-Identifier: MIT */
/* A client over sockets: whose reply a call takes, what is cancelled, how long there is to wait. */
#include "config.h"

#include "client_fixture.h"
#include "tls/keygen.h"
#include "tls/pin.h"
#include "tls/pins_message.h"

START_TEST(a_call_takes_its_own_reply)
{
    static const struct turn turns[] = {{0, STAYS}};
    set_up(turns, SC_COUNT_OF(turns), 0);
    send_text("first");
    send_text("second");
    ck_assert_int_eq(sc_client_call(client, SC_CLIENT_ECHO, "third", 5, &reply, &error), 0);
    ck_assert_uint_eq(reply.request, 3);
    ck_assert_uint_eq(reply.length, 5);
    ck_assert_mem_eq(reply.body, "third", 5);
    ck_assert_uint_eq(sc_client_unanswered(client), 0);
    tear_down();
}
END_TEST

START_TEST(the_times_of_a_connection_are_told)
{
    static const struct turn turns[] = {{0, STAYS}};
    struct sc_client_info info = SC_CLIENT_INFO_INIT;
    const uint64_t begin_ns = sc_clock_ns();
    set_up(turns, SC_COUNT_OF(turns), 0);
    const uint64_t passed_ns = sc_clock_ns() - begin_ns;
    ck_assert_int_eq(sc_client_info(client, &info), 0);
    ck_assert_uint_gt(info.connect_ns, 0);
    ck_assert_uint_gt(info.handshake_ns, 0);
    ck_assert_uint_le(info.connect_ns + info.handshake_ns, passed_ns);
    tear_down();
}
END_TEST

START_TEST(a_loop_knows_what_to_wait_for)
{
    static const struct turn turns[] = {{1, MUTE}};
    set_up(turns, SC_COUNT_OF(turns), 0);
    sc_client_process(client); /* the last message of the handshake leaves */
    /* Nothing is asked: there is no hurry. */
    ck_assert_int_eq(sc_client_timeout_ms(client), -1);
    ck_assert_int_eq(sc_client_events(client), POLLIN);
    send_text("a");
    ck_assert_int_eq(sc_client_events(client), POLLIN | POLLOUT);
    expect_reply(1, "a");
    ck_assert_int_eq(sc_client_timeout_ms(client), -1);
    /* A reply is due within the limit of the settings, 10 s. */
    send_text("b");
    sc_client_process(client);
    ck_assert_int_eq(sc_client_events(client), POLLIN);
    const int left_ms = sc_client_timeout_ms(client);
    ck_assert_int_gt(left_ms, 0);
    ck_assert_int_le(left_ms, 10000);
    /* What has happened and was not told is not waited for. */
    sc_client_cancel(client);
    sc_client_close(client);
    expect(SC_CLIENT_EVENT_END);
    ck_assert_int_eq(sc_client_timeout_ms(client), -1);
    tear_down();
}
END_TEST

START_TEST(an_end_says_why)
{
    static const struct {
        struct turn turn;
        int code;
        uint32_t retry_after_ms;
        const char *text;
    } rows[] = {
        {{0, RESET}, SC_CLIENT_UNAVAILABLE, 0, "Connection reset by peer"},
        {{1, CUT}, SC_CLIENT_UNAVAILABLE, 0, "without close_notify"},
        {{1, CLOSED}, SC_CLIENT_UNAVAILABLE, 0, "it closed the connection"},
        {{1, LEAVES}, SC_CLIENT_UNAVAILABLE, 300, "going away (bye)"},
        {{1, LIMIT}, SC_CLIENT_REFUSED, 300, "over a limit (bye)"},
    };
    for (size_t i = 0; i < SC_COUNT_OF(rows); i++) {
        memset(&server, 0, sizeof(server));
        set_up(&rows[i].turn, 1, 0);
        send_text("a");
        if (rows[i].turn.replies > 0) {
            expect_reply(1, "a");
        }
        expect(SC_CLIENT_EVENT_END);
        ck_assert_int_eq(event.error->code, rows[i].code);
        ck_assert_int_eq(event.error->temporary, 1);
        ck_assert_uint_eq(event.error->retry_after_ms, rows[i].retry_after_ms);
        ck_assert_msg(strstr(event.error->text, rows[i].text) != NULL, "\"%s\" is not in: %s",
                      rows[i].text, event.error->text);
        tear_down();
    }
}
END_TEST

START_TEST(cancelled_requests_are_neither_answered_nor_sent_again)
{
    static const struct turn turns[] = {{1, MUTE}, {0, STAYS}};
    set_up(turns, SC_COUNT_OF(turns), 20000);
    send_text("a");
    expect_reply(1, "a");
    sc_client_cancel(client); /* nothing is under way */
    ck_assert_int_ge(sc_client_fd(client), 0);
    send_text("b");
    send_text("c");
    sc_client_process(client);
    sc_client_cancel(client);
    ck_assert_uint_eq(sc_client_unanswered(client), 0);
    send_text("d");
    expect(SC_CLIENT_EVENT_READY);
    expect_reply(4, "d");
    sc_client_close(client);
    expect(SC_CLIENT_EVENT_END);
    tear_down();
    ck_assert_str_eq(server.got, "a b c|d");

    memset(&server, 0, sizeof(server));
    set_up(turns, SC_COUNT_OF(turns), 0);
    send_text("a");
    send_text("b");
    expect_reply(1, "a");
    sc_client_cancel(client);
    expect(SC_CLIENT_EVENT_END);
    ck_assert_int_eq(event.error->code, SC_CLIENT_OK);
    tear_down();
}
END_TEST

/* Nothing was lost: the only reason is the one that follows. */
START_TEST(an_attempt_after_a_cancel_is_given_up_with_a_reason)
{
    static const struct turn turns[] = {{1, CUT}, {0, STAYS}};
    set_up(turns, SC_COUNT_OF(turns), 20000);
    send_text("a");
    expect_reply(1, "a");
    expect(SC_CLIENT_EVENT_LOST);
    send_text("b");
    expect(SC_CLIENT_EVENT_READY);
    (void)pthread_mutex_lock(&answering); /* and no other connection is accepted */
    send_text("c");
    sc_client_process(client);
    sc_client_cancel(client);
    send_text("d");
    const uint64_t later_ns = sc_clock_ns() + UINT64_C(3600000000000);
    sc_clock_fake(&later_ns, NULL);
    expect(SC_CLIENT_EVENT_END);
    sc_clock_fake(NULL, NULL);
    ck_assert_int_eq(event.error->code, SC_CLIENT_TIMEOUT);
    ck_assert_int_eq(event.error->temporary, 1);
    char expected[128];
    (void)snprintf(expected, sizeof(expected), "no connection to %s within 20s", server.address);
    ck_assert_str_eq(event.error->text, expected);
    ck_assert_uint_eq(event.unanswered, 1);
    (void)pthread_mutex_unlock(&answering);
    tear_down();
}
END_TEST

START_TEST(what_waits_is_bounded)
{
    static const struct turn turns[] = {{1, CUT}};
    static uint8_t big[SC_CLIENT_MAX_REQUEST_BYTES];
    set_up(turns, SC_COUNT_OF(turns), 20000);
    ck_assert_int_eq(sc_client_call(client, SC_CLIENT_ECHO, "a", 1, &reply, &error), 0);
    expect(SC_CLIENT_EVENT_LOST);
    for (unsigned i = 0; i < SC_CLIENT_MAX_REQUESTS; i++) {
        ck_assert(!sc_client_is_full(client));
        send_text("b");
    }
    ck_assert(sc_client_is_full(client));
    ck_assert_int_eq(sc_client_send(client, SC_CLIENT_ECHO, "", 0, &error), -1);
    ck_assert_int_eq(error.code, SC_CLIENT_SYSTEM);
    sc_client_cancel(client);
    ck_assert_int_gt(sc_client_send(client, SC_CLIENT_ECHO, big, sizeof(big), &error), 0);
    ck_assert(sc_client_is_full(client));
    ck_assert_int_eq(sc_client_send(client, SC_CLIENT_ECHO, "", 0, &error), -1);
    /* What is not kept any more leaves its room. */
    sc_client_cancel(client);
    ck_assert(!sc_client_is_full(client));
    ck_assert_int_gt(sc_client_send(client, SC_CLIENT_ECHO, big, sizeof(big) - 1, &error), 0);
    ck_assert(!sc_client_is_full(client));
    sc_client_cancel(client);
    ck_assert_int_gt(sc_client_send(client, SC_CLIENT_ECHO, "", 0, &error), 0);
    ck_assert_int_eq(sc_client_send(client, 0, "", 0, &error), -1);
    ck_assert_int_eq(error.code, SC_CLIENT_USAGE);
    sc_client_close(client);
    ck_assert_int_eq(sc_client_wait(client, 0, &event), 1);
    ck_assert_int_eq(event.type, SC_CLIENT_EVENT_END);
    ck_assert_int_eq(event.error->code, SC_CLIENT_OK);
    ck_assert_uint_eq(event.unanswered, 1);
    tear_down();
}
END_TEST

START_TEST(a_client_that_is_freed_sends_close_notify)
{
    static const struct turn turns[] = {{0, STAYS}};
    set_up(turns, SC_COUNT_OF(turns), 0);
    ck_assert_int_eq(sc_client_call(client, SC_CLIENT_ECHO, "a", 1, &reply, &error), 0);
    tear_down();
    ck_assert_uint_eq(server.notified, 1);
}
END_TEST

/* Who was away for longer than the limit of a reply. */
START_TEST(a_reply_that_has_arrived_is_in_time)
{
    static const struct turn turns[] = {{0, STAYS}};
    set_up(turns, SC_COUNT_OF(turns), 0);
    ck_assert_int_eq(sc_client_call(client, SC_CLIENT_ECHO, "a", 1, &reply, &error), 0);
    (void)pthread_mutex_lock(&answering);
    send_text("b");
    sc_client_process(client);
    (void)pthread_mutex_unlock(&answering);
    struct pollfd arrived = {.fd = sc_client_fd(client), .events = POLLIN};
    ck_assert_int_eq(poll(&arrived, 1, 20000), 1);
    const uint64_t later_ns = sc_clock_ns() + UINT64_C(3600000000000);
    sc_clock_fake(&later_ns, NULL);
    const int some = sc_client_next_event(client, &event);
    sc_clock_fake(NULL, NULL);
    ck_assert_int_eq(some, 1);
    ck_assert_int_eq(event.type, SC_CLIENT_EVENT_REPLY);
    tear_down();
}
END_TEST

START_TEST(a_pin_store_has_the_address_that_is_connected_to)
{
    static const struct turn turns[] = {{0, STAYS}};
    struct sc_client_stored_pin stored = SC_CLIENT_STORED_PIN_INIT;
    set_up(turns, SC_COUNT_OF(turns), 0);
    sc_client_free(client);
    sc_client_settings_free(settings);
    settings = sc_client_settings_new(NULL, &error);
    const char *path = fixture_path("pins");
    ck_assert_int_eq(
        sc_client_settings_set_pin_store(settings, path, NULL, SC_CLIENT_FIRST_USE_STORE, &error),
        0);
    client = sc_client_connect(settings, server.address, &error);
    ck_assert_msg(client != NULL, "%s", error.text);
    ck_assert_int_eq(sc_client_stored_pin(path, server.address, 0, &stored, &error), 1);
    tear_down();
}
END_TEST

static struct sc_pins_key keys[2]; /* the current one, and the next */
static uint8_t *spki[2];

/* The third connection is told of a next key, those before it of none. */
static void tell_pins(unsigned connection, uint8_t frame[1024], size_t *length)
{
    if (sc_frame_get_header(frame).type == SC_FRAME_PINS) {
        struct sc_pins_message message = {.current = keys[0]};
        uint8_t body[SC_PINS_MAX_BYTES];
        if (connection == 3) {
            message.next = keys[1];
        }
        *length = sc_pins_build(&message, body);
        ck_assert_uint_le(*length, 1024 - SC_FRAME_HEADER_BYTES);
        memcpy(frame + SC_FRAME_HEADER_BYTES, body, *length);
        sc_frame_put_header(frame, SC_FRAME_PINS, (uint32_t)*length);
    }
}

/* Which has to be a full handshake next, to learn it. */
START_TEST(no_session_is_given_out_after_news_over_a_resumed_connection)
{
    static const struct turn turns[] = {{0, STAYS}, {2, CUT}, {0, STAYS}};
    static const char *const names[] = {"server.key", "next.key"};
    uint8_t pin[SC_PIN_BYTES];
    change_reply = tell_pins;
    set_up(turns, SC_COUNT_OF(turns), 0);
    fixture_write_pair("next", "P-256");
    for (size_t i = 0; i < SC_COUNT_OF(names); i++) {
        EVP_PKEY *key = sc_keygen_read_key(fixture_path(names[i]), NULL, NULL, NULL);
        ck_assert_int_eq(sc_pin_of_key(key, i == 0 ? pin : keys[i].pin, NULL), 0);
        keys[i].spki_bytes = (size_t)i2d_PUBKEY(key, &spki[i]);
        keys[i].spki = spki[i];
        EVP_PKEY_free(key);
    }
    const char *path = fixture_path("pins");
    ck_assert_int_eq(sc_client_store_pin(path, server.address, pin, "given", &error), 0);
    sc_client_free(client);
    sc_client_settings_free(settings);
    settings = sc_client_settings_new(NULL, &error);
    ck_assert_int_eq(
        sc_client_settings_set_pin_store(settings, path, NULL, SC_CLIENT_FIRST_USE_REFUSE, &error),
        0);
    ck_assert_int_eq(sc_client_settings_set_retry(settings, 20000, &error), 0);
    client = sc_client_connect(settings, server.address, &error);
    ck_assert_msg(client != NULL, "%s", error.text);
    ck_assert_int_eq(sc_client_call(client, SC_CLIENT_ECHO, "a", 1, &reply, &error), 0);
    expect(SC_CLIENT_EVENT_LOST);
    ck_assert_uint_gt(sc_client_session(client, NULL, 0), 0);
    ck_assert_int_eq(sc_client_call(client, SC_CLIENT_ECHO, "b", 1, &reply, &error), 0);
    ck_assert_uint_eq(sc_client_session(client, NULL, 0), 0);
    tear_down();
    ck_assert_uint_eq(server.resumed, 1);
    OPENSSL_free(spki[0]);
    OPENSSL_free(spki[1]);
    change_reply = NULL;
}
END_TEST

START_TEST(settings_have_bounds)
{
    ck_assert_ptr_nonnull(settings = sc_client_settings_new(NULL, &error));
    for (uint32_t i = 0; i < 2; i++) {
        ck_assert_int_eq(sc_client_settings_set_timeout(settings, i * 86400001U, &error), -1);
        ck_assert_int_eq(error.code, SC_CLIENT_USAGE);
    }
    ck_assert_int_eq(sc_client_settings_set_timeout(settings, 86400000U, &error), 0);
    ck_assert_int_eq(sc_client_settings_set_retry(settings, 86400001U, &error), -1);
    ck_assert_int_eq(sc_client_settings_set_retry(settings, 86400000U, &error), 0);
    ck_assert_ptr_null(sc_client_start(settings, "127.0.0.1:1", &error));
    ck_assert_int_eq(error.code, SC_CLIENT_UNTRUSTED);
    sc_client_settings_free(settings);
}
END_TEST

SUITE_MAIN("client_calls", a_call_takes_its_own_reply, the_times_of_a_connection_are_told,
           a_loop_knows_what_to_wait_for, an_end_says_why,
           cancelled_requests_are_neither_answered_nor_sent_again,
           an_attempt_after_a_cancel_is_given_up_with_a_reason, what_waits_is_bounded,
           a_client_that_is_freed_sends_close_notify, a_reply_that_has_arrived_is_in_time,
           a_pin_store_has_the_address_that_is_connected_to,
           no_session_is_given_out_after_news_over_a_resumed_connection, settings_have_bounds)

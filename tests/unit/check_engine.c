/* SPDX-License-Identifier: MIT */
/* The client engine against a server in memory: no socket, no clock. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/ssl.h>

#include "base/compiler.h"
#include "engine_fixture.h"
#include "lib/saved_session.h"
#include "proto/frame.h"

START_TEST(the_first_flight_is_there_before_anything_is_asked)
{
    set_up();
    const void *bytes;
    open_engine();
    ck_assert_uint_gt(sc_client_engine_output(engine, &bytes), 50);
    tear_down();
}
END_TEST

START_TEST(a_wrong_pin_ends_the_handshake_with_an_alert_before_finished)
{
    set_up_unpinned();
    fixture_write_pair("other", "P-256");
    pin("other.crt");
    open_engine();
    ck_assert(next_event());
    ck_assert_int_eq(event.type, SC_CLIENT_EVENT_END);
    ck_assert_int_eq(event.error->code, SC_CLIENT_PIN);
    (void)carry_out();
    ck_assert(!server.is_done);
    ck_assert_uint_eq(server.watch.alert_received, SSL_AD_BAD_CERTIFICATE);
    ck_assert_int_eq(sc_client_engine_send(engine, SC_CLIENT_ECHO, "x", 1, 0, &error), -1);
    ck_assert_int_eq(error.code, SC_CLIENT_USAGE);
    tear_down();
}
END_TEST

/* What a server that lies says to an ECHO of "hello", and what the engine calls it. */
static const struct {
    uint32_t type, length;
    const char *text;
} lies[] = {
    {SC_FRAME_REVERSE, 5, "another type"},
    {SC_FRAME_ECHO, 4, "length of the reply"},
    {SC_FRAME_ECHO, (16U << 20) + 1, "longer than 16 MiB"},
    {SC_FRAME_ECHO, 0xffffffffU, "longer than 16 MiB"},
    {77, 5, "another type"},
    {SC_FRAME_ERROR, 4, "too short"},
    {SC_FRAME_ERROR, (64U << 10) + 1, "longer than 64 KiB"},
};

static void lie(size_t n)
{
    set_up();
    uint8_t frame[SC_FRAME_HEADER_BYTES + 4] = {0};
    get_ready();
    server.on_request = NULL;
    ck_assert_int_eq(sc_client_engine_send(engine, SC_CLIENT_ECHO, "hello", 5, 0, &error), 1);
    sc_frame_put_header(frame, lies[n].type, lies[n].length);
    engine_peer_say(&server, frame,
                    lies[n].type == SC_FRAME_ERROR && lies[n].length == 4 ? sizeof(frame)
                                                                          : SC_FRAME_HEADER_BYTES);
    ck_assert(next_event());
    ck_assert_int_eq(event.type, SC_CLIENT_EVENT_END);
    ck_assert_int_eq(event.error->code, SC_CLIENT_PROTOCOL);
    ck_assert_msg(strstr(event.error->text, lies[n].text) != NULL, "%s", event.error->text);
    ck_assert_uint_eq(event.unanswered, 1);
    tear_down();
}

START_TEST(a_reply_that_is_wrong_ends_the_connection_at_its_header)
{
    for (size_t n = 0; n < SC_COUNT_OF(lies); n++) {
        lie(n);
    }
}
END_TEST

START_TEST(an_answer_that_nobody_asked_for_breaks_the_protocol)
{
    set_up();
    get_ready();
    engine_peer_frame(&server, SC_FRAME_ECHO, "x", 1);
    ck_assert(next_event());
    ck_assert_int_eq(event.error->code, SC_CLIENT_PROTOCOL);
    tear_down();
    /* An ERROR is about the connection then, whatever its code. */
    uint8_t frame[SC_FRAME_ERROR_MAX_BYTES];
    set_up();
    get_ready();
    engine_peer_say(&server, frame, sc_frame_put_error(frame, SC_ERROR_INTERNAL, 0, "why"));
    ck_assert(next_event());
    ck_assert_int_eq(event.type, SC_CLIENT_EVENT_END);
    ck_assert_int_eq(event.error->code, SC_CLIENT_REFUSED);
    ck_assert_int_eq(event.error->temporary, 0);
    ck_assert_msg(strstr(event.error->text, " ended the connection: internal error (why)") != NULL,
                  "%s", event.error->text);
    tear_down();
}
END_TEST

START_TEST(errors_of_the_server_are_replies_or_the_end)
{
    set_up();
    uint8_t frame[SC_FRAME_ERROR_MAX_BYTES];
    get_ready();
    server.on_request = NULL;
    ck_assert_int_eq(sc_client_engine_send(engine, 99, "", 0, 0, &error), 1);
    ck_assert_int_eq(sc_client_engine_send(engine, SC_CLIENT_TIME, "", 0, 0, &error), 2);
    engine_peer_say(&server, frame,
                    sc_frame_put_error(frame, SC_ERROR_UNKNOWN_TYPE, 0, "no\033 such"));
    ck_assert(next_event());
    ck_assert_int_eq(event.type, SC_CLIENT_EVENT_REPLY);
    ck_assert_uint_eq(event.reply->error_code, SC_CLIENT_ERROR_UNKNOWN_TYPE);
    ck_assert_uint_eq(event.reply->type, 99);
    ck_assert_str_eq(event.reply->error_text, "no\\x1b such");
    ck_assert_mem_eq(event.reply->body, "no\033 such", 8);
    engine_peer_say(&server, frame, sc_frame_put_error(frame, SC_ERROR_GOING_AWAY, 1500, "bye"));
    ck_assert(next_event());
    ck_assert_int_eq(event.type, SC_CLIENT_EVENT_END);
    ck_assert_int_eq(event.error->code, SC_CLIENT_UNAVAILABLE);
    ck_assert_uint_eq(event.error->retry_after_ms, 1500);
    ck_assert_uint_eq(event.unanswered, 1);
    tear_down();
}
END_TEST

START_TEST(deadlines_of_the_handshake_and_of_each_reply)
{
    set_up();
    uint64_t at_ms;
    ck_assert_int_eq(sc_client_settings_set_timeout(settings, 500, &error), 0);
    open_engine(); /* at 0 */
    sc_client_engine_tick(engine, 499);
    ck_assert_int_eq(sc_client_engine_next_event(engine, 499, &event), 0);
    sc_client_engine_tick(engine, 500);
    ck_assert_int_eq(sc_client_engine_next_event(engine, 500, &event), 1);
    ck_assert_int_eq(event.type, SC_CLIENT_EVENT_END);
    ck_assert_int_eq(event.error->code, SC_CLIENT_TIMEOUT);
    ck_assert_int_eq(event.error->temporary, 1);
    close_engine();
    get_ready();
    ck_assert_int_eq(sc_client_engine_deadline(engine, &at_ms), 0);
    ck_assert_int_eq(sc_client_engine_send(engine, SC_CLIENT_ECHO, "x", 1, 1000, &error), 1);
    ck_assert_int_eq(sc_client_engine_deadline(engine, &at_ms), 1);
    ck_assert_uint_eq(at_ms, 1500);
    sc_client_engine_tick(engine, 1499);
    ck_assert_int_eq(sc_client_engine_next_event(engine, 1499, &event), 0);
    sc_client_engine_tick(engine, 1500);
    ck_assert_int_eq(sc_client_engine_next_event(engine, 1500, &event), 1);
    ck_assert_int_eq(event.error->code, SC_CLIENT_TIMEOUT);
    tear_down();
}
END_TEST

START_TEST(a_session_is_resumed_and_worth_nothing_under_other_pins)
{
    set_up();
    uint8_t session[8192];
    struct sc_client_info info = SC_CLIENT_INFO_INIT;
    get_ready();
    const size_t size = sc_client_engine_session(engine, session, sizeof(session));
    ck_assert_uint_gt(size, 40);
    close_engine();

    ck_assert_int_eq(sc_client_settings_set_session(settings, session, size, &error), 0);
    get_ready();
    ck_assert_int_eq(sc_client_engine_info(engine, &info), 0);
    ck_assert_int_eq(info.resumed, 1);
    close_engine();

    new_settings();
    fixture_write_pair("other", "P-256");
    pin("other.crt");
    ck_assert_int_eq(sc_client_settings_set_session(settings, session, size, &error), 0);
    open_engine();
    ck_assert(next_event());
    ck_assert_int_eq(event.error->code, SC_CLIENT_PIN);
    ck_assert(!SSL_session_reused(server.ssl));
    ck_assert_int_eq(sc_client_settings_set_session(settings, "junk", 4, &error), -1);
    ck_assert_int_eq(error.code, SC_CLIENT_BAD_DATA);
    tear_down();
}
END_TEST

/* What a setting has returned, after a connection. */
static void expect_unchanged(int result)
{
    ck_assert_int_eq(result, -1);
    ck_assert_int_eq(error.code, SC_CLIENT_USAGE);
    ck_assert_str_eq(error.text, "the settings can't be changed: a connection has used them");
    error.text[0] = '\0';
}

START_TEST(without_a_pin_there_is_no_connection_and_used_settings_stay)
{
    set_up_unpinned();
    ck_assert_ptr_null(sc_client_engine_new(settings, "localhost", 0, &error));
    ck_assert_int_eq(error.code, SC_CLIENT_UNTRUSTED);
    pin("server.crt");
    get_ready();
    expect_unchanged(sc_client_settings_add_pin(settings, fixture_path("server.crt"), &error));
    expect_unchanged(sc_client_settings_set_strict_expiry(settings, 1, &error));
    expect_unchanged(sc_client_settings_set_inspect(settings, 1, &error));
    expect_unchanged(sc_client_settings_set_timeout(settings, 1, &error));
    expect_unchanged(sc_client_settings_set_retry(settings, 1, &error));
    expect_unchanged(sc_client_settings_set_pin_store(settings, "pins", NULL, 0, &error));
    expect_unchanged(sc_client_settings_set_tls_library(settings, tls_library, &error));
    expect_unchanged(sc_client_settings_set_certificate(settings, NULL, NULL, NULL, &error));
    expect_unchanged(sc_client_settings_set_key_log(settings, NULL, &error));
    ck_assert_ptr_null(sc_client_settings_new("nosuchtls", &error));
    ck_assert_int_eq(error.code, SC_CLIENT_USAGE);
    ck_assert_msg(strstr(error.text, "no TLS library \"nosuchtls\"") != NULL, "%s", error.text);
    tear_down();
}
END_TEST

/* --- Limits --- */

static int64_t send_echo(size_t length, uint64_t now_ms)
{
    static const char body[4096];
    return sc_client_engine_send(engine, SC_CLIENT_ECHO, body, length, now_ms, &error);
}

static bool has_deadline(uint64_t expected_ms)
{
    uint64_t at_ms;
    return sc_client_engine_deadline(engine, &at_ms) == 1 && at_ms == expected_ms;
}

static bool has_no_deadline(void)
{
    uint64_t at_ms;
    return sc_client_engine_deadline(engine, &at_ms) == 0;
}

/* It is of the oldest request, and each reply begins it anew for the next one. */
START_TEST(a_reply_begins_the_time_of_the_next)
{
    set_up();
    ck_assert_int_eq(sc_client_settings_set_timeout(settings, 500, &error), 0);
    open_engine();
    ck_assert(has_deadline(500)); /* of the handshake, which began at 0 */
    ck_assert(next_event());
    ck_assert_int_eq(event.type, SC_CLIENT_EVENT_READY);
    ck_assert(has_no_deadline());
    ck_assert_int_eq(send_echo(1, 1000), 1);
    ck_assert_int_eq(send_echo(2, 1200), 2);
    ck_assert(has_deadline(1500));
    ck_assert(next_event()); /* at 0, as all that comes */
    ck_assert_int_eq(event.type, SC_CLIENT_EVENT_REPLY);
    ck_assert(has_deadline(500));
    ck_assert(next_event());
    ck_assert(has_no_deadline());
    tear_down();
}
END_TEST

START_TEST(a_close_has_a_deadline)
{
    set_up();
    get_ready();
    sc_client_engine_close(engine, 100);
    ck_assert(has_deadline(1100));
    sc_client_engine_tick(engine, 1099);
    ck_assert_int_eq(sc_client_engine_next_event(engine, 1099, &event), 0);
    sc_client_engine_tick(engine, 1100);
    ck_assert_int_eq(sc_client_engine_next_event(engine, 1100, &event), 1);
    ck_assert_int_eq(event.type, SC_CLIENT_EVENT_END);
    ck_assert_int_eq(event.error->code, SC_CLIENT_OK);
    ck_assert(has_no_deadline());
    ck_assert_uint_eq(sc_client_engine_receive(engine, "late", 4), 4); /* and dropped */
    ck_assert_int_eq(send_echo(1, 1200), -1);
    tear_down();
}
END_TEST

/* What comes after our end is a failure only of a connection over which nothing was answered. */
START_TEST(what_comes_after_a_close)
{
    static const char no_record[64] = "this is not TLS";
    for (int answered = 0; answered < 2; answered++) {
        set_up();
        get_ready();
        if (answered) {
            ck_assert_int_eq(send_echo(1, 0), 1);
            ck_assert(next_event());
            ck_assert_int_eq(event.type, SC_CLIENT_EVENT_REPLY);
        }
        sc_client_engine_close(engine, 100);
        (void)sc_client_engine_receive(engine, no_record, sizeof(no_record));
        ck_assert_int_eq(sc_client_engine_next_event(engine, 100, &event), 1);
        ck_assert_int_eq(event.type, SC_CLIENT_EVENT_END);
        ck_assert_int_eq(event.error->code == SC_CLIENT_OK, answered);
        tear_down();
    }
}
END_TEST

/* By number and by bytes. */
START_TEST(there_is_a_most_of_unanswered_requests)
{
    static const size_t lengths[] = {0, 4096};
    for (size_t n = 0; n < SC_COUNT_OF(lengths); n++) {
        const size_t most =
            n == 0 ? SC_CLIENT_MAX_REQUESTS : SC_CLIENT_MAX_REQUEST_BYTES / lengths[n];
        set_up();
        get_ready();
        for (size_t i = 0; i < most; i++) {
            ck_assert(!sc_client_engine_is_full(engine));
            ck_assert_int_eq(send_echo(lengths[n], 0), (int64_t)i + 1);
        }
        ck_assert(sc_client_engine_is_full(engine));
        ck_assert_uint_eq(sc_client_engine_unanswered(engine), most);
        ck_assert_int_eq(send_echo(1, 0), -1);
        ck_assert_int_eq(error.code, SC_CLIENT_SYSTEM);
        tear_down();
    }
}
END_TEST

/* However many there were; and in whatever order they lie in memory. */
START_TEST(what_is_answered_counts_no_more)
{
    int64_t sent = 0;
    set_up();
    get_ready();
    for (size_t round = 0; round < 100; round++) {
        for (size_t i = 0; i < 5 + round % 25; i++) {
            ck_assert_int_eq(send_echo(900 - i, 0), ++sent);
        }
        for (size_t i = 0; i < 5 + round % 25; i++) {
            ck_assert(next_event());
            ck_assert_msg(event.type == SC_CLIENT_EVENT_REPLY, "%s", event.error->text);
            ck_assert_uint_eq(event.reply->length, 900 - i);
        }
    }
    ck_assert_int_gt(sent * 870, SC_CLIENT_MAX_REQUEST_BYTES);
    ck_assert(!sc_client_engine_is_full(engine));
    tear_down();
}
END_TEST

/* Wrong by the caller: the connection goes on. */
START_TEST(what_cannot_be_sent)
{
    set_up();
    get_ready();
    ck_assert_int_eq(sc_client_engine_send(engine, SC_FRAME_ERROR, "", 0, 0, &error), -1);
    ck_assert_int_eq(error.code, SC_CLIENT_USAGE);
    static const uint8_t body[SC_CLIENT_MAX_BODY + 1];
    ck_assert_int_eq(sc_client_engine_send(engine, SC_CLIENT_ECHO, body, sizeof(body), 0, &error),
                     -1);
    ck_assert_int_eq(error.code, SC_CLIENT_USAGE);
    ck_assert_int_eq(send_echo(1, 0), 1);
    ck_assert(next_event());
    ck_assert_int_eq(event.type, SC_CLIENT_EVENT_REPLY);
    tear_down();
    set_up();
    ck_assert_int_eq(sc_client_settings_set_inspect(settings, 1, &error), 0);
    get_ready();
    ck_assert_int_eq(send_echo(1, 0), -1);
    ck_assert_int_eq(error.code, SC_CLIENT_USAGE);
    /* Nor is there a session of a server that is only looked at. */
    ck_assert_uint_eq(sc_client_engine_session(engine, NULL, 0), 0);
    tear_down();
}
END_TEST

/* A session that says to be of these pins and is not: the certificate that it remembers decides. */
START_TEST(a_resumed_server_is_checked_again)
{
    uint8_t session[8192];
    struct sc_pin_set *pins = sc_pin_set_new();
    set_up();
    fixture_write_pair("other", "P-256");
    get_ready();
    const size_t size = sc_client_engine_session(engine, session, sizeof(session));
    ck_assert_uint_gt(size, SC_SAVED_SESSION_HEADER_BYTES);
    close_engine();

    ck_assert_int_eq(sc_pin_set_add(pins, fixture_path("other.crt"), NULL), 0);
    sc_saved_session_put_header(session, tls_library, pins);
    sc_pin_set_free(pins);
    new_settings();
    pin("other.crt");
    ck_assert_int_eq(sc_client_settings_set_session(settings, session, size, &error), 0);
    open_engine();
    ck_assert(next_event());
    ck_assert_int_eq(event.type, SC_CLIENT_EVENT_END);
    ck_assert_int_eq(event.error->code, SC_CLIENT_PIN);
    tear_down();
}
END_TEST

/* RFC 6066, section 3: a name without its final dot, and no address. */
START_TEST(the_name_that_the_server_is_asked_by)
{
    static const struct {
        const char *host, *name;
    } cases[] = {{"localhost", "localhost"},
                 {"localhost.", "localhost"},
                 {"127.0.0.1", NULL},
                 {"::1", NULL},
                 {NULL, NULL}};
    for (size_t i = 0; i < SC_COUNT_OF(cases); i++) {
        set_up();
        host = cases[i].host;
        get_ready();
        ck_assert_pstr_eq(SSL_get_servername(server.ssl, TLSEXT_NAMETYPE_host_name), cases[i].name);
        tear_down();
    }
}
END_TEST

TLS_LIBRARY_SUITE_MAIN(the_first_flight_is_there_before_anything_is_asked,
                       a_wrong_pin_ends_the_handshake_with_an_alert_before_finished,
                       a_reply_that_is_wrong_ends_the_connection_at_its_header,
                       an_answer_that_nobody_asked_for_breaks_the_protocol,
                       errors_of_the_server_are_replies_or_the_end,
                       deadlines_of_the_handshake_and_of_each_reply,
                       a_session_is_resumed_and_worth_nothing_under_other_pins,
                       without_a_pin_there_is_no_connection_and_used_settings_stay,
                       a_reply_begins_the_time_of_the_next, a_close_has_a_deadline,
                       what_comes_after_a_close, there_is_a_most_of_unanswered_requests,
                       what_is_answered_counts_no_more, what_cannot_be_sent,
                       a_resumed_server_is_checked_again, the_name_that_the_server_is_asked_by)

/* SPDX-License-Identifier: MIT */
/* A client over sockets: whose reply a call takes, what is cancelled, how long there is to wait. */
#include "config.h"

#include <fcntl.h>

#include "base/backoff.h"
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

START_TEST(the_times_of_a_connection_are_reported)
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
    /* What has happened and was not reported is not waited for. */
    sc_client_cancel(client);
    sc_client_close(client);
    expect(SC_CLIENT_EVENT_END);
    ck_assert_int_eq(sc_client_timeout_ms(client), -1);
    tear_down();
}
END_TEST

START_TEST(an_end_has_its_reason)
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
        if (rows[i].turn.ending == RESET) { /* the socket gives the reason once */
            struct pollfd reset = {.fd = sc_client_fd(client)};
            sc_client_process(client);
            ck_assert_int_eq(poll(&reset, 1, 20000), 1);
            for (int j = 0; j < 3; j++) {
                sc_client_process(client);
            }
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

START_TEST(the_attempt_after_a_cancel_waits)
{
    static const struct turn turns[] = {{1, MUTE}, {0, STAYS}};
    set_up(turns, SC_COUNT_OF(turns), 20000);
    send_text("a");
    expect_reply(1, "a");
    send_text("b");
    const uint64_t now_ns = sc_clock_ns();
    sc_clock_fake(&now_ns, NULL);
    sc_client_cancel(client);
    send_text("c");
    sc_client_process(client);
    const int wait_ms = sc_client_timeout_ms(client);
    const int fd = sc_client_fd(client);
    sc_clock_fake(NULL, NULL);
    ck_assert_int_ge(wait_ms, (int)SC_BACKOFF_FIRST_MS / 2);
    ck_assert_int_le(wait_ms, (int)SC_BACKOFF_FIRST_MS);
    ck_assert_int_eq(fd, -1);
    expect(SC_CLIENT_EVENT_READY);
    expect_reply(3, "c");
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

/* Closing a socket with bytes that were not read resets it, which destroys what was sent. */
START_TEST(what_was_not_read_does_not_reset_the_connection)
{
    static const uint8_t unread[20000];
    int fds[2];
    char bytes[4096];
    ssize_t got;
    fixture_write_pair("server", "P-256");
    settings = sc_client_settings_new(NULL, &error);
    ck_assert_int_eq(sc_client_settings_add_pin(settings, fixture_path("server.crt"), &error), 0);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    client = sc_client_start_fd(settings, fds[0], NULL, &error);
    ck_assert_msg(client != NULL, "%s", error.text);
    sc_client_process(client);
    ck_assert_int_eq(send(fds[1], unread, sizeof(unread), 0), (ssize_t)sizeof(unread));
    sc_client_free(client);
    while ((got = recv(fds[1], bytes, sizeof(bytes), 0)) > 0) {
    }
    ck_assert_int_eq(got, 0);
    (void)close(fds[1]);
    sc_client_settings_free(settings);
}
END_TEST

START_TEST(an_empty_host_is_none)
{
    static const char *const hosts[] = {NULL, ""};
    ck_assert_ptr_nonnull(settings = sc_client_settings_new(NULL, &error));
    ck_assert_int_eq(sc_client_settings_set_inspect(settings, 1, &error), 0);
    for (size_t i = 0; i < SC_COUNT_OF(hosts); i++) {
        int fds[2];
        struct sc_client_engine *engine = sc_client_engine_new(settings, hosts[i], 0, &error);
        ck_assert_msg(engine != NULL, "%s", error.text);
        sc_client_engine_receive_end(engine, 0);
        ck_assert_int_eq(sc_client_engine_next_event(engine, 0, &event), 1);
        ck_assert_msg(strstr(event.error->text, "handshake with the server failed") != NULL, "%s",
                      event.error->text);
        sc_client_engine_free(engine);
        ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
        client = sc_client_start_fd(settings, fds[0], hosts[i], &error);
        ck_assert_msg(client != NULL, "%s", error.text);
        (void)shutdown(fds[1], SHUT_WR);
        ck_assert_int_eq(sc_client_wait(client, -1, &event), 1);
        ck_assert_msg(strstr(event.error->text, "handshake with the server failed") != NULL, "%s",
                      event.error->text);
        sc_client_free(client);
        (void)close(fds[1]);
    }
    sc_client_settings_free(settings);
}
END_TEST

START_TEST(a_descriptor_is_a_stream_socket)
{
    int fds[2], datagrams[2];
    ck_assert_ptr_nonnull(settings = sc_client_settings_new(NULL, &error));
    ck_assert_int_eq(sc_client_settings_set_inspect(settings, 1, &error), 0);
    ck_assert_int_eq(pipe(fds), 0);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, datagrams), 0);
    const int wrong[] = {-1, fds[0], datagrams[0]};
    static const char *const texts[] = {"Bad file descriptor", "Socket operation on non-socket",
                                        "not a stream socket"};
    for (size_t i = 0; i < SC_COUNT_OF(wrong); i++) {
        ck_assert_ptr_null(sc_client_start_fd(settings, wrong[i], NULL, &error));
        ck_assert_int_eq(error.code, SC_CLIENT_USAGE);
        ck_assert_msg(strstr(error.text, texts[i]) != NULL, "%s", error.text);
    }
    ck_assert_int_eq(fcntl(fds[0], F_GETFL) & O_NONBLOCK, 0); /* it is the caller's, as it was */
    for (int i = 0; i < 2; i++) {
        (void)close(fds[i]);
        (void)close(datagrams[i]);
    }
    sc_client_settings_free(settings);
}
END_TEST

/* Whose listener has as many connections waiting as it takes: the kernel drops what else comes. */
START_TEST(a_server_that_does_not_accept_may_do_so_later)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(to);
    char address[64];
    int waiting[4];
    const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(listener, (struct sockaddr *)&to, sizeof(to)), 0);
    ck_assert_int_eq(listen(listener, 0), 0);
    (void)getsockname(listener, (struct sockaddr *)&to, &length);
    (void)snprintf(address, sizeof(address), "127.0.0.1:%u", ntohs(to.sin_port));
    for (size_t i = 0; i < SC_COUNT_OF(waiting); i++) {
        waiting[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        (void)connect(waiting[i], (struct sockaddr *)&to, sizeof(to));
    }
    ck_assert_ptr_nonnull(settings = sc_client_settings_new(NULL, &error));
    ck_assert_int_eq(sc_client_settings_set_inspect(settings, 1, &error), 0);
    ck_assert_int_eq(sc_client_settings_set_timeout(settings, 50, &error), 0);
    ck_assert_ptr_null(sc_client_connect(settings, address, &error));
    ck_assert_msg(error.code == SC_CLIENT_TIMEOUT, "%d: %s", error.code, error.text);
    ck_assert_int_eq(error.temporary, 1);
    sc_client_settings_free(settings);
    for (size_t i = 0; i < SC_COUNT_OF(waiting); i++) {
        (void)close(waiting[i]);
    }
    (void)close(listener);
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

/* A next key is announced to the third connection, none to those before it. */
static void announce_pins(unsigned connection, uint8_t frame[1024], size_t *length)
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
    change_reply = announce_pins;
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

START_TEST(settings_that_are_refused_change_nothing)
{
    static const uint8_t pin[SC_PIN_BYTES];
    struct sc_client_stored_pin stored = SC_CLIENT_STORED_PIN_INIT;
    ck_assert_ptr_nonnull(settings = sc_client_settings_new(NULL, &error));
    fixture_write_pair("client", "P-256");
    const char *path = fixture_path("client.crt");
    ck_assert_int_eq(sc_client_settings_set_certificate(settings, path, NULL, NULL, &error), -1);
    ck_assert_int_eq(error.code, SC_CLIENT_USAGE);
    ck_assert_int_eq(sc_client_settings_set_certificate(settings, NULL, path, NULL, &error), -1);
    ck_assert_int_eq(error.code, SC_CLIENT_USAGE);
    ck_assert_int_eq(sc_client_settings_set_certificate(settings, NULL, NULL, NULL, &error), 0);
    path = fixture_path("no/such/directory");
    ck_assert_int_eq(sc_client_settings_set_key_log(settings, path, &error), -1);
    ck_assert_int_eq(error.code, SC_CLIENT_CANT_CREATE);
    ck_assert_int_eq(sc_client_settings_set_key_log(settings, NULL, &error), 0);
    /* No line of a pin store has port 0: a store with one could not be read any more. */
    path = fixture_path("pins");
    ck_assert_int_eq(sc_client_settings_set_pin_store(settings, path, "localhost:0",
                                                      SC_CLIENT_FIRST_USE_STORE, &error),
                     -1);
    ck_assert_int_eq(error.code, SC_CLIENT_USAGE);
    ck_assert_int_eq(sc_client_store_pin(path, "localhost:0", pin, "given", &error), -1);
    ck_assert_msg(strstr(error.text, "port 0 can't be connected to") != NULL, "%s", error.text);
    ck_assert_int_eq(sc_client_stored_pin(path, "localhost:0", 0, &stored, &error), -1);
    ck_assert_int_eq(error.code, SC_CLIENT_USAGE);
    ck_assert_int_eq(sc_client_settings_set_inspect(settings, 1, &error), 0);
    ck_assert_ptr_null(sc_client_start(settings, "localhost:0", &error));
    ck_assert_int_eq(error.code, SC_CLIENT_USAGE);
    /* What is quoted is still one line, without what a terminal would act on. */
    ck_assert_ptr_null(sc_client_start(settings, "a\nb\033[2J", &error));
    ck_assert_msg(strstr(error.text, "\"a\\x0ab\\x1b[2J\"") != NULL, "%s", error.text);
    sc_client_settings_free(settings);
}
END_TEST

SUITE_MAIN("client_calls", a_call_takes_its_own_reply, the_times_of_a_connection_are_reported,
           a_loop_knows_what_to_wait_for, an_end_has_its_reason,
           cancelled_requests_are_neither_answered_nor_sent_again, the_attempt_after_a_cancel_waits,
           an_attempt_after_a_cancel_is_given_up_with_a_reason, what_waits_is_bounded,
           a_client_that_is_freed_sends_close_notify,
           what_was_not_read_does_not_reset_the_connection, an_empty_host_is_none,
           a_descriptor_is_a_stream_socket, a_server_that_does_not_accept_may_do_so_later,
           a_reply_that_has_arrived_is_in_time, a_pin_store_has_the_address_that_is_connected_to,
           no_session_is_given_out_after_news_over_a_resumed_connection, settings_have_bounds,
           settings_that_are_refused_change_nothing)

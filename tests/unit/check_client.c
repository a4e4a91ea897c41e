/* SPDX-License-Identifier: MIT */
/* A client over sockets whose server leaves: what is sent again, when, and what is final. */
#include "config.h"

#include <sys/resource.h>

#include "base/backoff.h"
#include "base/clock.h"
#include "client_fixture.h"

START_TEST(what_is_not_answered_is_sent_again_in_order)
{
    static const enum ending endings[] = {CUT, CLOSED, LEAVES, LIMIT, HALF};
    for (size_t i = 0; i < SC_COUNT_OF(endings); i++) {
        const struct turn turns[] = {{2, endings[i]}, {1, endings[i]}, {0, STAYS}};
        memset(&server, 0, sizeof(server));
        set_up(turns, SC_COUNT_OF(turns), 20000);
        for (const char *text = "a\0b\0c\0d\0"; *text; text += 2) {
            send_text(text);
        }
        expect_reply(1, "a");
        expect_reply(2, "b");
        const uint64_t before_ms = sc_clock_ms(); /* the connection is lost after it */
        expect(SC_CLIENT_EVENT_LOST);
        ck_assert_uint_eq(event.unanswered, 2);
        ck_assert_uint_eq(sc_client_unanswered(client), 2);
        ck_assert_int_eq(event.error->temporary, 1);
        if (endings[i] == LEAVES || endings[i] == LIMIT) {
            ck_assert_uint_eq(event.error->retry_after_ms, 300);
            ck_assert_uint_ge(event.wait_ms, 290);
        } else {
            ck_assert_uint_le(event.wait_ms, SC_BACKOFF_FIRST_MS);
        }
        send_text("e"); /* while there is no connection */
        expect(SC_CLIENT_EVENT_READY);
        if (endings[i] == LEAVES || endings[i] == LIMIT) {
            ck_assert_uint_ge(sc_clock_ms() - before_ms, 290);
        }
        expect_reply(3, "c");
        expect(SC_CLIENT_EVENT_LOST);
        if (endings[i] != LEAVES && endings[i] != LIMIT) {
            ck_assert_uint_le(event.wait_ms, SC_BACKOFF_FIRST_MS); /* a reply has come since */
        }
        expect(SC_CLIENT_EVENT_READY);
        expect_reply(4, "d");
        expect_reply(5, "e");
        ck_assert_uint_eq(sc_client_unanswered(client), 0);
        sc_client_close(client);
        expect(SC_CLIENT_EVENT_END);
        ck_assert_int_eq(event.error->code, SC_CLIENT_OK);
        tear_down();
        ck_assert_uint_eq(server.connections, 3);
        ck_assert_uint_eq(server.resumed, 2);
        const char *last = strrchr(server.got, '|');
        ck_assert_ptr_nonnull(last);
        ck_assert_str_eq(last, "|d e");
    }
}
END_TEST

START_TEST(without_a_request_the_next_one_connects_again)
{
    static const struct turn turns[] = {{1, CLOSED}, {1, CLOSED}, {0, STAYS}};
    set_up(turns, SC_COUNT_OF(turns), 20000);
    ck_assert_int_eq(sc_client_call(client, SC_CLIENT_ECHO, "a", 1, &reply, &error), 0);
    expect(SC_CLIENT_EVENT_LOST);
    ck_assert_uint_eq(event.unanswered, 0);
    /* Nothing is waited for, and nothing happens. */
    ck_assert_int_eq(sc_client_fd(client), -1);
    ck_assert_int_eq(sc_client_events(client), 0);
    ck_assert_int_eq(sc_client_timeout_ms(client), -1);
    ck_assert_int_eq(sc_client_wait(client, -1, &event), 0);
    struct sc_client_pins pins = SC_CLIENT_PINS_INIT;
    ck_assert_int_eq(sc_client_read_pins(client, "", 0, &pins, &error), -1);
    ck_assert_int_eq(error.code, SC_CLIENT_USAGE);
    ck_assert_int_eq(sc_client_call(client, SC_CLIENT_ECHO, "b", 1, &reply, &error), 0);
    ck_assert_uint_eq(reply.request, 2);
    ck_assert_int_eq(sc_client_call(client, SC_CLIENT_ECHO, "c", 1, &reply, &error), 0);
    ck_assert_uint_eq(reply.request, 3);
    tear_down();
    ck_assert_str_eq(server.got, "a|b|c");
    ck_assert_uint_eq(server.resumed, 2);
}
END_TEST

START_TEST(a_server_that_never_answers_is_given_up)
{
    static const struct turn endless[] = {{1, CUT}, {0, CUT}};
    static const struct turn deaf[] = {{1, CUT}, {0, SILENT}};
    static const struct turn half[] = {{1, CUT}, {0, HALF}};
    const struct turn *const each[] = {endless, deaf, half};
    for (size_t i = 0, times = 1; i < SC_COUNT_OF(each); times++) {
        memset(&server, 0, sizeof(server));
        set_up(each[i], 2, 1000);
        ck_assert_int_eq(sc_client_call(client, SC_CLIENT_ECHO, "a", 1, &reply, &error), 0);
        const uint64_t begin_ms = sc_clock_ms();
        ck_assert_int_eq(sc_client_call(client, SC_CLIENT_ECHO, "b", 1, &reply, &error), -1);
        ck_assert_uint_ge(sc_clock_ms() - begin_ms, 990);
        ck_assert(strstr(error.text, "given up after 1s"));
        ck_assert_int_eq(error.code, i == 1 ? SC_CLIENT_HANDSHAKE : SC_CLIENT_UNAVAILABLE);
        ck_assert_int_eq(sc_client_call(client, SC_CLIENT_ECHO, "c", 1, &reply, &error), -1);
        ck_assert_int_eq(error.code, SC_CLIENT_USAGE);
        tear_down();
        if (server.connections < 3 && times < 10) {
            continue; /* a process that stood still for most of the second tried less often */
        }
        /* 50 to 100 ms, 100 to 200, 200 to 400, 400 to 800: no more attempts than that. */
        ck_assert_uint_ge(server.connections, 3);
        ck_assert_uint_le(server.connections, 7);
        i++;
    }
}
END_TEST

START_TEST(the_time_to_give_up_counts_from_the_last_reply)
{
    static const struct turn turns[] = {{1, CUT}, {1, CUT}, {0, SILENT}};
    set_up(turns, SC_COUNT_OF(turns), 5000);
    send_text("a");
    expect_reply(1, "a");
    expect(SC_CLIENT_EVENT_LOST);
    send_text("b");
    expect(SC_CLIENT_EVENT_READY);
    /* Over a connection the reply has its own time. */
    uint64_t later_ns = sc_clock_ns() + UINT64_C(5000000000);
    sc_clock_fake(&later_ns, NULL);
    ck_assert_int_gt(sc_client_timeout_ms(client), 0);
    sc_clock_fake(NULL, NULL);
    expect_reply(2, "b");
    expect(SC_CLIENT_EVENT_LOST);
    /* What is cancelled leaves no time behind. */
    send_text("x");
    sc_client_cancel(client);
    later_ns = sc_clock_ns() + UINT64_C(3600000000000);
    sc_clock_fake(&later_ns, NULL);
    send_text("c");
    expect(SC_CLIENT_EVENT_LOST);
    sc_clock_fake(NULL, NULL);
    tear_down();
}
END_TEST

START_TEST(an_attempt_that_hangs_is_given_up)
{
    static const struct turn turns[] = {{1, CUT}, {0, STAYS}};
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    set_up(turns, SC_COUNT_OF(turns), 300);
    /* The server has another client before it, whose handshake does not begin. */
    const int other_client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    address.sin_port = htons((uint16_t)atoi(strchr(server.address, ':') + 1));
    ck_assert_int_eq(connect(other_client, (struct sockaddr *)&address, sizeof(address)), 0);
    ck_assert_int_eq(sc_client_call(client, SC_CLIENT_ECHO, "a", 1, &reply, &error), 0);
    expect(SC_CLIENT_EVENT_LOST);
    const uint64_t begin_ms = sc_clock_ms();
    send_text("b");
    expect(SC_CLIENT_EVENT_END);
    ck_assert_uint_ge(sc_clock_ms() - begin_ms, 300);
    ck_assert_int_eq(event.error->code, SC_CLIENT_UNAVAILABLE);
    ck_assert(strstr(event.error->text, "without close_notify; given up after 300ms"));
    ck_assert_uint_eq(event.unanswered, 1);
    ck_assert_int_eq(sc_client_fd(client), -1);
    (void)close(other_client);
    tear_down();
}
END_TEST

START_TEST(advice_is_taken_up_to_a_minute)
{
    static const struct turn turns[] = {{1, FAR}};
    set_up(turns, SC_COUNT_OF(turns), 20000);
    send_text("a");
    expect_reply(1, "a");
    expect(SC_CLIENT_EVENT_LOST);
    ck_assert_uint_eq(event.error->retry_after_ms, UINT32_MAX);
    ck_assert_uint_gt(event.wait_ms, 50000);
    ck_assert_uint_le(event.wait_ms, 60000);
    tear_down();
}
END_TEST

/* Nothing is sent to it, and so nothing again. */
START_TEST(a_server_that_is_only_looked_at_is_not_called_again)
{
    static const struct turn turns[] = {{0, STAYS}, {0, CUT}};
    set_up(turns, SC_COUNT_OF(turns), 20000);
    sc_client_free(client);
    sc_client_settings_free(settings);
    settings = sc_client_settings_new(NULL, &error);
    ck_assert_int_eq(sc_client_settings_set_inspect(settings, 1, &error), 0);
    ck_assert_int_eq(sc_client_settings_set_retry(settings, 20000, &error), 0);
    client = sc_client_connect(settings, server.address, &error);
    ck_assert_ptr_nonnull(client);
    expect(SC_CLIENT_EVENT_END);
    tear_down();
}
END_TEST

START_TEST(nobody_listens_until_it_is_given_up)
{
    static const struct turn turns[] = {{1, CUT}};
    set_up(turns, SC_COUNT_OF(turns), 500);
    ck_assert_int_eq(sc_client_call(client, SC_CLIENT_ECHO, "a", 1, &reply, &error), 0);
    expect(SC_CLIENT_EVENT_LOST);
    stop_server();
    ck_assert_int_eq(sc_client_call(client, SC_CLIENT_ECHO, "b", 1, &reply, &error), -1);
    ck_assert_int_eq(error.code, SC_CLIENT_UNAVAILABLE);
    ck_assert(strstr(error.text, "can't connect to"));
    ck_assert(strstr(error.text, "given up after 500ms"));
    sc_client_free(client);
    /* The first connect is not repeated. */
    client = sc_client_connect(settings, server.address, &error);
    ck_assert_ptr_null(client);
    ck_assert_int_eq(error.code, SC_CLIENT_UNAVAILABLE);
    ck_assert(!strstr(error.text, "given up"));
    client = sc_client_start(settings, server.address, &error);
    ck_assert_int_eq(sc_client_send(client, SC_CLIENT_ECHO, "c", 1, &error), -1);
    ck_assert_str_eq(error.text, "can't send a request: not connected");
    expect(SC_CLIENT_EVENT_END);
    tear_down();
}
END_TEST

/* The connection is lost, and there is no descriptor for the next one. Returns the limit before. */
static struct rlimit lose_without_descriptors(void)
{
    struct rlimit before;
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
    const struct rlimit none = {.rlim_cur = 0, .rlim_max = before.rlim_max};
    expect(SC_CLIENT_EVENT_LOST);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
    send_text("b");
    expect(SC_CLIENT_EVENT_LOST);
    ck_assert_int_eq(event.error->code, SC_CLIENT_SYSTEM);
    return before;
}

START_TEST(descriptors_may_come_back)
{
    static const struct turn turns[] = {{1, CUT}, {0, STAYS}};
    set_up(turns, SC_COUNT_OF(turns), 20000);
    ck_assert_int_eq(sc_client_call(client, SC_CLIENT_ECHO, "a", 1, &reply, &error), 0);
    const struct rlimit before = lose_without_descriptors();
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
    expect(SC_CLIENT_EVENT_READY);
    expect_reply(2, "b");
    tear_down();
}
END_TEST

/* To look up a name takes some, too. */
START_TEST(a_name_is_looked_up_again)
{
    static const struct turn turns[] = {{0, CUT}, {1, CUT}, {0, STAYS}};
    set_up(turns, SC_COUNT_OF(turns), 20000);
    sc_client_free(client);
    (void)memmove(server.address + strlen("localhost"), strchr(server.address, ':'),
                  strlen(strchr(server.address, ':')) + 1);
    memcpy(server.address, "localhost", strlen("localhost"));
    /* A loop has a descriptor to wait for meanwhile. */
    client = sc_client_start(settings, server.address, &error);
    ck_assert_int_ge(sc_client_fd(client), 0);
    ck_assert_int_ne(sc_client_events(client), 0);
    sc_client_free(client);
    client = sc_client_connect(settings, server.address, &error);
    ck_assert_msg(client != NULL, "%s", error.text);
    ck_assert_int_eq(sc_client_call(client, SC_CLIENT_ECHO, "a", 1, &reply, &error), 0);
    const struct rlimit before = lose_without_descriptors();
    ck_assert_int_eq(event.error->temporary, 1);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
    expect(SC_CLIENT_EVENT_READY);
    expect_reply(2, "b");
    tear_down();
}
END_TEST

START_TEST(a_close_holds_for_an_attempt_that_is_under_way)
{
    static const struct turn turns[] = {{1, CUT}, {0, STAYS}};
    set_up(turns, SC_COUNT_OF(turns), 20000);
    ck_assert_int_eq(sc_client_call(client, SC_CLIENT_ECHO, "a", 1, &reply, &error), 0);
    expect(SC_CLIENT_EVENT_LOST);
    send_text("b");
    while (sc_client_fd(client) < 0) { /* the next attempt has its time */
        (void)poll(NULL, 0, sc_client_timeout_ms(client));
        sc_client_process(client);
    }
    sc_client_close(client);
    ck_assert_int_eq(sc_client_send(client, SC_CLIENT_ECHO, "c", 1, &error), -1);
    ck_assert_str_eq(error.text, "can't send a request: the connection is closed");
    ck_assert_int_eq(sc_client_timeout_ms(client), 0); /* a loop reports the end at once */
    expect(SC_CLIENT_EVENT_END);
    ck_assert_int_eq(event.error->code, SC_CLIENT_OK);
    ck_assert_uint_eq(event.unanswered, 1);
    tear_down();
}
END_TEST

START_TEST(what_cannot_get_better_is_final)
{
    static const struct turn broken[] = {{1, CUT}, {0, BROKEN}, {0, STAYS}};
    set_up(broken, SC_COUNT_OF(broken), 20000);
    ck_assert_int_eq(sc_client_call(client, SC_CLIENT_ECHO, "a", 1, &reply, &error), 0);
    ck_assert_int_eq(sc_client_call(client, SC_CLIENT_ECHO, "b", 1, &reply, &error), -1);
    ck_assert_int_eq(error.code, SC_CLIENT_PROTOCOL);
    ck_assert_int_eq(error.temporary, 0);
    tear_down();
    ck_assert_uint_eq(server.connections, 2);

    /* A reply that does not come has had its time. */
    static const struct turn mute[] = {{0, MUTE}, {0, STAYS}};
    memset(&server, 0, sizeof(server));
    set_up(mute, SC_COUNT_OF(mute), 20000);
    sc_client_free(client);
    sc_client_settings_free(settings);
    settings = sc_client_settings_new(NULL, &error);
    ck_assert_int_eq(sc_client_settings_add_pin(settings, fixture_path("server.crt"), &error), 0);
    ck_assert_int_eq(sc_client_settings_set_retry(settings, 20000, &error), 0);
    server.count = 1; /* mute, whatever comes */
    ck_assert_int_eq(sc_client_settings_set_timeout(settings, 300, &error), 0);
    client = sc_client_connect(settings, server.address, &error);
    ck_assert_ptr_nonnull(client);
    ck_assert_int_eq(sc_client_call(client, SC_CLIENT_ECHO, "b", 1, &reply, &error), -1);
    ck_assert_int_eq(error.code, SC_CLIENT_TIMEOUT);
    ck_assert_int_eq(error.temporary, 1);
    tear_down();
    ck_assert_uint_eq(server.connections, 2);
}
END_TEST

START_TEST(another_key_is_not_taken_for_the_server_that_was_lost)
{
    static const struct turn turns[] = {{1, CUT}};
    set_up(turns, SC_COUNT_OF(turns), 20000);
    ck_assert_int_eq(sc_client_call(client, SC_CLIENT_ECHO, "a", 1, &reply, &error), 0);
    expect(SC_CLIENT_EVENT_LOST);
    fixture_write_pair("other", "P-256");
    const struct sc_tls_server_settings other = fixture_settings("other");
    struct sc_tls_context *imposter = fixture_server(&other);
    server.ctx = sc_tls_context_ssl_ctx(imposter);
    send_text("b");
    send_text("c");
    expect(SC_CLIENT_EVENT_END);
    ck_assert_int_eq(event.error->code, SC_CLIENT_PIN);
    ck_assert_uint_eq(event.unanswered, 2);
    /* That was all. */
    ck_assert_int_eq(sc_client_timeout_ms(client), -1);
    ck_assert_int_eq(sc_client_wait(client, 0, &event), 0);
    ck_assert_int_eq(sc_client_send(client, SC_CLIENT_ECHO, "d", 1, &error), -1);
    ck_assert_str_eq(error.text, "can't send a request: the connection is closed");
    tear_down();
    sc_tls_context_unref(imposter);
    ck_assert_str_eq(server.got, "a|");
}
END_TEST

START_TEST(by_default_a_lost_connection_is_the_end)
{
    static const struct turn turns[] = {{1, CLOSED}};
    set_up(turns, SC_COUNT_OF(turns), 0);
    ck_assert_int_eq(sc_client_call(client, SC_CLIENT_ECHO, "a", 1, &reply, &error), 0);
    ck_assert_int_eq(sc_client_call(client, SC_CLIENT_ECHO, "b", 1, &reply, &error), -1);
    ck_assert_int_eq(error.code, SC_CLIENT_UNAVAILABLE);
    ck_assert_int_eq(error.temporary, 1);
    tear_down();
    ck_assert_uint_eq(server.connections, 1);
}
END_TEST

START_TEST(a_wait_ends_when_its_time_is_up)
{
    static const struct turn turns[] = {{0, MUTE}};
    set_up(turns, SC_COUNT_OF(turns), 0);
    ck_assert_int_eq(sc_client_wait(client, 0, &event), 0);
    send_text("a");
    sc_client_process(client);
    const uint64_t begin_ms = sc_clock_ms();
    ck_assert_int_eq(sc_client_wait(client, 100, &event), 0); /* before the time of the reply */
    ck_assert_uint_ge(sc_clock_ms() - begin_ms, 100);
    /* What is not answered is bounded without a retry, too. */
    for (unsigned i = 1; i < SC_CLIENT_MAX_REQUESTS; i++) {
        ck_assert(!sc_client_is_full(client));
        send_text("b");
    }
    ck_assert(sc_client_is_full(client));
    ck_assert_int_eq(sc_client_send(client, SC_CLIENT_ECHO, "", 0, &error), -1);
    ck_assert_int_eq(error.code, SC_CLIENT_SYSTEM);
    tear_down();
}
END_TEST

/* A struct as a program has it that was compiled with another header. */
static union {
    size_t size;
    struct sc_client_error error;
    struct sc_client_reply reply;
    struct sc_client_event event;
    struct sc_client_info info;
    struct sc_client_stored_pin stored;
    uint8_t bytes[4096];
} other;

static void set_size(size_t size)
{
    memset(&other, 0xa5, sizeof(other));
    other.size = size;
}

/* Of the size that was set no more than `written` has changed, and not the size. */
static void expect_size(size_t size, size_t written)
{
    ck_assert_uint_eq(other.size, size);
    for (size_t i = written; i < sizeof(other.bytes); i++) {
        ck_assert_msg(other.bytes[i] == 0xa5, "byte %zu of %zu is written", i, size);
    }
}

START_TEST(structs_may_be_of_another_size)
{
    static const struct turn turns[] = {{0, STAYS}};
    static const uint8_t pin[32] = {1};
    const char *path = fixture_path("pins");
    set_up(turns, SC_COUNT_OF(turns), 0);

    size_t size = offsetof(struct sc_client_error, temporary);
    set_size(size);
    ck_assert_int_eq(sc_client_settings_set_timeout(settings, 1, &other.error), -1);
    ck_assert_int_eq(other.error.code, SC_CLIENT_USAGE);
    expect_size(size, size);
    set_size(size);
    ck_assert_ptr_null(sc_client_connect(settings, "unix:/nonexistent", &other.error));
    ck_assert_int_eq(other.error.code, SC_CLIENT_UNAVAILABLE);
    expect_size(size, size);
    size = sizeof(struct sc_client_error) + 100; /* a newer one */
    set_size(size);
    ck_assert_int_eq(sc_client_settings_set_timeout(settings, 1, &other.error), -1);
    expect_size(size, sizeof(struct sc_client_error));

    size = offsetof(struct sc_client_reply, error_text);
    set_size(size);
    ck_assert_int_eq(sc_client_call(client, SC_CLIENT_ECHO, "a", 1, &other.reply, &error), 0);
    ck_assert_uint_eq(other.reply.length, 1);
    expect_size(size, size);

    size = offsetof(struct sc_client_info, first_use);
    set_size(size);
    ck_assert_int_eq(sc_client_info(client, &other.info), 0);
    ck_assert_str_eq(other.info.peer, server.address);
    expect_size(size, size);

    size = offsetof(struct sc_client_event, cut);
    set_size(size);
    send_text("b");
    sc_client_process(client);
    ck_assert_int_eq(sc_client_wait(client, 20000, &other.event), 1);
    ck_assert_int_eq(other.event.type, SC_CLIENT_EVENT_REPLY);
    expect_size(size, size);

    size = offsetof(struct sc_client_stored_pin, path);
    set_size(size);
    ck_assert_int_eq(sc_client_store_pin(path, server.address, pin, "given", &error), 0);
    ck_assert_int_eq(sc_client_stored_pin(path, server.address, 0, &other.stored, &error), 1);
    ck_assert_mem_eq(other.stored.pin, pin, sizeof(pin));
    expect_size(size, size);
    tear_down();
}
END_TEST

SUITE_MAIN("client", structs_may_be_of_another_size, what_is_not_answered_is_sent_again_in_order,
           without_a_request_the_next_one_connects_again, a_server_that_never_answers_is_given_up,
           the_time_to_give_up_counts_from_the_last_reply, an_attempt_that_hangs_is_given_up,
           advice_is_taken_up_to_a_minute, a_server_that_is_only_looked_at_is_not_called_again,
           nobody_listens_until_it_is_given_up, descriptors_may_come_back,
           a_name_is_looked_up_again, a_close_holds_for_an_attempt_that_is_under_way,
           what_cannot_get_better_is_final, another_key_is_not_taken_for_the_server_that_was_lost,
           by_default_a_lost_connection_is_the_end, a_wait_ends_when_its_time_is_up)

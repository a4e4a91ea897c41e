/* A client over sockets whose server leaves: what is sent again, when, and what is final. */
#include "config.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/ssl.h>

#include "base/backoff.h"
#include "base/clock.h"
#include "base/compiler.h"
#include "proto/frame.h"
#include "spacecaptain/client.h"
#include "suite.h"
#include "tls_fixture.h"

enum ending {
    CUT, /* the socket is closed */
    CLOSED, /* close_notify first */
    LEAVES, /* ERROR 3, come back in 300 ms */
    LIMIT, /* ERROR 4, likewise */
    HALF, /* a half of the next reply */
    BROKEN, /* a reply of the wrong type */
    SILENT, /* the socket is closed instead of a handshake */
    STAYS, /* answers all, until the client leaves */
    MUTE, /* answers nothing more, likewise */
};

/* What the server does with a connection; the last one holds for all that follow. */
struct turn {
    int replies;
    enum ending ending;
};

static struct {
    SSL_CTX *ctx;
    struct sc_tls_watch watch;
    const struct turn *turns;
    size_t count;
    int listener;
    pthread_t thread;
    char address[64];
    char got[4096]; /* "a b|b c": the bodies of each connection */
    unsigned connections, resumed;
} server;

static struct sc_tls_context *context;
static struct sc_client_settings *settings;
static struct sc_client *client;
static struct sc_client_error error = SC_CLIENT_ERROR_INIT;
static struct sc_client_event event = SC_CLIENT_EVENT_INIT;
static struct sc_client_reply reply = SC_CLIENT_REPLY_INIT;

static bool read_exactly(SSL *ssl, uint8_t *out, size_t length)
{
    size_t got;
    for (size_t have = 0; have < length; have += got) {
        if (SSL_read_ex(ssl, out + have, length - have, &got) != 1) {
            return false;
        }
    }
    return true;
}

static bool take_request(SSL *ssl, uint8_t frame[1024], size_t *length)
{
    if (!read_exactly(ssl, frame, SC_FRAME_HEADER_BYTES)) {
        return false;
    }
    *length = sc_frame_get_header(frame).length;
    if (*length > 1000 || !read_exactly(ssl, frame + SC_FRAME_HEADER_BYTES, *length)) {
        return false;
    }
    const size_t used = strlen(server.got);
    (void)snprintf(server.got + used, sizeof(server.got) - used, "%s%.*s",
                   used > 0 && server.got[used - 1] != '|' ? " " : "", (int)*length,
                   (const char *)frame + SC_FRAME_HEADER_BYTES);
    return true;
}

static void end_connection(SSL *ssl, enum ending ending)
{
    uint8_t frame[1024];
    size_t length = 0;
    switch (ending) {
    case LEAVES:
    case LIMIT:
        length = sc_frame_put_error(
            frame, ending == LEAVES ? SC_ERROR_GOING_AWAY : SC_ERROR_OVER_LIMIT, 300, "bye");
        break;
    case HALF:
        if (take_request(ssl, frame, &length)) {
            length = SC_FRAME_HEADER_BYTES;
        }
        break;
    case BROKEN:
        if (take_request(ssl, frame, &length)) {
            sc_frame_put_header(frame, SC_FRAME_TIME, (uint32_t)length);
            length = SC_FRAME_HEADER_BYTES;
        }
        break;
    default: break;
    }
    if (length > 0) {
        (void)SSL_write(ssl, frame, (int)length);
    }
    if (ending == LEAVES || ending == LIMIT || ending == CLOSED) {
        (void)SSL_shutdown(ssl);
    }
    if (ending == MUTE) {
        while (take_request(ssl, frame, &length)) {
        }
    }
}

static void serve_one(int fd, const struct turn *turn)
{
    uint8_t frame[1024];
    size_t length;
    SSL *ssl = SSL_new(server.ctx);
    SSL_set_app_data(ssl, &server.watch);
    if (turn->ending != SILENT && SSL_set_fd(ssl, fd) == 1 && SSL_accept(ssl) == 1) {
        server.resumed += (unsigned)SSL_session_reused(ssl);
        for (int i = 0; i < turn->replies || turn->ending == STAYS; i++) {
            if (!take_request(ssl, frame, &length)) {
                break;
            }
            (void)SSL_write(ssl, frame, (int)(SC_FRAME_HEADER_BYTES + length));
        }
        end_connection(ssl, turn->ending);
    }
    SSL_free(ssl);
}

static void *serve(void *arg)
{
    (void)arg;
    /* A client may be gone before its answer. Only here: the library is to raise none itself. */
    sigset_t pipe_signal;
    (void)sigemptyset(&pipe_signal);
    (void)sigaddset(&pipe_signal, SIGPIPE);
    (void)pthread_sigmask(SIG_BLOCK, &pipe_signal, NULL);
    for (;;) {
        const int fd = accept(server.listener, NULL, NULL);
        if (fd < 0) {
            return NULL; /* shut down */
        }
        const size_t i = server.connections < server.count ? server.connections : server.count - 1;
        if (server.connections++ > 0) {
            strcat(server.got, "|");
        }
        serve_one(fd, &server.turns[i]);
        /* Unread requests would make a reset of the end, which destroys replies. */
        (void)shutdown(fd, SHUT_WR);
        for (char byte; recv(fd, &byte, 1, 0) > 0;) {
        }
        (void)close(fd);
    }
}

/* `retry_ms` 0: a lost connection is the end. */
static void set_up(const struct turn *turns, size_t count, uint32_t retry_ms)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(address);
    fixture_write_pair("server", "P-256");
    const struct sc_tls_server_settings server_settings = fixture_settings("server");
    context = fixture_server(&server_settings);
    server.ctx = sc_tls_context_ssl_ctx(context);
    sc_tls_watch_init(&server.watch);
    server.turns = turns;
    server.count = count;
    server.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(server.listener, (struct sockaddr *)&address, sizeof(address)), 0);
    ck_assert_int_eq(listen(server.listener, 16), 0);
    (void)getsockname(server.listener, (struct sockaddr *)&address, &length);
    (void)snprintf(server.address, sizeof(server.address), "127.0.0.1:%u", ntohs(address.sin_port));
    ck_assert_int_eq(pthread_create(&server.thread, NULL, serve, NULL), 0);
    settings = sc_client_settings_new(NULL, &error);
    ck_assert_int_eq(sc_client_settings_add_pin(settings, fixture_path("server.crt"), &error), 0);
    ck_assert_int_eq(sc_client_settings_set_retry(settings, retry_ms, &error), 0);
    client = sc_client_connect(settings, server.address, &error);
    ck_assert_msg(client != NULL, "%s", error.text);
}

static void stop_server(void)
{
    if (server.listener >= 0) {
        (void)shutdown(server.listener, SHUT_RDWR);
        (void)pthread_join(server.thread, NULL);
        (void)close(server.listener);
        server.listener = -1;
    }
}

static void tear_down(void)
{
    sc_client_free(client);
    stop_server();
    sc_client_settings_free(settings);
    sc_tls_watch_fini(&server.watch);
    sc_tls_context_unref(context);
}

static void send_text(const char *text)
{
    ck_assert_msg(sc_client_send(client, SC_CLIENT_ECHO, text, strlen(text), &error) > 0, "%s",
                  error.text);
}

/* Waits for an event of that type. */
static void expect(int type)
{
    sc_client_process(client);
    ck_assert_int_eq(sc_client_wait(client, 20000, &event), 1);
    ck_assert_msg(event.type == type, "event %d, not %d: %s", event.type, type,
                  event.error ? event.error->text : "");
}

static void expect_reply(uint64_t number, const char *text)
{
    expect(SC_CLIENT_EVENT_REPLY);
    ck_assert_uint_eq(event.reply->request, number);
    ck_assert_uint_eq(event.reply->length, strlen(text));
    ck_assert_int_eq(memcmp(event.reply->body, text, strlen(text)), 0);
}

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
        expect(SC_CLIENT_EVENT_LOST);
        ck_assert_uint_eq(event.unanswered, 2);
        ck_assert_uint_eq(sc_client_unanswered(client), 2);
        ck_assert_int_eq(event.error->temporary, 1);
        const uint64_t lost_ms = sc_clock_ms();
        if (endings[i] == LEAVES || endings[i] == LIMIT) {
            ck_assert_uint_eq(event.error->retry_after_ms, 300);
            ck_assert_uint_ge(event.wait_ms, 290);
        } else {
            ck_assert_uint_le(event.wait_ms, SC_BACKOFF_FIRST_MS);
        }
        send_text("e"); /* while there is no connection */
        expect(SC_CLIENT_EVENT_READY);
        if (endings[i] == LEAVES || endings[i] == LIMIT) {
            ck_assert_uint_ge(sc_clock_ms() - lost_ms, 250);
        }
        expect_reply(3, "c");
        expect(SC_CLIENT_EVENT_LOST);
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
    for (size_t i = 0; i < SC_COUNT_OF(each); i++) {
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
        /* 50 to 100 ms, 100 to 200, 200 to 400, 400 to 800: no more attempts than that. */
        ck_assert_uint_ge(server.connections, 3);
        ck_assert_uint_le(server.connections, 7);
    }
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
    const uint64_t begin_ms = sc_clock_ms();
    client = sc_client_connect(settings, server.address, &error);
    ck_assert_ptr_null(client);
    ck_assert_int_eq(error.code, SC_CLIENT_UNAVAILABLE);
    ck_assert(!strstr(error.text, "given up"));
    ck_assert_uint_lt(sc_clock_ms() - begin_ms, 400);
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
    ck_assert_int_eq(sc_client_call(client, SC_CLIENT_ECHO, "b", 1, &reply, &error), -1);
    ck_assert_int_eq(error.code, SC_CLIENT_PIN);
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

START_TEST(the_wait_grows_to_a_bound_and_differs)
{
    struct sc_backoff backoff = {0};
    uint32_t most_ms = SC_BACKOFF_FIRST_MS;
    bool differs = false;
    for (int i = 0; i < 40; i++) {
        const uint32_t wait_ms = sc_backoff_next_ms(&backoff);
        ck_assert_uint_ge(wait_ms, most_ms / 2);
        ck_assert_uint_le(wait_ms, most_ms);
        differs = differs || (wait_ms != most_ms && wait_ms != most_ms / 2);
        most_ms = most_ms * 2 < SC_BACKOFF_MAX_MS ? most_ms * 2 : SC_BACKOFF_MAX_MS;
    }
    ck_assert(differs);
    sc_backoff_reset(&backoff);
    ck_assert_uint_le(sc_backoff_next_ms(&backoff), SC_BACKOFF_FIRST_MS);
}
END_TEST

SUITE_MAIN("client", what_is_not_answered_is_sent_again_in_order,
           without_a_request_the_next_one_connects_again, a_server_that_never_answers_is_given_up,
           nobody_listens_until_it_is_given_up, what_cannot_get_better_is_final,
           another_key_is_not_taken_for_the_server_that_was_lost,
           by_default_a_lost_connection_is_the_end,
           cancelled_requests_are_neither_answered_nor_sent_again, what_waits_is_bounded,
           the_wait_grows_to_a_bound_and_differs)

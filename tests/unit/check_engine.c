/* The client engine against a server in memory: no socket, no clock. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/ssl.h>

#include "base/compiler.h"
#include "lib/saved_session.h"
#include "proto/frame.h"
#include "proto/handler.h"
#include "spacecaptain/client.h"
#include "tls_fixture.h"
#include "tls_library_suite.h"

#define LOG_BYTES 65536U

/* What the server has sent can be given to the engine in pieces of any size. */
struct server {
    SSL *ssl;
    BIO *in, *out;
    struct sc_tls_watch watch;
    uint8_t requests[LOG_BYTES];
    size_t have;
    bool done; /* the handshake */
};

static struct sc_tls_context *context;
static struct server server;
static struct sc_client_settings *settings;
static struct sc_client_engine *engine;
static struct sc_client_error error = SC_CLIENT_ERROR_INIT;
static struct sc_client_event event = SC_CLIENT_EVENT_INIT;
static size_t piece; /* bytes that the engine gets at once; 0: all */

static void set_up(void)
{
    engine = NULL;
    fixture_write_pair("server", "P-256");
    const struct sc_tls_server_settings server_settings = fixture_settings("server");
    context = fixture_server(&server_settings);
    settings = sc_client_settings_new(tls_library, &error);
    ck_assert_ptr_nonnull(settings);
    piece = 0;
}

static void open_server(void)
{
    server = (struct server){.ssl = SSL_new(sc_tls_context_ssl_ctx(context)),
                             .in = BIO_new(BIO_s_mem()),
                             .out = BIO_new(BIO_s_mem())};
    BIO_set_mem_eof_return(server.in, -1);
    sc_tls_watch_init(&server.watch);
    SSL_set_app_data(server.ssl, &server.watch);
    SSL_set_bio(server.ssl, server.in, server.out);
    SSL_set_accept_state(server.ssl);
}

static void open_engine(const char *pin)
{
    open_server();
    ck_assert_int_eq(sc_client_settings_add_pin(settings, pin, &error), 0);
    engine = sc_client_engine_new(settings, "localhost", 0, &error);
    ck_assert_msg(engine != NULL, "%s", error.text);
}

static void tear_down(void)
{
    sc_client_engine_free(engine);
    engine = NULL;
    SSL_free(server.ssl);
    sc_tls_watch_fini(&server.watch);
    server.ssl = NULL;
    sc_client_settings_free(settings);
    sc_tls_context_unref(context);
}

/* The server writes these bytes of plaintext. */
static void server_says(const void *bytes, size_t count)
{
    ck_assert_int_eq(SSL_write(server.ssl, bytes, (int)count), (int)count);
}

static void server_frame(uint32_t type, const void *body, size_t length)
{
    uint8_t frame[1024];
    sc_frame_put_header(frame, type, (uint32_t)length);
    memcpy(frame + SC_FRAME_HEADER_BYTES, body, length);
    server_says(frame, SC_FRAME_HEADER_BYTES + length);
}

/* Takes what the engine sends; answers whole requests when `answers`. */
static void serve(bool answers)
{
    const void *bytes;
    size_t count = sc_client_engine_output(engine, &bytes);
    if (count > 0) {
        BIO_write(server.in, bytes, (int)count);
        sc_client_engine_sent(engine, count);
    }
    if (!server.done) {
        server.done = SSL_do_handshake(server.ssl) == 1;
    }
    for (int got; server.done && (got = SSL_read(server.ssl, server.requests + server.have,
                                                 (int)(LOG_BYTES - server.have))) > 0;) {
        server.have += (size_t)got;
    }
    struct sc_frame_header header;
    size_t at = 0;
    while (answers && sc_frame_peek(server.requests + at, server.have - at, LOG_BYTES, &header) ==
                          SC_FRAME_COMPLETE) {
        const struct sc_handler *handler = sc_handler_find(header.type);
        uint8_t reply[LOG_BYTES];
        const size_t length =
            handler->run(server.requests + at + SC_FRAME_HEADER_BYTES, header.length, reply);
        server_frame(header.type, reply, length);
        at += SC_FRAME_HEADER_BYTES + header.length;
    }
    /* Not memmove(3): hardened, it is a memcpy(3) that overlaps to some versions of valgrind. */
    for (size_t i = at; i < server.have; i++) {
        server.requests[i - at] = server.requests[i];
    }
    server.have -= at;
}

/* Gives the engine what the server has sent, a piece at a time. True: there is an event. */
static bool next_event(bool answers)
{
    for (int i = 0; i < 100000; i++) {
        if (sc_client_engine_next_event(engine, 0, &event)) {
            return true;
        }
        serve(answers);
        char *bytes;
        const size_t waiting = (size_t)BIO_get_mem_data(server.out, &bytes);
        if (waiting == 0) {
            return sc_client_engine_next_event(engine, 0, &event) == 1;
        }
        uint8_t copy[LOG_BYTES];
        const int count = BIO_read(server.out, copy, piece ? (int)piece : (int)sizeof(copy));
        ck_assert_uint_eq(sc_client_engine_receive(engine, copy, (size_t)count), (size_t)count);
    }
    ck_abort_msg("no end");
}

static void get_ready(const char *pin)
{
    open_engine(pin);
    ck_assert(next_event(true));
    ck_assert_msg(event.type == SC_CLIENT_EVENT_READY, "%s", event.error->text);
    serve(false); /* Finished */
    ck_assert(server.done);
}

static void talk_in_pieces(size_t n)
{
    set_up();
    static const char *const bodies[] = {"", "hello", "a longer text"};
    piece = (size_t)n;
    get_ready(fixture_path("server.crt"));
    for (size_t i = 0; i < 3; i++) {
        ck_assert_int_eq(
            sc_client_engine_send(engine, SC_CLIENT_ECHO, bodies[i], strlen(bodies[i]), 0, &error),
            (int64_t)i + 1);
    }
    for (size_t i = 0; i < 3; i++) {
        ck_assert(next_event(true));
        ck_assert_int_eq(event.type, SC_CLIENT_EVENT_REPLY);
        ck_assert_uint_eq(event.reply->request, i + 1);
        ck_assert_uint_eq(event.reply->length, strlen(bodies[i]));
        ck_assert_ptr_nonnull(event.reply->body);
        ck_assert_int_eq(memcmp(event.reply->body, bodies[i], strlen(bodies[i])), 0);
    }
    ck_assert(!next_event(true));
    sc_client_engine_close(engine, 0);
    serve(false);
    SSL_shutdown(server.ssl);
    ck_assert(next_event(false));
    ck_assert_int_eq(event.type, SC_CLIENT_EVENT_END);
    ck_assert_int_eq(event.error->code, SC_CLIENT_OK);
    ck_assert(!next_event(false));
    tear_down();
}

START_TEST(every_split_of_the_input_gives_the_same_events)
{
    for (size_t n = 0; n < 64; n++) {
        talk_in_pieces(n);
    }
}
END_TEST

START_TEST(a_wrong_pin_ends_the_handshake_with_an_alert_before_finished)
{
    set_up();
    fixture_write_pair("other", "P-256");
    open_engine(fixture_path("other.crt"));
    ck_assert(next_event(true));
    ck_assert_int_eq(event.type, SC_CLIENT_EVENT_END);
    ck_assert_int_eq(event.error->code, SC_CLIENT_PIN);
    serve(false);
    ck_assert(!server.done);
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
    {SC_FRAME_ECHO, 0xffffffffU, "longer than 16 MiB"},
    {77, 5, "another type"},
    {SC_FRAME_ERROR, 4, "too short"},
    {SC_FRAME_ERROR, 0x7fffffU, "longer than 64 KiB"},
};

static void lie(size_t n)
{
    set_up();
    uint8_t frame[SC_FRAME_HEADER_BYTES + 4] = {0};
    get_ready(fixture_path("server.crt"));
    ck_assert_int_eq(sc_client_engine_send(engine, SC_CLIENT_ECHO, "hello", 5, 0, &error), 1);
    sc_frame_put_header(frame, lies[n].type, lies[n].length);
    server_says(frame, lies[n].type == SC_FRAME_ERROR && lies[n].length == 4
                           ? sizeof(frame)
                           : SC_FRAME_HEADER_BYTES);
    ck_assert(next_event(false));
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
    get_ready(fixture_path("server.crt"));
    server_frame(SC_FRAME_ECHO, "x", 1);
    ck_assert(next_event(false));
    ck_assert_int_eq(event.error->code, SC_CLIENT_PROTOCOL);
    tear_down();
}
END_TEST

START_TEST(errors_of_the_server_are_replies_or_the_end)
{
    set_up();
    uint8_t frame[SC_FRAME_ERROR_MAX_BYTES];
    get_ready(fixture_path("server.crt"));
    ck_assert_int_eq(sc_client_engine_send(engine, 99, "", 0, 0, &error), 1);
    ck_assert_int_eq(sc_client_engine_send(engine, SC_CLIENT_TIME, "", 0, 0, &error), 2);
    server_says(frame, sc_frame_put_error(frame, SC_ERROR_UNKNOWN_TYPE, 0, "no\033 such"));
    ck_assert(next_event(false));
    ck_assert_int_eq(event.type, SC_CLIENT_EVENT_REPLY);
    ck_assert_uint_eq(event.reply->error_code, SC_CLIENT_ERROR_UNKNOWN_TYPE);
    ck_assert_uint_eq(event.reply->type, 99);
    ck_assert_str_eq(event.reply->error_text, "no\\x1b such");
    ck_assert_mem_eq(event.reply->body, "no\033 such", 8);
    server_says(frame, sc_frame_put_error(frame, SC_ERROR_GOING_AWAY, 1500, "bye"));
    ck_assert(next_event(false));
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
    get_ready(fixture_path("server.crt"));
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
    get_ready(fixture_path("server.crt"));
    ck_assert(!next_event(true)); /* the ticket comes after the handshake */
    const size_t size = sc_client_engine_session(engine, session, sizeof(session));
    ck_assert_uint_gt(size, 40);
    sc_client_engine_free(engine);
    SSL_free(server.ssl);

    open_server();
    ck_assert_int_eq(sc_client_settings_set_session(settings, session, size, &error), 0);
    engine = sc_client_engine_new(settings, "localhost", 0, &error);
    ck_assert(next_event(true));
    ck_assert_int_eq(event.type, SC_CLIENT_EVENT_READY);
    ck_assert_int_eq(sc_client_engine_info(engine, &info), 0);
    ck_assert_int_eq(info.resumed, 1);
    sc_client_engine_free(engine);
    SSL_free(server.ssl);
    sc_client_settings_free(settings);

    settings = sc_client_settings_new(tls_library, &error);
    fixture_write_pair("other", "P-256");
    ck_assert_int_eq(sc_client_settings_set_session(settings, session, size, &error), 0);
    open_engine(fixture_path("other.crt"));
    ck_assert(next_event(true));
    ck_assert_int_eq(event.error->code, SC_CLIENT_PIN);
    ck_assert(!SSL_session_reused(server.ssl));
    ck_assert_int_eq(sc_client_settings_set_session(settings, "junk", 4, &error), -1);
    ck_assert_int_eq(error.code, SC_CLIENT_BAD_DATA);
    tear_down();
}
END_TEST

START_TEST(without_a_pin_there_is_no_connection_and_used_settings_stay)
{
    set_up();
    ck_assert_ptr_null(sc_client_engine_new(settings, "localhost", 0, &error));
    ck_assert_int_eq(error.code, SC_CLIENT_UNTRUSTED);
    get_ready(fixture_path("server.crt"));
    ck_assert_int_eq(sc_client_settings_set_timeout(settings, 1, &error), -1);
    ck_assert_int_eq(error.code, SC_CLIENT_USAGE);
    ck_assert_ptr_null(sc_client_settings_new("nosuchtls", &error));
    ck_assert_int_eq(error.code, SC_CLIENT_USAGE);
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
    open_engine(fixture_path("server.crt"));
    ck_assert(has_deadline(500)); /* of the handshake, which began at 0 */
    ck_assert(next_event(true));
    ck_assert_int_eq(event.type, SC_CLIENT_EVENT_READY);
    ck_assert(has_no_deadline());
    ck_assert_int_eq(send_echo(1, 1000), 1);
    ck_assert_int_eq(send_echo(2, 1200), 2);
    ck_assert(has_deadline(1500));
    ck_assert(next_event(true)); /* at 0, as all that comes */
    ck_assert_int_eq(event.type, SC_CLIENT_EVENT_REPLY);
    ck_assert(has_deadline(500));
    ck_assert(next_event(true));
    ck_assert(has_no_deadline());
    tear_down();
}
END_TEST

START_TEST(a_close_has_a_deadline)
{
    set_up();
    get_ready(fixture_path("server.crt"));
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

/* By number and by bytes. */
START_TEST(there_is_a_most_of_unanswered_requests)
{
    static const size_t lengths[] = {0, 4096};
    for (size_t n = 0; n < SC_COUNT_OF(lengths); n++) {
        const size_t most =
            n == 0 ? SC_CLIENT_MAX_REQUESTS : SC_CLIENT_MAX_REQUEST_BYTES / lengths[n];
        set_up();
        get_ready(fixture_path("server.crt"));
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
    get_ready(fixture_path("server.crt"));
    for (size_t round = 0; round < 100; round++) {
        for (size_t i = 0; i < 5 + round % 25; i++) {
            ck_assert_int_eq(send_echo(900 - i, 0), ++sent);
        }
        for (size_t i = 0; i < 5 + round % 25; i++) {
            ck_assert(next_event(true));
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
    get_ready(fixture_path("server.crt"));
    ck_assert_int_eq(sc_client_engine_send(engine, SC_FRAME_ERROR, "", 0, 0, &error), -1);
    ck_assert_int_eq(error.code, SC_CLIENT_USAGE);
    ck_assert_int_eq(send_echo(1, 0), 1);
    ck_assert(next_event(true));
    ck_assert_int_eq(event.type, SC_CLIENT_EVENT_REPLY);
    tear_down();
    set_up();
    ck_assert_int_eq(sc_client_settings_set_inspect(settings, 1, &error), 0);
    get_ready(fixture_path("server.crt"));
    ck_assert_int_eq(send_echo(1, 0), -1);
    ck_assert_int_eq(error.code, SC_CLIENT_USAGE);
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
    get_ready(fixture_path("server.crt"));
    ck_assert(!next_event(true));
    const size_t size = sc_client_engine_session(engine, session, sizeof(session));
    ck_assert_uint_gt(size, SC_SAVED_SESSION_HEADER_BYTES);
    sc_client_engine_free(engine);
    SSL_free(server.ssl);
    sc_client_settings_free(settings);

    ck_assert_int_eq(sc_pin_set_add(pins, fixture_path("other.crt"), NULL), 0);
    sc_saved_session_put_header(session, tls_library, pins);
    sc_pin_set_free(pins);
    settings = sc_client_settings_new(tls_library, &error);
    ck_assert_int_eq(sc_client_settings_set_session(settings, session, size, &error), 0);
    open_engine(fixture_path("other.crt"));
    ck_assert(next_event(true));
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
        open_engine(fixture_path("server.crt"));
        sc_client_engine_free(engine);
        engine = sc_client_engine_new(settings, cases[i].host, 0, &error);
        ck_assert(next_event(false));
        ck_assert_int_eq(event.type, SC_CLIENT_EVENT_READY);
        ck_assert_pstr_eq(SSL_get_servername(server.ssl, TLSEXT_NAMETYPE_host_name), cases[i].name);
        tear_down();
    }
}
END_TEST

TLS_LIBRARY_SUITE_MAIN(every_split_of_the_input_gives_the_same_events,
                       a_wrong_pin_ends_the_handshake_with_an_alert_before_finished,
                       a_reply_that_is_wrong_ends_the_connection_at_its_header,
                       an_answer_that_nobody_asked_for_breaks_the_protocol,
                       errors_of_the_server_are_replies_or_the_end,
                       deadlines_of_the_handshake_and_of_each_reply,
                       a_session_is_resumed_and_worth_nothing_under_other_pins,
                       without_a_pin_there_is_no_connection_and_used_settings_stay,
                       a_reply_begins_the_time_of_the_next, a_close_has_a_deadline,
                       there_is_a_most_of_unanswered_requests, what_is_answered_counts_no_more,
                       what_cannot_be_sent, a_resumed_server_is_checked_again,
                       the_name_that_the_server_is_asked_by)

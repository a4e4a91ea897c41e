/* SPDX-License-Identifier: MIT */
/*
 * The engine reports the same events however its bytes are cut: conversations with a server in
 * memory, cut at every place of either direction, and at random ones.
 */
#include "config.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "engine_peer.h"
#include "spacecaptain/client.h"
#include "suite.h"
#include "tls_fixture.h"

#define SEEDS 25U
#define TEXT_BYTES 2048U
#define NO_CUT SIZE_MAX

/* --- How the bytes are cut --- */

struct cuts {
    size_t in, out; /* a direction is cut here, counted from its first byte */
    uint64_t random; /* not 0: instead of that, pieces of 1 to 64 bytes */
};

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* How many of the next bytes go together. */
static size_t piece(struct cuts *cuts, size_t cut, size_t done, size_t count)
{
    const size_t most = cuts->random ? next_random(&cuts->random) % 64U + 1U
                        : done < cut ? cut - done
                                     : count;
    return count < most ? count : most;
}

/* --- Conversations --- */

struct talk {
    struct engine_peer server;
    struct sc_client_engine *engine;
    uint64_t replies;
    bool is_over; /* the server has ended its side: this is the end of the transport, too */
    size_t in, out; /* bytes of each direction so far */
    size_t in_at_ready; /* `in` when the handshake was done */
    char text[TEXT_BYTES]; /* what has happened */
};

struct conversation {
    const char *name;
    const char *max_protocol; /* of the server; NULL: the newest */
    bool wrong_pin, resumed;
    const char *plain; /* a server without TLS, which sends this */
    /* What the server does when a request is whole; the third argument is its number. */
    void (*serve)(struct talk *talk, unsigned number, const struct sc_frame_header *header,
                  const uint8_t *body);
};

static void answer(struct talk *talk, unsigned number, const struct sc_frame_header *header,
                   const uint8_t *body)
{
    (void)number;
    engine_peer_answer(&talk->server, header, body);
}

static void answer_and_go(struct talk *talk, unsigned number, const struct sc_frame_header *header,
                          const uint8_t *body)
{
    uint8_t frame[SC_FRAME_ERROR_MAX_BYTES];
    if (number == 2) {
        engine_peer_say(&talk->server, frame,
                        sc_frame_put_error(frame, SC_ERROR_GOING_AWAY, 1500, "bye"));
        (void)SSL_shutdown(talk->server.ssl);
    } else if (number == 1) {
        engine_peer_answer(&talk->server, header, body);
    }
}

static void answer_and_refuse(struct talk *talk, unsigned number,
                              const struct sc_frame_header *header, const uint8_t *body)
{
    uint8_t frame[SC_FRAME_ERROR_MAX_BYTES];
    if (number == 1) {
        engine_peer_answer(&talk->server, header, body);
        engine_peer_say(&talk->server, frame,
                        sc_frame_put_error(frame, SC_ERROR_OVER_LIMIT, 0, "enough"));
        (void)SSL_shutdown(talk->server.ssl);
    }
}

static void answer_wrongly(struct talk *talk, unsigned number, const struct sc_frame_header *header,
                           const uint8_t *body)
{
    if (number == 2) {
        engine_peer_frame(&talk->server, SC_FRAME_TIME, body, header->length);
    } else if (number == 1) {
        engine_peer_answer(&talk->server, header, body);
    }
}

/* All at once when the last request is there: a record with many frames, and frames in many. */
static void answer_together(struct talk *talk, unsigned number,
                            const struct sc_frame_header *header, const uint8_t *body)
{
    static uint8_t all[2048];
    static size_t used;
    used = number == 1 ? 0 : used;
    sc_frame_put_header(all + used, header->type, header->length);
    memcpy(all + used + SC_FRAME_HEADER_BYTES, body, header->length);
    used += SC_FRAME_HEADER_BYTES + header->length;
    if (number == 3) {
        engine_peer_say(&talk->server, all, 3);
        engine_peer_say(&talk->server, all + 3, used - 8);
        engine_peer_say(&talk->server, all + used - 5, 5);
        engine_peer_frame(&talk->server, SC_FRAME_ECHO, "nobody asked", 12);
    }
}

/* A reply, a part of the next one, and then nothing, not even close_notify. */
static void answer_half(struct talk *talk, unsigned number, const struct sc_frame_header *header,
                        const uint8_t *body)
{
    uint8_t frame[SC_FRAME_HEADER_BYTES];
    if (number == 1) {
        engine_peer_answer(&talk->server, header, body);
        sc_frame_put_header(frame, SC_FRAME_ECHO, 0);
        engine_peer_say(&talk->server, frame, 6);
        talk->is_over = true;
    }
}

/* What is not a record, after a reply. */
static void answer_and_garble(struct talk *talk, unsigned number,
                              const struct sc_frame_header *header, const uint8_t *body)
{
    static const uint8_t garbage[] = {0x17, 3, 3, 0, 24, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10,
                                      11,   0, 0, 0, 0,  0, 0, 0, 0, 0, 0, 0, 0, 0};
    if (number == 1) {
        engine_peer_answer(&talk->server, header, body);
        ck_assert_int_eq(BIO_write(talk->server.out, garbage, sizeof(garbage)), sizeof(garbage));
    }
}

/* Closes first, and goes on all the same, in clear. */
static void close_and_go_on(struct talk *talk, unsigned number,
                            const struct sc_frame_header *header, const uint8_t *body)
{
    if (number == 1) {
        engine_peer_answer(&talk->server, header, body);
        (void)SSL_shutdown(talk->server.ssl);
        (void)BIO_write(talk->server.out, "and more", 8);
    }
}

static const struct conversation conversations[] = {
    {"to its end", .serve = answer},
    {"to its end, TLS 1.2", .serve = answer, .max_protocol = "TLSv1.2"},
    {"to its end, resumed", .serve = answer, .resumed = true},
    {"another key", .serve = answer, .wrong_pin = true},
    {"no TLS", .plain = "HTTP/1.1 400 Bad Request\r\n\r\n"},
    {"goes away", .serve = answer_and_go},
    {"over a limit", .serve = answer_and_refuse},
    {"wrong type", .serve = answer_wrongly},
    {"together", .serve = answer_together},
    {"half a reply", .serve = answer_half},
    {"garbage", .serve = answer_and_garble},
    {"after the close", .serve = close_and_go_on},
};

/* --- Running one --- */

static const char *library;
static struct sc_tls_context *context, *old_context; /* the second one up to TLS 1.2 */
static const struct conversation *conversation;
static struct talk talk;
static uint8_t session[8192];
static size_t session_size;

static void SC_PRINTF(1, 2) note(const char *format, ...)
{
    const size_t used = strlen(talk.text);
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(talk.text + used, sizeof(talk.text) - used, format, arguments);
    va_end(arguments);
    ck_assert_uint_lt(strlen(talk.text), sizeof(talk.text) - 1);
}

static void send_requests(void)
{
    uint8_t body[300];
    memset(body, 'x', sizeof(body));
    ck_assert_int_eq(sc_client_engine_send(talk.engine, SC_CLIENT_ECHO, "hello", 5, 0, NULL), 1);
    ck_assert_int_eq(sc_client_engine_send(talk.engine, SC_CLIENT_ECHO, "", 0, 0, NULL), 2);
    ck_assert_int_eq(sc_client_engine_send(talk.engine, SC_CLIENT_ECHO, body, 300, 0, NULL), 3);
    ck_assert_int_eq(sc_client_engine_send(talk.engine, 77, "what", 4, 0, NULL), 4);
    ck_assert_int_eq(sc_client_engine_send(talk.engine, SC_CLIENT_REVERSE, "abc", 3, 0, NULL), 5);
}

static void on_event(const struct sc_client_event *event)
{
    switch (event->type) {
    case SC_CLIENT_EVENT_READY:
        note("ready\n");
        talk.in_at_ready = talk.in;
        send_requests();
        break;
    case SC_CLIENT_EVENT_REPLY:
        note("%" PRIu64 ": type %" PRIu32 ", error %" PRIu32 " (%s), %zu bytes: %.*s\n",
             event->reply->request, event->reply->type, event->reply->error_code,
             event->reply->error_text ? event->reply->error_text : "", event->reply->length,
             (int)event->reply->length, (const char *)event->reply->body);
        if (++talk.replies == 5) {
            sc_client_engine_close(talk.engine, 0);
        }
        break;
    default:
        note("end: %d, %s, retry after %" PRIu32 ", %" PRIu64 " unanswered, cut %d\n",
             event->error->code, event->error->text, event->error->retry_after_ms,
             event->unanswered, event->cut);
    }
}

static void on_request(struct engine_peer *server, const struct sc_frame_header *header,
                       const uint8_t *body)
{
    conversation->serve(&talk, server->requests, header, body);
}

/* Moves a piece of what the engine has sent. Returns whether there was any. */
static bool move_out(struct cuts *cuts)
{
    const void *bytes;
    const size_t waiting = sc_client_engine_output(talk.engine, &bytes);
    const size_t count = piece(cuts, cuts->out, talk.out, waiting);
    if (count > 0) {
        const size_t had = talk.out;
        talk.out += count;
        if (conversation->plain && had == 0) {
            (void)BIO_write(talk.server.out, conversation->plain, (int)strlen(conversation->plain));
        } else if (!conversation->plain) {
            engine_peer_take(&talk.server, bytes, count);
            if (SSL_get_shutdown(talk.server.ssl) == SSL_RECEIVED_SHUTDOWN) {
                (void)SSL_shutdown(talk.server.ssl);
            }
        }
        sc_client_engine_sent(talk.engine, count);
    }
    return count > 0;
}

static bool move_in(struct cuts *cuts)
{
    uint8_t bytes[ENGINE_PEER_BYTES];
    const size_t waiting = engine_peer_waiting(&talk.server);
    const size_t count =
        engine_peer_give(&talk.server, bytes, piece(cuts, cuts->in, talk.in, waiting));
    talk.in += count;
    if (count > 0) {
        ck_assert_uint_eq(sc_client_engine_receive(talk.engine, bytes, count), count);
    }
    return count > 0;
}

static void drain_events(void)
{
    struct sc_client_event event = SC_CLIENT_EVENT_INIT;
    while (sc_client_engine_next_event(talk.engine, 0, &event)) {
        on_event(&event);
    }
}

static struct sc_client_settings *new_settings(void)
{
    struct sc_client_error error = SC_CLIENT_ERROR_INIT;
    struct sc_client_settings *settings = sc_client_settings_new(library, &error);
    ck_assert_msg(settings != NULL, "%s", error.text);
    ck_assert_int_eq(
        sc_client_settings_add_pin(
            settings, fixture_path(conversation->wrong_pin ? "other.crt" : "server.crt"), &error),
        0);
    if (conversation->resumed) {
        ck_assert_int_eq(sc_client_settings_set_session(settings, session, session_size, &error),
                         0);
    }
    return settings;
}

/* What has happened is in talk.text. */
static void run(struct sc_client_settings *settings, struct cuts cuts)
{
    struct sc_client_error error = SC_CLIENT_ERROR_INIT;
    talk.replies = talk.in = talk.out = talk.in_at_ready = 0;
    talk.is_over = false;
    talk.text[0] = '\0';
    engine_peer_open(&talk.server, conversation->max_protocol ? old_context : context);
    talk.server.on_request = on_request;
    talk.engine = sc_client_engine_new(settings, "localhost", 0, &error);
    ck_assert_msg(talk.engine != NULL, "%s", error.text);
    for (;;) {
        drain_events();
        const bool in_first = cuts.random && next_random(&cuts.random) % 2 == 0;
        if ((in_first && move_in(&cuts)) || move_out(&cuts) || move_in(&cuts)) {
            continue;
        }
        if (!talk.is_over) {
            break;
        }
        talk.is_over = false;
        sc_client_engine_receive_end(talk.engine, 0);
    }
    ck_assert_msg(strstr(talk.text, "end: ") != NULL, "no end of \"%s\":\n%s", conversation->name,
                  talk.text);
    if (session_size == 0) {
        session_size = sc_client_engine_session(talk.engine, session, sizeof(session));
    }
    sc_client_engine_free(talk.engine);
    engine_peer_close(&talk.server);
}

static void run_and_compare(struct sc_client_settings *settings, struct cuts cuts,
                            const char *expected)
{
    run(settings, cuts);
    if (strcmp(talk.text, expected) != 0) {
        ck_abort_msg("\"%s\" with %s, in cut at %zd, out at %zd, seed %" PRIu64
                     ": it was\n%s, expected\n%s",
                     conversation->name, library, (ssize_t)cuts.in, (ssize_t)cuts.out, cuts.random,
                     talk.text, expected);
    }
}

/*
 * Each third place of the first conversation, and fewer of the others, since each is a handshake;
 * every place of all of them with SC_TEST_ALL=yes. Fewer with a slow library, and under valgrind.
 */
static size_t step(void)
{
    const bool is_slow = strcmp(library, "openssl") != 0;
    const bool is_first = conversation == &conversations[0];
    return getenv("SC_TEST_ALL")             ? 1U
           : getenv("CK_TIMEOUT_MULTIPLIER") ? (is_slow ? 800U : 40U)
           : is_first                        ? (is_slow ? 20U : 3U)
                                             : (is_slow ? 400U : 20U);
}

static void cut_everywhere(const struct conversation *this)
{
    char expected[TEXT_BYTES];
    conversation = this;
    struct sc_client_settings *settings = new_settings();
    run(settings, (struct cuts){.in = NO_CUT, .out = NO_CUT});
    memcpy(expected, talk.text, sizeof(expected));
    /* The handshake is that of the first conversations, whatever follows it. */
    const size_t in = talk.in, out = talk.out;
    const size_t first = this->serve && this->serve != answer ? talk.in_at_ready : 1;
    for (size_t at = first; at < in; at += step()) {
        run_and_compare(settings, (struct cuts){.in = at, .out = NO_CUT}, expected);
    }
    for (size_t at = 1; at < out && first == 1; at += step()) {
        run_and_compare(settings, (struct cuts){.in = NO_CUT, .out = at}, expected);
    }
    for (uint64_t seed = 1; seed <= SEEDS; seed += step() > 20 ? SEEDS / 2 : 1) {
        run_and_compare(settings, (struct cuts){.random = seed * UINT64_C(0x9e3779b97f4a7c15)},
                        expected);
    }
    sc_client_settings_free(settings);
}

static void with(const char *name)
{
    struct sc_tls_server_settings settings;
    if (!sc_client_tls_version(name)) {
        return;
    }
    library = name;
    fixture_write_pair("server", "P-256");
    fixture_write_pair("other", "P-256");
    settings = fixture_settings("server");
    context = fixture_server(&settings);
    old_context = fixture_server(&settings);
    ck_assert_int_eq(
        SSL_CTX_set_max_proto_version(sc_tls_context_ssl_ctx(old_context), TLS1_2_VERSION), 1);
    session_size = 0;
    for (size_t i = 0; i < SC_COUNT_OF(conversations); i++) {
        cut_everywhere(&conversations[i]);
    }
    sc_tls_context_unref(context);
    sc_tls_context_unref(old_context);
}

START_TEST(every_cut_gives_the_same_events_with_openssl)
{
    with("openssl");
}
END_TEST

START_TEST(every_cut_gives_the_same_events_with_mbedtls)
{
    with("mbedtls");
}
END_TEST

SUITE_MAIN("engine_splits", every_cut_gives_the_same_events_with_openssl,
           every_cut_gives_the_same_events_with_mbedtls)

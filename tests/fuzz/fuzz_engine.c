/* SPDX-License-Identifier: MIT */
/*
 * What a server can send to the client engine: any bytes instead of a handshake, and after a real
 * one any plaintext in records of any size. Whatever comes, events keep their order, a reply is
 * one to a request, there is one end with an error in printable words, and memory does not grow
 * beyond what has come.
 */
#include "config.h"

#include <check.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../unit/engine_peer.h"
#include "../unit/tls_fixture.h"
#include "fuzz.h"
#include "lib/engine.h"

/*
 * The first byte: bit 7, no handshake; bit 6, TLS 1.2; the rest, the size of records. The second:
 * how many requests were sent.
 */
const uint8_t fuzz_seed[] =
    "\7\4\0\0\0\1\0\0\0\5hello\0\0\0\2\0\0\0\0\0\0\0\0\0\0\0\14\0\0\0\1\0\0\0"
    "\0what\0\0\0\3\0\0\0\33002026-11-21T01:22:03.12345Z\0\0\0\0\0\0\0\11\0"
    "\0\0\3\0\0\1\0x";
const size_t fuzz_seed_bytes = sizeof(fuzz_seed) - 1;

/* What the fixtures of the unit tests want of libcheck, which reports to a test runner. */
void _mark_point(const char *file, int line)
{
    (void)file;
    (void)line;
}

void _ck_assert_failed(const char *file, int line, const char *expression, const char *message, ...)
{
    (void)message;
    (void)fprintf(stderr, "%s:%d: %s\n", file, line, expression);
    abort();
}

static struct sc_tls_context *context, *old_context;
static struct sc_client_settings *settings;

static void set_up(void)
{
    fixture_write_pair("server", "P-256");
    const struct sc_tls_server_settings server = fixture_settings("server");
    context = fixture_server(&server);
    old_context = fixture_server(&server);
    FUZZ_CHECK(SSL_CTX_set_max_proto_version(sc_tls_context_ssl_ctx(old_context), TLS1_2_VERSION) ==
               1);
    settings = sc_client_settings_new(NULL, NULL);
    FUZZ_CHECK(sc_client_settings_add_pin(settings, fixture_path("server.crt"), NULL) == 0);
}

struct seen {
    bool is_ready, has_ended;
    uint64_t replies;
};

static void check_text(const char *text)
{
    FUZZ_CHECK(*text != '\0');
    for (; *text; text++) {
        FUZZ_CHECK(!iscntrl((unsigned char)*text));
    }
}

static void check_end(const struct sc_client_event *event, const struct seen *seen,
                      uint64_t requests)
{
    FUZZ_CHECK(event->error->code != SC_CLIENT_OK && event->error->code != SC_CLIENT_PIN &&
               event->error->code != SC_CLIENT_SYSTEM);
    check_text(event->error->text);
    FUZZ_CHECK(event->unanswered == requests - seen->replies);
}

/* What the engine has to say, checked. */
static void take_events(struct sc_client_engine *engine, uint64_t requests, struct seen *seen)
{
    struct sc_client_event event = SC_CLIENT_EVENT_INIT;
    while (sc_client_engine_next_event(engine, 0, &event)) {
        FUZZ_CHECK(!seen->has_ended);
        switch (event.type) {
        case SC_CLIENT_EVENT_READY:
            FUZZ_CHECK(!seen->is_ready);
            seen->is_ready = true;
            break;
        case SC_CLIENT_EVENT_REPLY:
            FUZZ_CHECK(seen->is_ready && event.reply->request == ++seen->replies);
            FUZZ_CHECK(seen->replies <= requests && event.reply->body != NULL);
            FUZZ_CHECK((event.reply->error_code != 0) == (event.reply->error_text != NULL) ||
                       event.reply->error_code == 0);
            break;
        default: seen->has_ended = true; check_end(&event, seen, requests);
        }
    }
}

static void give(struct sc_client_engine *engine, const uint8_t *bytes, size_t count,
                 uint64_t requests, struct seen *seen)
{
    while (count > 0) {
        const size_t taken = sc_client_engine_receive(engine, bytes, count);
        FUZZ_CHECK(taken > 0 && taken <= count);
        bytes += taken;
        count -= taken;
        take_events(engine, requests, seen);
    }
}

static void exchange(struct sc_client_engine *engine, struct engine_peer *server, uint64_t requests,
                     struct seen *seen)
{
    static uint8_t bytes[ENGINE_PEER_BYTES];
    for (;;) {
        take_events(engine, requests, seen);
        const void *from;
        const size_t out = sc_client_engine_output(engine, &from);
        engine_peer_take(server, from, out);
        sc_client_engine_sent(engine, out);
        const size_t in = engine_peer_give(server, bytes, sizeof(bytes));
        give(engine, bytes, in, requests, seen);
        if (in == 0 && out == 0) {
            return;
        }
    }
}

static uint64_t ask(struct sc_client_engine *engine, unsigned count)
{
    static const uint32_t types[] = {SC_CLIENT_ECHO, SC_CLIENT_REVERSE, 77, SC_CLIENT_TIME};
    for (unsigned i = 0; i < count; i++) {
        const char *body = i == 0 ? "hello" : "";
        FUZZ_CHECK(sc_client_engine_send(engine, types[i % 4], body, strlen(body), 0, NULL) > 0);
    }
    return count;
}

/* Plaintext after a handshake. */
static void fuzz_plaintext(struct sc_client_engine *engine, const uint8_t *data, size_t size,
                           struct seen *seen)
{
    struct engine_peer server;
    engine_peer_open(&server, data[0] & 0x40U ? old_context : context);
    exchange(engine, &server, 0, seen);
    FUZZ_CHECK(seen->is_ready);
    const uint64_t requests = ask(engine, data[1] % 8U);
    const size_t piece = 1U + data[0] % 64U;
    for (size_t at = 2; at < size && !seen->has_ended; at += piece) {
        engine_peer_say(&server, data + at, size - at < piece ? size - at : piece);
        exchange(engine, &server, requests, seen);
        FUZZ_CHECK(engine->reader.room <= 1024 + 2 * size);
    }
    sc_client_engine_receive_end(engine, 0);
    take_events(engine, requests, seen);
    engine_peer_close(&server);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct seen seen = {.is_ready = false};
    if (size < 3) {
        return 0;
    }
    if (!settings) {
        set_up();
    }
    struct sc_client_engine *engine = sc_client_engine_new(settings, "localhost", 0, NULL);
    FUZZ_CHECK(engine != NULL);
    if (data[0] & 0x80U) {
        give(engine, data + 1, size - 1, 0, &seen);
        sc_client_engine_receive_end(engine, 0);
        take_events(engine, 0, &seen);
        FUZZ_CHECK(!seen.is_ready);
    } else {
        fuzz_plaintext(engine, data, size, &seen);
    }
    FUZZ_CHECK(seen.has_ended);
    sc_client_engine_free(engine);
    return 0;
}

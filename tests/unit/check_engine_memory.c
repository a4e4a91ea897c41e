/* SPDX-License-Identifier: MIT */
/*
 * Each single allocation of an engine's life fails once, of the library as of the TLS library
 * below it: there is an error or success, and never a wrong reply, a server that is wrongly
 * trusted, a leak or a crash.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/x509.h>

#include "engine_peer.h"
#include "failing_malloc.h"
#include "spacecaptain/client.h"
#include "suite.h"
#include "tls/keygen.h"
#include "tls/pin.h"
#include "tls/pins_message.h"
#include "tls_fixture.h"

/* --- A life --- */

static const char *library;
static struct sc_tls_context *context;
static struct engine_peer server;
static uint8_t session[8192];
static size_t session_size;
static uint8_t large[3000];
static bool with_store; /* the pins are those of a pin store, and the server announces a next key */
static EVP_PKEY *current, *next; /* of the server, then */

static struct {
    struct sc_client_settings *settings;
    struct sc_client_engine *engine;
    struct sc_client_error error; /* of the call that failed, or of END */
    bool is_ready, has_ended;
    unsigned replies;
} life;

/* Everything that can be set, with files; the paths are made beforehand, for they take memory. */
static bool settle(const char *pin)
{
    char certificate[512], key[512], pinned[512], store[512];
    struct sc_client_error *error = &life.error;
    (void)snprintf(certificate, sizeof(certificate), "%s", fixture_path("client.crt"));
    (void)snprintf(key, sizeof(key), "%s", fixture_path("client.key"));
    (void)snprintf(pinned, sizeof(pinned), "%s", fixture_path(pin));
    (void)snprintf(store, sizeof(store), "%s", fixture_path("pins"));
    life.settings = LIB_POINTER(sc_client_settings_new(library, error));
    if (with_store) {
        return life.settings &&
               LIB(sc_client_settings_set_pin_store(life.settings, store, "localhost",
                                                    SC_CLIENT_FIRST_USE_REFUSE, error)) == 0;
    }
    return life.settings && LIB(sc_client_settings_add_pin(life.settings, pinned, error)) == 0 &&
           LIB(sc_client_settings_add_pin(
               life.settings, "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", error)) ==
               0 &&
           LIB(sc_client_settings_set_certificate(life.settings, certificate, key, NULL, error)) ==
               0 &&
           LIB(sc_client_settings_set_session(life.settings, session_size ? session : NULL,
                                              session_size, error)) == 0;
}

static void ask(void)
{
    if (LIB(sc_client_engine_send(life.engine, SC_CLIENT_ECHO, "hello", 5, 0, &life.error)) > 0) {
        (void)LIB(sc_client_engine_send(life.engine, SC_CLIENT_ECHO, large, sizeof(large), 0,
                                        &life.error));
    }
}

static void take_reply(const struct sc_client_reply *reply)
{
    const void *body = life.replies == 0 ? (const void *)"hello" : large;
    const size_t length = life.replies == 0 ? 5 : sizeof(large);
    life.replies++;
    ck_assert_uint_eq(reply->request, life.replies);
    ck_assert_uint_eq(reply->length, length);
    ck_assert_mem_eq(reply->body, body, length);
    if (life.replies == 2) {
        session_size =
            session_size
                ? session_size
                : (size_t)LIB(sc_client_engine_session(life.engine, session, sizeof(session)));
        LIB_VOID(sc_client_engine_close(life.engine, 0));
    }
}

static void take_events(void)
{
    struct sc_client_event event = SC_CLIENT_EVENT_INIT;
    while (LIB(sc_client_engine_next_event(life.engine, 0, &event))) {
        ck_assert(!life.has_ended);
        switch (event.type) {
        case SC_CLIENT_EVENT_READY:
            ck_assert(!life.is_ready);
            life.is_ready = true;
            ask();
            break;
        case SC_CLIENT_EVENT_REPLY: take_reply(event.reply); break;
        case SC_CLIENT_EVENT_PINS: break;
        default:
            life.has_ended = true;
            if (life.error.code == 0) { /* no request has failed before */
                life.error = *event.error;
            }
        }
    }
}

static bool move_bytes(void)
{
    uint8_t bytes[ENGINE_PEER_BYTES];
    const void *from;
    const size_t out = (size_t)LIB(sc_client_engine_output(life.engine, &from));
    engine_peer_take(&server, from, out);
    LIB_VOID(sc_client_engine_sent(life.engine, out));
    const size_t in = engine_peer_give(&server, bytes, sizeof(bytes));
    for (size_t at = 0; at < in && !life.has_ended;) {
        at += (size_t)LIB(sc_client_engine_receive(life.engine, bytes + at, in - at));
        take_events();
    }
    return in > 0 || out > 0;
}

/* Both keys, with a proof of the next one. */
static void send_pins(struct engine_peer *peer)
{
    struct sc_pins_message message = {.next = {.scheme = SC_PINS_ECDSA_P256_SHA256}};
    uint8_t exporter[SC_PINS_EXPORTER_BYTES], signature[SC_PINS_MAX_SIGNATURE_BYTES];
    uint8_t *keys[2] = {NULL, NULL}, reply[SC_FRAME_HEADER_BYTES + SC_PINS_MAX_BYTES];
    message.current.spki_bytes = (size_t)i2d_PUBKEY(current, &keys[0]);
    message.next.spki_bytes = (size_t)i2d_PUBKEY(next, &keys[1]);
    message.current.spki = keys[0];
    message.next.spki = keys[1];
    message.next.signature = signature;
    ck_assert(sc_pins_exporter(peer->ssl, exporter));
    ck_assert_int_eq(sc_pins_sign(next, exporter, signature, &message.next.signature_bytes, NULL),
                     0);
    const size_t length = sc_pins_build(&message, reply + SC_FRAME_HEADER_BYTES);
    sc_frame_put_header(reply, SC_FRAME_PINS, (uint32_t)length);
    (void)SSL_write(peer->ssl, reply, (int)(SC_FRAME_HEADER_BYTES + length));
    OPENSSL_free(keys[0]);
    OPENSSL_free(keys[1]);
}

/* Echoes. It may fail: a client whose memory is gone may have ended the connection. */
static void answer(struct engine_peer *peer, const struct sc_frame_header *header,
                   const uint8_t *body)
{
    if (header->type == SC_FRAME_PINS) {
        send_pins(peer);
        return;
    }
    (void)SSL_write(peer->ssl, body - SC_FRAME_HEADER_BYTES,
                    (int)(SC_FRAME_HEADER_BYTES + header->length));
}

static void converse(void)
{
    engine_peer_open(&server, context);
    server.on_request = answer;
    take_events();
    while (move_bytes()) {
        take_events();
    }
    if (!life.has_ended) { /* after our close_notify the server says nothing more */
        LIB_VOID(sc_client_engine_receive_end(life.engine, 0));
        take_events();
    }
    ck_assert(life.has_ended);
    engine_peer_close(&server);
}

static void begin(unsigned long failing)
{
    struct sc_client_settings *settings = life.settings;
    memset(&life, 0, sizeof(life));
    life.settings = settings;
    life.error = (struct sc_client_error)SC_CLIENT_ERROR_INIT;
    counted = 0;
    fails_at = failing;
}

static void end(void)
{
    fails_at = 0;
    OPENSSL_thread_stop(); /* what it keeps of errors and random numbers */
}

/* Of settings, from the first to the last call. */
static void live_settings(const char *pin, unsigned long failing)
{
    life.settings = NULL;
    begin(failing);
    if (settle(pin)) {
        life.replies = 2; /* it is a success */
    }
    LIB_VOID(sc_client_settings_free(life.settings));
    life.settings = NULL;
    end();
}

/* The store has the server's pin, and nothing else is left of an earlier life. */
static void write_store(void)
{
    static const char line[] = "localhost 4242 %s 2026-11-22T00:00:00Z given\n";
    uint8_t pin[SC_PIN_BYTES];
    struct sc_pin_formats as;
    char text[200];
    ck_assert_int_eq(sc_pin_of_key(current, pin, NULL), 0);
    sc_pin_format(pin, NULL, &as);
    const int length = snprintf(text, sizeof(text), line, as.curl);
    fixture_write("pins", text, (size_t)length);
}

/* Whatever has failed, it is whole: the server's pin, then the next one or none. */
static size_t count_stored(void)
{
    struct sc_client_stored_pin stored = SC_CLIENT_STORED_PIN_INIT;
    uint8_t pin[SC_PIN_BYTES];
    unsigned count = 0;
    int found;
    while ((found = sc_client_stored_pin(fixture_path("pins"), "localhost", count, &stored,
                                         NULL)) == 1) {
        ck_assert_int_eq(sc_pin_of_key(count == 0 ? current : next, pin, NULL), 0);
        ck_assert_mem_eq(stored.pin, pin, sizeof(pin));
        count++;
    }
    ck_assert_int_eq(found, 0);
    ck_assert(count == 1 || count == 2);
    return count;
}

/* Of a connection; the settings are there. */
static void live_engine(const char *pin, unsigned long failing)
{
    (void)pin;
    if (with_store) {
        write_store();
    }
    begin(failing);
    life.engine = LIB_POINTER(sc_client_engine_new(life.settings, "localhost", 0, &life.error));
    if (life.engine) {
        converse();
    }
    LIB_VOID(sc_client_engine_free(life.engine));
    end();
    if (with_store) {
        const size_t count = count_stored();
        ck_assert(failing != 0 || count == 2);
    }
}

/*
 * The failure of one was of no consequence, or an error: that it was memory OpenSSL does not always
 * tell, but what is wrong with the server or with a pin must not be reported.
 */
static void judge(unsigned long failing)
{
    const int code = life.error.code;
    ck_assert_msg(life.replies == 2 || code != 0, "%s: failure %lu is not an error", library,
                  failing);
    ck_assert_msg(code == 0 || code == SC_CLIENT_SYSTEM || code == SC_CLIENT_HANDSHAKE ||
                      (!life.engine && code == SC_CLIENT_BAD_DATA),
                  "%s: failure %lu is reported as %d: %s", library, failing, code, life.error.text);
    ck_assert(code == 0 || *life.error.text);
}

static void is_not_trusted(unsigned long failing)
{
    ck_assert_msg(!life.is_ready, "%s: failure %lu makes another server trusted", library, failing);
    ck_assert_int_ne(life.error.code, 0);
}

/* What a life keeps only the first time is a cache. */
static void expect_no_leak(void (*live)(const char *pin, unsigned long failing), const char *pin,
                           unsigned long failing, long before)
{
    for (int i = 0; blocks > before; i++) {
        ck_assert_msg(i < 4, "%s: failure %lu leaks %ld blocks", library, failing, blocks - before);
        before = blocks;
        live(pin, failing);
    }
}

static void sweep(void (*live)(const char *pin, unsigned long failing), const char *pin,
                  unsigned long step, void (*check)(unsigned long failing))
{
    live(pin, 0);
    live(pin, 0);
    const unsigned long all = counted;
    ck_assert_uint_gt(all, 100); /* or they are not seen */
    for (unsigned long failing = 1; failing <= all; failing += step) {
        const long before = blocks;
        live(pin, failing);
        check(failing);
        expect_no_leak(live, pin, failing, before);
    }
}

static void sweep_engine(const char *pin, unsigned long step, void (*check)(unsigned long failing))
{
    life.settings = NULL;
    begin(0);
    ck_assert(settle(pin));
    sweep(live_engine, pin, step, check);
    sc_client_settings_free(life.settings);
}

/* Each third even with SC_TEST_ALL=yes: each life brings a file to the disk. */
static void sweep_store(const char *name)
{
    const unsigned long step = getenv("SC_TEST_ALL") ? 3 : strcmp(name, "openssl") == 0 ? 47 : 97;
    if (!sc_client_tls_version(name) || !malloc_is_ours()) {
        return;
    }
    library = name;
    fixture_write_pair("server", "P-256");
    const struct sc_tls_server_settings settings = fixture_settings("server");
    context = fixture_server(&settings);
    current = sc_keygen_read_key(fixture_path("server.key"), NULL, NULL, NULL);
    next = fixture_key("P-256");
    with_store = true;
    session_size = 0;
    sweep_engine("", step, judge);
    with_store = false;
    EVP_PKEY_free(current);
    EVP_PKEY_free(next);
    sc_tls_context_unref(context);
}

static void sweep_all(const char *name, bool settings_only)
{
    struct sc_tls_server_settings settings;
    /* Not each where that takes too long, unless SC_TEST_ALL=yes. */
    const unsigned long step = getenv("SC_TEST_ALL") ? 1 : strcmp(name, "openssl") == 0 ? 11 : 97;
    if (!sc_client_tls_version(name) || !malloc_is_ours()) {
        return;
    }
    library = name;
    fixture_write_pair("server", "P-256");
    fixture_write_pair("other", "P-256");
    fixture_write_pair("client", "P-256");
    settings = fixture_settings("server");
    context = fixture_server(&settings);
    session_size = 0;
    if (settings_only) {
        sweep(live_settings, "server.crt", getenv("SC_TEST_ALL") ? 1 : 101, judge);
    } else {
        sweep_engine("server.crt", step, judge);
        ck_assert_uint_gt(session_size, 0);
        sweep_engine("server.crt", step, judge); /* with a session to resume */
        session_size = 0;
        sweep_engine("other.crt", step, is_not_trusted);
    }
    sc_tls_context_unref(context);
}

START_TEST(each_allocation_of_a_connection_fails_once_with_openssl)
{
    sweep_all("openssl", false);
}
END_TEST

START_TEST(each_allocation_of_settings_fails_once_with_openssl)
{
    sweep_all("openssl", true);
}
END_TEST

START_TEST(each_allocation_of_a_connection_fails_once_with_mbedtls)
{
    sweep_all("mbedtls", false);
}
END_TEST

START_TEST(each_allocation_of_settings_fails_once_with_mbedtls)
{
    sweep_all("mbedtls", true);
}
END_TEST

START_TEST(each_allocation_with_a_pin_store_fails_once)
{
    sweep_store("openssl");
    sweep_store("mbedtls");
}
END_TEST

SUITE_MAIN("engine_memory", each_allocation_with_a_pin_store_fails_once,
           each_allocation_of_a_connection_fails_once_with_openssl,
           each_allocation_of_settings_fails_once_with_openssl,
           each_allocation_of_a_connection_fails_once_with_mbedtls,
           each_allocation_of_settings_fails_once_with_mbedtls)

/* SPDX-License-Identifier: MIT */
/* The client engine with a pin store. */
#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/ssl.h>

#include "lib/pin_store.h"
#include "lib/saved_session.h"
#include "pins_server.h"
#include "scratch.h"
#include "tls/keygen.h"
#include "tls/pin.h"

#define STORE "pins"
#define ADDRESS "captain.example.org:4242"

static char pins_text[1024]; /* the text of EVENT_PINS; empty: it did not come */
static int pins_code;

static void set_up_store(void)
{
    scratch_enter();
    set_up_unpinned();
    fixture_write_pair("next", "P-256");
    use_key("server.key");
    next = sc_keygen_read_key(fixture_path("next.key"), NULL, NULL, NULL);
    lie = HONEST;
}

static void tear_down_store(void)
{
    tear_down();
    EVP_PKEY_free(current);
    EVP_PKEY_free(next);
    current = next = NULL;
    scratch_leave();
}

static void use_store(int first_use)
{
    new_settings();
    ck_assert_int_eq(sc_client_settings_set_pin_store(settings, STORE, ADDRESS, first_use, &error),
                     0);
}

/* --- A connection --- */

/* Of the next event; what was learnt before it is noted. */
static int next_type(void)
{
    while (next_event()) {
        if (event.type != SC_CLIENT_EVENT_PINS) {
            return event.type;
        }
        pins_code = event.error->code;
        (void)snprintf(pins_text, sizeof(pins_text), "%s", event.error->text);
    }
    return SC_CLIENT_EVENT_NONE;
}

/* Returns READY, or END. */
static int begin(void)
{
    *pins_text = '\0';
    pins_requests = 0;
    open_engine();
    server.on_request = answer;
    return next_type();
}

/* A connection with one request, which is answered as request 1; closed. */
static void converse(void)
{
    const int ready = begin();
    ck_assert_msg(ready == SC_CLIENT_EVENT_READY, "%s", event.error->text);
    ck_assert_int_eq(sc_client_engine_send(engine, SC_CLIENT_ECHO, "hello", 5, 0, &error), 1);
    ck_assert_uint_eq(sc_client_engine_unanswered(engine), 1);
    ck_assert_int_eq(next_type(), SC_CLIENT_EVENT_REPLY);
    ck_assert_uint_eq(event.reply->request, 1);
    ck_assert_mem_eq(event.reply->body, "hello", 5);
    ck_assert_uint_eq(sc_client_engine_unanswered(engine), 0);
    close_engine();
}

/* The store as letters: 'c' the pin of server.key, 'n' that of next.key. */
static const char *stored(void)
{
    static char letters[16];
    struct sc_client_stored_pin found = SC_CLIENT_STORED_PIN_INIT;
    uint8_t of_server[SC_PIN_BYTES], of_next[SC_PIN_BYTES];
    EVP_PKEY *key = sc_keygen_read_key(fixture_path("server.key"), NULL, NULL, NULL);
    ck_assert_int_eq(sc_pin_of_key(key, of_server, NULL), 0);
    ck_assert_int_eq(sc_pin_of_key(next, of_next, NULL), 0);
    EVP_PKEY_free(key);
    unsigned i = 0;
    while (sc_client_stored_pin(STORE, ADDRESS, i, &found, &error) == 1) {
        letters[i++] = memcmp(found.pin, of_server, SC_PIN_BYTES) == 0 ? 'c'
                       : memcmp(found.pin, of_next, SC_PIN_BYTES) == 0 ? 'n'
                                                                       : '?';
    }
    letters[i] = '\0';
    return letters;
}

static void know_server(void)
{
    use_store(SC_CLIENT_FIRST_USE_STORE);
    converse();
    ck_assert_str_eq(stored(), "c");
    use_store(SC_CLIENT_FIRST_USE_REFUSE);
}

/* A session of the last connection, for the next ones. */
static void offer_session(void)
{
    uint8_t session[8192];
    ck_assert_int_eq(begin(), SC_CLIENT_EVENT_READY);
    ck_assert_int_eq(next_type(), SC_CLIENT_EVENT_NONE);
    const size_t size = sc_client_engine_session(engine, session, sizeof(session));
    ck_assert_uint_gt(size, 0);
    ck_assert_int_eq(sc_client_settings_set_session(settings, session, size, &error), 0);
    close_engine();
}

static bool is_resumed(void)
{
    struct sc_client_info info = SC_CLIENT_INFO_INIT;
    ck_assert_int_eq(sc_client_engine_info(engine, &info), 0);
    return info.resumed != 0;
}

#define TEST(name) \
    static void run_##name(void); \
    START_TEST(name) \
    { \
        set_up_store(); \
        run_##name(); \
        tear_down_store(); \
    } \
    END_TEST \
    static void run_##name(void)

TEST(the_first_use_is_refused_or_stored_and_asks_nothing)
{
    use_store(SC_CLIENT_FIRST_USE_REFUSE);
    ck_assert_int_eq(begin(), SC_CLIENT_EVENT_END);
    ck_assert_int_eq(event.error->code, SC_CLIENT_UNTRUSTED);
    ck_assert_str_eq(event.error->key_type, "EC P-256");
    ck_assert_int_eq(strncmp(event.error->got, "sha256//", 8), 0);
    ck_assert_str_eq(event.error->expected, "");
    (void)carry_out();
    ck_assert(!server.is_done);
    ck_assert_uint_eq(server.watch.alert_received, SSL_AD_UNKNOWN_CA);
    close_engine();
    ck_assert_str_eq(stored(), "");

    use_store(SC_CLIENT_FIRST_USE_STORE);
    struct sc_client_info info = SC_CLIENT_INFO_INIT;
    ck_assert_int_eq(begin(), SC_CLIENT_EVENT_READY);
    ck_assert_str_eq(stored(), "c"); /* before a request */
    ck_assert_int_eq(sc_client_engine_info(engine, &info), 0);
    ck_assert_int_eq(info.first_use, 1);
    ck_assert_uint_eq(info.named, 0);
    ck_assert_int_eq(next_type(), SC_CLIENT_EVENT_NONE);
    ck_assert_uint_eq(pins_requests, 0);
    close_engine();
}

TEST(the_next_pin_is_learnt_and_the_last_one_dropped)
{
    know_server();
    converse();
    ck_assert_uint_eq(asked_length, SC_PIN_BYTES);
    ck_assert_str_eq(stored(), "cn");
    ck_assert_int_eq(pins_code, SC_CLIENT_OK);
    ck_assert_str_eq(pins_text, "localhost, in pins: the pin of its next key is stored");
    converse(); /* nothing new */
    ck_assert_uint_eq(asked_length, 2 * SC_PIN_BYTES);
    ck_assert_str_eq(pins_text, "");
    ck_assert_str_eq(stored(), "cn");
    lie = NO_NEXT;
    converse();
    ck_assert_str_eq(stored(), "cn");
    serve_with("next");
    converse();
    ck_assert_str_eq(stored(), "n");
    ck_assert_str_eq(pins_text,
                     "localhost, in pins: its key is in use, the pins before it are dropped");
    serve_with("server");
    ck_assert_int_eq(begin(), SC_CLIENT_EVENT_END);
    ck_assert_int_eq(event.error->code, SC_CLIENT_PIN);
    ck_assert_ptr_nonnull(strstr(event.error->expected, " (pins:2)"));
    close_engine();
}

static void learn_nothing(enum lie how, const char *why)
{
    lie = how;
    converse();
    ck_assert_str_eq(stored(), "c");
    ck_assert_int_ne(pins_code, SC_CLIENT_OK);
    ck_assert_msg(strstr(pins_text, "; no pin was stored") && strstr(pins_text, why), "%s: %s", why,
                  pins_text);
    ck_assert_ptr_null(strchr(pins_text, '\n'));
}

TEST(who_lies_about_the_next_key_teaches_nothing)
{
    know_server();
    learn_nothing(NO_PROOF, "the server gave no proof");
    learn_nothing(OTHER_SIGNER, "the signature is wrong, or of another connection");
    learn_nothing(OTHER_CONNECTION, "the signature is wrong, or of another connection");
    learn_nothing(NEXT_IS_CURRENT, "the next key is the current one");
    learn_nothing(OTHER_CURRENT, "is not the one of this connection");
    learn_nothing(MALFORMED, "the list of pins is malformed");
    learn_nothing(ERROR_REPLY, "did not send its pins: ERROR 1, no\\x0asuch type");
    lie = HONEST;
    converse();
    ck_assert_str_eq(stored(), "cn");
}

TEST(a_pin_that_was_given_is_stored_and_one_of_an_issuer_is_not)
{
    use_store(SC_CLIENT_FIRST_USE_STORE);
    char ca[300];
    (void)snprintf(ca, sizeof(ca), "ca:%s", fixture_path("server.crt"));
    ck_assert_int_eq(sc_client_settings_add_pin(settings, ca, &error), 0);
    host = NULL;
    converse();
    host = "localhost";
    ck_assert_str_eq(stored(), "");
    ck_assert_uint_eq(pins_requests, 0);
    /* With a pin that does not match, a first use is no way around it. */
    use_store(SC_CLIENT_FIRST_USE_STORE);
    ck_assert_int_eq(sc_client_settings_add_pin(settings, fixture_path("next.crt"), &error), 0);
    ck_assert_int_eq(begin(), SC_CLIENT_EVENT_END);
    ck_assert_int_eq(event.error->code, SC_CLIENT_PIN);
    close_engine();
    ck_assert_str_eq(stored(), "");
    /* It takes the place of what is stored: that is how a store is repaired. */
    know_server();
    serve_with("next");
    use_store(SC_CLIENT_FIRST_USE_REFUSE);
    ck_assert_int_eq(sc_client_settings_add_pin(settings, fixture_path("next.crt"), &error), 0);
    lie = NO_NEXT;
    converse();
    ck_assert_str_eq(stored(), "n");
    ck_assert_int_eq(pins_code, SC_CLIENT_OK);
    ck_assert_uint_eq(pins_requests, 1); /* it is known from now on */
}

/* The pin that was given is good all the same. */
TEST(a_given_pin_that_cannot_be_stored_is_reported_after_a_full_handshake)
{
    know_server();
    serve_with("next");
    ck_assert_int_eq(sc_client_settings_add_pin(settings, fixture_path("next.crt"), &error), 0);
    ck_assert_int_eq(mkdir(STORE ".lock", 0700), 0);
    offer_session();
    ck_assert_int_eq(pins_code, SC_CLIENT_CANT_CREATE);
    ck_assert_int_eq(strncmp(pins_text, "the pin store: can't ", 21), 0);
    ck_assert_ptr_nonnull(strstr(pins_text, "; no pin was stored"));
    ck_assert_str_eq(stored(), "c");
    ck_assert_int_eq(begin(), SC_CLIENT_EVENT_READY);
    ck_assert(is_resumed());
    ck_assert_int_eq(next_type(), SC_CLIENT_EVENT_NONE);
    ck_assert_str_eq(pins_text, "");
    close_engine();
    ck_assert_int_eq(rmdir(STORE ".lock"), 0);
}

TEST(of_two_that_meet_a_server_first_one_decides)
{
    uint8_t of_next[SC_PIN_BYTES];
    use_store(SC_CLIENT_FIRST_USE_STORE);
    open_engine();
    ck_assert_int_eq(sc_pin_of_key(next, of_next, NULL), 0);
    ck_assert_int_eq(sc_client_store_pin(STORE, ADDRESS, of_next, "typed", &error), 0);
    ck_assert_int_eq(next_type(), SC_CLIENT_EVENT_END);
    ck_assert_int_eq(event.error->code, SC_CLIENT_PIN);
    ck_assert_ptr_nonnull(strstr(event.error->text, "another key has just been stored in pins:2"));
    close_engine();
    ck_assert_str_eq(stored(), "n");
}

TEST(the_session_of_a_first_use_can_be_resumed)
{
    use_store(SC_CLIENT_FIRST_USE_STORE);
    offer_session();
    ck_assert_int_eq(begin(), SC_CLIENT_EVENT_READY);
    ck_assert(is_resumed());
    close_engine();
}

/* The server takes no more. */
TEST(at_most_eight_pins_are_sent)
{
    char text[64];
    know_server();
    for (int i = 0; i < 9; i++) {
        (void)snprintf(text, sizeof(text), "sha256//%c%.42s=", 'A' + i,
                       "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
        ck_assert_int_eq(sc_client_settings_add_pin(settings, text, &error), 0);
    }
    struct sc_client_info info = SC_CLIENT_INFO_INIT;
    ck_assert_int_eq(begin(), SC_CLIENT_EVENT_READY);
    ck_assert_int_eq(sc_client_engine_info(engine, &info), 0);
    ck_assert_uint_eq(info.named, 8);
    ck_assert_mem_eq(info.named_pins, info.key_pin, SC_PIN_BYTES);
    ck_assert_mem_eq(info.named_pins + SC_PIN_BYTES, "\0\0\0\0", 4); /* AAAA... */
    ck_assert_uint_eq(info.named_pins[(size_t)7 * SC_PIN_BYTES], 6 << 2); /* GAAA... */
    close_engine();
    converse();
    ck_assert_uint_eq(asked_length, 8 * SC_PIN_BYTES);
}

/* By the next connections of these settings, and by no others. */
TEST(a_server_that_takes_no_pin_is_asked_without_one)
{
    know_server();
    learn_nothing(TOO_LARGE, "did not send its pins: ERROR 2, too large");
    ck_assert_uint_eq(asked_length, SC_PIN_BYTES);
    lie = HONEST;
    converse();
    ck_assert_uint_eq(asked_length, 0);
    ck_assert_str_eq(stored(), "cn");
    use_store(SC_CLIENT_FIRST_USE_REFUSE);
    converse();
    ck_assert_uint_eq(asked_length, 2 * SC_PIN_BYTES);
}

TEST(a_close_waits_for_what_is_to_be_learnt)
{
    know_server();
    ck_assert_int_eq(begin(), SC_CLIENT_EVENT_READY);
    sc_client_engine_close(engine, 0);
    ck_assert_int_eq(sc_client_engine_send(engine, SC_CLIENT_TIME, NULL, 0, 0, &error), -1);
    ck_assert_int_eq(error.code, SC_CLIENT_USAGE);
    ck_assert_int_eq(next_type(), SC_CLIENT_EVENT_NONE);
    ck_assert_str_eq(stored(), "cn");
    ck_assert_int_eq(SSL_get_shutdown(server.ssl) & SSL_RECEIVED_SHUTDOWN, SSL_RECEIVED_SHUTDOWN);
    close_engine();
    /* A server that closes meanwhile is no failure. */
    ck_assert_int_eq(begin(), SC_CLIENT_EVENT_READY);
    server.on_request = NULL;
    sc_client_engine_close(engine, 0);
    (void)carry_out(); /* the end of the handshake, and PINS */
    ck_assert_int_eq(SSL_shutdown(server.ssl), 0);
    ck_assert_int_eq(next_type(), SC_CLIENT_EVENT_END);
    ck_assert_int_eq(event.error->code, SC_CLIENT_OK);
    close_engine();
    /* Not for ever. */
    ck_assert_int_eq(begin(), SC_CLIENT_EVENT_READY);
    uint64_t at_ms;
    sc_client_engine_close(engine, 0);
    ck_assert_int_eq(sc_client_engine_deadline(engine, &at_ms), 1);
    ck_assert_uint_le(at_ms, 1000);
    sc_client_engine_tick(engine, at_ms);
    sc_client_engine_tick(engine, at_ms + 1000);
    ck_assert_int_eq(sc_client_engine_next_event(engine, at_ms + 1000, &event), 1);
    ck_assert_int_eq(event.type, SC_CLIENT_EVENT_END);
    ck_assert_int_eq(event.error->code, SC_CLIENT_OK);
    close_engine();
}

TEST(a_resumed_connection_teaches_nothing_and_gives_its_session_up)
{
    know_server();
    lie = NO_NEXT;
    offer_session();
    ck_assert_int_eq(begin(), SC_CLIENT_EVENT_READY);
    ck_assert(is_resumed());
    ck_assert_int_eq(next_type(), SC_CLIENT_EVENT_NONE);
    ck_assert_uint_gt(sc_client_engine_session(engine, NULL, 0), 0);
    close_engine();
    /* That the key is another by now is news, too. */
    lie = OTHER_CURRENT;
    ck_assert_int_eq(begin(), SC_CLIENT_EVENT_READY);
    ck_assert(is_resumed());
    ck_assert_int_eq(next_type(), SC_CLIENT_EVENT_NONE);
    ck_assert_uint_eq(sc_client_engine_session(engine, NULL, 0), 0);
    close_engine();
    lie = NO_NEXT;
    offer_session();
    lie = HONEST;
    ck_assert_int_eq(begin(), SC_CLIENT_EVENT_READY);
    ck_assert(is_resumed());
    ck_assert_int_eq(next_type(), SC_CLIENT_EVENT_NONE);
    ck_assert_uint_eq(pins_requests, 1);
    ck_assert_str_eq(stored(), "c");
    ck_assert_str_eq(pins_text, "");
    ck_assert_uint_eq(sc_client_engine_session(engine, NULL, 0), 0);
    close_engine();
    ck_assert_int_eq(begin(), SC_CLIENT_EVENT_READY);
    ck_assert(!is_resumed());
    ck_assert_int_eq(next_type(), SC_CLIENT_EVENT_NONE);
    ck_assert_str_eq(stored(), "cn");
    close_engine();
}

TEST(a_session_is_checked_against_the_store)
{
    uint8_t session[8192];
    know_server();
    lie = NO_NEXT;
    ck_assert_int_eq(begin(), SC_CLIENT_EVENT_READY);
    ck_assert_int_eq(next_type(), SC_CLIENT_EVENT_NONE);
    const size_t size = sc_client_engine_session(engine, session, sizeof(session));
    close_engine();
    /* Under other pins it is worth nothing. */
    uint8_t other[SC_PIN_BYTES];
    ck_assert_int_eq(sc_pin_of_key(next, other, NULL), 0);
    ck_assert_int_eq(unlink(STORE), 0);
    ck_assert_int_eq(sc_client_store_pin(STORE, ADDRESS, other, "given", &error), 0);
    ck_assert_int_eq(sc_client_settings_set_session(settings, session, size, &error), 0);
    ck_assert_int_eq(begin(), SC_CLIENT_EVENT_END);
    ck_assert_int_eq(event.error->code, SC_CLIENT_PIN);
    (void)carry_out();
    ck_assert(!server.is_done); /* it was a full handshake */
    close_engine();
    /* One that says to be of these pins is resumed, and the key that it remembers decides. */
    struct sc_pin_set *set = sc_pin_set_new();
    ck_assert_int_eq(sc_pin_set_add_key(set, other, "", NULL), 0);
    sc_saved_session_put_header(session, tls_library, set);
    size_t payload;
    ck_assert_ptr_nonnull(sc_saved_session_payload(session, size, tls_library, set, &payload));
    ck_assert_ptr_null(sc_saved_session_payload(session, size, "another", set, &payload));
    for (size_t at = 0; at < SC_SAVED_SESSION_HEADER_BYTES; at++) {
        session[at] ^= 1;
        ck_assert_ptr_null(sc_saved_session_payload(session, size, tls_library, set, &payload));
        session[at] ^= 1;
    }
    static uint8_t large[SC_SAVED_SESSION_MAX_BYTES + 1];
    sc_saved_session_put_header(large, tls_library, set);
    ck_assert_int_eq(sc_saved_session_check(large, sizeof(large) - 1, NULL), 0);
    ck_assert_int_eq(sc_saved_session_check(large, sizeof(large), NULL), -1);
    sc_pin_set_free(set);
    ck_assert_int_eq(sc_client_settings_set_session(settings, session, size, &error), 0);
    ck_assert_int_eq(begin(), SC_CLIENT_EVENT_END);
    ck_assert_int_eq(event.error->code, SC_CLIENT_PIN);
    (void)carry_out();
    ck_assert_uint_eq(server.requests, 0);
    close_engine();
}

TEST(a_store_that_cannot_be_used_is_an_error_before_anything_is_sent)
{
    know_server();
    scratch_write(STORE, "nonsense\n");
    ck_assert_ptr_null(sc_client_engine_new(settings, "localhost", 0, &error));
    ck_assert_int_eq(error.code, SC_CLIENT_BAD_DATA);
    ck_assert_str_eq(error.text, "the pin store: pins:1: expected host, port, pin, date, and how "
                                 "it was learnt");
    /* A first use that cannot be stored is refused. */
    ck_assert_int_eq(unlink(STORE), 0);
    ck_assert_int_eq(mkdir(STORE ".new", 0700), 0);
    ck_assert_int_eq(mkdir(STORE ".new/x", 0700), 0);
    use_store(SC_CLIENT_FIRST_USE_STORE);
    ck_assert_int_eq(begin(), SC_CLIENT_EVENT_END);
    ck_assert_int_eq(event.error->code, SC_CLIENT_CANT_CREATE);
    ck_assert_str_eq(event.error->key_type, ""); /* to ask somebody would not help */
    (void)carry_out();
    ck_assert_uint_eq(server.requests, 0);
    close_engine();
    ck_assert_int_eq(rmdir(STORE ".new/x"), 0);
    /* Without an address, an engine has no name for the server. */
    new_settings();
    ck_assert_int_eq(sc_client_settings_set_pin_store(settings, STORE, NULL, 0, &error), 0);
    ck_assert_ptr_null(sc_client_engine_new(settings, "localhost", 0, &error));
    ck_assert_int_eq(error.code, SC_CLIENT_USAGE);
    new_settings(); /* which no connection has used */
    ck_assert_int_eq(sc_client_settings_set_pin_store(settings, STORE, NULL, 7, &error), -1);
    ck_assert_int_eq(error.code, SC_CLIENT_USAGE);
    ck_assert_msg(strstr(error.text, "invalid value 7 of first_use") != NULL, "%s", error.text);
    ck_assert_int_eq(sc_client_settings_set_pin_store(settings, STORE, "a:b:c", 0, &error), -1);
    ck_assert_int_eq(error.code, SC_CLIENT_USAGE);
    ck_assert_msg(strstr(error.text, "a:b:c") != NULL, "%s", error.text);
}

TLS_LIBRARY_SUITE_MAIN(the_first_use_is_refused_or_stored_and_asks_nothing,
                       the_next_pin_is_learnt_and_the_last_one_dropped,
                       who_lies_about_the_next_key_teaches_nothing,
                       a_pin_that_was_given_is_stored_and_one_of_an_issuer_is_not,
                       a_given_pin_that_cannot_be_stored_is_reported_after_a_full_handshake,
                       of_two_that_meet_a_server_first_one_decides,
                       the_session_of_a_first_use_can_be_resumed, at_most_eight_pins_are_sent,
                       a_server_that_takes_no_pin_is_asked_without_one,
                       a_close_waits_for_what_is_to_be_learnt,
                       a_resumed_connection_teaches_nothing_and_gives_its_session_up,
                       a_session_is_checked_against_the_store,
                       a_store_that_cannot_be_used_is_an_error_before_anything_is_sent)

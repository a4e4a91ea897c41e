/* SPDX-License-Identifier: MIT */
/*
 * A client engine and a server in memory, between which the test carries the bytes: no socket, no
 * clock. For one program, over each TLS library: everything is static.
 */
#ifndef SC_TESTS_ENGINE_FIXTURE_H
#define SC_TESTS_ENGINE_FIXTURE_H

#include "engine_peer.h"
#include "spacecaptain/client.h"
#include "tls_fixture.h"
#include "tls_library_suite.h"

static struct sc_tls_context *context;
static struct engine_peer server;
static struct sc_client_settings *settings;
static struct sc_client_engine *engine;
static struct sc_client_error error = SC_CLIENT_ERROR_INIT;
static struct sc_client_event event = SC_CLIENT_EVENT_INIT;
static const char *host = "localhost"; /* the server's name, as the engine gets it */

static inline void pin(const char *certificate)
{
    ck_assert_int_eq(sc_client_settings_add_pin(settings, fixture_path(certificate), &error), 0);
}

/* Settings without a pin, in the place of those before. */
static inline void new_settings(void)
{
    sc_client_settings_free(settings);
    settings = sc_client_settings_new(tls_library, &error);
    ck_assert_msg(settings != NULL, "%s", error.text);
}

/* A server with the pair "server", and settings without a pin. */
static inline void set_up_unpinned(void)
{
    fixture_write_pair("server", "P-256");
    const struct sc_tls_server_settings server_settings = fixture_settings("server");
    context = fixture_server(&server_settings);
    new_settings();
}

static inline void set_up(void)
{
    set_up_unpinned();
    pin("server.crt");
}

/* A connection. The server answers requests; with `server.on_request` NULL the test does. */
static inline void open_engine(void)
{
    engine_peer_open(&server, context);
    server.on_request = engine_peer_answer;
    engine = sc_client_engine_new(settings, host, 0, &error);
    ck_assert_msg(engine != NULL, "%s", error.text);
}

static inline void close_engine(void)
{
    sc_client_engine_free(engine);
    engine_peer_close(&server);
    engine = NULL;
}

static inline void tear_down(void)
{
    close_engine();
    sc_client_settings_free(settings);
    settings = NULL;
    sc_tls_context_unref(context);
    context = NULL;
}

/* What the engine has to send reaches the server. Returns how much it was. */
static inline size_t carry_out(void)
{
    const void *out;
    const size_t count = sc_client_engine_output(engine, &out);
    engine_peer_take(&server, out, count);
    sc_client_engine_sent(engine, count);
    return count;
}

/* A piece of what the server has sent reaches the engine, which takes no more while it has events.
 */
static inline size_t carry_in(void)
{
    uint8_t bytes[4096];
    const size_t count = engine_peer_give(&server, bytes, sizeof(bytes));
    ck_assert_uint_eq(sc_client_engine_receive(engine, bytes, count), count);
    return count;
}

/* Carries bytes until there is an event, which is set, or nothing to carry: false. */
static inline bool next_event(void)
{
    for (int i = 0; i < 1000; i++) {
        if (sc_client_engine_next_event(engine, 0, &event)) {
            return true;
        }
        const size_t out = carry_out();
        if (carry_in() == 0 && out == 0) {
            return false;
        }
    }
    ck_abort_msg("no end");
}

/* A connection after its handshake, and after the tickets that follow it. */
static inline void get_ready(void)
{
    open_engine();
    ck_assert(next_event());
    ck_assert_msg(event.type == SC_CLIENT_EVENT_READY, "%s", event.error->text);
    ck_assert(!next_event());
    ck_assert(server.is_done);
}

#endif

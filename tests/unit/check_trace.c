/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "tls/trace.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "suite.h"
#include "tls/handshake_hooks.h"
#include "tls_fixture.h"

static void at_us(uint64_t us)
{
    const uint64_t ns = us * 1000U;
    sc_clock_fake(&ns, NULL);
}

static void init(struct tls_pair *pair)
{
    fixture_write_pair("a", "P-256");
    const struct sc_tls_server_settings settings = fixture_settings("a");
    struct sc_tls_context *server = fixture_server(&settings), *client = fixture_client();
    tls_pair_init(pair, client, server);
    sc_tls_context_unref(server);
    sc_tls_context_unref(client);
    at_us(1000000);
    sc_tls_watch_start_trace(&pair->server_watch);
    ck_assert_ptr_nonnull(pair->server_watch.trace);
}

static const char *trace_of(const struct tls_pair *pair)
{
    static char text[SC_TLS_TRACE_TEXT_BYTES];
    sc_tls_trace_format(pair->server_watch.trace, text);
    return text;
}

static const char *offered(const struct tls_pair *pair)
{
    static char text[SC_TLS_TRACE_TEXT_BYTES];
    sc_tls_trace_format_versions(pair->server_watch.trace, text);
    return text;
}

#define ASSERT_HAS(text, words) \
    ck_assert_msg(strstr((text), (words)) != NULL, "\"%s\" is not in: %s", (words), (text))

START_TEST(states_and_bytes_are_kept)
{
    struct tls_pair pair;
    init(&pair);
    ck_assert_str_eq(trace_of(&pair), "");
    ck_assert_str_eq(offered(&pair), "");
    ck_assert(tls_pair_handshake(&pair));
    at_us(1000000 + 34567);
    sc_tls_trace_end(pair.server_watch.trace, 700, 1500);
    const char *text = trace_of(&pair);
    ck_assert_int_eq(strncmp(text, "0.0 ms in 0 out 0 start, in ", 28), 0);
    ASSERT_HAS(text, " read client hello, write server hello, ");
    ASSERT_HAS(text, "certificate, server certificate verify, out ");
    ASSERT_HAS(text, ", 34.5 ms in 700 out 1500 end");
    ck_assert_uint_lt(strlen(text), 500);
    ck_assert_str_eq(offered(&pair), "TLS 1.3, TLS 1.2");
    sc_tls_watch_end_trace(&pair.server_watch);
    ck_assert_ptr_null(pair.server_watch.trace);
    tls_pair_fini(&pair);
}
END_TEST

/* A client of TLS 1.2 sends no list. */
START_TEST(versions_of_old_clients)
{
    struct tls_pair pair;
    init(&pair);
    SSL_set_max_proto_version(pair.client, TLS1_2_VERSION);
    ck_assert(tls_pair_handshake(&pair));
    ck_assert_str_eq(offered(&pair), "up to TLS 1.2");
    tls_pair_fini(&pair);
}
END_TEST

/* One that is refused for its version has been heard before. */
START_TEST(versions_that_are_refused)
{
    struct tls_pair pair;
    init(&pair);
    SSL_set_security_level(pair.client, 0);
    SSL_set_min_proto_version(pair.client, TLS1_VERSION);
    SSL_set_max_proto_version(pair.client, TLS1_1_VERSION);
    ck_assert_int_eq(SSL_set_cipher_list(pair.client, "ALL:@SECLEVEL=0"), 1);
    ck_assert(!tls_pair_handshake(&pair));
    ck_assert_str_eq(offered(&pair), "up to TLS 1.1");
    tls_pair_fini(&pair);
}
END_TEST

/* However many states there are, the last is the last. */
START_TEST(the_end_is_never_lost)
{
    struct tls_pair pair;
    init(&pair);
    for (unsigned i = 0; i < 10 * SC_TLS_TRACE_STEPS; i++) {
        at_us(1000000 + i * 1000000U);
        (void)sc_tls_trace_add(pair.server_watch.trace, pair.server);
    }
    sc_tls_trace_end(pair.server_watch.trace, UINT32_MAX, UINT32_MAX);
    ck_assert_uint_eq(pair.server_watch.trace->count, SC_TLS_TRACE_STEPS);
    const char *text = trace_of(&pair);
    ASSERT_HAS(text, ", 199000.0 ms in 4294967295 out 4294967295 end");
    ck_assert_uint_lt(strlen(text), SC_TLS_TRACE_TEXT_BYTES);
    tls_pair_fini(&pair);

    /* Nor where the text is as full as it gets. */
    static const char words[] = "a state of which the name is so long that not all of them fit ";
    struct sc_tls_trace trace = {.count = SC_TLS_TRACE_STEPS};
    char full[SC_TLS_TRACE_TEXT_BYTES];
    for (unsigned i = 0; i < SC_TLS_TRACE_STEPS; i++) {
        trace.steps[i].state = i < SC_TLS_TRACE_STEPS - 5 ? words + i : "x";
    }
    trace.steps[SC_TLS_TRACE_STEPS - 1] =
        (struct sc_tls_state){"end", UINT32_MAX, UINT32_MAX, UINT32_MAX};
    sc_tls_trace_format(&trace, full);
    ck_assert_uint_gt(strlen(full), sizeof(full) - 80);
    ASSERT_HAS(full, ", 4294967.2 ms in 4294967295 out 4294967295 end");
}
END_TEST

START_TEST(what_is_the_same_is_not_said_again)
{
    static const struct sc_tls_trace trace = {
        .count = 5,
        .steps = {{.state = "read a"},
                  {.state = "read b", .microseconds = 150},
                  {.state = "write c", .microseconds = 249, .received = 7},
                  {.state = "write d", .microseconds = 250, .received = 7, .sent = 1},
                  {.state = "end", .microseconds = 2249, .received = 7, .sent = 2}}};
    char text[SC_TLS_TRACE_TEXT_BYTES];
    sc_tls_trace_format(&trace, text);
    ck_assert_str_eq(
        text, "0.0 ms in 0 out 0 read a, 0.1 ms b, in 7 write c, 0.2 ms out 1 d, 2.2 ms out 2 end");
}
END_TEST

static unsigned notified;

static bool yes(void *arg)
{
    (void)arg;
    return true;
}

static void on_state(void *arg, const struct sc_tls_state *state)
{
    ck_assert_ptr_eq(arg, &notified);
    ck_assert_ptr_nonnull(state->state);
    notified++;
}

START_TEST(the_owner_is_notified)
{
    static const struct sc_tls_handshake_hooks hooks = {
        .may_resume = yes, .may_be_full = yes, .on_state = on_state};
    struct tls_pair pair;
    init(&pair);
    pair.server_watch.hooks = &hooks;
    pair.server_watch.hooks_arg = &notified;
    ck_assert(tls_pair_handshake(&pair));
    ck_assert_uint_gt(notified, 8);
    ck_assert_uint_eq(notified, pair.server_watch.trace->count);
    tls_pair_fini(&pair);
}
END_TEST

SUITE_MAIN("trace", states_and_bytes_are_kept, versions_of_old_clients, versions_that_are_refused,
           the_end_is_never_lost, what_is_the_same_is_not_said_again, the_owner_is_notified)

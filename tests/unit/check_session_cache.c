/* SPDX-License-Identifier: MIT */
/* Sessions by id: those of clients that take no tickets. */
#include "config.h"

#include "tickets_fixture.h"

static struct sc_tickets *tickets;

static struct sc_tls_context *server_new(uint32_t cache_size)
{
    struct sc_tls_server_settings settings = fixture_settings("server");
    fixture_write_pair("server", "P-256");
    settings.tickets = tickets;
    settings.session_cache_size = cache_size;
    struct sc_tls_context *server = fixture_server(&settings);
    (void)SSL_CTX_set_options(sc_tls_context_ssl_ctx(server), SSL_OP_NO_TICKET);
    return server;
}

/* No more than it is to keep, whichever context they come by. */
START_TEST(there_is_a_most)
{
    SSL_SESSION *sessions[6] = {NULL};
    unsigned resumed = 0;
    tickets = tickets_new();
    struct sc_tls_context *server = server_new(3), *again = server_new(3);
    for (size_t i = 0; i < SC_COUNT_OF(sessions); i++) {
        ck_assert(!visit(i % 2 ? again : server, TLS1_2_VERSION, &sessions[i]));
        ck_assert_msg(visit(server, TLS1_2_VERSION, &sessions[i]), "%zu", i);
    }
    for (size_t i = 0; i < SC_COUNT_OF(sessions); i++) {
        resumed += visit(server, TLS1_2_VERSION, &sessions[i]);
        SSL_SESSION_free(sessions[i]);
    }
    ck_assert_uint_le(resumed, 3);
    sc_tls_context_unref(server);
    sc_tls_context_unref(again);
    sc_tickets_unref(tickets);
}
END_TEST

/* For OpenSSL 0 is "no limit". */
START_TEST(there_is_none_at_0)
{
    unsigned id_length = 1;
    tickets = tickets_new();
    struct sc_tls_context *server = server_new(0), *client = fixture_client();
    struct tls_pair pair;
    tls_pair_init(&pair, client, server);
    ck_assert_int_eq(SSL_set_max_proto_version(pair.client, TLS1_2_VERSION), 1);
    ck_assert(tls_pair_handshake(&pair));
    (void)SSL_SESSION_get_id(SSL_get_session(pair.client), &id_length);
    ck_assert_uint_eq(id_length, 0); /* so there is none to ask for */
    tls_pair_fini(&pair);
    sc_tls_context_unref(server);
    sc_tls_context_unref(client);
    sc_tickets_unref(tickets);
}
END_TEST

/* From time to time those that are too old are removed, and no others. */
START_TEST(there_is_room_for_many)
{
    SSL_SESSION *first = NULL;
    tickets = tickets_new();
    struct sc_tls_context *server = server_new(1000);
    ck_assert(!visit(server, TLS1_2_VERSION, &first));
    for (int i = 0; i < 300; i++) {
        SSL_SESSION *other = NULL;
        ck_assert(!visit(server, TLS1_2_VERSION, &other));
        SSL_SESSION_free(other);
    }
    ck_assert(visit(server, TLS1_2_VERSION, &first));
    SSL_SESSION_free(first);
    sc_tls_context_unref(server);
    sc_tickets_unref(tickets);
}
END_TEST

/* RFC 5246, section 7.2.2: a session whose connection failed is forgotten. */
START_TEST(a_failure_ends_the_session)
{
    SSL_SESSION *session = NULL;
    tickets = tickets_new();
    struct sc_tls_context *server = server_new(10), *client = fixture_client();
    ck_assert(!visit(server, TLS1_2_VERSION, &session));
    ck_assert(visit(server, TLS1_2_VERSION, &session));
    struct tls_pair pair;
    tls_pair_init(&pair, client, server);
    ck_assert_int_eq(SSL_set_max_proto_version(pair.client, TLS1_2_VERSION), 1);
    ck_assert_int_eq(SSL_set_session(pair.client, session), 1);
    ck_assert(tls_pair_handshake(&pair));
    ck_assert(SSL_session_reused(pair.server));
    SSL_free(pair.server); /* without close_notify */
    pair.server = NULL;
    SSL_free(pair.client);
    pair.client = NULL;
    ck_assert(!visit(server, TLS1_2_VERSION, &session));
    SSL_SESSION_free(session);
    sc_tls_context_unref(server);
    sc_tls_context_unref(client);
    sc_tickets_unref(tickets);
}
END_TEST

SUITE_MAIN("session_cache", there_is_a_most, there_is_none_at_0, there_is_room_for_many,
           a_failure_ends_the_session)

/* SPDX-License-Identifier: MIT */
/* What tests of tls/tickets share: servers with given ticket keys, and clients that resume. */
#ifndef SC_TESTS_TICKETS_FIXTURE_H
#define SC_TESTS_TICKETS_FIXTURE_H

#include "base/clock.h"
#include "suite.h"
#include "tls/tickets.h"
#include "tls_fixture.h"

#define PERIOD_MS 300000U

static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

static inline struct sc_tickets *tickets_new(void)
{
    struct sc_err err = {0};
    struct sc_tickets *tickets = sc_tickets_new(&err);
    ck_assert_msg(tickets != NULL, "%s", err.text);
    return tickets;
}

static inline void use_file(struct sc_tickets *tickets, const char *name)
{
    struct sc_err err = {0};
    ck_assert_msg(sc_tickets_use_file(tickets, fixture_path(name), NULL, &err) == 0, "%s",
                  err.text);
}

/* A context with a certificate of its own and these ticket keys. */
static inline struct sc_tls_context *server_with(struct sc_tickets *tickets)
{
    struct sc_tls_server_settings settings = fixture_settings("server");
    fixture_write_pair("server", "P-256");
    settings.tickets = tickets;
    settings.session_cache_size = 0;
    return fixture_server(&settings);
}

/*
 * One handshake of that version, resuming if `*session` is there; the new session takes its place.
 * Returns whether it was resumed.
 */
static inline bool visit(const struct sc_tls_context *server, int version, SSL_SESSION **session)
{
    struct sc_tls_context *client = fixture_client();
    struct tls_pair pair;
    tls_pair_init(&pair, client, server);
    ck_assert_int_eq(SSL_set_max_proto_version(pair.client, version), 1);
    if (*session) {
        ck_assert_int_eq(SSL_set_session(pair.client, *session), 1);
    }
    ck_assert(tls_pair_handshake(&pair));
    ck_assert_int_eq(SSL_version(pair.server), version);
    ck_assert(tls_pair_send(pair.client, pair.server, "ping"));
    const bool resumed = SSL_session_reused(pair.server);
    ck_assert_int_eq(resumed, SSL_session_reused(pair.client));
    SSL_SESSION_free(*session);
    *session = tls_pair_session(&pair);
    ck_assert_ptr_nonnull(*session);
    tls_pair_fini(&pair);
    sc_tls_context_unref(client);
    return resumed;
}

#endif

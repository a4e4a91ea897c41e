/* SPDX-License-Identifier: MIT */
/* The event loop and the TLS contexts of a test of net/tlsbev. */
#ifndef SC_TESTS_TLSBEV_LOOP_H
#define SC_TESTS_TLSBEV_LOOP_H

#include "../tools/tls13_record.h"
#include "net/tlsbev.h"
#include "suite.h"
#include "tls_fixture.h"
#include "tls_peer.h"

static struct event_base *base;
static struct sc_tlsbev_shared *shared;
static _Atomic uint64_t bytes_received, bytes_sent; /* by all of the loop */
static struct sc_tls_context *client_context, *server_context;

static inline void test_init(void)
{
    struct sc_err err = {0};
    fixture_write_pair("server", "P-256");
    const struct sc_tls_server_settings settings = fixture_settings("server");
    server_context = fixture_server(&settings);
    client_context = fixture_client();
    ck_assert_int_eq(sc_tlsbev_library_init(sc_tls_context_ssl_ctx(server_context), &err), 0);
    tls13_keep_secrets(sc_tls_context_ssl_ctx(client_context));
    base = run_base_new();
    shared = sc_tlsbev_shared_new(base, 64U << 10, &bytes_received, &bytes_sent);
    ck_assert_ptr_nonnull(shared);
}

static inline void test_fini(void)
{
    run_ready(base); /* libevent frees bufferevents in the next iterations */
    sc_tlsbev_shared_free(shared);
    run_base_free(base);
    sc_tls_context_unref(server_context);
    sc_tls_context_unref(client_context);
}

#endif

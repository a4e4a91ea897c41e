/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "conn_fixture.h"
#include "proto/frame.h"
#include "tls/tickets.h"

/*
 * handshake-rate as a connection feels it. The clock of the budgets stands still: there is a token
 * when the test says so.
 */

static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
static struct sc_tickets *tickets;
static SSL_SESSION *session; /* of an earlier connection */
static bool begun; /* there is a connection, or there was one: end_last() */
static uint64_t now_ns;

static void pass_ms(uint64_t ms)
{
    now_ns += ms * 1000000U;
    sc_clock_fake(&now_ns, NULL);
}

static unsigned take_all(struct sc_admission_budget *budget)
{
    unsigned taken = 0;
    while (taken < 100000 && sc_admission_try(budget)) {
        taken++;
    }
    return taken;
}

static void test_init(void)
{
    struct sc_err err = {0};
    now_ns = UINT64_C(1000000000000);
    pass_ms(0);
    tickets = sc_tickets_new(&err);
    ck_assert_ptr_nonnull(tickets);
    conn_fixture_init(tickets);
    limits.idle_timeout_ms = 0;
}

static void forget_session(void)
{
    SSL_SESSION_free(session);
    session = NULL;
}

/* The connection before, if there was one. */
static void end_last(void)
{
    if (begun) {
        end();
    }
    begun = false;
}

static void test_fini(void)
{
    end_last();
    conn_fixture_fini();
    sc_tickets_unref(tickets);
    forget_session();
}

/* A thousand a second, and none left. */
static void limit_rate(void)
{
    sc_admission_set_rate(&admission, 1000);
    (void)take_all(&admission.full);
    (void)take_all(&admission.resumed);
}

/* There are tokens for those that resume, and for nobody else. */
static void limit_rate_to_resumed(void)
{
    limit_rate();
    pass_ms(1);
    ck_assert_uint_eq(take_all(&admission.full), 1);
}

/* The client's ClientHello is held back, so that it can be given a session or be changed. */
static void begin_with(int version, SSL_SESSION *offered)
{
    end_last();
    const int fd = begin_server_side();
    SSL_CTX *client = sc_tls_context_ssl_ctx(client_context);
    ck_assert_int_eq(SSL_CTX_set_max_proto_version(client, version), 1);
    tls_peer_init_with(&peer, base, client_context, fd, offered);
    begun = true;
}

static void await_waiting(void)
{
    const uint64_t before = sc_stats_get(&stats.handshakes_delayed);
    RUN_UNTIL(base, sc_stats_get(&stats.handshakes_delayed) == before + 1);
    run_ready(base);
    ck_assert(!peer.connected);
    ck_assert_uint_eq(sc_tlsbev_sent(conn->tls), 0);
}

static void begin_waiting(void)
{
    limit_rate();
    begin_with(TLS1_3_VERSION, NULL);
    await_waiting();
}

static void await_connected(bool resumed)
{
    const uint64_t before =
        sc_stats_total(stats.handshakes_resumed, SC_COUNT_OF(stats.handshakes_resumed));
    await_open();
    ck_assert_uint_eq(
        sc_stats_total(stats.handshakes_resumed, SC_COUNT_OF(stats.handshakes_resumed)),
        before + resumed);
    ck_assert_int_eq(SSL_session_reused(peer.ssl), resumed);
}

/* There is a token for a full handshake, and it takes it. */
static void expect_full(void)
{
    pass_ms(1);
    await_connected(false);
    ck_assert_uint_eq(take_all(&admission.full), 0);
}

/* Else the server forgets the session. */
static void close_cleanly(void)
{
    tls_peer_close_notify(&peer);
    RUN_UNTIL(base, peer.closed);
}

/* A session that the server gives; without a ticket, by id. */
static void get_session(int version)
{
    uint8_t frame[SC_FRAME_HEADER_BYTES];
    sc_frame_put_header(frame, SC_FRAME_ECHO, 0);
    begin_with(version, NULL);
    await_connected(false);
    tls_peer_write(&peer, frame, sizeof(frame));
    RUN_UNTIL(base, evbuffer_get_length(peer.got) == sizeof(frame));
    forget_session();
    session = SSL_get1_session(peer.ssl);
    ck_assert(SSL_SESSION_is_resumable(session));
    close_cleanly();
}

/* --- Full handshakes --- */

TEST(a_full_handshake_waits_for_a_token)
{
    begin_waiting();
    expect_full();
    pass_ms(1);
    begin_with(TLS1_2_VERSION, NULL);
    await_connected(false); /* there is one, and nobody waits */
    ck_assert_uint_eq(take_all(&admission.full), 0);
    ck_assert_uint_eq(sc_stats_get(&stats.handshakes_delayed), 1);
}

static double seconds_between(const struct timeval *from, const struct timeval *to)
{
    return (double)(to->tv_sec - from->tv_sec) + (double)(to->tv_usec - from->tv_usec) / 1e6;
}

/* Neither much later nor at once, which would be a loop without end. */
TEST(it_is_woken_when_there_is_a_token)
{
    struct timeval before, now, at;
    sc_admission_set_rate(&admission, 2);
    (void)take_all(&admission.full);
    ck_assert_int_eq(evutil_gettimeofday(&before, NULL), 0);
    begin_with(TLS1_3_VERSION, NULL);
    await_waiting();
    ck_assert(evtimer_pending(worker.queue.timer, &at));
    ck_assert_int_eq(evutil_gettimeofday(&now, NULL), 0);
    /* However long this thread had to wait for a processor meanwhile. */
    ck_assert_msg(seconds_between(&before, &at) > 0.2, "%f s", seconds_between(&before, &at));
    ck_assert_msg(seconds_between(&now, &at) < 0.6, "%f s", seconds_between(&now, &at));
}

TEST(who_comes_later_does_not_overtake)
{
    struct sc_admission_waiter other = {0};
    limit_rate();
    sc_admission_enqueue(&worker.queue, &other, 4711);
    event_del(worker.queue.timer); /* its turn does not come yet */
    pass_ms(1);
    begin_with(TLS1_3_VERSION, NULL);
    await_waiting();
    ck_assert_uint_eq(take_all(&admission.full), 1);
    sc_admission_dequeue(&worker.queue, &other);
}

TEST(a_limit_that_comes_and_goes_in_a_handshake)
{
    begin_with(TLS1_3_VERSION, NULL);
    limit_rate();
    await_waiting();
    expect_full();
    begin_waiting();
    sc_admission_set_rate(&admission, 0);
    await_connected(false);
}

/* --- Resumed ones --- */

TEST(who_resumes_does_not_wait)
{
    for (size_t i = 0; i < SC_COUNT_OF(versions); i++) {
        get_session(versions[i]);
        limit_rate_to_resumed();
        begin_with(versions[i], session);
        await_connected(true);
        ck_assert_uint_eq(take_all(&admission.resumed), SC_ADMISSION_RESUMED_PER_FULL - 1);
        ck_assert_uint_eq(take_all(&admission.full), 0);
        sc_admission_set_rate(&admission, 0);
    }
    ck_assert_uint_eq(sc_stats_get(&stats.handshakes_delayed), 0);
}

/* One ticket, again and again: then it is worth no more than none. */
TEST(a_resumption_too_many_waits_like_a_full_one)
{
    for (size_t i = 0; i < SC_COUNT_OF(versions); i++) {
        get_session(versions[i]);
        limit_rate();
        begin_with(versions[i], session);
        await_waiting();
        expect_full();
        ck_assert_uint_eq(take_all(&admission.resumed), SC_ADMISSION_RESUMED_PER_FULL);
        sc_admission_set_rate(&admission, 0);
    }
}

/* A session of another hash, which OpenSSL decrypts and then does not use. */
TEST(a_session_that_does_not_fit_takes_a_full_token)
{
    SSL_CTX *client = sc_tls_context_ssl_ctx(client_context);
    ck_assert_int_eq(SSL_CTX_set_ciphersuites(client, "TLS_AES_256_GCM_SHA384"), 1);
    get_session(TLS1_3_VERSION);
    ck_assert_int_eq(SSL_CTX_set_ciphersuites(client, "TLS_AES_128_GCM_SHA256"), 1);
    limit_rate_to_resumed();
    begin_with(TLS1_3_VERSION, session);
    await_waiting();
    ck_assert_uint_eq(take_all(&admission.resumed), SC_ADMISSION_RESUMED_PER_FULL - 1);
    pass_ms(1);
    await_connected(false);
    /* What it had taken as one that resumes came back. */
    ck_assert_uint_eq(take_all(&admission.resumed), SC_ADMISSION_RESUMED_PER_FULL + 1);
    ck_assert_uint_eq(take_all(&admission.full), 0);
}

TEST(a_session_of_other_master_secrets_takes_a_full_token)
{
    SSL_CTX *client = sc_tls_context_ssl_ctx(client_context);
    (void)SSL_CTX_set_options(client, SSL_OP_NO_EXTENDED_MASTER_SECRET);
    get_session(TLS1_2_VERSION);
    (void)SSL_CTX_clear_options(client, SSL_OP_NO_EXTENDED_MASTER_SECRET);
    limit_rate_to_resumed();
    begin_with(TLS1_2_VERSION, session);
    await_waiting();
    expect_full();
}

/* Wherever OpenSSL looks for an id, not only in what a client of TLS 1.2 says. */
static const struct {
    const char *what;
    uint64_t server_options;
    int version, server_version; /* the highest */
} by_id[] = {
    {"a client of TLS 1.2", 0, TLS1_2_VERSION, TLS1_3_VERSION},
    {"a server of TLS 1.2", 0, TLS1_3_VERSION, TLS1_2_VERSION},
    {"TLS 1.2, no tickets", SSL_OP_NO_TICKET, TLS1_2_VERSION, TLS1_3_VERSION},
    {"TLS 1.3, no tickets", SSL_OP_NO_TICKET, TLS1_3_VERSION, TLS1_3_VERSION},
};

/* OpenSSL's clients use a session of TLS 1.3 only once. */
static void begin_again(int version)
{
    SSL_SESSION *copy = SSL_SESSION_dup(session);
    begin_with(version, copy);
    SSL_SESSION_free(copy);
}

TEST(by_id_no_more_than_the_budget)
{
    SSL_CTX *server = sc_tls_context_ssl_ctx(server_context);
    SSL_CTX *client = sc_tls_context_ssl_ctx(client_context);
    for (size_t i = 0; i < SC_COUNT_OF(by_id); i++) {
        (void)SSL_CTX_clear_options(server, SSL_OP_NO_TICKET);
        (void)SSL_CTX_set_options(server, by_id[i].server_options);
        (void)SSL_CTX_clear_options(client, SSL_OP_NO_TICKET);
        if (!by_id[i].server_options) {
            (void)SSL_CTX_set_options(client, SSL_OP_NO_TICKET);
        }
        ck_assert_int_eq(SSL_CTX_set_max_proto_version(server, by_id[i].server_version), 1);
        get_session(by_id[i].version);
        limit_rate_to_resumed();
        for (unsigned n = 0; n < SC_ADMISSION_RESUMED_PER_FULL; n++) {
            begin_again(by_id[i].version);
            await_connected(true);
            close_cleanly();
        }
        ck_assert_msg(take_all(&admission.resumed) == 0, "%s", by_id[i].what);
        begin_again(by_id[i].version);
        await_waiting();
        expect_full();
        sc_admission_set_rate(&admission, 0);
    }
}

/* It waited for a full token at its first ClientHello, and is resumed at its second. */
TEST(a_full_token_does_not_come_back)
{
    SSL_CTX *client = sc_tls_context_ssl_ctx(client_context);
    get_session(TLS1_3_VERSION);
    ck_assert_int_eq(SSL_CTX_set1_groups_list(client, "P-521:P-256"), 1);
    limit_rate();
    begin_with(TLS1_3_VERSION, session);
    await_waiting();
    pass_ms(1);
    await_connected(true);
    ck_assert_uint_eq(take_all(&admission.full), 0);
}

/* The ticket is opened again in the second ClientHello, and takes nothing more. */
TEST(a_hello_retry_request_costs_one_token)
{
    SSL_CTX *client = sc_tls_context_ssl_ctx(client_context);
    get_session(TLS1_3_VERSION);
    ck_assert_int_eq(SSL_CTX_set1_groups_list(client, "P-521:P-256"), 1);
    limit_rate();
    pass_ms(1);
    begin_with(TLS1_3_VERSION, session);
    await_connected(true);
    ck_assert_uint_eq(take_all(&admission.resumed), SC_ADMISSION_RESUMED_PER_FULL - 1);
    ck_assert_uint_eq(take_all(&admission.full), 1);
}

/* --- Clients that leave while they wait --- */

static void expect_unused_token(unsigned failed)
{
    ck_assert(sc_admission_queue_is_empty(&worker.queue));
    pass_ms(1);
    ck_assert_uint_eq(take_all(&admission.full), 1);
    ck_assert_uint_eq(sc_stats_handshakes_failed(&stats), failed);
}

TEST(gone_while_it_waits)
{
    begin_waiting();
    tls_peer_reset(&peer);
    RUN_UNTIL(base, !conn);
    ASSERT_HAS(kept_last(), " tls_handshake_failed conn=17 peer=192.0.2.1:5 stage=waiting "
                            "reason=reset ");
    expect_unused_token(1);
    begin_waiting();
    tls_peer_shut_write(&peer);
    RUN_UNTIL(base, !conn);
    ASSERT_HAS(kept_last(), " stage=waiting reason=eof ");
    expect_unused_token(2);
}

/* What happens after its turn does not happen to one that waits. */
TEST(reset_after_its_turn)
{
    begin_waiting();
    tls_peer_stop_reading(&peer);
    pass_ms(1);
    RUN_UNTIL(base, sc_tlsbev_sent(conn->tls) > 0);
    tls_peer_reset(&peer);
    RUN_UNTIL(base, !conn);
    ASSERT_HAS(kept_last(), " stage=answered reason=");
}

TEST(a_deadline_after_its_turn)
{
    limits.handshake_timeout_ms = 5000;
    begin_waiting();
    tls_peer_stop_reading(&peer);
    pass_ms(1);
    RUN_UNTIL(base, sc_tlsbev_sent(conn->tls) > 0);
    for (int ms = 0; conn && ms < 6000; ms += 100) {
        pass_ms(100);
        sc_wheel_run(worker.wheel);
    }
    ck_assert_ptr_null(conn);
    ASSERT_HAS(kept_last(), " stage=answered reason=timeout hint=");
    ck_assert_ptr_null(strstr(kept_last(), "handshake-rate"));
}

/* Before the ClientHello is read: there are tokens, and it takes none. */
TEST(dead_when_it_is_read)
{
    sc_admission_set_rate(&admission, 1000);
    const unsigned tokens = take_all(&admission.full);
    pass_ms(1000);
    begin_with(TLS1_3_VERSION, NULL);
    while (!tls_peer_all_sent(&peer)) {
        tls_peer_flush(&peer);
    }
    tls_peer_reset(&peer);
    RUN_UNTIL(base, !conn);
    ck_assert_uint_eq(take_all(&admission.full), tokens);
}

/* With more after its ClientHello than is kept, so that the reset is not read. */
TEST(dead_when_its_turn_comes)
{
    static uint8_t junk[100 << 10];
    begin_waiting();
    for (size_t at = 0; at + 1005 <= sizeof(junk); at += 1005) {
        memcpy(junk + at, "\x17\3\3\3\xe8", 5);
    }
    tls_peer_write_raw(&peer, junk, sizeof(junk) / 1005 * 1005);
    RUN_UNTIL(base, sc_tlsbev_received(conn->tls) > 10000);
    run_ready(base);
    ck_assert_uint_lt(sc_tlsbev_received(conn->tls), 40000);
    tls_peer_reset(&peer);
    run_ready(base);
    ck_assert_ptr_nonnull(conn);
    pass_ms(1);
    RUN_UNTIL(base, !conn);
    ck_assert(sc_admission_queue_is_empty(&worker.queue));
    ck_assert_uint_eq(take_all(&admission.full), 1);
}

TEST(a_deadline_while_it_waits)
{
    limits.handshake_timeout_ms = 5000;
    begin_waiting();
    sc_admission_set_rate(&admission, 1); /* no token for a second, whatever the clock says */
    (void)take_all(&admission.full);
    for (int ms = 0; conn && ms < 6000; ms += 100) {
        pass_ms(100);
        (void)take_all(&admission.full); /* another worker was faster */
        sc_wheel_run(worker.wheel);
    }
    ck_assert_ptr_null(conn);
    ck_assert_uint_eq(sc_stats_get(&stats.handshakes_failed[SC_TLS_REASON_TIMEOUT]), 1);
    ASSERT_HAS(kept_last(), " stage=waiting reason=timeout hint=");
    ASSERT_HAS(kept_last(), "handshake-rate");
    ck_assert(sc_admission_queue_is_empty(&worker.queue));
}

/* As at the end of the server: nothing of it is left in the queue. */
TEST(freed_while_it_waits)
{
    begin_waiting();
    sc_conn_free(conn);
    ck_assert_ptr_null(conn);
    run_ready(base);
    expect_unused_token(1);
}

/* --- What OpenSSL reads --- */

static unsigned parsed;

static int on_client_hello(SSL *ssl, int *alert, void *arg)
{
    (void)ssl;
    (void)alert;
    (void)arg;
    parsed++;
    return SSL_CLIENT_HELLO_SUCCESS;
}

TEST(a_hello_that_waits_is_parsed_once)
{
    parsed = 0;
    SSL_CTX_set_client_hello_cb(sc_tls_context_ssl_ctx(server_context), on_client_hello, NULL);
    limit_rate();
    begin_with(TLS1_3_VERSION, NULL);
    peer.at_once = 1;
    await_waiting();
    tls_peer_write_raw(&peer, "\x14\3\3\0\1\1", 6);
    run_ready(base);
    ck_assert_uint_eq(parsed, 1);
    pass_ms(1);
    RUN_UNTIL(base, peer.connected || !conn);
    ck_assert_uint_eq(parsed, 1);
}

SUITE_MAIN("conn_admission", a_full_handshake_waits_for_a_token, it_is_woken_when_there_is_a_token,
           who_comes_later_does_not_overtake, a_limit_that_comes_and_goes_in_a_handshake,
           who_resumes_does_not_wait, a_resumption_too_many_waits_like_a_full_one,
           a_session_that_does_not_fit_takes_a_full_token,
           a_session_of_other_master_secrets_takes_a_full_token, by_id_no_more_than_the_budget,
           a_full_token_does_not_come_back, a_hello_retry_request_costs_one_token,
           gone_while_it_waits, reset_after_its_turn, a_deadline_after_its_turn,
           dead_when_it_is_read, dead_when_its_turn_comes, a_deadline_while_it_waits,
           freed_while_it_waits, a_hello_that_waits_is_parsed_once)

/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <errno.h>
#include <sys/socket.h>

#include "tls/handshake_hooks.h"
#include "tlsbev_fixture.h"

/* --- Handshakes that the owner holds up, and ClientHellos that are refused --- */

static bool allowed;
static unsigned asked;

static bool may_resume(void *arg)
{
    (void)arg;
    ck_abort_msg("no session was offered");
}

static bool may_be_full(void *arg)
{
    ck_assert_ptr_eq(arg, &asked);
    asked++;
    return allowed;
}

static const struct sc_tls_handshake_hooks hooks = {.may_resume = may_resume,
                                                    .may_be_full = may_be_full};

static void begin_suspended(struct side *side, struct tls_peer *peer)
{
    allowed = false;
    asked = 0;
    begin(side, peer);
    side->watch.hooks = &hooks;
    side->watch.hooks_arg = &asked;
    sc_hello_peek_start(&side->watch.hello);
}

static void await_suspended(struct tls_peer *peer)
{
    RUN_UNTIL(base, asked == 1 && tls_peer_all_sent(peer));
    run_ready(base);
}

TEST(a_handshake_is_suspended)
{
    begin_suspended(side, peer);
    await_suspended(peer);
    ck_assert_uint_eq(sc_tlsbev_sent(side->tls), 0);
    ck_assert(sc_tlsbev_check_peer(side->tls));
    sc_tlsbev_continue_handshake(side->tls); /* still not allowed */
    run_ready(base);
    ck_assert_uint_eq(sc_tlsbev_sent(side->tls), 0);
    ck_assert_uint_eq(asked, 2);
    allowed = true;
    sc_tlsbev_continue_handshake(side->tls);
    RUN_UNTIL(base, side->connected && peer->connected);
    ck_assert_uint_eq(asked, 3);
    sc_tlsbev_continue_handshake(side->tls); /* nothing is suspended */
    tls_peer_write(peer, "data", 4);
    RUN_UNTIL(base, evbuffer_get_length(side->got) == 4);
    ck_assert_uint_eq(side->closed, 0);
}

/* However it comes: OpenSSL reads the message once. */
TEST(a_hello_in_pieces_is_parsed_once)
{
    begin_suspended(side, peer);
    peer->at_once = 1;
    await_suspended(peer);
    ck_assert_uint_eq(asked, 1);
    allowed = true;
    sc_tlsbev_continue_handshake(side->tls);
    RUN_UNTIL(base, side->connected && peer->connected);
}

TEST(the_peer_leaves_while_it_is_suspended)
{
    begin_suspended(side, peer);
    await_suspended(peer);
    tls_peer_shut_write(peer);
    RUN_UNTIL(base, side->closed);
    ck_assert_int_eq(side->close.end, SC_TLSBEV_EOF);
    allowed = true;
    sc_tlsbev_continue_handshake(side->tls); /* too late */
    run_ready(base);
    ck_assert_uint_eq(asked, 1);
}

TEST(a_reset_while_it_is_suspended)
{
    begin_suspended(side, peer);
    await_suspended(peer);
    tls_peer_reset(peer);
    RUN_UNTIL(base, side->closed);
    ck_assert_int_eq(side->close.end, SC_TLSBEV_RESET);
    ck_assert_int_eq(side->close.error_number, ECONNRESET);
}

/*
 * What a client sends meanwhile stays in its socket, but for as much as a ClientHello. Then only
 * asking shows that it has left.
 */
static void begin_with_much(struct side *side, struct tls_peer *peer)
{
    static uint8_t records[300 * 205];
    begin_suspended(side, peer);
    await_suspended(peer);
    for (size_t at = 0; at < sizeof(records); at += 205) {
        memcpy(records + at, "\x17\3\3\0\xc8", 5);
    }
    tls_peer_write_raw(peer, records, sizeof(records));
    RUN_UNTIL(base, sc_tlsbev_received(side->tls) > 10000 && tls_peer_all_sent(peer));
    run_ready(base);
    ck_assert_uint_le(sc_tlsbev_received(side->tls), 2 * SC_HELLO_MAX_WIRE_BYTES);
    ck_assert(sc_tlsbev_check_peer(side->tls));
    ck_assert_uint_eq(side->closed, 0);
}

TEST(what_comes_while_it_is_suspended_is_bounded)
{
    begin_with_much(side, peer);
    tls_peer_reset(peer);
    run_ready(base);
    ck_assert_uint_eq(side->closed, 0);
    ck_assert(!sc_tlsbev_check_peer(side->tls));
    RUN_UNTIL(base, side->closed);
    ck_assert_int_eq(side->close.end, SC_TLSBEV_RESET);
    ck_assert(!sc_tlsbev_check_peer(side->tls));
}

TEST(an_end_behind_much_is_noticed_when_it_is_asked_for)
{
    begin_with_much(side, peer);
    tls_peer_shut_write(peer);
    run_ready(base);
    ck_assert_uint_eq(side->closed, 0);
    ck_assert(!sc_tlsbev_check_peer(side->tls));
    RUN_UNTIL(base, side->closed);
    ck_assert_int_eq(side->close.end, SC_TLSBEV_EOF);
}

/* What had come meanwhile is not forgotten: OpenSSL refuses these records, which it can't decrypt.
 */
TEST(what_came_meanwhile_is_read_afterwards)
{
    begin_suspended(side, peer);
    await_suspended(peer);
    tls_peer_write_raw(peer,
                       "\x17\3\3\0\x20"
                       "01234567890123456789012345678901",
                       37);
    run_ready(base);
    allowed = true;
    sc_tlsbev_continue_handshake(side->tls);
    RUN_UNTIL(base, side->closed);
    ck_assert_int_eq(side->close.end, SC_TLSBEV_TLS);
}

TEST(a_hello_that_is_too_long)
{
    begin_suspended(side, peer);
    tls_peer_hold(peer);
    ck_assert_int_eq(send(peer->fd, "\x16\3\1\x40\0\1\2\0\0\3", 10, 0), 10);
    RUN_UNTIL(base, side->closed);
    ck_assert_int_eq(side->close.end, SC_TLSBEV_TLS);
    ck_assert_int_eq(ERR_GET_REASON(side->close.error_code), SSL_R_EXCESSIVE_MESSAGE_SIZE);
    ck_assert_uint_eq(side->watch.alert_sent, SSL_AD_ILLEGAL_PARAMETER);
    ck_assert_uint_eq(asked, 0);
    ck_assert(!sc_tlsbev_check_peer(side->tls)); /* the socket is open, but nobody listens to it */
    RUN_UNTIL(base, peer->failed);
    ck_assert_uint_eq(peer->watch.alert_received, SSL_AD_ILLEGAL_PARAMETER);
}

/* The client's key share is of no group that the server takes: it is asked for another hello. */
static void begin_retry(struct side *side, struct tls_peer *peer)
{
    ck_assert_int_eq(
        SSL_CTX_set1_groups_list(sc_tls_context_ssl_ctx(client_context), "P-521:P-256"), 1);
    begin_suspended(side, peer);
    allowed = true;
}

TEST(a_second_hello_is_fine)
{
    begin_retry(side, peer);
    RUN_UNTIL(base, side->connected && peer->connected);
    ck_assert_uint_eq(asked, 2);
}

TEST(a_second_hello_that_is_too_long)
{
    begin_retry(side, peer);
    tls_peer_stop_reading(peer);
    RUN_UNTIL(base, asked == 1 && sc_tlsbev_sent(side->tls) > 0);
    tls_peer_write_raw(peer, "\x14\3\3\0\1\1\x16\3\3\x40\0\1\2\0\0\3", 16);
    RUN_UNTIL(base, side->closed);
    ck_assert_int_eq(ERR_GET_REASON(side->close.error_code), SSL_R_EXCESSIVE_MESSAGE_SIZE);
}

/* --- Peers that do not begin one --- */

TEST(no_tls_at_all)
{
    begin(side, peer);
    evbuffer_drain(peer->unsent, evbuffer_get_length(peer->unsent));
    tls_peer_write_raw(peer, "GET / HTTP/1.1\r\n\r\n", 18);
    RUN_UNTIL(base, side->closed);
    ck_assert_int_eq(side->close.end, SC_TLSBEV_TLS);
    ck_assert_uint_ne(side->close.error_code, 0);
    ck_assert_uint_eq(side->watch.first_count, 5);
    ck_assert_mem_eq(side->watch.first_bytes, "GET /", 5);
    ck_assert_uint_eq(side->connected, 0);
}

TEST(gone_before_the_handshake)
{
    begin(side, peer);
    evbuffer_drain(peer->unsent, evbuffer_get_length(peer->unsent));
    tls_peer_shut_write(peer);
    RUN_UNTIL(base, side->closed);
    ck_assert_int_eq(side->close.end, SC_TLSBEV_EOF);
    ck_assert_uint_eq(side->connected, 0);
}

/* --- Renegotiation --- */

/* Makes a ClientHello longer than one record of 512 bytes. */
static int add_extension(SSL *ssl, unsigned type, const unsigned char **bytes, size_t *length,
                         int *alert, void *arg)
{
    static const unsigned char zeros[600];
    (void)ssl;
    (void)type;
    (void)alert;
    (void)arg;
    *bytes = zeros;
    *length = sizeof(zeros);
    return 1;
}

/*
 * OpenSSL takes memory for all that the header of the ClientHello announces, and then waits for
 * it: not even a part of one is waited for.
 */
static void begin_to_renegotiate(struct side *side, struct tls_peer *peer, bool partly)
{
    SSL_CTX *context = sc_tls_context_ssl_ctx(client_context);
    ck_assert_int_eq(SSL_CTX_set_max_proto_version(context, TLS1_2_VERSION), 1);
    SSL_CTX_clear_options(context, SSL_OP_NO_RENEGOTIATION);
    ck_assert_int_eq(
        SSL_CTX_add_client_custom_ext(context, 47110, add_extension, NULL, NULL, NULL, NULL), 1);
    begin_connected(side, peer);
    ck_assert_int_eq(SSL_version(peer->ssl), TLS1_2_VERSION);
    ck_assert_int_eq((int)SSL_set_max_send_fragment(peer->ssl, 512), 1);
    tls_peer_hold(peer);
    ck_assert_int_eq(SSL_renegotiate(peer->ssl), 1);
    ck_assert_int_le(SSL_do_handshake(peer->ssl), 0);
    ck_assert_int_eq(SSL_get_error(peer->ssl, -1), SSL_ERROR_WANT_READ);
    tls_peer_take(peer);
    ck_assert_uint_gt(evbuffer_get_length(peer->unsent), 600);
    if (partly) {
        uint8_t first[512 + 5 + 8 + 16];
        evbuffer_remove(peer->unsent, first, sizeof(first));
        ck_assert_uint_eq(first[0], SSL3_RT_HANDSHAKE);
        ck_assert_uint_eq((size_t)first[3] << 8 | first[4], sizeof(first) - 5);
        evbuffer_drain(peer->unsent, evbuffer_get_length(peer->unsent));
        evbuffer_add(peer->unsent, first, sizeof(first));
    }
    tls_peer_release(peer);
    RUN_UNTIL(base, side->closed);
    ck_assert_int_eq(side->close.end, SC_TLSBEV_RENEGOTIATION);
    sc_tlsbev_write(side->tls, "x", 1);
    ck_assert_uint_eq(sc_tlsbev_pending(side->tls), 0);
}

TEST(a_renegotiation_ends_it)
{
    begin_to_renegotiate(side, peer, false);
    RUN_UNTIL(base, peer->watch.alert_received == SSL_AD_NO_RENEGOTIATION);
}

TEST(a_part_of_a_renegotiation_ends_it)
{
    begin_to_renegotiate(side, peer, true);
}

SUITE_MAIN("tlsbev_handshake", a_handshake_is_suspended, a_hello_in_pieces_is_parsed_once,
           the_peer_leaves_while_it_is_suspended, a_reset_while_it_is_suspended,
           what_comes_while_it_is_suspended_is_bounded,
           an_end_behind_much_is_noticed_when_it_is_asked_for,
           what_came_meanwhile_is_read_afterwards, a_hello_that_is_too_long, a_second_hello_is_fine,
           a_second_hello_that_is_too_long, no_tls_at_all, gone_before_the_handshake,
           a_renegotiation_ends_it, a_part_of_a_renegotiation_ends_it)

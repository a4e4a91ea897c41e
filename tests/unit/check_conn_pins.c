/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <dlfcn.h>
#include <errno.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <time.h>

#include <openssl/evp.h>

#include "conn_fixture.h"
#include "leaks.h"
#include "proto/frame.h"
#include "server/signer.h"
#include "tls/announcement.h"
#include "tls/pins_message.h"

/*
 * PINS as a connection answers it, while the signature of its proof takes as long as the test
 * wants. What the other clients of the worker get meanwhile shows in which thread it is made.
 */

#define TOO_LONG_S 20

static struct sc_signer *signer;
static struct sc_conn *other; /* one more connection of the worker */
static struct tls_peer other_peer;

static atomic_bool held; /* signatures wait */
static atomic_bool broken; /* they fail */
static atomic_uint held_in_vain, signatures;
static sem_t begun, go_on;

static bool wait_for(sem_t *semaphore)
{
    struct timespec until;
    ck_assert_int_eq(clock_gettime(CLOCK_REALTIME, &until), 0);
    until.tv_sec += TOO_LONG_S;
    while (sem_timedwait(semaphore, &until) != 0) {
        if (errno != EINTR) {
            return false;
        }
    }
    return true;
}

/* In place of OpenSSL's, for the code under test. */
int EVP_DigestSign(EVP_MD_CTX *md, unsigned char *signature, size_t *length,
                   const unsigned char *bytes, size_t byte_count)
{
    int (*real)(EVP_MD_CTX *, unsigned char *, size_t *, const unsigned char *, size_t);
    *(void **)&real = dlsym(RTLD_NEXT, "EVP_DigestSign");
    signatures++;
    if (held) {
        (void)sem_post(&begun);
        held_in_vain += !wait_for(&go_on);
    }
    return broken ? 0 : real(md, signature, length, bytes, byte_count);
}

static void hold_signatures(void)
{
    held = true;
}

static void release_signature(void)
{
    held = false;
    ck_assert_int_eq(sem_post(&go_on), 0);
}

static void on_one_gone(struct sc_conn *gone, void *arg)
{
    if (gone == other) {
        other = NULL;
    } else {
        on_gone(gone, arg);
    }
}

static void use_new_context(void)
{
    sc_tls_context_unref(server_context);
    struct sc_tls_server_settings settings = fixture_settings("server");
    settings.next_private_key_path = fixture_path("next.key");
    server_context = fixture_server(&settings);
}

static void test_init(void)
{
    struct sc_err err;
    conn_fixture_init(NULL);
    EVP_PKEY *key = fixture_key("RSA2048");
    fixture_write_key("next.key", key, NULL);
    EVP_PKEY_free(key);
    use_new_context();
    signatures = held_in_vain = 0;
    ck_assert_int_eq(sem_init(&begun, 0, 0), 0);
    ck_assert_int_eq(sem_init(&go_on, 0, 0), 0);
    ck_assert_ptr_nonnull(signer = sc_signer_new(&err));
    worker.signer = signer;
    worker.on_gone = on_one_gone;
}

static void test_fini(void)
{
    end();
    if (other) {
        sc_conn_free(other);
        tls_peer_fini(&other_peer);
    }
    sc_signer_stop(signer);
    conn_fixture_fini();
    sc_signer_free(signer);
}

static void begin_connected(void)
{
    begin();
    await_open();
}

static void begin_other(void)
{
    struct sc_conn *first = conn;
    const int fd = begin_server_side();
    other = conn;
    conn = first;
    tls_peer_init(&other_peer, base, client_context, fd);
    RUN_UNTIL(base, other_peer.connected && other->state == SC_CONN_OPEN);
}

static void send_frame(struct tls_peer *to, uint32_t type, const void *body, size_t length)
{
    uint8_t frame[SC_FRAME_HEADER_BYTES + 1024];
    sc_frame_put_header(frame, type, (uint32_t)length);
    if (length > 0) {
        memcpy(frame + SC_FRAME_HEADER_BYTES, body, length);
    }
    tls_peer_write(to, frame, SC_FRAME_HEADER_BYTES + length);
}

/* Takes a frame of this type from what the peer has got. */
static const uint8_t *take_frame(struct tls_peer *from, uint32_t type, size_t *length)
{
    static uint8_t frame[SC_FRAME_HEADER_BYTES + SC_PINS_MAX_BYTES];
    RUN_UNTIL(base, evbuffer_get_length(from->got) >= SC_FRAME_HEADER_BYTES);
    (void)evbuffer_remove(from->got, frame, SC_FRAME_HEADER_BYTES);
    const struct sc_frame_header header = sc_frame_get_header(frame);
    ck_assert_uint_eq(header.type, type);
    ck_assert_uint_le(header.length, SC_PINS_MAX_BYTES);
    RUN_UNTIL(base, evbuffer_get_length(from->got) >= header.length);
    (void)evbuffer_remove(from->got, frame, header.length);
    *length = header.length;
    return frame;
}

/* The reply to PINS that is next. */
static void expect_pins(bool with_proof)
{
    struct sc_pins_message message;
    struct sc_err err;
    uint8_t exporter[SC_PINS_EXPORTER_BYTES];
    size_t length;
    const uint8_t *body = take_frame(&peer, SC_FRAME_PINS, &length);
    ck_assert_int_eq(sc_pins_parse(body, length, &message, &err), 0);
    ck_assert_ptr_nonnull(message.next.spki);
    ck_assert_uint_eq(message.next.signature_bytes > 0, with_proof);
    if (with_proof) {
        ck_assert(sc_pins_exporter(peer.ssl, exporter));
        ck_assert_int_eq(sc_pins_verify(&message.next, exporter, &err), 0);
    }
}

static void expect_echo(struct tls_peer *from, const char *text)
{
    size_t length;
    const uint8_t *body = take_frame(from, SC_FRAME_ECHO, &length);
    ck_assert_uint_eq(length, strlen(text));
    ck_assert_int_eq(memcmp(body, text, length), 0);
}

/* A PINS request whose signature is being made. */
static void begin_signature(void)
{
    hold_signatures();
    send_frame(&peer, SC_FRAME_PINS, NULL, 0);
    RUN_UNTIL(base, conn->proof_job != NULL);
    ck_assert(wait_for(&begun));
}

/* The requests of others, and new connections, do not wait for it; those of the one that asked do.
 */
TEST(a_signature_holds_nobody_up)
{
    begin_connected();
    begin_other();
    begin_signature();
    send_frame(&peer, SC_FRAME_ECHO, "after", 5);
    for (unsigned i = 0; i < 100; i++) {
        send_frame(&other_peer, SC_FRAME_ECHO, "meanwhile", 9);
        expect_echo(&other_peer, "meanwhile");
    }
    sc_conn_free(other);
    tls_peer_fini(&other_peer);
    begin_other();
    send_frame(&other_peer, SC_FRAME_ECHO, "new", 3);
    expect_echo(&other_peer, "new");
    ck_assert_uint_eq(evbuffer_get_length(peer.got), 0);
    ck_assert_msg(held_in_vain == 0, "the signature is made in the thread that serves clients");
    release_signature();
    expect_pins(true);
    expect_echo(&peer, "after");
    ck_assert_uint_eq(signatures, 1);
}

/* Every request of a flood is answered, in order, and one signature serves them all. */
TEST(a_flood_costs_one_signature)
{
    begin_connected();
    for (unsigned i = 0; i < 1000; i++) {
        send_frame(&peer, SC_FRAME_PINS, NULL, 0);
        send_frame(&peer, SC_FRAME_ECHO, "x", 1);
    }
    for (unsigned i = 0; i < 1000; i++) {
        expect_pins(true);
        expect_echo(&peer, "x");
    }
    ck_assert_uint_eq(signatures, 1);
}

/* A reload that brings the same keys makes no other. */
TEST(a_proof_outlives_a_reload)
{
    struct sc_tls_server_settings settings = fixture_settings("server");
    settings.next_private_key_path = fixture_path("next.key");
    struct sc_tls_context *fresh = fixture_server(&settings);
    begin_connected();
    send_frame(&peer, SC_FRAME_PINS, NULL, 0);
    expect_pins(true);
    worker.newest_tls = &fresh;
    send_frame(&peer, SC_FRAME_PINS, NULL, 0);
    expect_pins(true);
    ck_assert_uint_eq(signatures, 1);
    worker.newest_tls = NULL;
    sc_tls_context_unref(fresh);
}

/* A key that was put in place and can sign nothing: the same keys are announced as before. */
TEST(a_successor_without_a_proof_is_not_announced)
{
    EVP_PKEY *key = fixture_key("P-384");
    X509 *certificate = fixture_certificate(key, "server", -3600, 86400, NULL, NULL);
    fixture_write_key("other.key", key, NULL);
    fixture_write_certificate("other.crt", certificate, false);
    const struct sc_tls_server_settings settings = fixture_settings("other");
    struct sc_tls_context *fresh = fixture_server(&settings);
    begin_connected();
    worker.newest_tls = &fresh;
    send_frame(&peer, SC_FRAME_PINS, NULL, 0);
    expect_pins(true);
    ck_assert_uint_eq(signatures, 1);
    worker.newest_tls = NULL;
    sc_tls_context_unref(fresh);
    X509_free(certificate);
    EVP_PKEY_free(key);
}

TEST(a_body_has_whole_pins_and_not_too_many)
{
    static const uint8_t body[10 * SC_PINS_PIN_BYTES];
    begin_connected();
    for (size_t length = 0; length <= sizeof(body); length++) {
        const bool right = length % SC_PINS_PIN_BYTES == 0 && length <= 8 * SC_PINS_PIN_BYTES;
        size_t got;
        send_frame(&peer, SC_FRAME_PINS, body, length);
        if (right) {
            expect_pins(true);
        } else {
            const uint8_t *error = take_frame(&peer, SC_FRAME_ERROR, &got);
            ck_assert_uint_gt(got, 8);
            ck_assert_uint_eq(error[3], SC_ERROR_UNKNOWN_TYPE);
        }
    }
}

/* As at the end of a drain. */
TEST(a_connection_ends_while_its_proof_is_made)
{
    begin_connected();
    begin_other();
    begin_signature();
    sc_conn_free(conn);
    conn = NULL;
    release_signature();
    /* The signature comes back to nobody. */
    send_frame(&other_peer, SC_FRAME_PINS, NULL, 0);
    RUN_UNTIL(base, evbuffer_get_length(other_peer.got) > SC_FRAME_HEADER_BYTES);
    ck_assert_uint_eq(signatures, 2);
}

TEST(a_client_that_has_ended_its_side_gets_the_proof)
{
    begin_connected();
    begin_signature();
    tls_peer_close_notify(&peer);
    tls_peer_shut_write(&peer);
    run_ready(base);
    ck_assert_ptr_nonnull(conn);
    release_signature();
    expect_pins(true);
    RUN_UNTIL(base, peer.closed && !conn);
    ck_assert_uint_eq(sc_stats_get(&stats.closed[SC_CLOSE_PEER_CLOSED]), 1);
}

TEST(a_drain_waits_for_the_proof)
{
    size_t length;
    begin_connected();
    begin_signature();
    sc_conn_drain(conn, 500);
    run_ready(base);
    ck_assert_uint_eq(evbuffer_get_length(peer.got), 0);
    release_signature();
    expect_pins(true);
    const uint8_t *error = take_frame(&peer, SC_FRAME_ERROR, &length);
    ck_assert_uint_eq(error[3], SC_ERROR_GOING_AWAY);
    RUN_UNTIL(base, peer.closed);
    ck_assert_uint_eq(signatures, 1);
}

/* What is above the rate has no proof, and is no error. */
TEST(above_the_rate_there_is_no_proof)
{
    const uint64_t now_ns = sc_clock_ns();
    begin_connected();
    sc_clock_fake(&now_ns, NULL); /* no time for another */
    struct sc_signer_job *job;
    while ((job = sc_signer_job_new(signer, server_context,
                                    &sc_tls_context_announcement(server_context)->next)) != NULL) {
        sc_signer_job_free(job);
    }
    send_frame(&peer, SC_FRAME_PINS, NULL, 0);
    expect_pins(false);
    ck_assert_uint_eq(sc_stats_get(&stats.pins_without_proof), 1);
    ck_assert_uint_eq(signatures, 0);
    const uint64_t later_ns = now_ns + UINT64_C(1000000000);
    sc_clock_fake(&later_ns, NULL);
    send_frame(&peer, SC_FRAME_PINS, NULL, 0);
    expect_pins(true);
    ck_assert_uint_eq(sc_stats_get(&stats.pins_without_proof), 1);
    sc_clock_fake(NULL, NULL);
}

/* The reply comes all the same, and the next one is tried again. */
TEST(a_signature_that_fails_is_no_proof)
{
    begin_connected();
    broken = true;
    send_frame(&peer, SC_FRAME_PINS, NULL, 0);
    expect_pins(false);
    broken = false;
    send_frame(&peer, SC_FRAME_PINS, NULL, 0);
    expect_pins(true);
    ck_assert_uint_eq(signatures, 2);
    ck_assert_uint_eq(sc_stats_get(&stats.pins_without_proof), 0);
}

static void connect_and_ask(void)
{
    size_t length;
    begin_connected();
    send_frame(&peer, SC_FRAME_ECHO, "hello", 5);
    expect_echo(&peer, "hello");
    send_frame(&peer, SC_FRAME_PINS, NULL, 0);
    (void)take_frame(&peer, SC_FRAME_PINS, &length);
    use_new_context(); /* the one before ends with its last connection */
    end();
}

TEST(connections_keep_nothing)
{
    ASSERT_KEEPS_NOTHING(connect_and_ask());
    begin();
}

SUITE_MAIN("conn_pins", a_signature_holds_nobody_up, a_flood_costs_one_signature,
           a_proof_outlives_a_reload, a_successor_without_a_proof_is_not_announced,
           a_body_has_whole_pins_and_not_too_many, a_connection_ends_while_its_proof_is_made,
           a_client_that_has_ended_its_side_gets_the_proof, a_drain_waits_for_the_proof,
           above_the_rate_there_is_no_proof, a_signature_that_fails_is_no_proof,
           connections_keep_nothing)

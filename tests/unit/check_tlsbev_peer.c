/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#ifdef HAVE_MALLOC_H
#include <malloc.h>
#endif

#include <event2/buffer.h>
#include <openssl/err.h>

#include "net/tlsbev.h"
#include "../tools/tls13_record.h"
#include "suite.h"
#include "tlsbev_fixture.h"

/* --- How it ends --- */

TEST(data_and_close_notify_in_one_segment)
{
    begin_connected(side, peer);
    side->echoes = true;
    tls_peer_hold(peer);
    tls_peer_write(peer, "data", 4);
    tls_peer_close_notify(peer);
    tls_peer_write_raw(peer, "after the end!", 14);
    tls_peer_release(peer);
    RUN_UNTIL(base, side->closed);
    ck_assert_uint_eq(side->got_when_closed, 4);
    ck_assert_int_eq(side->close.end, SC_TLSBEV_CLOSE_NOTIFY);
    tls_peer_write_raw(peer, "and still more", 14);
    tls_peer_shut_write(peer);
    RUN_UNTIL(base, evbuffer_get_length(peer->got) == 4);
    sc_tlsbev_shutdown(side->tls);
    RUN_UNTIL(base, peer->closed && side->flushed);
    ck_assert_uint_eq(side->flushed, 1);
    ck_assert(!peer->failed);
}

/* Also when it was paused meanwhile: bytes that nobody reads would make a RST of the close. */
TEST(what_comes_after_the_end_is_read_again_after_a_pause)
{
    begin_connected(side, peer);
    tls_peer_close_notify(peer);
    RUN_UNTIL(base, side->closed);
    sc_tlsbev_pause(side->tls);
    const uint64_t received = sc_tlsbev_received(side->tls);
    tls_peer_write_raw(peer, "after the end!", 14);
    run_ready(base);
    ck_assert_uint_eq(sc_tlsbev_received(side->tls), received);
    sc_tlsbev_resume(side->tls);
    RUN_UNTIL(base, sc_tlsbev_received(side->tls) == received + 14);
}

TEST(end_without_close_notify)
{
    begin_connected(side, peer);
    tls_peer_write(peer, "data", 4);
    tls_peer_shut_write(peer);
    RUN_UNTIL(base, side->closed);
    ck_assert_uint_eq(side->got_when_closed, 4);
    ck_assert_int_eq(side->close.end, SC_TLSBEV_EOF);
    ck_assert_int_eq(side->close.error_number, 0);
    sc_tlsbev_write(side->tls, "reply", 5);
    sc_tlsbev_shutdown(side->tls);
    RUN_UNTIL(base, peer->closed);
    ck_assert_uint_eq(evbuffer_get_length(peer->got), 5);
}

/* Nobody decrypts what is behind the end, so nothing waits for it: an event loop would spin. */
TEST(more_records_behind_the_end)
{
    begin_connected(side, peer);
    const int before = event_base_get_num_events(base, EVENT_BASE_COUNT_ADDED);
    tls_peer_hold(peer);
    tls_peer_close_notify(peer);
    tls_peer_write_raw(peer, "\x17\3\3\0\1x\x17\3\3\0\1x", 12);
    tls_peer_release(peer);
    RUN_UNTIL(base, side->closed);
    run_ready(base);
    ck_assert_int_eq(event_base_get_num_events(base, EVENT_BASE_COUNT_ADDED), before);
}

TEST(end_in_the_middle_of_a_record)
{
    static const uint8_t half_a_record[] = {0x17, 3, 3, 1, 0, 'x', 'y'};
    begin_connected(side, peer);
    tls_peer_write_raw(peer, half_a_record, sizeof(half_a_record));
    tls_peer_shut_write(peer);
    RUN_UNTIL(base, side->closed);
    ck_assert_int_eq(side->close.end, SC_TLSBEV_EOF);
    ck_assert_uint_eq(side->got_when_closed, 0);
}

TEST(reset)
{
    begin_connected(side, peer);
    tls_peer_reset(peer);
    RUN_UNTIL(base, side->closed);
    ck_assert_int_eq(side->close.end, SC_TLSBEV_RESET);
    ck_assert_int_eq(side->close.error_number, ECONNRESET);
    sc_tlsbev_write(side->tls, "nobody hears this", 17);
    ck_assert_uint_eq(sc_tlsbev_pending(side->tls), 0);
}

TEST(reset_while_output_waits)
{
    static uint8_t data[1U << 20];
    begin_connected(side, peer);
    tls_peer_stop_reading(peer);
    sc_tlsbev_write(side->tls, data, sizeof(data));
    run_ready(base);
    ck_assert_uint_gt(sc_tlsbev_pending(side->tls), 0);
    const uint64_t sent = sc_tlsbev_sent(side->tls);
    sc_tlsbev_pause(side->tls); /* only the writing side can notice */
    tls_peer_reset(peer);
    RUN_UNTIL(base, side->closed);
    run_ready(base);
    ck_assert_int_eq(side->close.end, SC_TLSBEV_RESET);
    ck_assert_uint_eq(sc_tlsbev_pending(side->tls), 0);
    ck_assert_uint_eq(side->flushed, 1); /* the waiter for the output learns that it is gone */
    ck_assert_uint_eq(sc_tlsbev_sent(side->tls), sent);
}

/* The alert must leave before the owner closes the socket. */
TEST(garbage_after_the_handshake)
{
    static const uint8_t bad_record[] = {0x17, 3,  3,  0,  20, 1,  2,  3,  4,  5,  6,  7, 8,
                                         9,    10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20};
    begin_connected(side, peer);
    for (int i = 0; i < 6; i++) {
        tls_peer_write_raw(peer, bad_record, sizeof(bad_record));
    }
    RUN_UNTIL(base, side->closed);
    ck_assert_int_eq(side->close.end, SC_TLSBEV_TLS);
    ck_assert_int_eq(ERR_GET_LIB(side->close.error_code), ERR_LIB_SSL);
    RUN_UNTIL(base, peer->failed);
    ck_assert_uint_eq(peer->watch.alert_received, SSL_AD_BAD_RECORD_MAC);
    ck_assert_uint_eq(side->watch.alert_sent, SSL_AD_BAD_RECORD_MAC);
    sc_tlsbev_write(side->tls, "x", 1);
    run_ready(base);
    ck_assert_uint_eq(side->closed, 1);
}

static void write_record(struct tls_peer *peer, struct tls13_sender *sender, uint8_t type,
                         const void *bytes, size_t length)
{
    uint8_t record[SSL3_RT_MAX_PLAIN_LENGTH + TLS13_RECORD_OVERHEAD];
    const size_t size = tls13_seal(sender, type, bytes, length, record);
    ck_assert_uint_gt(size, 0);
    tls_peer_write_raw(peer, record, size);
}

static void begin_sending(struct side *side, struct tls_peer *peer, struct tls13_sender *sender)
{
    begin_connected(side, peer);
    ck_assert(tls13_sender_init(sender, peer->ssl));
}

/*
 * OpenSSL fails in the middle of a message, while it wants to read the rest of it. Both in one
 * read, and the second when the first is there.
 */
static void end_within_a_message(struct side *side, struct tls_peer *peer, bool in_one_read)
{
    static const uint8_t part_of_key_update[] = {SSL3_MT_KEY_UPDATE, 0, 0, 1};
    struct tls13_sender sender;
    begin_sending(side, peer, &sender);
    write_record(peer, &sender, SSL3_RT_APPLICATION_DATA, "before", 6);
    RUN_UNTIL(base, evbuffer_get_length(side->got) == 6);
    if (in_one_read) {
        tls_peer_hold(peer);
    }
    write_record(peer, &sender, SSL3_RT_HANDSHAKE, part_of_key_update, sizeof(part_of_key_update));
    run_ready(base);
    ck_assert_uint_eq(side->closed, 0);
    write_record(peer, &sender, SSL3_RT_APPLICATION_DATA, "x", 1);
    tls_peer_release(peer);
    RUN_UNTIL(base, side->closed);
    ck_assert_int_eq(side->close.end, SC_TLSBEV_TLS);
    ck_assert_int_eq(ERR_GET_LIB(side->close.error_code), ERR_LIB_SSL);
    ck_assert_int_eq(ERR_GET_REASON(side->close.error_code), SSL_R_UNEXPECTED_RECORD);
    RUN_UNTIL(base, peer->failed);
    ck_assert_uint_eq(peer->watch.alert_received, SSL_AD_UNEXPECTED_MESSAGE);
    ck_assert_uint_eq(evbuffer_get_length(side->got), 6);
}

TEST(an_error_within_a_message)
{
    end_within_a_message(side, peer, false);
    finish(side, peer);
    end_within_a_message(side, peer, true);
}

/* What another call has left in the error queue is not a failure of this connection. */
TEST(an_error_of_somebody_else)
{
    begin_connected(side, peer);
    ERR_raise(ERR_LIB_USER, 1);
    tls_peer_write_raw(peer, "\x17\3\3", 3);
    run_ready(base);
    ck_assert_uint_eq(side->closed, 0);
    ck_assert_uint_eq(ERR_peek_error(), 0);
}

/* --- KeyUpdates --- */

TEST(some_key_updates_are_fine)
{
    begin_connected(side, peer);
    side->echoes = true;
    for (unsigned i = 0; i < SC_TLS_MAX_KEY_UPDATES; i++) {
        tls_peer_key_update(peer, i % 2 ? SSL_KEY_UPDATE_REQUESTED : SSL_KEY_UPDATE_NOT_REQUESTED);
        if (i % 8 == 0) {
            run_ready(base);
        }
    }
    tls_peer_write(peer, "still here", 10);
    RUN_UNTIL(base, evbuffer_get_length(peer->got) == 10);
    ck_assert_uint_eq(side->watch.key_updates, SC_TLS_MAX_KEY_UPDATES);
    ck_assert_uint_eq(side->closed, 0);
}

TEST(a_flood_of_key_updates_is_not)
{
    begin_connected(side, peer);
    for (unsigned i = 0; i < SC_TLS_MAX_KEY_UPDATES + 1; i++) {
        tls_peer_key_update(peer, SSL_KEY_UPDATE_NOT_REQUESTED);
    }
    RUN_UNTIL(base, side->closed);
    ck_assert_int_eq(side->close.end, SC_TLSBEV_KEY_UPDATES);
    sc_tlsbev_write(side->tls, "x", 1);
    ck_assert_uint_eq(sc_tlsbev_pending(side->tls), 0);
}

static void write_key_updates(struct tls_peer *peer, struct tls13_sender *sender, unsigned count)
{
    static const uint8_t key_update[] = {SSL3_MT_KEY_UPDATE, 0, 0, 1, SSL_KEY_UPDATE_NOT_REQUESTED};
    for (unsigned i = 0; i < count; i++) {
        write_record(peer, sender, SSL3_RT_HANDSHAKE, key_update, sizeof(key_update));
        ck_assert(tls13_next_keys(sender));
    }
}

static void expect_one_key_update_too_many(const struct side *side)
{
    RUN_UNTIL(base, side->closed);
    ck_assert_int_eq(side->close.end, SC_TLSBEV_KEY_UPDATES);
    ck_assert_uint_eq(side->watch.key_updates, SC_TLS_MAX_KEY_UPDATES + 1);
}

/* In large reads, and in a small one. */
TEST(key_updates_are_counted_one_by_one)
{
    static const unsigned counts[] = {1000, SC_TLS_MAX_KEY_UPDATES + 30};
    for (size_t i = 0; i < SC_COUNT_OF(counts); i++) {
        struct tls13_sender sender;
        if (i > 0) {
            finish(side, peer);
        }
        begin_sending(side, peer, &sender);
        tls_peer_hold(peer);
        write_key_updates(peer, &sender, counts[i]);
        tls_peer_release(peer);
        expect_one_key_update_too_many(side);
    }
}

/*
 * The second read starts within a record, `start` bytes after its begin, at bytes that look like
 * the header of a record which fills all of the read.
 */
static void write_a_false_header(struct side *side, struct tls_peer *peer, size_t start)
{
    static uint8_t plain[1000], bytes[64000];
    struct tls13_sender sender;
    begin_sending(side, peer, &sender);
    tls_peer_hold(peer);
    memset(plain, 0, sizeof(plain));
    ck_assert_uint_gt(tls13_seal(&sender, SSL3_RT_APPLICATION_DATA, plain, sizeof(plain), bytes),
                      0);
    const size_t all = sizeof(plain) + TLS13_RECORD_OVERHEAD + 1000 * (TLS13_RECORD_OVERHEAD + 5);
    const size_t length = all - start - SSL3_RT_HEADER_LENGTH;
    plain[start - 2] = (uint8_t)(bytes[start + 3] ^ (length >> 8)); /* the cipher only XORs */
    plain[start - 1] = (uint8_t)(bytes[start + 4] ^ length);
    sender.sequence = 0;
    write_record(peer, &sender, SSL3_RT_APPLICATION_DATA, plain, sizeof(plain));
    write_key_updates(peer, &sender, 1000);
    ck_assert_int_eq(evbuffer_remove(peer->unsent, bytes, sizeof(bytes)), (int)all);
    ck_assert_uint_eq((size_t)bytes[start + 3] << 8 | bytes[start + 4], length);
    tls_peer_release(peer);
    tls_peer_write_raw(peer, bytes, start);
    run_ready(base);
    ck_assert_uint_eq(side->closed, 0);
    tls_peer_write_raw(peer, bytes + start, all - start);
    expect_one_key_update_too_many(side);
}

TEST(key_updates_behind_a_false_header_are_counted_one_by_one)
{
    static const size_t starts[] = {3, 6, 100, 5}; /* 5: OpenSSL has the header and nothing else */
    for (size_t i = 0; i < SC_COUNT_OF(starts); i++) {
        if (i > 0) {
            finish(side, peer);
        }
        write_a_false_header(side, peer, starts[i]);
    }
}

/* --- A cycle is a bounded piece of work --- */

#define MOST_RECORDS (256U + 33U) /* OpenSSL takes up to 32 empty ones with one that is not */

/* Records with one byte each, and so many empty ones before each of them. */
static void write_small_records(struct tls_peer *peer, struct tls13_sender *sender, unsigned count,
                                unsigned empty)
{
    tls_peer_hold(peer);
    for (unsigned i = 0; i < count; i++) {
        for (unsigned k = 0; k < empty; k++) {
            write_record(peer, sender, SSL3_RT_APPLICATION_DATA, "", 0);
        }
        write_record(peer, sender, SSL3_RT_APPLICATION_DATA, "x", 1);
    }
    tls_peer_release(peer);
}

TEST(others_go_between_small_records)
{
    struct side other_side;
    struct tls_peer other;
    struct tls13_sender sender;
    begin_connected(&other_side, &other);
    begin_sending(side, peer, &sender);
    sc_tlsbev_pause(side->tls);
    write_small_records(peer, &sender, 2000, 0);
    tls_peer_write(&other, "request", 7);
    RUN_UNTIL(base, tls_peer_all_sent(peer) && sc_tlsbev_unread(side->tls) > 0);
    const uint32_t before = side->watch.records;
    sc_tlsbev_resume(side->tls);
    RUN_UNTIL(base, evbuffer_get_length(other_side.got) == 7);
    ck_assert_uint_le(side->watch.records - before, 2 * MOST_RECORDS);
    RUN_UNTIL(base, evbuffer_get_length(side->got) == 2000);
    ck_assert_uint_gt(side->most_records, 1); /* they came in large reads */
    ck_assert_uint_le(side->most_records, MOST_RECORDS);
    ck_assert_uint_eq(sc_tlsbev_unread(side->tls), 0);
    finish(&other_side, &other);
}

TEST(others_go_between_empty_records)
{
    struct tls13_sender sender;
    begin_sending(side, peer, &sender);
    write_small_records(peer, &sender, 80, 30);
    RUN_UNTIL(base, evbuffer_get_length(side->got) == 80);
    ck_assert_uint_gt(side->most_records, 100);
    ck_assert_uint_le(side->most_records, MOST_RECORDS);
}

/* What a cycle has left for the next one is not decrypted while the owner wants no more. */
TEST(paused_between_small_records)
{
    struct tls13_sender sender;
    begin_sending(side, peer, &sender);
    const uint64_t before = sc_tlsbev_received(side->tls);
    write_small_records(peer, &sender, 2000, 0);
    RUN_UNTIL(base, evbuffer_get_length(side->got) > 0);
    sc_tlsbev_pause(side->tls);
    const size_t got = evbuffer_get_length(side->got);
    ck_assert_uint_lt(got, 2000);
    run_ready(base);
    ck_assert_uint_eq(evbuffer_get_length(side->got), got);
    ck_assert_uint_ge(sc_tlsbev_unread(side->tls), (2000 - got) * 23);
    ck_assert_uint_le(sc_tlsbev_received(side->tls), before + (got + 1) * 23); /* nor received */
    sc_tlsbev_resume(side->tls);
    RUN_UNTIL(base, evbuffer_get_length(side->got) == 2000);
}

/* The end comes after all of them. */
TEST(the_end_after_small_records)
{
    struct tls13_sender sender;
    static const uint8_t close_notify[] = {1, SSL_AD_CLOSE_NOTIFY};
    begin_sending(side, peer, &sender);
    write_small_records(peer, &sender, 2000, 0);
    write_record(peer, &sender, SSL3_RT_ALERT, close_notify, sizeof(close_notify));
    RUN_UNTIL(base, tls_peer_all_sent(peer));
    tls_peer_shut_write(peer);
    RUN_UNTIL(base, side->closed);
    ck_assert_int_eq(side->close.end, SC_TLSBEV_CLOSE_NOTIFY);
    ck_assert_uint_eq(side->got_when_closed, 2000);
}

/* --- Scratch memory is shared --- */

/*
 * Two connections by turns, a byte at a time: what the one left in the scratch memory must not
 * reach the other.
 */
TEST(bytes_of_two_connections_in_turn)
{
    struct side other_side;
    struct tls_peer other;
    begin(side, peer);
    begin(&other_side, &other);
    peer->at_once = other.at_once = 1;
    RUN_UNTIL(base, side->connected && other_side.connected && peer->connected && other.connected);
    for (int i = 0; i < 5; i++) {
        tls_peer_write(peer, "this one", 8);
        tls_peer_write(&other, "the other", 9);
    }
    RUN_UNTIL(base,
              evbuffer_get_length(side->got) == 40 && evbuffer_get_length(other_side.got) == 45);
    ck_assert_mem_eq(evbuffer_pullup(side->got, -1), "this onethis onethis onethis onethis one",
                     40);
    ck_assert_mem_eq(evbuffer_pullup(other_side.got, -1),
                     "the otherthe otherthe otherthe otherthe other", 45);
    finish(&other_side, &other);
}

/* --- Memory --- */

#if defined(HAVE_MALLOC_USABLE_SIZE) && !defined(SC_SANITIZED)
static long held_bytes;

static long size_of(void *block)
{
    return (long)malloc_usable_size(block);
}

static void *count_malloc(size_t size)
{
    void *block = malloc(size);
    held_bytes += size_of(block);
    return block;
}

static void *count_realloc(void *block, size_t size)
{
    held_bytes -= size_of(block);
    block = realloc(block, size);
    held_bytes += size_of(block);
    return block;
}

static void count_free(void *block)
{
    held_bytes -= size_of(block);
    free(block);
}

static void send_part_of_a_record(struct side *side, struct tls_peer *peer)
{
    static const uint8_t begin_of_record[8000] = {0x17, 3, 3, 0x40, 0x11};
    const uint64_t received = sc_tlsbev_received(side->tls);
    tls_peer_write_raw(peer, begin_of_record, sizeof(begin_of_record));
    RUN_UNTIL(base, sc_tlsbev_received(side->tls) == received + sizeof(begin_of_record));
    run_ready(base);
}

/*
 * SSL_read() is offered memory before it says that there is nothing: it must not stay with the
 * connection.
 */
TEST(an_idle_connection_holds_no_chain)
{
    event_set_mem_functions(count_malloc, count_realloc, count_free);
    begin_connected(side, peer);
    side->echoes = true;
    ck_assert_int_lt(held_bytes, 6000); /* all of libevent's, and the peer's */
    for (size_t i = 1; i <= 20; i++) {
        tls_peer_write(peer, "request", 7);
        RUN_UNTIL(base, evbuffer_get_length(peer->got) == 7);
        evbuffer_drain(side->got, 7);
        evbuffer_drain(peer->got, 7);
        run_ready(base);
        ck_assert_int_lt(held_bytes, 6000);
    }
    send_part_of_a_record(side, peer);
    ck_assert_int_lt(held_bytes, 6000);
    ck_assert_uint_eq(side->closed, 0);
}
#define AN_IDLE_CONNECTION_HOLDS_NO_CHAIN , an_idle_connection_holds_no_chain
#else
#define AN_IDLE_CONNECTION_HOLDS_NO_CHAIN
#endif

SUITE_MAIN("tlsbev_peer", data_and_close_notify_in_one_segment, more_records_behind_the_end,
           what_comes_after_the_end_is_read_again_after_a_pause, end_without_close_notify,
           end_in_the_middle_of_a_record, reset, reset_while_output_waits,
           garbage_after_the_handshake, an_error_within_a_message, an_error_of_somebody_else,
           some_key_updates_are_fine, a_flood_of_key_updates_is_not,
           key_updates_are_counted_one_by_one,
           key_updates_behind_a_false_header_are_counted_one_by_one,
           others_go_between_small_records, others_go_between_empty_records,
           paused_between_small_records, the_end_after_small_records,
           bytes_of_two_connections_in_turn AN_IDLE_CONNECTION_HOLDS_NO_CHAIN)

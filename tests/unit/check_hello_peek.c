/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "tls/hello_peek.h"

#include <string.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "base/compiler.h"
#include "suite.h"

/* Bytes as a client sends them. */
static uint8_t wire[64 << 10];
static size_t wire_length;

static void put(const void *bytes, size_t length)
{
    ck_assert_uint_le(wire_length + length, sizeof(wire));
    memcpy(wire + wire_length, bytes, length);
    wire_length += length;
}

static void put_record(uint8_t type, const void *content, size_t length)
{
    const uint8_t header[] = {type, 3, 1, (uint8_t)(length >> 8), (uint8_t)length};
    put(header, sizeof(header));
    put(content, length);
}

/* A ClientHello with a body of that length, in records of `piece` bytes. */
static void put_hello(size_t length, size_t piece)
{
    static uint8_t message[4 + (32 << 10)];
    message[0] = SSL3_MT_CLIENT_HELLO;
    message[1] = (uint8_t)(length >> 16);
    message[2] = (uint8_t)(length >> 8);
    message[3] = (uint8_t)length;
    memset(message + 4, 1, length); /* which would be a ClientHello if it were a message */
    for (size_t at = 0; at < length + 4; at += piece) {
        put_record(SSL3_RT_HANDSHAKE, message + at,
                   length + 4 - at < piece ? length + 4 - at : piece);
    }
}

static void begin(void)
{
    wire_length = 0;
}

/* The first verdict that is not FINE, and after how many bytes, when they come in such pieces. */
static enum sc_hello_verdict look(struct sc_hello_peek *peek, size_t piece, size_t *after)
{
    for (size_t at = 0; at < wire_length; at += piece) {
        const size_t count = wire_length - at < piece ? wire_length - at : piece;
        const enum sc_hello_verdict verdict = sc_hello_peek_take(peek, wire + at, count);
        if (verdict != SC_HELLO_FINE) {
            *after = at + count;
            return verdict;
        }
    }
    *after = wire_length;
    return SC_HELLO_FINE;
}

/* The same for every size of piece. `after`: so many bytes decide, 0: all of them. */
static void expect(enum sc_hello_verdict verdict, size_t after)
{
    static const size_t pieces[] = {1, 2, 3, 5, 7, 100, 16389, sizeof(wire)};
    for (size_t i = 0; i < SC_COUNT_OF(pieces); i++) {
        struct sc_hello_peek peek = {0};
        size_t at;
        sc_hello_peek_start(&peek);
        ck_assert_int_eq(look(&peek, pieces[i], &at), verdict);
        ck_assert_msg(pieces[i] > 1 || at == (after ? after : wire_length), "after %zu bytes", at);
    }
}

START_TEST(any_usual_hello_is_fine)
{
    static const size_t pieces[] = {16384, 512, 400, 1 << 14};
    for (size_t length = 40; length <= SC_HELLO_MAX_BYTES; length = length * 2 + 1) {
        for (size_t i = 0; i < SC_COUNT_OF(pieces); i++) {
            if ((length + 4) / pieces[i] < SC_HELLO_MAX_RECORDS) {
                begin();
                put_hello(length, pieces[i]);
                expect(SC_HELLO_FINE, 0);
            }
        }
    }
}
END_TEST

START_TEST(the_largest_is_fine_and_one_byte_more_is_not)
{
    begin();
    put_hello(SC_HELLO_MAX_BYTES, 16384);
    expect(SC_HELLO_FINE, 0);
    ck_assert_uint_le(wire_length, SC_HELLO_MAX_WIRE_BYTES);
    begin();
    put_hello(SC_HELLO_MAX_BYTES + 1, 16384);
    expect(SC_HELLO_TOO_LONG, 9); /* the two headers say it */
    begin();
    put("\x16\3\1\x40\0\1\xff\xff\xff", 9);
    expect(SC_HELLO_TOO_LONG, 9);
}
END_TEST

START_TEST(so_many_records_are_fine_and_one_more_is_not)
{
    begin();
    put_hello(SC_HELLO_MAX_RECORDS * 8 - 4, 8);
    expect(SC_HELLO_FINE, 0);
    begin();
    put_hello(SC_HELLO_MAX_RECORDS * 8 - 3, 8);
    expect(SC_HELLO_TOO_MANY_RECORDS, SC_HELLO_MAX_RECORDS * 13 + 5);
    /* Empty ones count, and those of other types before the ClientHello is whole. */
    begin();
    for (unsigned i = 0; i <= SC_HELLO_MAX_RECORDS; i++) {
        put_record(i % 2 ? SSL3_RT_HANDSHAKE : SSL3_RT_ALERT, "\1\x5a", i % 2 ? 0 : 2);
    }
    expect(SC_HELLO_TOO_MANY_RECORDS, wire_length - 2); /* the last header */
}
END_TEST

START_TEST(alerts_and_early_data_do_not_hide_it)
{
    begin();
    put_record(SSL3_RT_ALERT, "\1\x5a", 2);
    put_record(SSL3_RT_CHANGE_CIPHER_SPEC, "\1", 1);
    const size_t before = wire_length;
    put_hello(20000, 16384);
    expect(SC_HELLO_TOO_LONG, before + 9);
    begin();
    put_hello(300, 16384);
    put_record(SSL3_RT_CHANGE_CIPHER_SPEC, "\1", 1);
    for (int i = 0; i < 100; i++) {
        put_record(SSL3_RT_APPLICATION_DATA, "\x16\3\1\x40\0\1\xff\xff\xff", 9);
    }
    expect(SC_HELLO_FINE, 0);
}
END_TEST

START_TEST(nothing_follows_before_the_answer)
{
    begin();
    put_hello(300, 16384);
    const size_t hello = wire_length;
    put_record(SSL3_RT_HANDSHAKE, "\1\xff\xff\xff", 4);
    expect(SC_HELLO_NOT_ALONE, hello + 5);
    /* In the same record. */
    begin();
    put_record(SSL3_RT_HANDSHAKE, "\1\0\0\3abc\1\xff\xff\xff", 11);
    expect(SC_HELLO_NOT_ALONE, 5 + 7);
    begin();
    put_record(SSL3_RT_HANDSHAKE, "\1\0\0\0\1\xff\xff\xff", 8);
    expect(SC_HELLO_NOT_ALONE, 5 + 4);
}
END_TEST

/* A record that is under way when the server asks for another ClientHello goes on. */
START_TEST(after_a_retry_request)
{
    for (size_t length = 20; length <= 20000; length += 19980) {
        struct sc_hello_peek peek = {0};
        size_t at;
        begin();
        put_hello(300, 16384);
        put_record(SSL3_RT_APPLICATION_DATA, "\1\xff\xff\xff\1\xff\xff\xff", 8);
        wire_length -= 5;
        sc_hello_peek_start(&peek);
        ck_assert_int_eq(look(&peek, 1, &at), SC_HELLO_FINE);
        sc_hello_peek_start(&peek);
        begin();
        put("\xff\xff\xff\xff\xff", 5);
        put_record(SSL3_RT_CHANGE_CIPHER_SPEC, "\1", 1);
        put_hello(length, 16384);
        ck_assert_int_eq(look(&peek, 1, &at),
                         length > SC_HELLO_MAX_BYTES ? SC_HELLO_TOO_LONG : SC_HELLO_FINE);
    }
}
END_TEST

/* OpenSSL says what is wrong with it. */
START_TEST(what_is_no_client_hello_is_not_looked_at)
{
    static const struct {
        const char *bytes;
        size_t length;
    } cases[] = {
        {"GET / HTTP/1.1\r\n\r\n", 18},
        {"\0\0\0\1\0\0\0\5hello", 13},
        {"\x16\2\1\x40\0\1\xff\xff\xff", 9}, /* not version 3 */
        {"\x13\3\1\0\1a\x16\3\1\x40\0\1\xff\xff\xff", 15},
        {"\x18\3\1\0\1a\x16\3\1\x40\0\1\xff\xff\xff", 15},
        {"\x16\3\1\x40\0\2\xff\xff\xff", 9}, /* a ServerHello */
    };
    for (size_t i = 0; i < SC_COUNT_OF(cases); i++) {
        begin();
        put(cases[i].bytes, cases[i].length);
        put_hello(20000, 16384);
        expect(SC_HELLO_FINE, 0);
    }
    struct sc_hello_peek peek = {0};
    size_t at;
    ck_assert_int_eq(look(&peek, 1, &at), SC_HELLO_FINE); /* never started: a client's */
    begin();
    put_hello(20000, 16384);
    sc_hello_peek_start(&peek);
    sc_hello_peek_stop(&peek);
    ck_assert_int_eq(look(&peek, 1, &at), SC_HELLO_FINE);
}
END_TEST

START_TEST(each_refusal_has_an_alert_and_a_reason)
{
    ck_assert_uint_eq(sc_hello_refusal(SC_HELLO_TOO_LONG).alert, SSL_AD_ILLEGAL_PARAMETER);
    ck_assert_int_eq(ERR_GET_REASON(sc_hello_refusal(SC_HELLO_TOO_LONG).error_code),
                     SSL_R_EXCESSIVE_MESSAGE_SIZE);
    ck_assert_uint_eq(sc_hello_refusal(SC_HELLO_TOO_MANY_RECORDS).alert, SSL_AD_UNEXPECTED_MESSAGE);
    ck_assert_int_eq(ERR_GET_REASON(sc_hello_refusal(SC_HELLO_TOO_MANY_RECORDS).error_code),
                     SSL_R_RECORD_TOO_SMALL);
    ck_assert_uint_eq(sc_hello_refusal(SC_HELLO_NOT_ALONE).alert, SSL_AD_UNEXPECTED_MESSAGE);
    ck_assert_int_eq(ERR_GET_REASON(sc_hello_refusal(SC_HELLO_NOT_ALONE).error_code),
                     SSL_R_UNEXPECTED_MESSAGE);
}
END_TEST

/* After a HelloRetryRequest the next one may have as many records. */
START_TEST(a_second_one_is_counted_anew)
{
    struct sc_hello_peek peek = {0};
    size_t at;
    const size_t piece = 10;
    for (int i = 0; i < 3; i++) {
        sc_hello_peek_start(&peek);
        begin();
        put_hello(piece * (SC_HELLO_MAX_RECORDS - 1) - 4, piece);
        ck_assert_int_eq(look(&peek, 100, &at), SC_HELLO_FINE);
    }
}
END_TEST

SUITE_MAIN("hello_peek", any_usual_hello_is_fine, the_largest_is_fine_and_one_byte_more_is_not,
           so_many_records_are_fine_and_one_more_is_not, alerts_and_early_data_do_not_hide_it,
           nothing_follows_before_the_answer, after_a_retry_request,
           what_is_no_client_hello_is_not_looked_at, each_refusal_has_an_alert_and_a_reason,
           a_second_one_is_counted_anew)

/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "net/proxy_header.h"

#include <string.h>
#include <sys/socket.h>

#include "base/compiler.h"
#include "suite.h"

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"

static uint8_t wire[SC_PROXY_HEADER_MAX_BYTES + 64];
static size_t wire_length;

static void put(const void *bytes, size_t length)
{
    ck_assert_uint_le(wire_length + length, sizeof(wire));
    memcpy(wire + wire_length, bytes, length);
    wire_length += length;
}

/* The fixed part; `length` is that of what follows. */
static void begin(uint8_t version_command, uint8_t family_transport, size_t length)
{
    const uint8_t rest[] = {version_command, family_transport, (uint8_t)(length >> 8),
                            (uint8_t)length};
    wire_length = 0;
    put(SIGNATURE, 12);
    put(rest, sizeof(rest));
}

static void put_filler(uint8_t byte, size_t count)
{
    ck_assert_uint_le(wire_length + count, sizeof(wire));
    memset(wire + wire_length, byte, count);
    wire_length += count;
}

static const uint8_t v4_addresses[] = {192, 0, 2, 1, 198, 51, 100, 2, 0x30, 0x39, 0x10, 0x92};
static const uint8_t v6_addresses[] = {0x20, 1, 0x0d, 0xb8, 0, 0,    0,    0,    0,    0,   0, 0, 0,
                                       0,    0, 1,    0x20, 1, 0x0d, 0xb8, 0,    0,    0,   0, 0, 0,
                                       0,    0, 0,    0,    0, 2,    0xff, 0xff, 0x10, 0x92};

/* Reads the wire as a socket would give it, at most `piece` bytes at once, and no byte too many. */
static enum sc_proxy_verdict read_in_pieces(size_t piece, struct sc_addr *client, size_t *taken)
{
    struct sc_proxy_header header = {0};
    enum sc_proxy_verdict verdict = SC_PROXY_INCOMPLETE;
    size_t at = 0;
    while (verdict == SC_PROXY_INCOMPLETE && at < wire_length) {
        const size_t wants = sc_proxy_header_wants(&header);
        size_t count = wants < piece ? wants : piece;
        count = count < wire_length - at ? count : wire_length - at;
        ck_assert_uint_gt(wants, 0);
        /* Of its own size: a byte too many is seen by AddressSanitizer. */
        uint8_t *bytes = malloc(count);
        ck_assert_ptr_nonnull(bytes);
        memcpy(bytes, wire + at, count);
        verdict = sc_proxy_header_take(&header, bytes, count, client);
        free(bytes);
        at += count;
    }
    *taken = at;
    return verdict;
}

/* In all pieces, and cut in two at each place; what follows is not taken. */
static void is_read(enum sc_proxy_verdict expected, const char *client)
{
    const size_t length = wire_length;
    put("\26\3\1\2\0\1\0\1\374\3\3", 11);
    for (size_t piece = 1; piece <= length + 1; piece++) {
        struct sc_addr address = {0};
        size_t taken;
        ck_assert_int_eq(read_in_pieces(piece, &address, &taken), expected);
        ck_assert_uint_eq(taken, length);
        if (client) {
            char text[SC_ADDR_TEXT_BYTES];
            sc_addr_format_packed(&address, text);
            ck_assert_str_eq(text, client);
        } else {
            ck_assert_uint_eq(address.family, 0);
        }
    }
    for (size_t cut = 1; cut < length; cut++) {
        struct sc_proxy_header header = {0};
        struct sc_addr address;
        enum sc_proxy_verdict verdict = SC_PROXY_INCOMPLETE;
        for (size_t at = 0; at < length;) {
            const size_t end = at < cut ? cut : length;
            const size_t wants = sc_proxy_header_wants(&header);
            const size_t count = end - at < wants ? end - at : wants;
            ck_assert_int_eq(verdict, SC_PROXY_INCOMPLETE);
            verdict = sc_proxy_header_take(&header, wire + at, count, &address);
            at += count;
        }
        ck_assert_int_eq(verdict, expected);
        ck_assert_uint_eq(sc_proxy_header_wants(&header), 0);
    }
}

START_TEST(addresses_of_every_family)
{
    begin(0x21, 0x11, sizeof(v4_addresses));
    put(v4_addresses, sizeof(v4_addresses));
    is_read(SC_PROXY_CLIENT, "192.0.2.1:12345");

    begin(0x21, 0x21, sizeof(v6_addresses));
    put(v6_addresses, sizeof(v6_addresses));
    is_read(SC_PROXY_CLIENT, "[2001:db8::1]:65535");

    begin(0x21, 0x31, 216);
    put("/run/client", 11);
    put_filler(0, 205);
    is_read(SC_PROXY_CLIENT, "unix");
}
END_TEST

START_TEST(without_a_client)
{
    begin(0x20, 0x00, 0); /* as haproxy checks a server */
    is_read(SC_PROXY_NO_CLIENT, NULL);
    begin(0x20, 0x11, sizeof(v4_addresses)); /* what a LOCAL one names is not looked at */
    put(v4_addresses, sizeof(v4_addresses));
    is_read(SC_PROXY_NO_CLIENT, NULL);
    begin(0x20, 0xff, 3);
    put_filler(0xff, 3);
    is_read(SC_PROXY_NO_CLIENT, NULL);
    begin(0x21, 0x00, 0);
    is_read(SC_PROXY_NO_CLIENT, NULL);
    begin(0x21, 0x01, 20);
    put_filler(7, 20);
    is_read(SC_PROXY_NO_CLIENT, NULL);
}
END_TEST

START_TEST(additions_are_skipped)
{
    /* A checksum, an authority, one that goes beyond the end: nothing of them is looked at. */
    static const uint8_t additions[] = {3, 0, 4, 1, 2, 3, 4, 2, 0, 3, 'a', '.', 'b', 0xe0, 0xff, 0};
    begin(0x21, 0x11, sizeof(v4_addresses) + sizeof(additions));
    put(v4_addresses, sizeof(v4_addresses));
    put(additions, sizeof(additions));
    is_read(SC_PROXY_CLIENT, "192.0.2.1:12345");
    begin(0x21, 0x31, 216 + sizeof(additions));
    put_filler('x', 216);
    put(additions, sizeof(additions));
    is_read(SC_PROXY_CLIENT, "unix");
    begin(0x21, 0x21, sizeof(v6_addresses) + 480); /* 532 bytes */
    put(v6_addresses, sizeof(v6_addresses));
    put_filler(0xee, 480);
    is_read(SC_PROXY_CLIENT, "[2001:db8::1]:65535");
}
END_TEST

static enum sc_proxy_verdict verdict_of(size_t piece, size_t *taken)
{
    struct sc_addr client;
    return read_in_pieces(piece, &client, taken);
}

START_TEST(the_longest)
{
    size_t taken;
    begin(0x21, 0x11, SC_PROXY_HEADER_MAX_BYTES - SC_PROXY_FIXED_BYTES);
    put(v4_addresses, sizeof(v4_addresses));
    put_filler(1, SC_PROXY_HEADER_MAX_BYTES - wire_length);
    ck_assert_int_eq(verdict_of(512, &taken), SC_PROXY_CLIENT);
    ck_assert_uint_eq(taken, SC_PROXY_HEADER_MAX_BYTES);
    ck_assert_int_eq(verdict_of(1, &taken), SC_PROXY_CLIENT);
    ck_assert_uint_eq(taken, SC_PROXY_HEADER_MAX_BYTES);

    /* One more, and the longest that can be announced: refused at the sixteenth byte. */
    static const size_t too_long[] = {SC_PROXY_HEADER_MAX_BYTES - SC_PROXY_FIXED_BYTES + 1, 65535};
    for (size_t i = 0; i < SC_COUNT_OF(too_long); i++) {
        begin(i == 0 ? 0x21 : 0x20, 0x11, too_long[i]);
        put_filler(0, 100);
        ck_assert_int_eq(verdict_of(512, &taken), SC_PROXY_TOO_LONG);
        ck_assert_uint_eq(taken, SC_PROXY_FIXED_BYTES);
    }
}
END_TEST

START_TEST(what_is_malformed)
{
    static const struct {
        uint8_t version_command, family_transport;
        size_t length;
    } rows[] = {
        {0x11, 0x11, 12}, {0x31, 0x11, 12}, {0x01, 0x11, 12}, /* versions */
        {0x22, 0x11, 12}, {0x2f, 0x11, 12}, /* commands */
        {0x21, 0x41, 12}, {0x21, 0xf1, 12}, /* families */
        {0x21, 0x10, 12}, {0x21, 0x12, 12}, {0x21, 0x13, 12}, {0x21, 0x22, 36}, {0x21, 0x32, 216},
        {0x21, 0x11, 11}, {0x21, 0x11, 0},  {0x21, 0x21, 35}, {0x21, 0x21, 12}, {0x21, 0x31, 215},
    };
    for (size_t i = 0; i < SC_COUNT_OF(rows); i++) {
        size_t taken;
        begin(rows[i].version_command, rows[i].family_transport, rows[i].length);
        put_filler(0, rows[i].length);
        for (size_t piece = 1; piece <= 17; piece++) {
            ck_assert_msg(verdict_of(piece, &taken) == SC_PROXY_MALFORMED, "row %zu", i);
            ck_assert_uint_eq(taken, SC_PROXY_FIXED_BYTES);
        }
    }
}
END_TEST

START_TEST(what_is_no_header)
{
    static const struct {
        const char *bytes;
        size_t length, decided; /* after so many bytes */
        enum sc_proxy_verdict verdict;
    } rows[] = {
        {"\26\3\1\2\0\1\0\1\374\3\3\0\0\0\0\0", 16, 1, SC_PROXY_TLS},
        {"PROXY TCP4 192.0.2.1 ", 21, 6, SC_PROXY_VERSION_1},
        {"POST / HTTP/1.1\r\n", 17, 2, SC_PROXY_NO_HEADER},
        {"GET / HTTP/1.1\r\n", 16, 1, SC_PROXY_NO_HEADER},
        {"\r\n\r\n\0\r\nQUIT\r", 12, 12, SC_PROXY_NO_HEADER},
        {"\r\n\r\nxxxxxxxxxxxxxxxx", 20, 5, SC_PROXY_NO_HEADER},
        {"\0\0\0\1\0\0\0\0\0\0\0\0\0\0\0\0", 16, 1, SC_PROXY_NO_HEADER},
    };
    for (size_t i = 0; i < SC_COUNT_OF(rows); i++) {
        size_t taken;
        wire_length = 0;
        put(rows[i].bytes, rows[i].length);
        ck_assert_int_eq(verdict_of(1, &taken), rows[i].verdict);
        ck_assert_uint_eq(taken, rows[i].decided);
        for (size_t piece = 2; piece <= 16; piece++) {
            ck_assert_int_eq(verdict_of(piece, &taken), rows[i].verdict);
            ck_assert_uint_le(taken, 16);
        }
    }
}
END_TEST

START_TEST(each_beginning_is_incomplete)
{
    begin(0x21, 0x21, sizeof(v6_addresses) + 5);
    put(v6_addresses, sizeof(v6_addresses));
    put_filler(9, 5);
    const size_t length = wire_length;
    for (wire_length = 1; wire_length < length; wire_length++) {
        size_t taken;
        ck_assert_int_eq(verdict_of(512, &taken), SC_PROXY_INCOMPLETE);
        ck_assert_uint_eq(taken, wire_length);
    }
}
END_TEST

SUITE_MAIN("proxy_header", addresses_of_every_family, without_a_client, additions_are_skipped,
           the_longest, what_is_malformed, what_is_no_header, each_beginning_is_incomplete)

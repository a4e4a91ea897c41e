/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <string.h>

#include "proto/frame.h"
#include "suite.h"

START_TEST(header_is_big_endian_both_ways)
{
    uint8_t bytes[SC_FRAME_HEADER_BYTES];
    sc_frame_put_header(bytes, 0x01020304, 0xfffefdfc);
    ck_assert_mem_eq(bytes, "\x01\x02\x03\x04\xff\xfe\xfd\xfc", 8);
    const struct sc_frame_header header = sc_frame_get_header(bytes);
    ck_assert_uint_eq(header.type, 0x01020304);
    ck_assert_uint_eq(header.length, 0xfffefdfc);
}
END_TEST

START_TEST(peek_at_every_size_and_limit)
{
    uint8_t bytes[64] = {0};
    struct sc_frame_header header;
    sc_frame_put_header(bytes, SC_FRAME_ECHO, 10);
    for (size_t size = 0; size < 18; size++) {
        ck_assert_int_eq(sc_frame_peek(bytes, size, 10, &header), SC_FRAME_NEED_MORE);
    }
    ck_assert_int_eq(sc_frame_peek(bytes, 18, 10, &header), SC_FRAME_COMPLETE);
    ck_assert_int_eq(sc_frame_peek(bytes, 64, 10, &header), SC_FRAME_COMPLETE);
    /* The header alone decides, before a byte of the body. */
    ck_assert_int_eq(sc_frame_peek(bytes, 8, 9, &header), SC_FRAME_TOO_LARGE);
    ck_assert_int_eq(sc_frame_peek(bytes, 7, 9, &header), SC_FRAME_NEED_MORE);
    sc_frame_put_header(bytes, SC_FRAME_ECHO, 0);
    ck_assert_int_eq(sc_frame_peek(bytes, 8, 0, &header), SC_FRAME_COMPLETE);
    sc_frame_put_header(bytes, SC_FRAME_ECHO, UINT32_MAX);
    ck_assert_int_eq(sc_frame_peek(bytes, 8, SC_FRAME_MAX_BODY_BYTES, &header), SC_FRAME_TOO_LARGE);
    ck_assert_int_eq(sc_frame_peek(bytes, 8, SIZE_MAX, &header), SC_FRAME_NEED_MORE);
}
END_TEST

START_TEST(error_frame_both_ways)
{
    uint8_t frame[SC_FRAME_ERROR_MAX_BYTES];
    struct sc_frame_error error;
    size_t size = sc_frame_put_error(frame, SC_ERROR_GOING_AWAY, 1500, "see you");
    ck_assert_uint_eq(size, 8 + 8 + 7);
    ck_assert_uint_eq(sc_frame_get_header(frame).type, SC_FRAME_ERROR);
    ck_assert_uint_eq(sc_frame_get_header(frame).length, 15);
    ck_assert_int_eq(sc_frame_get_error(frame + 8, size - 8, &error), 0);
    ck_assert_uint_eq(error.code, SC_ERROR_GOING_AWAY);
    ck_assert_uint_eq(error.retry_after_ms, 1500);
    ck_assert_mem_eq(error.text, "see you", 7);
    ck_assert_uint_eq(error.text_length, 7);
    ck_assert_int_eq(sc_frame_get_error(frame + 8, 7, &error), -1);
    ck_assert_int_eq(sc_frame_get_error(frame + 8, 8, &error), 0);
    ck_assert_uint_eq(error.text_length, 0);

    char text[1000];
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    ck_assert_uint_eq(sc_frame_put_error(frame, SC_ERROR_INTERNAL, 0, text),
                      SC_FRAME_ERROR_MAX_BYTES);
    ck_assert_uint_eq(sc_frame_get_header(frame).length, SC_FRAME_ERROR_MAX_BYTES - 8);
}
END_TEST

/* docs/protocol.md: what is part of the protocol is not changed by the way. */
START_TEST(numbers_and_names_of_the_protocol)
{
    ck_assert_str_eq(SC_PROTOCOL_ALPN, "space-captain/1");
    ck_assert_str_eq(SC_PROTOCOL_PORT, "4242");
    ck_assert_uint_eq(SC_FRAME_MAX_BODY_BYTES, 16777216);
    static const char *const errors[] = {"error",      "unknown type", "body too large",
                                         "going away", "over a limit", "internal error",
                                         "error"};
    for (uint32_t code = 0; code < sizeof(errors) / sizeof(errors[0]); code++) {
        ck_assert_str_eq(sc_error_code_name(code), errors[code]);
    }
    ck_assert_int_eq(SC_ERROR_UNKNOWN_TYPE, 1);
    ck_assert_int_eq(SC_ERROR_BODY_TOO_LARGE, 2);
    ck_assert_int_eq(SC_ERROR_GOING_AWAY, 3);
    ck_assert_int_eq(SC_ERROR_OVER_LIMIT, 4);
    ck_assert_int_eq(SC_ERROR_INTERNAL, 5);
    ck_assert_int_eq(SC_FRAME_ERROR, 0);
    ck_assert_int_eq(SC_FRAME_ECHO, 1);
    ck_assert_int_eq(SC_FRAME_REVERSE, 2);
    ck_assert_int_eq(SC_FRAME_TIME, 3);
}
END_TEST

SUITE_MAIN("frame", header_is_big_endian_both_ways, peek_at_every_size_and_limit,
           error_frame_both_ways, numbers_and_names_of_the_protocol)

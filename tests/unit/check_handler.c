/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "proto/handler.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/compiler.h"
#include "proto/frame.h"
#include "suite.h"

START_TEST(the_table_agrees_with_itself)
{
    size_t i = 0;
    for (; sc_handler_at(i); i++) {
        const struct sc_handler *handler = sc_handler_at(i);
        ck_assert_ptr_nonnull(handler);
        ck_assert_uint_eq(sc_handler_index(handler), i);
        ck_assert_ptr_eq(sc_handler_find(handler->type), handler);
        ck_assert_ptr_eq(sc_handler_find_name(handler->name), handler);
        ck_assert_uint_ne(handler->type, SC_FRAME_ERROR);
        /* One reply depends on the connection. */
        ck_assert_int_eq(handler->run == NULL, handler->type == SC_FRAME_PINS);
        ck_assert(!handler->is_reply ||
                  (!handler->same_length && handler->reply_max <= SC_HANDLER_CHECKED_MAX));
        for (const char *c = handler->name; *c; c++) {
            ck_assert(*c >= 'a' && *c <= 'z');
        }
    }
    ck_assert_uint_eq(i + 1, SC_FRAME_FIRST_UNUSED);
    ck_assert_ptr_null(sc_handler_at(SIZE_MAX));
}
END_TEST

START_TEST(types_are_those_of_the_protocol)
{
    ck_assert_str_eq(sc_handler_find(1)->name, "echo");
    ck_assert_str_eq(sc_handler_find(2)->name, "reverse");
    ck_assert_str_eq(sc_handler_find(3)->name, "time");
    ck_assert_str_eq(sc_handler_find(4)->name, "pins");
}
END_TEST

START_TEST(nothing_else_is_found)
{
    ck_assert_ptr_null(sc_handler_find(SC_FRAME_ERROR));
    ck_assert_ptr_null(sc_handler_find(SC_FRAME_FIRST_UNUSED));
    ck_assert_ptr_null(sc_handler_find(255));
    ck_assert_ptr_null(sc_handler_find(UINT32_C(0x01000000))); /* echo in the wrong byte order */
    ck_assert_ptr_null(sc_handler_find(UINT32_MAX));
    ck_assert_ptr_null(sc_handler_find_name("error"));
    ck_assert_ptr_null(sc_handler_find_name("ECHO"));
    ck_assert_ptr_null(sc_handler_find_name("ech"));
    ck_assert_ptr_null(sc_handler_find_name("echoo"));
    ck_assert_ptr_null(sc_handler_find_name(""));
}
END_TEST

/* Runs a handler with a guard after the space that it asked for. */
static size_t run(const char *name, const uint8_t *body, size_t length, uint8_t **reply)
{
    const struct sc_handler *handler = sc_handler_find_name(name);
    const size_t room = sc_handler_reply_max(handler, length);
    *reply = malloc(room + 16);
    ck_assert_ptr_nonnull(*reply);
    memset(*reply, 0xA5, room + 16);
    const size_t used = handler->run(body, length, *reply);
    ck_assert_uint_le(used, room);
    for (size_t i = room; i < room + 16; i++) {
        ck_assert_uint_eq((*reply)[i], 0xA5);
    }
    return used;
}

static void check_echo_and_reverse(size_t length, size_t offset)
{
    uint8_t *memory = malloc(length + offset + 1), *reply;
    uint8_t *body = memory + offset; /* at any alignment */
    ck_assert_ptr_nonnull(memory);
    for (size_t i = 0; i < length; i++) {
        body[i] = (uint8_t)(i * 13U + i / 256U + 1U);
    }
    ck_assert_uint_eq(run("echo", body, length, &reply), length);
    ck_assert_int_eq(memcmp(reply, body, length), 0);
    free(reply);
    ck_assert_uint_eq(run("reverse", body, length, &reply), length);
    size_t wrong = 0; /* an assertion for each byte would take most of a minute */
    for (size_t i = 0; i < length; i++) {
        wrong += reply[i] != body[length - 1 - i];
    }
    ck_assert_uint_eq(wrong, 0);
    free(reply);
    free(memory);
}

START_TEST(echo_and_reverse_at_every_length)
{
    for (size_t length = 0; length <= 40; length++) {
        for (size_t offset = 0; offset < 8; offset++) {
            check_echo_and_reverse(length, offset);
        }
    }
}
END_TEST

START_TEST(echo_and_reverse_of_large_bodies)
{
    static const size_t lengths[] = {
        4095, 4096, 65535, 65536, 65537, 1000003, SC_FRAME_MAX_BODY_BYTES};
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        check_echo_and_reverse(lengths[i], i % 2);
    }
}
END_TEST

/* Clients go by it: what they send, and which replies they take. */
START_TEST(a_row_says_what_requests_and_replies_have)
{
    const struct sc_handler *echo = sc_handler_find_name("echo");
    const struct sc_handler *reverse = sc_handler_find_name("reverse");
    const struct sc_handler *time = sc_handler_find_name("time");
    char list[SC_HANDLER_LIST_BYTES];
    ck_assert(echo->takes_body && echo->same_length);
    ck_assert(reverse->takes_body && reverse->same_length);
    ck_assert(!time->takes_body && !time->same_length);
    ck_assert(sc_handler_is_reply_length(echo, 5, 5));
    ck_assert(!sc_handler_is_reply_length(echo, 5, 4));
    ck_assert(!sc_handler_is_reply_length(reverse, 5, 6));
    ck_assert(sc_handler_is_reply_length(time, 5, 27));
    ck_assert(!sc_handler_is_reply_length(time, 5, 28));
    ck_assert_uint_eq(sc_handler_reply_max(echo, 5), 5);
    ck_assert_uint_eq(sc_handler_reply_max(time, 5), 27);
    /* The clock goes on: a reply to TIME is looked at, the others are compared. */
    ck_assert(!echo->is_reply && !reverse->is_reply);
    ck_assert(time->is_reply((const uint8_t *)"2026-11-21T01:22:03.123456Z"));
    ck_assert(!time->is_reply((const uint8_t *)"2026-11-21T01:22:03.123456+"));
    /* Each number from its least to its most. */
    static const char *const times[] = {"0000-01-01T00:00:00.000000Z",
                                        "9999-12-31T23:59:60.999999Z"};
    static const char *const others[] = {
        "2026-00-21T01:22:03.123456Z", "2026-13-21T01:22:03.123456Z", "2026-11-00T01:22:03.123456Z",
        "2026-11-32T01:22:03.123456Z", "2026-11-21T24:22:03.123456Z", "2026-11-21T01:60:03.123456Z",
        "2026-11-21T01:22:61.123456Z", "2026-11-21T01:22:03.12345/Z", "2026-11-21T01:22:03.12345:Z",
        "2026-11-21 01:22:03.123456Z"};
    for (size_t i = 0; i < SC_COUNT_OF(times); i++) {
        ck_assert_msg(time->is_reply((const uint8_t *)times[i]), "%s", times[i]);
    }
    for (size_t i = 0; i < SC_COUNT_OF(others); i++) {
        ck_assert_msg(!time->is_reply((const uint8_t *)others[i]), "%s", others[i]);
    }
    sc_handler_list(list);
    static const char first[] = "echo TEXT, reverse TEXT, time, pins";
    ck_assert_int_eq(strncmp(list, first, strlen(first)), 0);
}
END_TEST

static void check_time(time_t second, long nanosecond, const char *expected)
{
    const struct timespec wall = {.tv_sec = second, .tv_nsec = nanosecond};
    uint8_t *reply;
    sc_clock_fake(NULL, &wall);
    ck_assert_uint_eq(run("time", (const uint8_t *)"ignored", 7, &reply), strlen(expected));
    ck_assert_mem_eq(reply, expected, strlen(expected));
    free(reply);
    sc_clock_fake(NULL, NULL);
}

START_TEST(time_is_rfc3339_with_microseconds)
{
    check_time(1795224123, 123456789, "2026-11-21T01:22:03.123456Z");
    check_time(0, 0, "1970-01-01T00:00:00.000000Z");
    check_time(951782400, 1000, "2000-02-29T00:00:00.000001Z");
}
END_TEST

/* The text of a second is kept; the next one must not show it. */
START_TEST(time_rolls_over)
{
    check_time(1798761599, 999999999, "2026-12-31T23:59:59.999999Z");
    check_time(1798761600, 0, "2027-01-01T00:00:00.000000Z");
    check_time(1798761599, 5000, "2026-12-31T23:59:59.000005Z");
    check_time(1798761599, 6000, "2026-12-31T23:59:59.000006Z");
}
END_TEST

SUITE_MAIN("handler", the_table_agrees_with_itself, types_are_those_of_the_protocol,
           nothing_else_is_found, echo_and_reverse_at_every_length,
           echo_and_reverse_of_large_bodies, a_row_says_what_requests_and_replies_have,
           time_is_rfc3339_with_microseconds, time_rolls_over)

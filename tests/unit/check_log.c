/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "suite.h"

static char last[4096]; /* the last line, without its newline */
static size_t last_length;
static size_t lines;

static void keep(const char *line, size_t length)
{
    ck_assert_uint_gt(length, 0);
    ck_assert_uint_lt(length, sizeof(last));
    ck_assert_int_eq(line[length - 1], '\n');
    ck_assert_ptr_null(memchr(line, '\n', length - 1)); /* a line is a line */
    memcpy(last, line, length - 1);
    last[length - 1] = '\0';
    last_length = length - 1;
    lines++;
}

/* An event of each level. */
static const enum sc_event of_level[] = {SC_EVENT_RELOAD_FAILED, SC_EVENT_STOPPING_NOW,
                                         SC_EVENT_STOPPING, SC_EVENT_LIBEVENT_DEBUG};

static void start(enum sc_log_level level, enum sc_log_format format)
{
    static const struct timespec then = {.tv_sec = 1795224123, .tv_nsec = 123456000};
    sc_clock_fake(NULL, &then);
    sc_log_use_journal_socket("/nonexistent/socket"); /* with one: check_journal.c */
    sc_log_init(level, format);
    sc_log_redirect(keep);
    lines = 0;
}

#define TEXT_HEAD "2026-11-21T01:22:03.123456Z "
#define JSON_HEAD "{\"time\":\"2026-11-21T01:22:03.123456Z\",\"level\":"

/* --- A reader of JSON objects of strings and numbers, as strict as RFC 8259 on both --- */

static const char *read_string(const char *p, unsigned char *out, size_t *length)
{
    ck_assert_int_eq(*p, '"');
    *length = 0;
    for (p++; *p != '"'; p++) {
        ck_assert_msg((unsigned char)*p >= 0x20 && (unsigned char)*p < 0x7f, "byte %02x in %s",
                      (unsigned)(unsigned char)*p, last);
        unsigned value = (unsigned char)*p;
        if (*p == '\\' && p[1] == 'u') {
            ck_assert_int_eq(sscanf(p + 2, "%4x", &value), 1);
            p += 5;
        } else if (*p == '\\') {
            p++;
            ck_assert(*p == '"' || *p == '\\');
            value = (unsigned char)*p;
        }
        ck_assert_uint_lt(value, 256);
        out[(*length)++] = (unsigned char)value;
    }
    return p + 1;
}

/*
 * Reads the last line whole. Returns how many keys it has, and the value of `key`, -1 in *length
 * when it is not there.
 */
static size_t read_object(const char *key, unsigned char *out, long *length)
{
    unsigned char name[4096], value[4096];
    size_t name_length, value_length, count = 0;
    const char *p = last;
    *length = -1;
    ck_assert_int_eq(*p, '{');
    do {
        p = read_string(p + 1, name, &name_length);
        ck_assert_int_eq(*p++, ':');
        if (*p == '"') {
            p = read_string(p, value, &value_length);
        } else {
            value_length = strspn(p, "0123456789");
            ck_assert_uint_gt(value_length, 0);
            memcpy(value, p, value_length);
            p += value_length;
        }
        if (key && name_length == strlen(key) && memcmp(name, key, name_length) == 0) {
            memcpy(out, value, value_length);
            *length = (long)value_length;
        }
        count++;
    } while (*p == ',');
    ck_assert_str_eq(p, "}");
    return count;
}

static void log_value(const void *value, size_t length)
{
    struct sc_log_line line;
    ck_assert(sc_log_begin(&line, SC_EVENT_STOPPING));
    sc_log_bytes(&line, "value", value, length);
    sc_log_u64(&line, "after", 1);
    sc_log_end(&line);
}

/* --- Formats --- */

static void log_sample(void)
{
    struct sc_log_line line;
    ck_assert(sc_log_begin(&line, SC_EVENT_HANDSHAKE_FAILED));
    sc_log_u64(&line, "conn", 17);
    sc_log_str(&line, "peer", "192.0.2.1:53122");
    sc_log_fmt(&line, "hint", "%s on port %d", "HTTP", 4242);
    sc_log_str(&line, "empty", "");
    sc_log_u64(&line, "bytes", UINT64_MAX);
    sc_log_end(&line);
}

START_TEST(text)
{
    start(SC_LOG_INFO, SC_LOG_TEXT);
    log_sample();
    ck_assert_str_eq(last,
                     TEXT_HEAD "warning tls_handshake_failed conn=17 peer=192.0.2.1:53122 "
                               "hint=\"HTTP on port 4242\" empty=\"\" bytes=18446744073709551615");
}
END_TEST

START_TEST(json)
{
    unsigned char value[4096];
    long length;
    start(SC_LOG_INFO, SC_LOG_JSON);
    log_sample();
    ck_assert_str_eq(
        last, JSON_HEAD
        "\"warning\",\"event\":\"tls_handshake_failed\",\"conn\":17,\"peer\":\"192.0.2.1:53122\","
        "\"hint\":\"HTTP on port 4242\",\"empty\":\"\",\"bytes\":18446744073709551615}");
    ck_assert_uint_eq(read_object("hint", value, &length), 8);
    ck_assert_int_eq(length, (long)strlen("HTTP on port 4242"));
}
END_TEST

/* JOURNAL_STREAM with the device and inode of stderr, and what is to be added to them. */
static void set_journal_stream(unsigned long long device_more, unsigned long long inode_more)
{
    struct stat info;
    char stream[64];
    ck_assert_int_eq(fstat(STDERR_FILENO, &info), 0);
    (void)snprintf(stream, sizeof(stream), "%llu:%llu",
                   (unsigned long long)info.st_dev + device_more,
                   (unsigned long long)info.st_ino + inode_more);
    ck_assert_int_eq(setenv("JOURNAL_STREAM", stream, 1), 0);
}

/* stderr is the journal, and its own socket is not there. */
START_TEST(journal_by_stderr)
{
    static const char *const expected[] = {"<3>reload_failed message=x",
                                           "<4>stopping_now message=x", "<6>stopping message=x",
                                           "<7>libevent message=x"};
    set_journal_stream(0, 0);
    start(SC_LOG_DEBUG, SC_LOG_JOURNAL);
    for (int level = SC_LOG_ERROR; level <= SC_LOG_DEBUG; level++) {
        sc_log_message(of_level[level], "x");
        ck_assert_str_eq(last, expected[level]);
    }
    ck_assert_str_eq(sc_log_error_prefix(), "<3>");
    /* Neither: then it is text. */
    set_journal_stream(0, 1);
    start(SC_LOG_DEBUG, SC_LOG_JOURNAL);
    sc_log_message(SC_EVENT_STOPPING, "x");
    ck_assert_str_eq(last, TEXT_HEAD "info stopping message=x");
    ck_assert_str_eq(sc_log_error_prefix(), "");
}
END_TEST

static void expect_auto(const char *expected)
{
    start(SC_LOG_INFO, SC_LOG_AUTO);
    sc_log_message(SC_EVENT_STOPPING, "x");
    ck_assert_str_eq(last, expected);
}

/* The journal is recognized by its device and inode, and only when stderr is it. */
START_TEST(auto_finds_the_journal)
{
    static const char as_text[] = TEXT_HEAD "info stopping message=x";
    ck_assert_int_eq(unsetenv("JOURNAL_STREAM"), 0);
    expect_auto(as_text);
    set_journal_stream(0, 0);
    expect_auto("<6>stopping message=x");
    set_journal_stream(0, 1);
    expect_auto(as_text);
    set_journal_stream(1, 0);
    expect_auto(as_text);
    ck_assert_int_eq(setenv("JOURNAL_STREAM", "nonsense", 1), 0);
    expect_auto(as_text);
}
END_TEST

START_TEST(levels)
{
    struct sc_log_line line;
    for (int level = SC_LOG_ERROR; level <= SC_LOG_DEBUG; level++) {
        start((enum sc_log_level)level, SC_LOG_TEXT);
        for (int of_line = SC_LOG_ERROR; of_line <= SC_LOG_DEBUG; of_line++) {
            sc_log_message(of_level[of_line], "x");
        }
        ck_assert_uint_eq(lines, (size_t)level + 1);
    }
    start(SC_LOG_ERROR, SC_LOG_TEXT);
    ck_assert(!sc_log_begin(&line, SC_EVENT_STOPPING_NOW));
    ck_assert_str_eq(sc_log_level_names[SC_LOG_DEBUG], "debug");
    ck_assert_ptr_null(sc_log_level_names[SC_LOG_DEBUG + 1]);
    ck_assert_str_eq(sc_log_format_names[SC_LOG_JOURNAL], "journal");
    ck_assert_ptr_null(sc_log_format_names[SC_LOG_JOURNAL + 1]);
}
END_TEST

/* --- What a peer sends --- */

START_TEST(every_byte_in_text)
{
    start(SC_LOG_INFO, SC_LOG_TEXT);
    for (unsigned c = 0; c < 256; c++) {
        const char byte = (char)c;
        char expected[128], shown[16];
        if (c < 0x20 || c >= 0x7f) {
            (void)snprintf(shown, sizeof(shown), "\"\\x%02x\"", c);
        } else if (c == '"' || c == '\\') {
            (void)snprintf(shown, sizeof(shown), "\"\\%c\"", (int)c);
        } else if (c == ' ' || c == '=') {
            (void)snprintf(shown, sizeof(shown), "\"%c\"", (int)c);
        } else {
            (void)snprintf(shown, sizeof(shown), "%c", (int)c);
        }
        log_value(&byte, 1);
        (void)snprintf(expected, sizeof(expected), TEXT_HEAD "info stopping value=%s after=1",
                       shown);
        ck_assert_str_eq(last, expected);
        ck_assert_uint_eq(last_length, strlen(expected));
    }
}
END_TEST

START_TEST(every_byte_in_json)
{
    unsigned char all[256], value[4096];
    long length;
    start(SC_LOG_INFO, SC_LOG_JSON);
    for (unsigned c = 0; c < 256; c++) {
        all[c] = (unsigned char)c;
        log_value(&all[c], 1);
        ck_assert_uint_eq(read_object("value", value, &length), 5);
        ck_assert_int_eq(length, 1);
        ck_assert_uint_eq(value[0], c);
    }
    log_value(all, 256);
    ck_assert_uint_eq(read_object("value", value, &length), 5);
    ck_assert_int_eq(length, 256);
    ck_assert_mem_eq(value, all, 256);
}
END_TEST

START_TEST(nobody_can_forge_a_line)
{
    static const char evil[] = "x\n" TEXT_HEAD "info fake key=\"value\r\n\x1b[2J";
    start(SC_LOG_INFO, SC_LOG_TEXT);
    log_value(evil, sizeof(evil) - 1);
    ck_assert_uint_eq(lines, 1);
    ck_assert_ptr_nonnull(strstr(last, "value=\"x\\x0a2026"));
    ck_assert_ptr_nonnull(strstr(last, "\\x1b[2J\" after=1"));
}
END_TEST

/* --- Limits --- */

START_TEST(long_values_are_cut)
{
    char value[2000];
    char expected[600];
    unsigned char read[4096];
    long length;
    memset(value, 'v', sizeof(value));
    memset(expected, 'v', 512);
    memcpy(expected + 512, "...", 4);
    start(SC_LOG_INFO, SC_LOG_TEXT);
    log_value(value, 512);
    ck_assert_ptr_null(strstr(last, "..."));
    log_value(value, 513);
    ck_assert_ptr_nonnull(strstr(last, expected));
    ck_assert_ptr_nonnull(strstr(last, "...\" after=1"));
    start(SC_LOG_INFO, SC_LOG_JSON);
    log_value(value, sizeof(value));
    ck_assert_uint_eq(read_object("value", read, &length), 5);
    ck_assert_int_eq(length, 515);
    ck_assert_mem_eq(read, expected, 515);
    sc_log_message(SC_EVENT_STOPPING, "%.2000s", value);
    (void)read_object("message", read, &length);
    ck_assert_int_eq(length, 515);
}
END_TEST

/*
 * A line that is full stays a line: whole keys or none, and valid JSON, whatever was put into it.
 */
static void fill(enum sc_log_format format, const char *value, size_t length)
{
    struct sc_log_line line;
    unsigned char read[4096];
    long read_length;
    start(SC_LOG_INFO, format);
    ck_assert(sc_log_begin(&line, SC_EVENT_STOPPING));
    for (int i = 0; i < 200; i++) {
        sc_log_bytes(&line, "key", value, length);
        sc_log_u64(&line, "number", UINT64_MAX);
        ck_assert_uint_lt(line.text.used, sizeof(line.text.bytes));
    }
    sc_log_end(&line);
    ck_assert_uint_eq(lines, 1);
    ck_assert_uint_le(last_length, sizeof(line.text.bytes));
    ck_assert_uint_gt(last_length, 1200);
    if (format == SC_LOG_JSON) {
        ck_assert_uint_ge(read_object("key", read, &read_length), 5);
        ck_assert_int_eq(read_length, (long)length);
    } else {
        const char tail = last[last_length - 1];
        ck_assert(tail == '"' || tail == 'v' || tail == '5');
    }
}

START_TEST(full_lines_are_cut_between_keys)
{
    char value[64];
    for (size_t length = 0; length < sizeof(value); length++) {
        memset(value, 'v', sizeof(value));
        fill(SC_LOG_TEXT, value, length);
        fill(SC_LOG_JSON, value, length);
        memset(value, 0xff, sizeof(value));
        fill(SC_LOG_TEXT, value, length);
        fill(SC_LOG_JSON, value, length);
    }
}
END_TEST

/* A key that did not fit is left out, and one that does comes after it. */
START_TEST(what_still_fits_comes_after_what_did_not)
{
    struct sc_log_line line;
    char value[512];
    start(SC_LOG_INFO, SC_LOG_TEXT);
    memset(value, 'v', sizeof(value));
    ck_assert(sc_log_begin(&line, SC_EVENT_STOPPING));
    for (int i = 0; i < 20; i++) {
        sc_log_bytes(&line, "key", value, sizeof(value));
    }
    sc_log_u64(&line, "number", 1);
    sc_log_str(&line, "text", "x");
    sc_log_end(&line);
    ck_assert_str_eq(last + last_length - strlen("v number=1 text=x"), "v number=1 text=x");
}
END_TEST

static bool write_limited(struct sc_log_rate *rate, enum sc_event event)
{
    struct sc_log_line line;
    if (!sc_log_begin_limited(&line, rate, 3, event)) {
        return false;
    }
    sc_log_u64(&line, "conn", 7);
    sc_log_end(&line);
    return true;
}

static void at_ms(uint64_t now_ms)
{
    const uint64_t now_ns = now_ms * 1000000U;
    sc_clock_fake(&now_ns, NULL);
}

START_TEST(lines_are_limited_in_a_second)
{
    struct sc_log_rate rate = {0}, other = {0};
    start(SC_LOG_INFO, SC_LOG_TEXT);
    at_ms(5000);
    for (int i = 0; i < 3; i++) {
        ck_assert(!write_limited(&rate, SC_EVENT_CONNECTED)); /* is not logged, and not counted */
        ck_assert(write_limited(&rate, SC_EVENT_FRAME_TIMEOUT));
        ck_assert_ptr_nonnull(strstr(last, " info frame_timeout conn=7"));
    }
    for (int i = 0; i < 10; i++) {
        ck_assert(!write_limited(&rate, SC_EVENT_FRAME_TIMEOUT));
    }
    ck_assert(
        write_limited(&other, SC_EVENT_FRAME_TIMEOUT)); /* another kind of line has its own limit */
    at_ms(5999);
    ck_assert(!write_limited(&rate, SC_EVENT_FRAME_TIMEOUT));
    at_ms(6000);
    ck_assert(write_limited(&rate, SC_EVENT_FRAME_TIMEOUT));
    ck_assert_ptr_nonnull(strstr(last, " info frame_timeout suppressed=11 conn=7"));
    ck_assert(write_limited(&rate, SC_EVENT_FRAME_TIMEOUT));
    ck_assert_ptr_nonnull(strstr(last, " info frame_timeout conn=7"));
}
END_TEST

SUITE_MAIN("log", text, json, journal_by_stderr, auto_finds_the_journal, levels, every_byte_in_text,
           every_byte_in_json, nobody_can_forge_a_line, long_values_are_cut,
           full_lines_are_cut_between_keys, what_still_fits_comes_after_what_did_not,
           lines_are_limited_in_a_second)

/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "leaks.h"
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

/* The journal is recognized by its device and inode, and only when stderr is it. */
START_TEST(auto_finds_the_journal)
{
    static const char as_text[] = TEXT_HEAD "info stopping message=x";
    ck_assert_int_eq(unsetenv("JOURNAL_STREAM"), 0);
    start(SC_LOG_INFO, SC_LOG_AUTO);
    sc_log_message(SC_EVENT_STOPPING, "x");
    ck_assert_str_eq(last, as_text);
    set_journal_stream(0, 0);
    start(SC_LOG_INFO, SC_LOG_AUTO);
    sc_log_message(SC_EVENT_STOPPING, "x");
    ck_assert_str_eq(last, "<6>stopping message=x");
    set_journal_stream(0, 1);
    start(SC_LOG_INFO, SC_LOG_AUTO);
    sc_log_message(SC_EVENT_STOPPING, "x");
    ck_assert_str_eq(last, as_text);
    set_journal_stream(1, 0);
    start(SC_LOG_INFO, SC_LOG_AUTO);
    sc_log_message(SC_EVENT_STOPPING, "x");
    ck_assert_str_eq(last, as_text);
    ck_assert_int_eq(setenv("JOURNAL_STREAM", "nonsense", 1), 0);
    start(SC_LOG_INFO, SC_LOG_AUTO);
    sc_log_message(SC_EVENT_STOPPING, "x");
    ck_assert_str_eq(last, as_text);
}
END_TEST

START_TEST(levels)
{
    struct sc_log_line line;
    for (int level = SC_LOG_ERROR; level <= SC_LOG_DEBUG; level++) {
        start((enum sc_log_level)level, SC_LOG_TEXT);
        for (int of_line = SC_LOG_ERROR; of_line <= SC_LOG_DEBUG; of_line++) {
            ck_assert_int_eq(sc_log_enabled((enum sc_log_level)of_line), of_line <= level);
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

/* --- stderr, and readers of it that have stopped --- */

static int own_stderr;

static void take_stderr(int fd)
{
    ck_assert_int_ge(own_stderr = dup(STDERR_FILENO), 0);
    ck_assert_int_ge(dup2(fd, STDERR_FILENO), 0);
    start(SC_LOG_INFO, SC_LOG_TEXT);
    sc_log_redirect(NULL);
}

static void give_stderr_back(void)
{
    ck_assert_int_ge(dup2(own_stderr, STDERR_FILENO), 0);
    (void)close(own_stderr);
}

#define LOSS(n) \
    TEXT_HEAD "warning log_lost lines=" n \
              " hint=\"the reader of this log did not keep up, or there was no room for it\"\n"

START_TEST(without_a_redirect_it_is_stderr)
{
    int ends[2];
    char got[512];
    ck_assert_int_eq(pipe(ends), 0);
    take_stderr(ends[1]);
    sc_log_message(SC_EVENT_STOPPING, "x");
    /* A lost sink does not stop the program. */
    ck_assert_int_eq(close(STDERR_FILENO), 0);
    sc_log_message(SC_EVENT_STOPPING, "lost");
    ck_assert_int_ge(dup2(ends[1], STDERR_FILENO), 0);
    sc_log_message(SC_EVENT_STOPPING, "y");
    give_stderr_back();
    const ssize_t length = read(ends[0], got, sizeof(got) - 1);
    got[length > 0 ? (size_t)length : 0] = '\0';
    ck_assert_str_eq(got, TEXT_HEAD "info stopping message=x\n" LOSS("1") TEXT_HEAD
                     "info stopping message=y\n");
    ck_assert_uint_eq(lines, 0);
    (void)close(ends[0]);
    (void)close(ends[1]);
}
END_TEST

/* Nothing more goes in. */
static void fill_to_the_brim(int fd)
{
    char bytes[4096];
    const int flags = fcntl(fd, F_GETFL);
    memset(bytes, '.', sizeof(bytes));
    ck_assert_int_eq(fcntl(fd, F_SETFL, flags | O_NONBLOCK), 0);
    for (size_t length = sizeof(bytes); length > 0;) {
        length = write(fd, bytes, length) < 0 ? length / 2 : length;
    }
    ck_assert_int_eq(fcntl(fd, F_SETFL, flags), 0);
}

/* All that is in it; the text of what is not filling, in a static buffer. */
static const char *drain(int fd)
{
    static char kept[8192];
    char bytes[4096];
    size_t used = 0;
    const int flags = fcntl(fd, F_GETFL);
    ck_assert_int_eq(fcntl(fd, F_SETFL, flags | O_NONBLOCK), 0);
    for (ssize_t got; (got = read(fd, bytes, sizeof(bytes))) > 0;) {
        for (ssize_t i = 0; i < got; i++) {
            if (used > 0 || bytes[i] != '.') {
                ck_assert_uint_lt(used, sizeof(kept) - 1);
                kept[used++] = bytes[i];
            }
        }
    }
    kept[used] = '\0';
    ck_assert_int_eq(fcntl(fd, F_SETFL, flags), 0);
    return kept;
}

/*
 * Without the care that is taken these calls wait for ever, and the test is ended after a minute.
 */
static void lose_and_say_so(int write_end, int read_end)
{
    take_stderr(write_end);
    fill_to_the_brim(write_end);
    const int flags = fcntl(write_end, F_GETFL);
    for (int i = 0; i < 5; i++) {
        sc_log_message(SC_EVENT_STOPPING, "lost");
    }
    ck_assert_int_eq(fcntl(write_end, F_GETFL), flags); /* others share it */
    ck_assert_str_eq(drain(read_end), "");
    sc_log_set_level(SC_LOG_ERROR);
    sc_log_message(SC_EVENT_RELOAD_FAILED, "x");
    sc_log_message(SC_EVENT_RELOAD_FAILED, "y");
    ck_assert_str_eq(drain(read_end), LOSS("5") TEXT_HEAD
                     "error reload_failed message=x\n" TEXT_HEAD "error reload_failed message=y\n");
    give_stderr_back();
    (void)close(write_end);
    (void)close(read_end);
}

START_TEST(a_full_pipe_loses_lines_and_blocks_nobody)
{
    int ends[2];
    ck_assert_int_eq(pipe(ends), 0);
    lose_and_say_so(ends[1], ends[0]);
}
END_TEST

START_TEST(a_full_socket_loses_lines_and_blocks_nobody)
{
    int ends[2];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    lose_and_say_so(ends[1], ends[0]);
}
END_TEST

/* Then stderr cannot be opened once more. */
START_TEST(a_full_pipe_without_a_descriptor_to_spare)
{
    int ends[2];
    struct rlimit before, none;
    ck_assert_int_eq(pipe(ends), 0);
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
    take_stderr(ends[1]);
    fill_to_the_brim(ends[1]);
    none = before;
    none.rlim_cur = 3;
    const int flags = fcntl(ends[1], F_GETFL);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
    sc_log_message(SC_EVENT_STOPPING, "lost");
    ck_assert_int_eq(fcntl(ends[1], F_GETFL), flags); /* others share it */
    (void)drain(ends[0]);
    sc_log_message(SC_EVENT_STOPPING, "x");
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
    ck_assert_str_eq(drain(ends[0]), LOSS("1") TEXT_HEAD "info stopping message=x\n");
    give_stderr_back();
    (void)close(ends[0]);
    (void)close(ends[1]);
}
END_TEST

/* A line that stderr took a part of gets an end, once, before what is said next. */
START_TEST(what_was_cut_gets_an_end)
{
    static char large[1U << 20];
    int ends[2];
    ck_assert_int_eq(pipe(ends), 0);
    take_stderr(ends[1]);
    memset(large, '.', sizeof(large));
    ck_assert(!sc_log_write(large, sizeof(large)));
    sc_log_message(SC_EVENT_STOPPING, "lost");
    (void)drain(ends[0]);
    sc_log_message(SC_EVENT_STOPPING, "x");
    ck_assert_str_eq(drain(ends[0]), "\n" LOSS("1") TEXT_HEAD "info stopping message=x\n");
    fill_to_the_brim(ends[1]);
    sc_log_message(SC_EVENT_STOPPING, "lost");
    (void)drain(ends[0]);
    sc_log_message(SC_EVENT_STOPPING, "y");
    ck_assert_str_eq(drain(ends[0]), LOSS("1") TEXT_HEAD "info stopping message=y\n");
    give_stderr_back();
    (void)close(ends[0]);
    (void)close(ends[1]);
}
END_TEST

/* SIGPIPE would end the process. */
START_TEST(a_reader_that_is_gone_ends_nobody)
{
    int ends[2];
    (void)signal(SIGPIPE, SIG_DFL);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    (void)close(ends[0]);
    take_stderr(ends[1]);
    sc_log_message(SC_EVENT_STOPPING, "lost");
    give_stderr_back();
    (void)close(ends[1]);
}
END_TEST

START_TEST(writing_keeps_no_descriptor)
{
    int ends[2];
    ck_assert_int_eq(pipe(ends), 0);
    take_stderr(ends[1]);
    ASSERT_KEEPS_NOTHING((sc_log_message(SC_EVENT_STOPPING, "x"), (void)drain(ends[0])));
    give_stderr_back();
    (void)close(ends[0]);
    (void)close(ends[1]);
}
END_TEST

/* A terminal whose output is stopped (^S) takes what fits, and may cut a line. */
START_TEST(a_stopped_terminal_blocks_nobody)
{
    const int master = posix_openpt(O_RDWR | O_NOCTTY);
    ck_assert_int_ge(master, 0);
    ck_assert_int_eq(grantpt(master), 0);
    ck_assert_int_eq(unlockpt(master), 0);
    const int slave = open(ptsname(master), O_RDWR | O_NOCTTY);
    ck_assert_int_ge(slave, 0);
    take_stderr(slave);
    for (int i = 0; i < 5000; i++) {
        sc_log_message(SC_EVENT_STOPPING, "%d", i);
    }
    /* What is written to one end comes out of the other in the kernel's own time. */
    static char shown[1U << 20];
    size_t used = 0;
    while (!strstr(shown, " warning log_lost lines=") || shown[used - 1] != '\n') {
        const ssize_t got = read(master, shown + used, sizeof(shown) - 1 - used);
        ck_assert_int_gt(got, 0);
        used += (size_t)got;
        sc_log_message(SC_EVENT_STOPPING, "x");
    }
    ck_assert_ptr_nonnull(strstr(shown, "\n" TEXT_HEAD "warning log_lost lines="));
    give_stderr_back();
    (void)close(slave);
    (void)close(master);
}
END_TEST

/* Opening a file once more would write it from its beginning. */
START_TEST(a_file_is_written_at_its_end)
{
    char path[] = "/tmp/check_log.XXXXXX";
    char got[256];
    const int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq((int)write(fd, "before\n", 7), 7);
    take_stderr(fd);
    sc_log_message(SC_EVENT_STOPPING, "x");
    give_stderr_back();
    const ssize_t length = pread(fd, got, sizeof(got) - 1, 0);
    got[length > 0 ? (size_t)length : 0] = '\0';
    ck_assert_str_eq(got, "before\n" TEXT_HEAD "info stopping message=x\n");
    (void)close(fd);
}
END_TEST

SUITE_MAIN("log", text, json, journal_by_stderr, auto_finds_the_journal, levels, every_byte_in_text,
           every_byte_in_json, nobody_can_forge_a_line, long_values_are_cut,
           full_lines_are_cut_between_keys, what_still_fits_comes_after_what_did_not,
           what_was_cut_gets_an_end, a_reader_that_is_gone_ends_nobody, writing_keeps_no_descriptor,
           lines_are_limited_in_a_second, without_a_redirect_it_is_stderr,
           a_full_pipe_loses_lines_and_blocks_nobody, a_full_socket_loses_lines_and_blocks_nobody,
           a_full_pipe_without_a_descriptor_to_spare, a_stopped_terminal_blocks_nobody,
           a_file_is_written_at_its_end)

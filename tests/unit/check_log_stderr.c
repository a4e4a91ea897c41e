/* SPDX-License-Identifier: MIT */
/* The log on stderr, also while nobody reads it. */
#include "config.h"

#include "base/log.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "leaks.h"
#include "suite.h"

#define TEXT_HEAD "2026-11-21T01:22:03.123456Z "

static int own_stderr;

static void take_stderr(int fd)
{
    static const struct timespec then = {.tv_sec = 1795224123, .tv_nsec = 123456000};
    ck_assert_int_ge(own_stderr = dup(STDERR_FILENO), 0);
    ck_assert_int_ge(dup2(fd, STDERR_FILENO), 0);
    sc_clock_fake(NULL, &then);
    sc_log_init(SC_LOG_INFO, SC_LOG_TEXT);
}

static void give_stderr_back(void)
{
    ck_assert_int_ge(dup2(own_stderr, STDERR_FILENO), 0);
    (void)close(own_stderr);
}

/* stderr is the second of them, and a test reads from the first. */
static int ends[2];

static void take_pipe(void)
{
    ck_assert_int_eq(pipe(ends), 0);
    take_stderr(ends[1]);
}

static void give_back(void)
{
    give_stderr_back();
    (void)close(ends[0]);
    (void)close(ends[1]);
}

#define LOSS(n) \
    TEXT_HEAD "warning log_lost lines=" n \
              " hint=\"the reader of this log did not keep up, or there was no room for it\"\n"

START_TEST(without_a_redirect_it_is_stderr)
{
    char got[512];
    take_pipe();
    sc_log_message(SC_EVENT_STOPPING, "x");
    /* A lost sink does not stop the program. */
    ck_assert_int_eq(close(STDERR_FILENO), 0);
    sc_log_message(SC_EVENT_STOPPING, "lost");
    ck_assert_int_ge(dup2(ends[1], STDERR_FILENO), 0);
    sc_log_message(SC_EVENT_STOPPING, "y");
    const ssize_t length = read(ends[0], got, sizeof(got) - 1);
    give_back();
    got[length > 0 ? (size_t)length : 0] = '\0';
    ck_assert_str_eq(got, TEXT_HEAD "info stopping message=x\n" LOSS("1") TEXT_HEAD
                     "info stopping message=y\n");
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
static void lose_and_say_so(void)
{
    fill_to_the_brim(ends[1]);
    const int flags = fcntl(ends[1], F_GETFL);
    for (int i = 0; i < 5; i++) {
        sc_log_message(SC_EVENT_STOPPING, "lost");
    }
    ck_assert_int_eq(fcntl(ends[1], F_GETFL), flags); /* others share it */
    ck_assert_str_eq(drain(ends[0]), "");
    sc_log_set_level(SC_LOG_ERROR);
    sc_log_message(SC_EVENT_RELOAD_FAILED, "x");
    sc_log_message(SC_EVENT_RELOAD_FAILED, "y");
    ck_assert_str_eq(drain(ends[0]), LOSS("5") TEXT_HEAD "error reload_failed message=x\n" TEXT_HEAD
                                                         "error reload_failed message=y\n");
    give_back();
}

START_TEST(a_full_pipe_loses_lines_and_blocks_nobody)
{
    take_pipe();
    lose_and_say_so();
}
END_TEST

START_TEST(a_full_socket_loses_lines_and_blocks_nobody)
{
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    take_stderr(ends[1]);
    lose_and_say_so();
}
END_TEST

/* Then stderr cannot be opened once more. */
START_TEST(a_full_pipe_without_a_descriptor_to_spare)
{
    struct rlimit before, none;
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
    take_pipe();
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
    give_back();
}
END_TEST

/* A line that stderr took a part of gets an end, once, before the next one. */
START_TEST(what_was_cut_gets_an_end)
{
    static char large[1U << 20];
    take_pipe();
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
    give_back();
}
END_TEST

/* SIGPIPE would end the process. */
START_TEST(a_reader_that_is_gone_ends_nobody)
{
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
    take_pipe();
    ASSERT_KEEPS_NOTHING((sc_log_message(SC_EVENT_STOPPING, "x"), (void)drain(ends[0])));
    give_back();
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

SUITE_MAIN("log_stderr", without_a_redirect_it_is_stderr, a_full_pipe_loses_lines_and_blocks_nobody,
           a_full_socket_loses_lines_and_blocks_nobody, a_full_pipe_without_a_descriptor_to_spare,
           what_was_cut_gets_an_end, a_reader_that_is_gone_ends_nobody, writing_keeps_no_descriptor,
           a_stopped_terminal_blocks_nobody, a_file_is_written_at_its_end)

/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "base/program.h"

#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "scratch.h"
#include "suite.h"

/* What a function prints on stderr, and its result. */
static int own_stderr;

static void take_stderr(const char *path)
{
    (void)fflush(NULL);
    const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
    ck_assert_int_ge(own_stderr = dup(STDERR_FILENO), 0);
    ck_assert_int_ge(dup2(fd, STDERR_FILENO), 0);
    (void)close(fd);
}

static void give_stderr_back(void)
{
    ck_assert_int_ge(dup2(own_stderr, STDERR_FILENO), 0);
    (void)close(own_stderr);
}

#define PRINTS(expected, status, call) \
    do { \
        take_stderr("err"); \
        const int result = (call); \
        give_stderr_back(); \
        ck_assert_str_eq(scratch_read("err"), expected); \
        ck_assert_int_eq(result, status); \
    } while (0)

static int warn(const char *text)
{
    sc_program_warn("prog", "%s", text);
    return 0;
}

START_TEST(a_line_and_a_status)
{
    struct sc_err err;
    scratch_enter();
    (void)sc_err_set(&err, EX_NOINPUT, "can't read x");
    PRINTS("prog: can't read x\n", EX_NOINPUT, sc_program_fail("prog", &err));
    PRINTS("prog: --x: no; try 'prog --help'\n", EX_USAGE,
           sc_program_usage("prog", "--%s: %s", "x", "no"));
    PRINTS("prog: warning: old\n", 0, warn("old"));
    scratch_leave();
}
END_TEST

START_TEST(a_line_stays_one_line_and_moves_no_cursor)
{
    struct sc_err err;
    scratch_enter();
    (void)sc_err_set(&err, 1, "a\nb\x1b[2J\x7f\tc");
    PRINTS("prog: a\\x0ab\\x1b[2J\\x7f\\x09c\n", 1, sc_program_fail("prog", &err));
    /* As long as it gets, four times as long when escaped: cut between two of them. */
    memset(err.text, '\n', sizeof(err.text) - 1);
    err.text[sizeof(err.text) - 1] = '\0';
    take_stderr("err");
    (void)sc_program_fail("prog", &err);
    give_stderr_back();
    const char *text = scratch_read("err");
    const size_t length = strlen(text);
    ck_assert_uint_gt(length, 900);
    ck_assert_uint_lt(length, 1100);
    ck_assert_str_eq(text + length - strlen("\\x0a\\x0a\n"), "\\x0a\\x0a\n");
    scratch_leave();
}
END_TEST

START_TEST(what_was_printed_comes_first)
{
    scratch_enter();
    take_stderr("both");
    const int own_stdout = dup(STDOUT_FILENO);
    ck_assert_int_ge(dup2(STDERR_FILENO, STDOUT_FILENO), 0);
    (void)setvbuf(stdout, NULL, _IOFBF, 4096);
    (void)fputs("before\n", stdout);
    sc_program_warn("prog", "after");
    ck_assert_int_ge(dup2(own_stdout, STDOUT_FILENO), 0);
    give_stderr_back();
    ck_assert_str_eq(scratch_read("both"), "before\nprog: warning: after\n");
    scratch_leave();
}
END_TEST

/*
 * Nobody reads stderr: the first line waits two seconds, the others not. Ten of them would else
 * take twenty.
 */
START_TEST(a_stderr_that_nobody_reads_stops_nobody)
{
    int ends[2];
    char bytes[4096];
    ck_assert_int_eq(pipe(ends), 0);
    ck_assert_int_eq(fcntl(ends[1], F_SETFL, O_NONBLOCK), 0);
    memset(bytes, '.', sizeof(bytes));
    for (size_t length = sizeof(bytes); length > 0;) {
        length = write(ends[1], bytes, length) < 0 ? length / 2 : length;
    }
    ck_assert_int_eq(fcntl(ends[1], F_SETFL, 0), 0);
    own_stderr = dup(STDERR_FILENO);
    ck_assert_int_ge(dup2(ends[1], STDERR_FILENO), 0);
    const uint64_t start_ms = sc_clock_ms();
    for (int i = 0; i < 10; i++) {
        sc_program_warn("prog", "x");
    }
    const uint64_t took_ms = sc_clock_ms() - start_ms;
    give_stderr_back();
    ck_assert_uint_lt(took_ms, 16000);
    (void)close(ends[0]);
    (void)close(ends[1]);
}
END_TEST

/* In a process of its own, without standard descriptors. The result is its exit status. */
static int without_standard_descriptors(int (*body)(void))
{
    int status;
    const pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        for (int fd = 0; fd < 3; fd++) {
            (void)close(fd);
        }
        sc_program_start();
        _exit(body());
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static int standard_descriptors_are_no_use(void)
{
    const int next = open("/dev/null", O_RDONLY);
    char byte = 0;
    return next < 3                   ? 1
           : read(0, &byte, 1) != -1  ? 2
           : write(1, &byte, 1) != -1 ? 3
           : write(2, &byte, 1) != -1 ? 4
                                      : 0;
}

START_TEST(closed_descriptors_are_taken_by_nobody_else)
{
    ck_assert_int_eq(without_standard_descriptors(standard_descriptors_are_no_use), 0);
}
END_TEST

/* stdout is /dev/full, with a buffer or without one. */
static int end_with(int mode, int status, const char *text)
{
    (void)fflush(NULL);
    const int own_stdout = dup(STDOUT_FILENO), full = open("/dev/full", O_WRONLY | O_CLOEXEC);
    ck_assert_int_ge(dup2(full, STDOUT_FILENO), 0);
    (void)setvbuf(stdout, NULL, mode, 4096);
    (void)fputs(text, stdout);
    const int result = sc_program_end("prog", status);
    clearerr(stdout);
    ck_assert_int_ge(dup2(own_stdout, STDOUT_FILENO), 0);
    (void)close(own_stdout);
    (void)close(full);
    return result;
}

START_TEST(no_success_without_its_output)
{
    scratch_enter();
    PRINTS("", EX_OK, sc_program_end("prog", EX_OK));
    PRINTS("", 69, sc_program_end("prog", 69));
    PRINTS("prog: standard output: No space left on device\n", EX_IOERR,
           end_with(_IOFBF, EX_OK, "text\n"));
    scratch_leave();
}
END_TEST

START_TEST(an_earlier_failure_counts)
{
    scratch_enter();
    take_stderr("err");
    const int result = end_with(_IONBF, EX_OK, "text\n");
    give_stderr_back();
    ck_assert_int_eq(result, EX_IOERR);
    ck_assert_ptr_eq(strstr(scratch_read("err"), "prog: standard output: "), scratch_read("err"));
    scratch_leave();
}
END_TEST

START_TEST(another_failure_keeps_its_status)
{
    scratch_enter();
    PRINTS("", 69, end_with(_IOFBF, 69, "text\n"));
    scratch_leave();
}
END_TEST

/* What getopt_long() refuses, as the programs ask it. */
static int parse(const char *const *words)
{
    static const struct option options[] = {{"count", required_argument, NULL, 'n'},
                                            {"size", required_argument, NULL, 256},
                                            {"json", no_argument, NULL, 'j'},
                                            {NULL, 0, NULL, 0}};
    char *argv[8] = {(char *)(uintptr_t) "prog"};
    int argc = 1, option;
    for (; words[argc - 1]; argc++) {
        argv[argc] = (char *)(uintptr_t)words[argc - 1];
    }
    opterr = 0;
    optind = 0;
    while ((option = getopt_long(argc, argv, "+:n:j", options, NULL)) != -1) {
        if (option == '?' || option == ':') {
            return sc_program_bad_option("prog", option, argc, argv);
        }
    }
    return 0;
}
#define PARSE(...) parse((const char *const[]){__VA_ARGS__, NULL})
#define TRY "; try 'prog --help'\n"

START_TEST(options_that_are_none)
{
    scratch_enter();
    PRINTS("", 0, PARSE("-j", "--count", "3", "--size=4"));
    PRINTS("prog: --bogus: no such option, or not the whole of it" TRY, EX_USAGE, PARSE("--bogus"));
    PRINTS("prog: --bogus: no such option, or not the whole of it" TRY, EX_USAGE,
           PARSE("--bogus=secret"));
    PRINTS("prog: --json: it takes no argument" TRY, EX_USAGE, PARSE("--json=yes"));
    PRINTS("prog: --count: an argument is missing" TRY, EX_USAGE, PARSE("--count"));
    PRINTS("prog: --size: an argument is missing" TRY, EX_USAGE, PARSE("-j", "--size"));
    PRINTS("prog: -x: no such option" TRY, EX_USAGE, PARSE("-x"));
    PRINTS("prog: -x: no such option" TRY, EX_USAGE, PARSE("-jx"));
    PRINTS("prog: -x: no such option" TRY, EX_USAGE, PARSE("-jxj"));
    PRINTS("prog: -n: an argument is missing" TRY, EX_USAGE, PARSE("-n"));
    PRINTS("prog: -n: an argument is missing" TRY, EX_USAGE, PARSE("-jn"));
    scratch_leave();
}
END_TEST

SUITE_MAIN("program", a_line_and_a_status, a_line_stays_one_line_and_moves_no_cursor,
           what_was_printed_comes_first, a_stderr_that_nobody_reads_stops_nobody,
           closed_descriptors_are_taken_by_nobody_else, no_success_without_its_output,
           an_earlier_failure_counts, another_failure_keeps_its_status, options_that_are_none)

/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "base/program.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/escape.h"
#include "base/log.h"

/* A stderr whose reader has stopped gets this time once; then the program goes on. */
static void write_to_stderr(const char *line, size_t length)
{
    static int patience_ms = 2000;
    struct pollfd ready = {.fd = STDERR_FILENO, .events = POLLOUT};
    if (poll(&ready, 1, patience_ms) == 0 || !sc_log_write(line, length)) {
        patience_ms = 0;
    }
}

static void print_line(const char *program, const char *before, const char *text, const char *after)
{
    char escaped[1024];
    char line[sizeof(escaped) + 256];
    (void)sc_escape_line(escaped, sizeof(escaped), text, strlen(text));
    /* What was printed so far comes first, also when both go to one file. */
    (void)fflush(stdout);
    const int length =
        snprintf(line, sizeof(line), "%s: %s%s%s\n", program, before, escaped, after);
    write_to_stderr(line, (size_t)length);
}

void sc_program_start(void)
{
    static const int modes[] = {O_WRONLY, O_RDONLY, O_RDONLY};
    for (int fd = 0; fd < 3; fd++) {
        if (fcntl(fd, F_GETFD) == -1 && errno == EBADF) {
            (void)open("/dev/null", modes[fd]);
        }
    }
}

int sc_program_fail(const char *program, const struct sc_err *err)
{
    if (err->text[0] != '\0') {
        print_line(program, "", err->text, "");
    }
    return err->status;
}

int sc_program_usage(const char *program, const char *fmt, ...)
{
    char text[512];
    char after[128];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    (void)snprintf(after, sizeof(after), SC_PROGRAM_TRY, program);
    print_line(program, "", text, after);
    return EX_USAGE;
}

void sc_program_warn(const char *program, const char *fmt, ...)
{
    char text[sizeof(((struct sc_err *)NULL)->text)];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    print_line(program, "warning: ", text, "");
}

/* Whether the option that getopt_long() has just refused was a long one. */
static bool refused_a_long_option(int argc, char *const argv[])
{
    if (optind < 2 || strncmp(argv[optind - 1], "--", 2) != 0 || !argv[optind - 1][2]) {
        return false;
    }
    /*
     * An unknown long option leaves optopt 0, a long option without a short one puts its value
     * there. Else optind may still stand on a word of several short ones.
     */
    if (optopt == 0 || optopt > UCHAR_MAX || optind >= argc) {
        return true;
    }
    return argv[optind][0] != '-' || argv[optind][1] == '-' || !strchr(argv[optind], optopt);
}

int sc_program_option_err(struct sc_err *err, const char *program, int result, int argc,
                          char *const argv[])
{
    if (refused_a_long_option(argc, argv)) {
        const char *word = argv[optind - 1];
        const char *why = result == ':' ? "an argument is missing"
                          : optopt      ? "it takes no argument"
                                        : "no such option, or not the whole of it";
        return sc_err_set(err, EX_USAGE, "%.*s: %s" SC_PROGRAM_TRY, (int)strcspn(word, "="), word,
                          why, program);
    }
    return sc_err_set(err, EX_USAGE, "-%c: %s" SC_PROGRAM_TRY, optopt,
                      result == ':' ? "an argument is missing" : "no such option", program);
}

int sc_program_bad_option(const char *program, int result, int argc, char *const argv[])
{
    struct sc_err err;
    (void)sc_program_option_err(&err, program, result, argc, argv);
    return sc_program_fail(program, &err);
}

/* A write that fails in the middle of a printf() leaves only the mark on the stream. */
static bool is_broken_pipe(int error_number)
{
    struct pollfd out = {.fd = STDOUT_FILENO, .events = POLLOUT};
    return error_number == EPIPE ||
           (error_number == 0 && poll(&out, 1, 0) == 1 && (out.revents & POLLERR));
}

int sc_program_flush(struct sc_err *err)
{
    /* An earlier write that failed has left only the mark, so errno counts for this flush alone. */
    errno = 0;
    if (!ferror(stdout) && fflush(stdout) == 0) {
        return 0;
    }
    if (is_broken_pipe(errno)) {
        return sc_err_set(err, EX_IOERR, "%s", "");
    }
    return sc_err_set_errno(err, EX_IOERR, errno != 0 ? errno : EIO, "standard output");
}

int sc_program_end(const char *program, int status)
{
    struct sc_err err;
    if (sc_program_flush(&err) == 0 || status != EX_OK) {
        return status;
    }
    return sc_program_fail(program, &err);
}

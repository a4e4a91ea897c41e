/* SPDX-License-Identifier: MIT */
/*
 * Runs a program on a terminal of its own and talks to it:
 *
 *   terminal SECONDS [EXPECT SEND]... -- COMMAND ARGUMENT...
 *
 * waits until the program has printed EXPECT, types SEND (in both, \n, \t, \e and \xNN are
 * understood), and so on; then waits for its end. A SEND that starts with '!' is not typed: it is a
 * command for the shell, run to its end; and one that starts with '=' is the width that the
 * terminal gets, in columns. SC_TEST_FACTOR multiplies SECONDS. What the program printed goes to
 * stdout. Exit status: the program's; 70 when it left the terminal in another mode than it found it
 * in, 75 when the time was up, 76 when it ended before an EXPECT.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <termios.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/parse.h"
#include "test_factor.h"

static char output[1U << 20];
static size_t used,
    matched; /* what was printed, and how much of it earlier EXPECTs have consumed */
static uint64_t deadline_ms;
static pid_t child;

_Noreturn static void give_up(int status, const char *what)
{
    fprintf(stderr, "terminal: %s\n", what);
    (void)fwrite(output, 1, used, stdout);
    (void)fflush(stdout);
    (void)kill(child, SIGKILL);
    exit(status);
}

/* The next bytes of the program; false: it has closed the terminal. */
static bool read_more(int fd)
{
    const uint64_t now = sc_clock_ms();
    struct pollfd poller = {.fd = fd, .events = POLLIN};
    if (now >= deadline_ms || poll(&poller, 1, (int)(deadline_ms - now)) == 0) {
        give_up(EX_TEMPFAIL, "the time was up");
    }
    const ssize_t got = read(fd, output + used, sizeof(output) - 1 - used);
    if (got > 0) {
        used += (size_t)got;
    }
    return got > 0 || (got < 0 && errno == EINTR);
}

static void wait_for(int fd, const char *text)
{
    for (;;) {
        const char *found =
            *text ? memmem(output + matched, used - matched, text, strlen(text)) : output + matched;
        if (found) {
            matched = (size_t)(found - output) + strlen(text);
            return;
        }
        if (!read_more(fd)) {
            give_up(EX_PROTOCOL, text);
        }
    }
}

static char unescape(const char **text)
{
    const char *p = *text;
    if (*p != '\\' || !p[1]) {
        *text = p + 1;
        return *p;
    }
    if (p[1] == 'x' && p[2] && p[3]) {
        const char digits[] = {p[2], p[3], '\0'};
        *text = p + 4;
        return (char)strtoul(digits, NULL, 16);
    }
    *text = p + 2;
    return p[1] == 'n' ? '\n' : p[1] == 't' ? '\t' : p[1] == 'e' ? '\033' : p[1];
}

/* In place. */
static void unescape_all(char *text)
{
    const char *from = text;
    while (*from) {
        *text++ = unescape(&from);
    }
    *text = '\0';
}

static void type(int fd, const char *text)
{
    char bytes[4096];
    size_t count = 0;
    while (*text && count < sizeof(bytes)) {
        bytes[count++] = unescape(&text);
    }
    if (*text || write(fd, bytes, count) != (ssize_t)count) { /* at once */
        give_up(EX_IOERR, "can't type");
    }
}

/* The kernel sends SIGWINCH to those who use the terminal. */
static void resize(int terminal, const char *columns)
{
    const struct winsize size = {.ws_row = 24, .ws_col = (unsigned short)atoi(columns)};
    if (ioctl(terminal, TIOCSWINSZ, &size) != 0) {
        give_up(EX_OSERR, "can't resize");
    }
}

_Noreturn static void run_child(int terminal, char *argv[])
{
    (void)setsid();
    const int fd = open(ptsname(terminal), O_RDWR);
    if (fd < 0 || ioctl(fd, TIOCSCTTY, 0) != 0) {
        _exit(EX_OSERR);
    }
    (void)dup2(fd, 0);
    (void)dup2(fd, 1);
    (void)dup2(fd, 2);
    (void)execvp(argv[0], argv);
    _exit(127);
}

int main(int argc, char *argv[])
{
    uint64_t seconds;
    int dashes = 2;
    while (dashes < argc && strcmp(argv[dashes], "--") != 0) {
        dashes += 2;
    }
    if (dashes + 1 >= argc || sc_parse_u64(argv[1], 1, 600, &seconds, NULL) != 0) {
        fputs("usage: terminal SECONDS [EXPECT SEND]... -- COMMAND ARGUMENT...\n", stderr);
        return EX_USAGE;
    }
    deadline_ms = sc_clock_ms() + seconds * test_factor() * 1000U;
    const int terminal = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (terminal < 0 || grantpt(terminal) != 0 || unlockpt(terminal) != 0) {
        perror("terminal: a pseudo terminal");
        return EX_OSERR;
    }
    struct termios before, after;
    (void)tcgetattr(terminal, &before);
    child = fork();
    if (child == 0) {
        run_child(terminal, argv + dashes + 1);
    }
    for (int i = 2; i < dashes; i += 2) {
        unescape_all(argv[i]);
        wait_for(terminal, argv[i]);
        if (argv[i + 1][0] == '=') {
            resize(terminal, argv[i + 1] + 1);
        } else if (argv[i + 1][0] != '!') {
            type(terminal, argv[i + 1]);
        } else if (/* NOLINTNEXTLINE(cert-env33-c): a test of ours says what to run */
                   system(argv[i + 1] + 1) != 0) {
            give_up(EX_SOFTWARE, argv[i + 1]);
        }
    }
    while (read_more(terminal)) {
    }
    int status = 0;
    (void)waitpid(child, &status, 0);
    (void)fwrite(output, 1, used, stdout);
    if (tcgetattr(terminal, &after) != 0 || after.c_lflag != before.c_lflag ||
        after.c_iflag != before.c_iflag || after.c_oflag != before.c_oflag) {
        fputs("terminal: it was left in another mode\n", stderr);
        return EX_SOFTWARE;
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* SPDX-License-Identifier: MIT */
/*
 * Waits for something that another process does, for the shell tests: no sleep, and never past a
 * deadline.
 *
 *   wait-for SECONDS PID exists FILE              until FILE is there
 *   wait-for SECONDS PID contains FILE TEXT [N]   until FILE contains N (1) whole lines with TEXT
 *   wait-for SECONDS PID ends                     until the process has ended (a zombie has)
 *
 * SC_TEST_FACTOR multiplies SECONDS.
 *
 * Exit status: 0 it happened, 69 the process ended first (PID 0: no process is watched), 75 the
 * time was up, 64 wrong usage.
 */
#include "config.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/parse.h"
#include "test_factor.h"

/* How often a file is looked at; the end of the process is seen at once. */
#define LOOK_EVERY_MS 10

static bool file_contains(const char *path, const char *text, const char *times)
{
    const unsigned long wanted = times ? strtoul(times, NULL, 10) : 1;
    unsigned long found = 0;
    char *line = NULL;
    size_t size = 0;
    FILE *file = fopen(path, "r");
    if (!file) {
        return false;
    }
    while (found < wanted && getline(&line, &size, file) > 0) {
        found += strstr(line, text) && strchr(line, '\n');
    }
    free(line);
    fclose(file);
    return found >= wanted;
}

static bool file_exists(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0;
}

static bool happened(char *const *what)
{
    if (strcmp(what[0], "exists") == 0) {
        return file_exists(what[1]);
    }
    return strcmp(what[0], "contains") == 0 &&
           file_contains(what[1], what[2], what[3]); /* what[argc] is NULL */
}

static bool is_condition(int argc, char *const *what)
{
    return (argc == 2 && strcmp(what[0], "exists") == 0) ||
           ((argc == 3 || argc == 4) && strcmp(what[0], "contains") == 0) ||
           (argc == 1 && strcmp(what[0], "ends") == 0);
}

int main(int argc, char **argv)
{
    struct sc_err err;
    uint64_t seconds = 0;
    uint64_t pid = 0;
    if (argc < 4 || !is_condition(argc - 3, argv + 3) ||
        sc_parse_u64(argv[1], 1, 3600, &seconds, &err) != 0 ||
        sc_parse_u64(argv[2], 0, INT32_MAX, &pid, &err) != 0) {
        fputs("wait-for: wrong usage; it is: SECONDS PID exists FILE | contains FILE TEXT [N] | "
              "ends\n",
              stderr);
        return EX_USAGE;
    }
    const bool wants_end = strcmp(argv[3], "ends") == 0;
    const uint64_t deadline = sc_clock_ns() + seconds * test_factor() * 1000000000U;
    /*
     * An open pidfd is readable when the process ends, also as a zombie; the number alone stays
     * valid until it is reaped.
     */
    struct pollfd process = {.fd = pid ? (int)syscall(SYS_pidfd_open, (pid_t)pid, 0) : -1,
                             .events = POLLIN};
    bool ended = pid && process.fd < 0 && errno == ESRCH;
    while (!happened(argv + 3) && !ended) {
        if (sc_clock_ns() > deadline) {
            return EX_TEMPFAIL;
        }
        ended = poll(&process, 1, LOOK_EVERY_MS) > 0;
    }
    /* What a process did before it ended counts. */
    return wants_end || happened(argv + 3) ? EXIT_SUCCESS : EX_UNAVAILABLE;
}

/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "net/loop.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "kept_log.h"
#include "leaks.h"
#include "suite.h"

static struct sc_err err;

/* How many descriptors are open, and the first that is free. */
static unsigned open_descriptors(int *next)
{
    unsigned count = 0;
    DIR *directory = opendir("/proc/self/fd");
    ck_assert_ptr_nonnull(directory);
    while (readdir(directory)) {
        count++;
    }
    (void)closedir(directory);
    *next = open("/dev/null", O_RDONLY | O_CLOEXEC);
    ck_assert_int_ge(*next, 0);
    (void)close(*next);
    return count;
}

/* Descriptors up to this one, and no more. */
static void allow(rlim_t count)
{
    struct rlimit limit;
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = count;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

START_TEST(a_base_turns)
{
    struct event_base *base;
    kept_start(SC_LOG_DEBUG);
    sc_loop_init();
    ck_assert_ptr_nonnull(base = sc_loop_new_base(&err));
    ck_assert_str_eq(event_base_get_method(base), "epoll");
    ck_assert_int_eq(event_base_loop(base, EVLOOP_NONBLOCK), 1); /* nothing to do */
    event_base_free(base);
    sc_loop_fini();
}
END_TEST

/* Left alone, libevent ends the process without a word when it gets no descriptors. */
START_TEST(without_descriptors_there_is_a_line_and_no_abort)
{
    struct event_base *base = NULL;
    unsigned before = 0, refused = 0;
    int next = 0;
    kept_start(SC_LOG_DEBUG);
    sc_loop_init();
    before = open_descriptors(&next);
    for (rlim_t left = 0; !base; left++) {
        int unchanged;
        ck_assert_uint_lt(left, 10);
        allow((rlim_t)next + left);
        memset(&err, 0, sizeof(err));
        base = sc_loop_new_base(&err);
        allow(1024);
        if (!base) {
            refused++;
            ck_assert_int_eq(err.status, EX_OSERR);
            ASSERT_HAS(err.text,
                       "can't create an event loop: out of file descriptors; raise the limit");
            ck_assert_uint_eq(open_descriptors(&unchanged), before);
        }
    }
    ck_assert_uint_ge(refused, 2); /* a pipe alone takes two */
    ck_assert_uint_eq(kept_count, 0);
    event_base_free(base);
    ck_assert_uint_eq(open_descriptors(&next), before);
    sc_loop_fini();
}
END_TEST

START_TEST(what_libevent_says_goes_into_the_log)
{
    kept_start(SC_LOG_WARNING);
    sc_loop_init();
    event_base_free(NULL); /* it warns about that */
    ck_assert_uint_eq(kept_count, 1);
    ASSERT_HAS(kept_last(), " warning libevent message=\"event_base_free");
    const uint64_t ns = UINT64_C(5000000000); /* a second in which nothing was logged */
    sc_clock_fake(&ns, NULL);
    for (unsigned i = 0; i < 100; i++) {
        event_base_free(NULL);
    }
    ck_assert_uint_eq(kept_count, 1 + 20);
    sc_clock_fake(NULL, NULL);
    sc_loop_fini();
}
END_TEST

/* libevent ends the process itself for what it calls an error: the line must have left before. */
START_TEST(what_libevent_dies_of_is_an_error)
{
    int ends[2];
    char line[512] = "";
    ck_assert_int_eq(pipe(ends), 0);
    const pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        (void)dup2(ends[1], STDERR_FILENO);
        sc_log_init(SC_LOG_ERROR, SC_LOG_TEXT);
        sc_log_redirect(NULL);
        sc_loop_init();
        event_enable_debug_mode();
        event_enable_debug_mode(); /* once only */
        _exit(0);
    }
    (void)close(ends[1]);
    (void)!read(ends[0], line, sizeof(line) - 1);
    ASSERT_HAS(line, " error libevent message=");
    ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
    (void)close(ends[0]);
}
END_TEST

START_TEST(a_base_is_given_back)
{
    sc_loop_init();
    ASSERT_KEEPS_NOTHING(event_base_free(sc_loop_new_base(&err)));
    sc_loop_fini();
}
END_TEST

static unsigned allocations;

static void *count_malloc(size_t size)
{
    allocations++;
    return malloc(size);
}

static void *count_realloc(void *block, size_t size)
{
    allocations++;
    return realloc(block, size);
}

static void ignore(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    (void)arg;
}

/* Descriptors whose numbers were reserved cost libevent no memory any more. */
START_TEST(entries_for_descriptors_are_reserved)
{
    struct event *events[16];
    int ends[2], unchanged, fds[16];
    event_set_mem_functions(count_malloc, count_realloc, free);
    kept_start(SC_LOG_DEBUG);
    sc_loop_init();
    struct event_base *base = sc_loop_new_base(&err);
    ck_assert_int_eq(pipe(ends), 0);
    const unsigned before = open_descriptors(&unchanged);
    const evutil_socket_t end = sc_loop_reserve_descriptors(base, ends[0]);
    ck_assert_int_ge(end, ends[0] + 60);
    ck_assert_uint_eq(open_descriptors(&unchanged), before);
    for (size_t i = 0; i < 16; i++) {
        fds[i] = dup(ends[0]);
        events[i] = event_new(base, fds[i], EV_READ, ignore, NULL);
    }
    allocations = 0;
    for (size_t i = 0; i < 16; i++) {
        ck_assert_int_eq(event_add(events[i], NULL), 0);
    }
    ck_assert_uint_eq(allocations, 0);
    for (size_t i = 0; i < 16; i++) {
        event_free(events[i]);
        (void)close(fds[i]);
    }
    ck_assert_uint_eq(kept_count, 0);
    event_base_free(base);
    sc_loop_fini();
}
END_TEST

START_TEST(a_peer_that_is_gone_does_not_end_the_process)
{
    int ends[2];
    (void)signal(SIGPIPE, SIG_DFL);
    sc_loop_init();
    ck_assert_int_eq(pipe(ends), 0);
    (void)close(ends[0]);
    ck_assert_int_eq((int)write(ends[1], "x", 1), -1);
    (void)close(ends[1]);
    sc_loop_fini();
}
END_TEST

SUITE_MAIN("loop", a_base_turns, without_descriptors_there_is_a_line_and_no_abort,
           what_libevent_says_goes_into_the_log, what_libevent_dies_of_is_an_error,
           a_base_is_given_back, entries_for_descriptors_are_reserved,
           a_peer_that_is_gone_does_not_end_the_process)

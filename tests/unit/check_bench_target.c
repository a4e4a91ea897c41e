/* SPDX-License-Identifier: MIT */
/*
 * Looking for the server of a run. The look-up is this file's: the linker takes it before the
 * archive's.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/resolve.h"
#include "bench/target.h"
#include "suite.h"

/* --- The look-up --- */

static int look_up_error; /* 0: the answer never comes */

struct sc_resolve {
    int fds[2]; /* a pipe that nobody closes */
};

struct sc_resolve *sc_resolve_start(const char *host, const char *port, struct sc_err *err)
{
    struct sc_resolve *resolve = calloc(1, sizeof(*resolve));
    (void)err;
    ck_assert_str_eq(host, "example.test");
    ck_assert_str_eq(port, "4242");
    ck_assert_int_eq(pipe(resolve->fds), 0);
    return resolve;
}

int sc_resolve_fd(const struct sc_resolve *resolve)
{
    return resolve->fds[0];
}

bool sc_resolve_result(struct sc_resolve *resolve, int *gai_error, int *error_number,
                       const struct addrinfo **found)
{
    (void)resolve;
    *gai_error = look_up_error;
    *error_number = 0;
    *found = NULL;
    return look_up_error != 0;
}

void sc_resolve_free(struct sc_resolve *resolve)
{
    if (resolve) {
        (void)close(resolve->fds[0]);
        (void)close(resolve->fds[1]);
        free(resolve);
    }
}

/* It must fail with this status; how long that took, in milliseconds. */
static uint64_t fail_to_find(uint64_t timeout_ms, const volatile sig_atomic_t *stop, int status,
                             const char *text)
{
    const struct sc_address address = {.host = "example.test", .port = "4242"};
    const struct sc_bench_plan plan = {.address = &address, .timeout_ms = timeout_ms};
    struct sc_bench_target target;
    struct sc_err err;
    const uint64_t started_ns = sc_clock_ns();
    ck_assert_int_eq(sc_bench_target_find(&target, &plan, stop, &err), -1);
    ck_assert_int_eq(err.status, status);
    ck_assert_str_eq(err.text, text);
    return (sc_clock_ns() - started_ns) / 1000000U;
}

START_TEST(the_look_up_is_bounded_by_the_timeout)
{
    const uint64_t ms =
        fail_to_find(200, NULL, EX_TEMPFAIL,
                     "can't connect to example.test:4242: the look-up of the name timed out");
    ck_assert_uint_ge(ms, 190);
}
END_TEST

START_TEST(an_interruption_ends_the_look_up)
{
    const volatile sig_atomic_t stop = 1;
    (void)fail_to_find(3600000, &stop, SC_EXIT_INTERRUPTED,
                       "can't connect to example.test:4242: interrupted");
}
END_TEST

START_TEST(a_name_without_address)
{
    char text[256];
    look_up_error = EAI_NONAME;
    (void)snprintf(text, sizeof(text),
                   "can't connect to example.test:4242: no address is known for this name: %s",
                   gai_strerror(EAI_NONAME));
    (void)fail_to_find(3600000, NULL, EX_UNAVAILABLE, text);
}
END_TEST

SUITE_MAIN("bench_target", the_look_up_is_bounded_by_the_timeout, an_interruption_ends_the_look_up,
           a_name_without_address)

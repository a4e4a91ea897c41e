/* SPDX-License-Identifier: MIT */
/*
 * Looking up a name in a thread. getaddrinfo(3) and poll(2) are this file's: the linker takes them
 * before libc's.
 */
#include "config.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <time.h>
#include <unistd.h>

#include "base/resolve.h"
#include "leaks.h"
#include "suite.h"

static int answer[2]; /* a pipe: the look-up waits until a byte can be read */
static struct addrinfo found;
static bool is_interrupted; /* poll(2), by a signal */
static bool only_loopback; /* no interface that AI_ADDRCONFIG counts */

int getaddrinfo(const char *host, const char *port, const struct addrinfo *hints,
                struct addrinfo **list)
{
    char byte;
    (void)host;
    (void)port;
    if (hints->ai_flags & AI_NUMERICHOST) {
        return EAI_NONAME;
    }
    if (only_loopback && hints->ai_flags & AI_ADDRCONFIG) {
        return EAI_NONAME;
    }
    *list = &found;
    return read(answer[0], &byte, 1) == 1 ? 0 : EAI_AGAIN;
}

void freeaddrinfo(struct addrinfo *list)
{
    (void)list;
}

int poll(struct pollfd *fds, nfds_t count, int timeout_ms)
{
    const struct timespec timeout = {timeout_ms / 1000, timeout_ms % 1000 * 1000000L};
    if (is_interrupted) {
        errno = EINTR;
        return -1;
    }
    return ppoll(fds, count, &timeout, NULL);
}

/* Frees it. */
static void expect_found(struct sc_resolve *resolve)
{
    const struct addrinfo *list;
    int gai_error, error_number;
    struct pollfd ready = {.fd = sc_resolve_fd(resolve), .events = POLLIN};
    ck_assert_int_eq(poll(&ready, 1, 10000), 1);
    ck_assert(sc_resolve_result(resolve, &gai_error, &error_number, &list));
    ck_assert_int_eq(gai_error, 0);
    ck_assert_ptr_eq(list, &found);
    sc_resolve_free(resolve);
}

START_TEST(there_is_no_result_before_the_answer)
{
    const struct addrinfo *list;
    struct sc_err err;
    int gai_error, error_number;
    ck_assert_int_eq(pipe(answer), 0);
    const int before = leaks_descriptors();
    struct sc_resolve *resolve = sc_resolve_start("name", "1", &err);
    ck_assert_ptr_nonnull(resolve);
    ck_assert(!sc_resolve_result(resolve, &gai_error, &error_number, &list));
    is_interrupted = true;
    ck_assert(!sc_resolve_result(resolve, &gai_error, &error_number, &list));
    is_interrupted = false;
    ck_assert_int_eq(write(answer[1], "", 1), 1);
    expect_found(resolve);
    ck_assert_int_eq(leaks_descriptors(), before);
}
END_TEST

START_TEST(localhost_needs_no_other_interface)
{
    struct sc_err err;
    ck_assert_int_eq(pipe(answer), 0);
    ck_assert_int_eq(write(answer[1], "", 1), 1);
    only_loopback = true;
    struct sc_resolve *resolve = sc_resolve_start("localhost", "1", &err);
    ck_assert_ptr_nonnull(resolve);
    expect_found(resolve);
}
END_TEST

SUITE_MAIN("resolve", there_is_no_result_before_the_answer, localhost_needs_no_other_interface)

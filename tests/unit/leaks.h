/* SPDX-License-Identifier: MIT */
/* A function that is called again and again must keep neither memory nor descriptors. */
#ifndef SC_TESTS_LEAKS_H
#define SC_TESTS_LEAKS_H

#include <check.h>
#include <fcntl.h>
#include <malloc.h>
#include <stddef.h>
#include <unistd.h>

/* Bytes in use; always 0 where the library cannot tell. Sanitizers find leaks by themselves. */
static inline size_t leaks_bytes(void)
{
#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 33)
    return mallinfo2().uordblks;
#else
    return 0;
#endif
}

/* The lowest descriptor that is free. */
static inline int leaks_descriptor(void)
{
    const int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    ck_assert_int_ge(fd, 0);
    (void)close(fd);
    return fd;
}

/* How many are open; the lowest free one may be lower than one that is leaked. */
static inline int leaks_descriptors(void)
{
    int count = 0;
    for (int fd = 0; fd < 4096; fd++) {
        count += fcntl(fd, F_GETFD) != -1;
    }
    return count;
}

/*
 * Runs the statement a hundred times, until that takes no more memory: at first it does, for
 * caches of libraries, and for malloc()'s own, which count as in use. The smallest block is of 32
 * bytes, so a hundred that are not given back are more than twice the bound each time.
 */
#define ASSERT_KEEPS_NOTHING(statement) \
    do { \
        size_t leaks_before, leaks_after = leaks_bytes(); \
        int leaks_first = -1, leaks_open = -1; \
        for (int leaks_try = 0; leaks_try < 20; leaks_try++) { \
            leaks_before = leaks_after; \
            for (int leaks_round = 0; leaks_round < 100; leaks_round++) { \
                statement; \
            } \
            leaks_after = leaks_bytes(); \
            leaks_open = leaks_descriptors(); \
            leaks_first = leaks_try == 0 ? leaks_open : leaks_first; \
            if (leaks_try > 0 && leaks_after < leaks_before + 1500) { \
                break; \
            } \
        } \
        ck_assert_int_eq(leaks_open, leaks_first); \
        ck_assert_uint_lt(leaks_after, leaks_before + 1500); \
    } while (0)

#endif

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

/*
 * Runs the statement a hundred times. What it allocates once and keeps (caches of libraries) is
 * allocated in the first rounds. A kilobyte more afterwards is a block in each of the others.
 */
#define ASSERT_KEEPS_NOTHING(statement) \
    do { \
        for (int leaks_round = 0; leaks_round < 32; leaks_round++) { \
            statement; \
        } \
        const size_t leaks_before = leaks_bytes(); \
        const int leaks_free = leaks_descriptor(); \
        for (int leaks_round = 0; leaks_round < 68; leaks_round++) { \
            statement; \
        } \
        ck_assert_int_eq(leaks_descriptor(), leaks_free); \
        ck_assert_uint_lt(leaks_bytes(), leaks_before + 1024); \
    } while (0)

#endif

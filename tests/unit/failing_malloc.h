/* SPDX-License-Identifier: MIT */
/*
 * malloc(3) and its like for the whole process of a test, of which a given one fails: included by
 * one file of the program. Only allocations inside of LIB() count, not those of the test itself.
 */
#ifndef SC_TESTS_FAILING_MALLOC_H
#define SC_TESTS_FAILING_MALLOC_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

#if defined(__SANITIZE_ADDRESS__)
#define REAL(name) __interceptor_##name
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define REAL(name) __interceptor_##name
#endif
#endif
#ifndef REAL
#define REAL(name) __libc_##name
#endif

/* AddressSanitizer allocates before it can look at an access. */
#define UNCHECKED __attribute__((no_sanitize_address))

/* The build hides symbols; libraries must find these. */
#define FOR_ALL __attribute__((visibility("default"), no_sanitize_address))

extern void *REAL(malloc)(size_t size);
extern void *REAL(calloc)(size_t count, size_t size);
extern void *REAL(realloc)(void *old, size_t size);
extern void REAL(free)(void *block);

static volatile bool armed; /* inside of a call of the library */
static volatile unsigned long counted, fails_at; /* 0: none fails */
static volatile long blocks; /* that are in use */

UNCHECKED static inline bool refuse(void)
{
    if (!armed || ++counted != fails_at) {
        return false;
    }
    errno = ENOMEM;
    return true;
}

UNCHECKED static inline void *count(void *block)
{
    blocks += block != NULL;
    return block;
}

FOR_ALL void *malloc(size_t size)
{
    return refuse() ? NULL : count(REAL(malloc)(size));
}

FOR_ALL void *calloc(size_t number, size_t size)
{
    return refuse() ? NULL : count(REAL(calloc)(number, size));
}

FOR_ALL void *realloc(void *old, size_t size)
{
    if (refuse()) {
        return NULL;
    }
    void *block = REAL(realloc)(old, size);
    blocks += (block && !old) - (!block && old && size == 0);
    return block;
}

FOR_ALL void free(void *block)
{
    blocks -= block != NULL;
    REAL(free)(block);
}

/* False under valgrind, whose malloc(3) takes this one's place: then nothing can fail. */
static inline bool malloc_is_ours(void)
{
    void *volatile block = malloc(1);
    const long before = blocks;
    free(block);
    return blocks < before;
}

/* Evaluates a call of the library. */
#define LIB(call) (armed = true, lib_result = (long long)(call), armed = false, lib_result)
#define LIB_POINTER(call) (armed = true, lib_pointer = (call), armed = false, lib_pointer)
#define LIB_VOID(call) (armed = true, (call), armed = false)
static long long lib_result;
static void *lib_pointer;

#endif

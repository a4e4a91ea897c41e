#include "config.h"

#include "base/pool.h"

#include <stdlib.h>
#ifdef HAVE_MALLOC_H
#include <malloc.h>
#endif

#if defined(HAVE_MALLOC_USABLE_SIZE) && !defined(SC_SANITIZED)

/*
 * Classes: 1024, 1536, 2048, 3072, ... 131072: powers of two and what is half way. libevent's chains are powers of two; OpenSSL's record
 * buffers are 16 KiB and a bit.
 */
#define SMALLEST_BYTES 1024U
#define CLASSES 15U
#define KEEP_SMALL 16U /* blocks of a class below ROUND_UP_BYTES */
#define KEEP_LARGE 3U
#define ROUND_UP_BYTES 8192U /* from here a block gets the whole of its class, so that it fits the next request of its kind */

struct block {
    struct block *next;
};

struct shelf {
    struct block *first;
    unsigned      count;
};

static _Thread_local struct shelf shelves[CLASSES];
static _Thread_local uint64_t     misses;

static size_t class_bytes(unsigned class)
{
    const size_t power = (size_t)SMALLEST_BYTES << (class / 2);
    return class % 2 == 0 ? power : power + power / 2;
}

/* The largest class that is not larger; `size` is SMALLEST_BYTES or more. */
static unsigned class_below(size_t size)
{
    const unsigned bits  = 63U - (unsigned)__builtin_clzll((unsigned long long)size);
    const unsigned class = (bits - 10U) * 2U;
    return size >= ((size_t)3 << (bits - 1U)) ? class + 1U : class;
}

void *sc_pool_malloc(size_t size)
{
    if (size < SMALLEST_BYTES) {
        return malloc(size);
    }
    unsigned class = class_below(size);
    if (class_bytes(class) < size) {
        class ++;
    }
    if (class >= CLASSES) {
        misses++;
        return malloc(size);
    }
    struct shelf *shelf = &shelves[class];
    if (shelf->first) {
        struct block *block = shelf->first;
        shelf->first        = block->next;
        shelf->count--;
        return block;
    }
    misses++;
    return malloc(size < ROUND_UP_BYTES ? size : class_bytes(class));
}

void sc_pool_free(void *block)
{
    if (!block) {
        return;
    }
    const size_t size = malloc_usable_size(block);
    if (size >= SMALLEST_BYTES) {
        const unsigned class = class_below(size);
        const unsigned keep  = size < ROUND_UP_BYTES ? KEEP_SMALL : KEEP_LARGE;
        if (class < CLASSES && shelves[class].count < keep) {
            struct block *kept   = block;
            kept->next           = shelves[class].first;
            shelves[class].first = kept;
            shelves[class].count++;
            return;
        }
    }
    free(block);
}

void sc_pool_thread_end(void)
{
    for (unsigned class = 0; class < CLASSES; class ++) {
        while (shelves[class].first) {
            struct block *block  = shelves[class].first;
            shelves[class].first = block->next;
            free(block);
        }
        shelves[class].count = 0;
    }
}

uint64_t sc_pool_misses(void)
{
    return misses;
}

#else

void *sc_pool_malloc(size_t size)
{
    return malloc(size);
}

void sc_pool_free(void *block)
{
    free(block);
}

void sc_pool_thread_end(void)
{
}

uint64_t sc_pool_misses(void)
{
    return 0;
}

#endif

void *sc_pool_realloc(void *block, size_t size)
{
    return realloc(block, size);
}

#include "config.h"

#include "base/pool.h"

#include <stdlib.h>
#include <string.h>
#ifdef HAVE_MALLOC_H
#include <malloc.h>
#endif

#include "base/compiler.h"
#include "base/slab.h"

#if defined(HAVE_MALLOC_USABLE_SIZE) && !defined(SC_NO_POOL)

/* --- Small blocks: a stack for each class, filled from the slab and emptied into it by the batch
 * --- */

struct stack {
    struct sc_slab_block *first;
    uint32_t count,
        limit; /* 0: not set yet; a division for each block would cost more than the rest */
};

#define BATCH_BYTES (8U << 10)
#define BATCH_MOST 32U

static _Thread_local struct stack stacks[SC_SLAB_CLASSES];
static _Thread_local uint64_t misses;

static unsigned batch_of(unsigned class)
{
    const unsigned fit = (unsigned)(BATCH_BYTES / sc_slab_class_bytes(class));
    return fit > BATCH_MOST ? BATCH_MOST : fit;
}

static SC_COLD void *take_from_slab(unsigned class, size_t size)
{
    struct stack *stack = &stacks[class];
    misses++;
    stack->first = sc_slab_take(class, batch_of(class), &stack->count);
    if (!stack->first) {
        return malloc(size);
    }
    struct sc_slab_block *block = stack->first;
    stack->first = block->next;
    stack->count--;
    return block;
}

/* The newest stay: they are warm in the cache. */
static SC_COLD void give_to_slab(unsigned class, unsigned keep)
{
    struct stack *stack = &stacks[class];
    struct sc_slab_block *last, **from = &stack->first;
    for (unsigned i = 0; i < keep; i++) {
        from = &(*from)->next;
    }
    if (!*from) {
        return;
    }
    for (last = *from; last->next; last = last->next) {
    }
    sc_slab_give(class, *from, last);
    *from = NULL;
    stack->count = keep;
}

static SC_COLD void overflow(unsigned class)
{
    struct stack *stack = &stacks[class];
    stack->limit = 2 * batch_of(class);
    if (stack->count > stack->limit) {
        give_to_slab(class, batch_of(class));
    }
}

static inline void *take_small(size_t size)
{
    const unsigned class = sc_slab_class(size);
    struct stack *stack = &stacks[class];
    struct sc_slab_block *block = stack->first;
    if (SC_UNLIKELY(!block)) {
        return take_from_slab(class, size);
    }
    stack->first = block->next;
    stack->count--;
    return block;
}

static inline void keep_small(void *memory)
{
    const unsigned class = sc_slab_class_of(memory);
    struct stack *stack = &stacks[class];
    struct sc_slab_block *block = memory;
    if (SC_UNLIKELY(block == stack->first)) {
        abort(); /* freed twice */
    }
    block->next = stack->first;
    stack->first = block;
    if (SC_UNLIKELY(++stack->count > stack->limit)) {
        overflow(class);
    }
}

/* --- Large blocks: malloc()'s, and a few of each class are kept --- */

/*
 * 12 KiB, 16, 24, ... 128: powers of two and what is half way. A block gets the whole of its
 * class, so that it fits the next request.
 */
#define SMALLEST_LARGE_BYTES (8U << 10)
#define LARGE_CLASSES 9U
#define KEEP_LARGE 3U
#define KEEP_FREE_BYTES \
    (64 << 20) /* by malloc() at the end of its heap; sc_pool_settle() gives it back too */
#define MAP_FROM_BYTES (32 << 20) /* a block of this size gets a mapping of its own */

static _Thread_local struct stack shelves[LARGE_CLASSES];

static size_t large_class_bytes(unsigned class)
{
    const size_t power = (size_t)SMALLEST_LARGE_BYTES << (class / 2);
    return class % 2 == 0 ? power : power + power / 2;
}

/* The largest class that is not larger; `size` is SMALLEST_LARGE_BYTES or more. */
static unsigned large_class_below(size_t size)
{
    const unsigned bits = 63U - (unsigned)__builtin_clzll((unsigned long long)size);
    const unsigned class = (bits - 13U) * 2U;
    return size >= ((size_t)3 << (bits - 1U)) ? class + 1U : class;
}

static __attribute__((noinline)) void *take_large(size_t size)
{
    unsigned class = large_class_below(size);
    if (large_class_bytes(class) < size) {
        class ++;
    }
    if (class >= LARGE_CLASSES) {
        misses++;
        return malloc(size);
    }
    struct stack *shelf = &shelves[class];
    struct sc_slab_block *block = shelf->first;
    if (!block) {
        misses++;
        return malloc(large_class_bytes(class));
    }
    shelf->first = block->next;
    shelf->count--;
    return block;
}

static __attribute__((noinline)) void keep_large(void *memory)
{
    const size_t size = malloc_usable_size(memory);
    if (size >= SMALLEST_LARGE_BYTES) {
        const unsigned class = large_class_below(size);
        if (class < LARGE_CLASSES && shelves[class].count < KEEP_LARGE) {
            struct sc_slab_block *block = memory;
            block->next = shelves[class].first;
            shelves[class].first = block;
            shelves[class].count++;
            return;
        }
    }
    free(memory);
}

/* --- All --- */

void sc_pool_start(void)
{
#ifdef __GLIBC__
    /*
     * Large blocks come and go by the thousand a second: as it is set by default they are unmapped
     * and mapped again each time.
     */
    (void)mallopt(M_TRIM_THRESHOLD, KEEP_FREE_BYTES);
    (void)mallopt(M_MMAP_THRESHOLD, MAP_FROM_BYTES);
#endif
    sc_slab_start();
}

void *sc_pool_malloc(size_t size)
{
    return SC_LIKELY(size <= SC_SLAB_MAX_BYTES) ? take_small(size) : take_large(size);
}

void sc_pool_free(void *block)
{
    if (SC_LIKELY(sc_slab_owns(block))) {
        keep_small(block);
    } else if (block) {
        keep_large(block);
    }
}

void *sc_pool_realloc(void *block, size_t size)
{
    size_t had;
    if (!block) {
        return sc_pool_malloc(size);
    }
    if (sc_slab_owns(block)) {
        had = sc_slab_class_bytes(sc_slab_class_of(block));
        if (size <= had) {
            return block;
        }
    } else if (size > SC_SLAB_MAX_BYTES) {
        return realloc(block, size);
    } else {
        had = malloc_usable_size(block);
    }
    void *moved = sc_pool_malloc(size);
    if (moved) {
        memcpy(moved, block, had < size ? had : size);
        sc_pool_free(block);
    }
    return moved;
}

void sc_pool_thread_end(void)
{
    for (unsigned class = 0; class < SC_SLAB_CLASSES; class ++) {
        give_to_slab(class, 0);
    }
    for (unsigned class = 0; class < LARGE_CLASSES; class ++) {
        while (shelves[class].first) {
            struct sc_slab_block *block = shelves[class].first;
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

void sc_pool_start(void)
{
}

void *sc_pool_malloc(size_t size)
{
    return malloc(size);
}

void sc_pool_free(void *block)
{
    free(block);
}

void *sc_pool_realloc(void *block, size_t size)
{
    return realloc(block, size);
}

void sc_pool_thread_end(void)
{
}

uint64_t sc_pool_misses(void)
{
    return 0;
}

#endif

void *sc_pool_calloc(size_t size)
{
    void *block = sc_pool_malloc(size);
    return block ? memset(block, 0, size) : NULL;
}

void sc_pool_settle(void)
{
#ifdef HAVE_MALLOC_TRIM
    (void)malloc_trim(0);
#endif
}

void sc_pool_trim(void)
{
    sc_pool_thread_end();
    (void)sc_slab_trim();
    sc_pool_settle();
}

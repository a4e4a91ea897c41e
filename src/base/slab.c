#include "config.h"

#include "base/slab.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>

#define REGION_BYTES ((size_t)64 << 30) /* addresses, not memory */
#define REGION_LEAST_BYTES ((size_t)1 << 28)
#define GROW_SPANS 16U /* made writable at once */
#define GROW_BYTES ((size_t)GROW_SPANS * SC_SLAB_SPAN_BYTES)
#define CUT_BYTES 1024U /* of new memory at once, but one block at least */
#define NO_SPAN UINT32_MAX

struct sc_slab_region sc_slab_region;

/* The free blocks of a class, and the rest of the span that is being cut. */
struct store {
    struct sc_slab_block *free;
    uintptr_t cut, cut_end; /* of the current span */
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* guards all below */
static struct store stores[SC_SLAB_CLASSES];
static uint32_t used_spans, writable_spans; /* from the start of the region */
static uint32_t empty_spans = NO_SPAN; /* given back by a trim: a list through next_empty */
static uint32_t *next_empty; /* for each span */
static uint8_t *span_classes;

/*
 * As much as the system grants, and no more than a quarter of a limit of address space: threads
 * and libraries need some, too.
 */
static void *reserve(size_t *bytes)
{
    struct rlimit limit;
    const bool is_limited = getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY;
    for (*bytes = REGION_BYTES; *bytes >= REGION_LEAST_BYTES; *bytes /= 4) {
        if (is_limited && *bytes > limit.rlim_cur / 4) {
            continue;
        }
        void *region =
            mmap(NULL, *bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (region != MAP_FAILED) {
            return region;
        }
    }
    return NULL;
}

void sc_slab_start(void)
{
    size_t bytes;
    if (sizeof(void *) < 8 || sc_slab_region.bytes > 0) {
        return;
    }
    void *region = reserve(&bytes);
    if (!region) {
        return; /* malloc() serves */
    }
    /* Only the pages of these that are written cost memory. */
    span_classes = calloc(bytes / SC_SLAB_SPAN_BYTES, sizeof(*span_classes));
    next_empty = calloc(bytes / SC_SLAB_SPAN_BYTES, sizeof(*next_empty));
    if (!span_classes || !next_empty) {
        free(span_classes);
        free(next_empty);
        (void)munmap(region, bytes);
        return;
    }
    sc_slab_region.start =
        ((uintptr_t)region + SC_SLAB_SPAN_BYTES - 1) & ~(uintptr_t)(SC_SLAB_SPAN_BYTES - 1);
    sc_slab_region.span_classes = span_classes;
    sc_slab_region.bytes =
        bytes - GROW_BYTES; /* the alignment took a part; growing goes on in whole steps */
}

static uintptr_t span_start(uint32_t span)
{
    return sc_slab_region.start + (uintptr_t)span * SC_SLAB_SPAN_BYTES;
}

static uint32_t span_of(const void *block)
{
    return (uint32_t)(((uintptr_t)block - sc_slab_region.start) / SC_SLAB_SPAN_BYTES);
}

static uint32_t blocks_of_span(unsigned class)
{
    return (uint32_t)(SC_SLAB_SPAN_BYTES / sc_slab_class_bytes(class));
}

static uint32_t new_span(void)
{
    if (empty_spans != NO_SPAN) {
        const uint32_t span = empty_spans;
        empty_spans = next_empty[span];
        return span;
    }
    if (used_spans == writable_spans) {
        if (used_spans == sc_slab_region.bytes / SC_SLAB_SPAN_BYTES ||
            mprotect((void *)span_start(used_spans), GROW_BYTES, PROT_READ | PROT_WRITE) != 0) {
            return NO_SPAN;
        }
        writable_spans += GROW_SPANS;
    }
    return used_spans++;
}

/* The next block of the current span, or of a new one. NULL: no memory. */
static struct sc_slab_block *cut_block(unsigned class)
{
    struct store *store = &stores[class];
    const size_t bytes = sc_slab_class_bytes(class);
    if (store->cut == store->cut_end) {
        const uint32_t span = new_span();
        if (span == NO_SPAN) {
            return NULL;
        }
        span_classes[span] = (uint8_t) class;
        store->cut = span_start(span);
        store->cut_end = store->cut + blocks_of_span(class) * bytes;
    }
    struct sc_slab_block *block = (struct sc_slab_block *)store->cut;
    store->cut += bytes;
    return block;
}

/* Fewer at once than of used blocks: new memory is touched only when it is needed soon. */
static unsigned cut_at_once(unsigned class, unsigned wanted)
{
    const unsigned most = (unsigned)(CUT_BYTES / sc_slab_class_bytes(class));
    return most == 0 ? 1 : wanted < most ? wanted : most;
}

struct sc_slab_block *sc_slab_take(unsigned class, unsigned wanted, unsigned *got)
{
    struct sc_slab_block *first = NULL, *block;
    *got = 0;
    if (sc_slab_region.bytes == 0) {
        return NULL;
    }
    (void)pthread_mutex_lock(&mutex);
    struct store *store = &stores[class];
    if (!store->free) {
        wanted = cut_at_once(class, wanted);
    }
    while (*got < wanted && (block = store->free ? store->free : cut_block(class)) != NULL) {
        if (block == store->free) {
            store->free = block->next;
        }
        block->next = first;
        first = block;
        (*got)++;
    }
    (void)pthread_mutex_unlock(&mutex);
    return first;
}

void sc_slab_give(unsigned class, struct sc_slab_block *first, struct sc_slab_block *last)
{
    (void)pthread_mutex_lock(&mutex);
    last->next = stores[class].free;
    stores[class].free = first;
    (void)pthread_mutex_unlock(&mutex);
}

/* --- Giving back --- */

/* What a trim knows of one class while it holds no lock. */
struct trim {
    unsigned class;
    struct sc_slab_block *free; /* all that were free when it began; nobody else has them */
    uint16_t *free_blocks; /* of them, for each span */
    uint32_t being_cut; /* not all blocks of this span exist; NO_SPAN: there is none */
};

static bool is_empty(const struct trim *trim, uint32_t span)
{
    return trim->free_blocks[span] == blocks_of_span(trim->class) && span != trim->being_cut;
}

/* False: no block is free, or no memory to count them. */
static bool begin_trim(struct trim *trim)
{
    (void)pthread_mutex_lock(&mutex);
    struct store *store = &stores[trim->class];
    trim->free_blocks = store->free ? calloc(used_spans, sizeof(*trim->free_blocks)) : NULL;
    if (trim->free_blocks) {
        trim->free = store->free;
        trim->being_cut = store->cut < store->cut_end ? span_of((const void *)store->cut) : NO_SPAN;
        store->free = NULL;
    }
    (void)pthread_mutex_unlock(&mutex);
    return trim->free_blocks != NULL;
}

/* Gives the blocks of spans that are still in use back, and lists the first block of the others. */
static struct sc_slab_block *sort_out(const struct trim *trim)
{
    struct sc_slab_block *empty = NULL, *first = NULL, *last = NULL, *next;
    for (struct sc_slab_block *block = trim->free; block; block = next) {
        next = block->next;
        if (!is_empty(trim, span_of(block))) {
            block->next = first;
            first = block;
            last = last ? last : block;
        } else if ((uintptr_t)block == span_start(span_of(block))) {
            block->next = empty;
            empty = block;
        }
    }
    if (first) {
        sc_slab_give(trim->class, first, last);
    }
    return empty;
}

static size_t give_back(struct sc_slab_block *empty)
{
    size_t given = 0;
    struct sc_slab_block *next;
    for (; empty; empty = next) {
        const uint32_t span = span_of(empty);
        next = empty->next;
        (void)madvise(empty, SC_SLAB_SPAN_BYTES, MADV_DONTNEED);
        given += SC_SLAB_SPAN_BYTES;
        (void)pthread_mutex_lock(&mutex);
        next_empty[span] = empty_spans;
        empty_spans = span;
        (void)pthread_mutex_unlock(&mutex);
    }
    return given;
}

/* The lists may be a million blocks long: they are walked without the lock. */
size_t sc_slab_trim(void)
{
    size_t given = 0;
    for (unsigned class = 0; class < SC_SLAB_CLASSES; class ++) {
        struct trim trim = {.class = class};
        if (begin_trim(&trim)) {
            for (const struct sc_slab_block *block = trim.free; block; block = block->next) {
                trim.free_blocks[span_of(block)]++;
            }
            given += give_back(sort_out(&trim));
            free(trim.free_blocks);
        }
    }
    return given;
}

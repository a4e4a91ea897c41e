/*
 * Where base/pool gets its small blocks: a reserved stretch of address space, cut into spans of 64
 * KiB, each for blocks of one size. A block has no header and is rounded up by 7 bytes (127 above
 * 1 KiB): of the hundred blocks of a TLS connection most are smaller than 200 bytes, and
 * malloc()'s headers and rounding cost half a KiB, general allocators with coarser classes a whole
 * one (docs/performance.md).
 *
 * Blocks are aligned to 8 bytes, to 16 when the size is a multiple of 16: an object that needs 16
 * has such a size.
 *
 * Thread: any. Each call of sc_slab_take() and sc_slab_give() takes one lock: the pool calls them
 * for many blocks at once.
 */
#ifndef SC_BASE_SLAB_H
#define SC_BASE_SLAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SC_SLAB_MAX_BYTES 8192U
#define SC_SLAB_SPAN_BYTES (64U << 10)
#define SC_SLAB_FINE_BYTES 1024U /* up to here classes are 8 bytes apart, then 128 */
#define SC_SLAB_FINE_CLASSES (SC_SLAB_FINE_BYTES / 8U)
#define SC_SLAB_CLASSES (SC_SLAB_FINE_CLASSES + (SC_SLAB_MAX_BYTES - SC_SLAB_FINE_BYTES) / 128U)

struct sc_slab_block {
    struct sc_slab_block *next;
};

/* Read by the inline functions below; written once, by sc_slab_start(). */
struct sc_slab_region {
    uintptr_t start;
    size_t bytes; /* 0: there is none */
    uint8_t *span_classes; /* the class of each span */
};
extern struct sc_slab_region sc_slab_region;

/*
 * Once, before the second thread: reserves 64 GiB of addresses, or less where that is too much
 * (ulimit -v). Without it, or when the system refuses the address space, sc_slab_take() gives
 * nothing.
 */
void sc_slab_start(void);

/* `size` is at most SC_SLAB_MAX_BYTES. */
static inline unsigned sc_slab_class(size_t size)
{
    if (size <= SC_SLAB_FINE_BYTES) {
        return size <= 16 ? 1U : (unsigned)((size + 7) / 8 - 1);
    }
    return (unsigned)(SC_SLAB_FINE_CLASSES + (size - SC_SLAB_FINE_BYTES - 1) / 128);
}

static inline size_t sc_slab_class_bytes(unsigned class)
{
    return class < SC_SLAB_FINE_CLASSES
               ? (class + 1U) * 8U
               : SC_SLAB_FINE_BYTES + (class - SC_SLAB_FINE_CLASSES + 1U) * 128U;
}

static inline bool sc_slab_owns(const void *block)
{
    return (uintptr_t)block - sc_slab_region.start < sc_slab_region.bytes;
}

/* Of a block that sc_slab_owns(). */
static inline unsigned sc_slab_class_of(const void *block)
{
    return sc_slab_region
        .span_classes[((uintptr_t)block - sc_slab_region.start) / SC_SLAB_SPAN_BYTES];
}

/* Up to `wanted` blocks, linked; `*got` says how many. NULL: there is no region, or no memory. */
struct sc_slab_block *sc_slab_take(unsigned class, unsigned wanted, unsigned *got);

/* Takes `first` to `last`, linked, back. */
void sc_slab_give(unsigned class, struct sc_slab_block *first, struct sc_slab_block *last);

/*
 * Gives the memory of the spans in which no block is in use back to the system. Walks all free
 * blocks. Returns how many bytes.
 */
size_t sc_slab_trim(void);

#endif

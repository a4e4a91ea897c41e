/*
 * malloc() for libevent and OpenSSL with a short memory: each thread keeps the last few buffers that it freed, by size. Every request
 * borrows a handful (evbuffer chains, and the record buffers that SSL_MODE_RELEASE_BUFFERS gives back after each record); in the steady
 * state they come from here, still warm in the cache, and no request reaches malloc().
 *
 * What is kept is bounded: at most SC_POOL_MAX_BYTES for a thread. Small objects are left to malloc(), which has its own cache for them. A
 * build with sanitizers keeps nothing, so that they see every access to freed memory.
 *
 * Thread: any; a block may be freed in another thread than it came from.
 */
#ifndef SC_BASE_POOL_H
#define SC_BASE_POOL_H

#include <stddef.h>
#include <stdint.h>

#define SC_POOL_MAX_BYTES (2U << 20)

void *sc_pool_malloc(size_t size);
void *sc_pool_realloc(void *block, size_t size);
void  sc_pool_free(void *block);

/* Gives back what the calling thread keeps. At the end of each thread that used the pool. */
void sc_pool_thread_end(void);

/* How often the pool had to ask malloc() in this thread. For tests and benchmarks. */
uint64_t sc_pool_misses(void);

#endif

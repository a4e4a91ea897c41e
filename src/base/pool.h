/*
 * malloc() for libevent, OpenSSL and connections. Every thread keeps what it frees and takes it
 * from there again, without a lock: a handshake makes 700 blocks and frees nine of ten, a request
 * borrows a handful (evbuffer chains, and the record buffers that SSL_MODE_RELEASE_BUFFERS gives
 * back after each record). In the steady state no request reaches malloc().
 *
 * Blocks of up to SC_SLAB_MAX_BYTES come from base/slab, without headers. Of those a thread keeps
 * two handfuls of each size, the rest goes back to the slab for all threads. Of larger ones, which
 * come from malloc(), it keeps three of each size up to 128 KiB. A build with sanitizers other
 * than the one for threads leaves everything to malloc(), so that they see every access to freed
 * memory.
 *
 * Thread: any; a block may be freed in another thread than it came from.
 */
#ifndef SC_BASE_POOL_H
#define SC_BASE_POOL_H

#include <stddef.h>
#include <stdint.h>

/*
 * Once, before the second thread: small blocks come from the slab from now on, which reserves 64
 * GiB of addresses (not of memory) for them. Worth it where thousands of connections live in one
 * process: sc-server calls it (sc_loop_init()), and no other program does. Without it all blocks
 * come from malloc(), and nothing is reserved.
 */
void sc_pool_start(void);

void *sc_pool_malloc(size_t size);
void *sc_pool_calloc(size_t size); /* zeroed */
void *sc_pool_realloc(void *block, size_t size);
void sc_pool_free(void *block);

/* Gives back what the calling thread keeps. At the end of each thread that used the pool. */
void sc_pool_thread_end(void);

/*
 * After a crowd of handshakes: gives the memory of large blocks that nobody uses back to the
 * system. Takes a tenth of a millisecond.
 */
void sc_pool_settle(void);

/*
 * Gives all memory that is not used back to the system, as far as the calling thread and those
 * that have ended kept it. Slow.
 */
void sc_pool_trim(void);

/* How often the pool had to ask malloc() or the slab in this thread. For tests and benchmarks. */
uint64_t sc_pool_misses(void);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * The descriptors and the memory that max-connections needs, and the limit of the process. Thread:
 * the main one.
 */
#ifndef SC_SERVER_LIMITS_H
#define SC_SERVER_LIMITS_H

#include <stddef.h>
#include <stdint.h>

/*
 * Raises the soft limit of open files so that `max_connections` fit beside what the server itself
 * needs with `workers` threads. Returns how many connections fit: less than asked for when the
 * hard limit is lower; then the log says so, with the arithmetic.
 */
uint32_t sc_limits_raise_files(uint32_t max_connections, uint32_t workers);

/* How many files this process may open. */
uint64_t sc_limits_files(void);

/*
 * What so many connections take of memory: when all are idle, and when hostile clients make all of
 * them take as much as they can (the table in docs/operations.md, which a test measures).
 */
struct sc_limits_memory {
    uint64_t idle_bytes, most_bytes;
};
struct sc_limits_memory sc_limits_memory(uint32_t connections, size_t max_body_bytes,
                                         size_t output_limit_bytes);

#endif

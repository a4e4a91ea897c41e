/*
 * The descriptors that max-connections needs, and the limit of the process. Thread: the main one.
 */
#ifndef SC_SERVER_LIMITS_H
#define SC_SERVER_LIMITS_H

#include <stdint.h>

/*
 * Raises the soft limit of open files so that `max_connections` fit beside what the server itself
 * needs with `workers` threads. Returns how many connections fit: less than asked for when the
 * hard limit is lower; then the log says so, with the arithmetic.
 */
uint32_t sc_limits_raise_files(uint32_t max_connections, uint32_t workers);

#endif

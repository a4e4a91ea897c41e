/* SPDX-License-Identifier: MIT */
/*
 * Time. Deadlines are taken from a monotonic clock, dates from the realtime clock. Tests can set
 * both. Thread: any; sc_clock_fake() only while no other thread runs.
 */
#ifndef SC_BASE_CLOCK_H
#define SC_BASE_CLOCK_H

#include <stdint.h>
#include <sys/time.h>
#include <time.h>

/*
 * Milliseconds since an arbitrary point, never going back; resolution a few milliseconds (the
 * kernel's tick). For deadlines.
 */
uint64_t sc_clock_ms(void);

/* Nanoseconds since an arbitrary point, never going back; full resolution. For measuring. */
uint64_t sc_clock_ns(void);

/* The wall clock (UTC). */
struct timespec sc_clock_wall(void);

/* A duration as libevent and setsockopt(2) take it. */
static inline struct timeval sc_clock_timeval(uint64_t ms)
{
    return (struct timeval){.tv_sec = (time_t)(ms / 1000),
                            .tv_usec = (suseconds_t)(ms % 1000 * 1000)};
}

/* "2026-11-21T01:22:03.123456Z" (RFC 3339) and its length without the final NUL. */
#define SC_CLOCK_RFC3339_BYTES 27
void sc_clock_rfc3339(struct timespec wall, char out[SC_CLOCK_RFC3339_BYTES + 1]);

/* Stops the clocks at these times (NULL: that clock runs again). */
void sc_clock_fake(const uint64_t *monotonic_ns, const struct timespec *wall);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * How long to wait before the next attempt: twice as long after each failure, up to a bound, and a
 * part of it at random, so that those who failed together do not come back together. Thread: any.
 */
#ifndef SC_BASE_BACKOFF_H
#define SC_BASE_BACKOFF_H

#include <stdint.h>

#define SC_BACKOFF_FIRST_MS 100U
#define SC_BACKOFF_MAX_MS 3000U

/* All zeros: nothing has failed. */
struct sc_backoff {
    unsigned failures; /* since the last success */
};

/* The longest time that a server is left alone because it asks for it (retry-after). */
#define SC_BACKOFF_MAX_ADVICE_MS 60000U

/*
 * After a failure: the wait in milliseconds, between half and all of SC_BACKOFF_FIRST_MS, then of
 * twice that, and so on up to SC_BACKOFF_MAX_MS; or the server's retry-after, if that is longer.
 */
uint32_t sc_backoff_next_ms(struct sc_backoff *backoff, uint32_t retry_after_ms);

/* After a success. */
static inline void sc_backoff_reset(struct sc_backoff *backoff)
{
    backoff->failures = 0;
}

#endif

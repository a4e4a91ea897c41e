/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "base/backoff.h"

#include <sys/random.h>

#include "base/clock.h"

uint32_t sc_backoff_next_ms(struct sc_backoff *backoff, uint32_t retry_after_ms)
{
    uint32_t most_ms = SC_BACKOFF_MAX_MS;
    uint32_t number;
    if (backoff->failures < 16 && (SC_BACKOFF_FIRST_MS << backoff->failures) < most_ms) {
        most_ms = SC_BACKOFF_FIRST_MS << backoff->failures++;
    }
    if (getrandom(&number, sizeof(number), GRND_NONBLOCK) != (ssize_t)sizeof(number)) {
        number = (uint32_t)sc_clock_ns(); /* spread is wanted, not secrecy */
    }
    const uint32_t wait_ms = most_ms / 2 + number % (most_ms - most_ms / 2 + 1);
    const uint32_t advice_ms =
        retry_after_ms < SC_BACKOFF_MAX_ADVICE_MS ? retry_after_ms : SC_BACKOFF_MAX_ADVICE_MS;
    return wait_ms > advice_ms ? wait_ms : advice_ms;
}

/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "base/clock.h"

#include <stdbool.h>
#include <string.h>

static bool fake_monotonic, fake_wall;
static uint64_t fake_ns;
static struct timespec fake_time;

static uint64_t read_ns(clockid_t id)
{
    struct timespec now;
    if (fake_monotonic) {
        return fake_ns;
    }
    (void)clock_gettime(id, &now);
    return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

uint64_t sc_clock_ms(void)
{
    return read_ns(CLOCK_MONOTONIC_COARSE) / 1000000U;
}

uint64_t sc_clock_ns(void)
{
    return read_ns(CLOCK_MONOTONIC);
}

struct timespec sc_clock_wall(void)
{
    struct timespec now;
    if (fake_wall) {
        return fake_time;
    }
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return now;
}

static char *put_digits(char *out, unsigned value, int digits)
{
    for (int i = digits - 1; i >= 0; i--) {
        out[i] = (char)('0' + value % 10U);
        value /= 10U;
    }
    return out + digits;
}

void sc_clock_rfc3339(struct timespec wall, char out[SC_CLOCK_RFC3339_BYTES + 1])
{
    /*
     * gmtime_r() and strftime() cost more than the rest of a TIME request; the text of the second
     * is kept per thread.
     */
    static _Thread_local time_t cached_second;
    static _Thread_local char cached_text[SC_CLOCK_RFC3339_BYTES + 1];
    if (wall.tv_sec != cached_second || cached_text[0] == '\0') {
        struct tm tm;
        memset(&tm, 0, sizeof(tm));
        (void)gmtime_r(&wall.tv_sec, &tm);
        char *p = put_digits(cached_text, (unsigned)tm.tm_year + 1900U, 4);
        *p++ = '-';
        p = put_digits(p, (unsigned)tm.tm_mon + 1U, 2);
        *p++ = '-';
        p = put_digits(p, (unsigned)tm.tm_mday, 2);
        *p++ = 'T';
        p = put_digits(p, (unsigned)tm.tm_hour, 2);
        *p++ = ':';
        p = put_digits(p, (unsigned)tm.tm_min, 2);
        *p++ = ':';
        p = put_digits(p, (unsigned)tm.tm_sec, 2);
        *p++ = '.';
        p += 6;
        *p++ = 'Z';
        *p = '\0';
        cached_second = wall.tv_sec;
    }
    memcpy(out, cached_text, sizeof(cached_text));
    (void)put_digits(out + 20, (unsigned)(wall.tv_nsec / 1000), 6);
}

void sc_clock_fake(const uint64_t *monotonic_ns, const struct timespec *wall)
{
    fake_monotonic = monotonic_ns != NULL;
    fake_wall = wall != NULL;
    if (monotonic_ns) {
        fake_ns = *monotonic_ns;
    }
    if (wall) {
        fake_time = *wall;
    }
}

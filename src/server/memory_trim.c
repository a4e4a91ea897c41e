/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "server/memory_trim.h"

#include <stdatomic.h>
#include <sysexits.h>
#ifdef HAVE_MALLOC_H
#include <malloc.h>
#endif

#include "base/clock.h"
#include "net/loop.h"

#define STEP 512U /* connections: 8 MiB */
#define STEP_MS 10U /* libevent frees what a connection had in the next iterations */
#define STEP_PAUSE_FACTOR 10U
#define CALM_MS 1000U
#define CALM_MOST_MS 10000U
#define CALM_PAUSE_FACTOR 200U

/*
 * By default glibc unmaps the blocks of large bodies, or shortens the heap, whenever they are
 * freed: bodies of 1 MB then cost 2.2 times as much processor time, of 256 KB 1.6 times. What is
 * kept instead goes back with the next trim.
 */
#define KEEP_AT_END_OF_HEAP_BYTES (64 << 20)
#define MAP_FROM_BYTES (32 << 20)

/* The earliest next trim, for all threads. UINT64_MAX: a thread is trimming. */
static _Atomic uint64_t next_trim_ms;

void sc_memory_trim_setup(void)
{
#ifdef __GLIBC__
    (void)mallopt(M_TRIM_THRESHOLD, KEEP_AT_END_OF_HEAP_BYTES);
    (void)mallopt(M_MMAP_THRESHOLD, MAP_FROM_BYTES);
#endif
}

static void trim_malloc(void)
{
#ifdef HAVE_MALLOC_TRIM
    (void)malloc_trim(0);
#endif
}

static bool step_is_due(const struct sc_memory_trim *trim)
{
    return trim->peak - trim->open >= STEP;
}

static void arm(struct sc_memory_trim *trim)
{
    const uint64_t ms = step_is_due(trim) ? STEP_MS : CALM_MS;
    const struct timeval delay = sc_clock_timeval(ms);
    trim->is_armed = event_add(trim->timer, &delay) == 0;
}

/* Half a second: the timer looks each second, and the clock is coarse. */
static bool is_calm(const struct sc_memory_trim *trim, uint64_t now_ms)
{
    return now_ms >= trim->last_ms + CALM_MS / 2 || now_ms >= trim->first_ms + CALM_MOST_MS;
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct sc_memory_trim *trim = arg;
    const bool step = step_is_due(trim);
    const uint64_t start_ns = sc_clock_ns(), now_ms = sc_clock_ms();
    uint64_t next_ms = atomic_load(&next_trim_ms);
    (void)fd;
    (void)what;
    if ((!step && !is_calm(trim, now_ms)) || now_ms < next_ms ||
        !atomic_compare_exchange_strong(&next_trim_ms, &next_ms, UINT64_MAX)) {
        arm(trim);
        return;
    }
    trim->is_armed = false;
    trim->peak = trim->open;
    trim->trim();
    const uint64_t took_ms = (sc_clock_ns() - start_ns) / 1000000;
    atomic_store(&next_trim_ms,
                 sc_clock_ms() + took_ms * (step ? STEP_PAUSE_FACTOR : CALM_PAUSE_FACTOR));
    if (step) {
        sc_memory_trim_later(trim); /* for the rest, which libevent has not freed yet */
    }
}

int sc_memory_trim_init(struct sc_memory_trim *trim, struct event_base *base, struct sc_err *err)
{
    *trim =
        (struct sc_memory_trim){.timer = evtimer_new(base, on_timer, trim), .trim = trim_malloc};
    return trim->timer ? 0 : sc_err_set(err, EX_OSERR, "can't start a worker: out of memory");
}

void sc_memory_trim_fini(struct sc_memory_trim *trim)
{
    sc_loop_free_event(trim->timer);
    trim->timer = NULL;
}

void sc_memory_trim_opened(struct sc_memory_trim *trim)
{
    trim->open++;
    trim->peak = trim->open > trim->peak ? trim->open : trim->peak;
}

void sc_memory_trim_closed(struct sc_memory_trim *trim)
{
    trim->open--;
    sc_memory_trim_later(trim);
    if (trim->peak - trim->open == STEP) {
        arm(trim); /* sooner */
    }
}

void sc_memory_trim_later(struct sc_memory_trim *trim)
{
    trim->last_ms = sc_clock_ms();
    if (!trim->is_armed) {
        trim->first_ms = trim->last_ms;
        arm(trim);
    }
}

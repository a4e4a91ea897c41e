#include "config.h"

#include "server/admission.h"

#include <sysexits.h>

#include "base/clock.h"

#define NS_PER_SECOND UINT64_C(1000000000)
#define BURST_NS (NS_PER_SECOND / 10)

void sc_admission_set_rate(struct sc_admission *admission, uint32_t per_second)
{
    atomic_store_explicit(&admission->interval_ns, per_second == 0 ? 0 : NS_PER_SECOND / per_second,
                          memory_order_relaxed);
}

bool sc_admission_try(struct sc_admission *admission)
{
    const uint64_t interval = atomic_load_explicit(&admission->interval_ns, memory_order_relaxed);
    const uint64_t now = sc_clock_ns();
    const uint64_t burst = interval > BURST_NS ? interval : BURST_NS;
    uint64_t full_at = atomic_load_explicit(&admission->full_at_ns, memory_order_relaxed);
    uint64_t next;
    do {
        next = (full_at > now ? full_at : now) + interval;
        if (interval != 0 && next > now + burst) {
            return false;
        }
    } while (!atomic_compare_exchange_weak_explicit(&admission->full_at_ns, &full_at, next,
                                                    memory_order_relaxed, memory_order_relaxed));
    return true;
}

void sc_admission_give_back(struct sc_admission *admission)
{
    /*
     * Below "now" means full: going too far back gives nothing extra. Never below 0: a reload may
     * have made the interval longer.
     */
    const uint64_t interval = atomic_load_explicit(&admission->interval_ns, memory_order_relaxed);
    uint64_t full_at = atomic_load_explicit(&admission->full_at_ns, memory_order_relaxed);
    uint64_t earlier;
    do {
        earlier = full_at > interval ? full_at - interval : 0;
    } while (!atomic_compare_exchange_weak_explicit(&admission->full_at_ns, &full_at, earlier,
                                                    memory_order_relaxed, memory_order_relaxed));
}

/* Until the next one is there, about; a millisecond at least, since waiting costs a wake-up. */
static void set_timer(struct sc_admission_queue *queue)
{
    const uint64_t interval_us =
        atomic_load_explicit(&queue->admission->interval_ns, memory_order_relaxed) / 1000;
    const uint64_t wait_us = interval_us < 1000 ? 1000 : interval_us;
    const struct timeval wait = {.tv_sec = (time_t)(wait_us / 1000000),
                                 .tv_usec = (suseconds_t)(wait_us % 1000000)};
    event_add(queue->timer, &wait);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct sc_admission_queue *queue = arg;
    struct sc_admission_waiter *first;
    (void)fd;
    (void)what;
    while ((first = TAILQ_FIRST(&queue->waiters)) != NULL && sc_admission_try(queue->admission)) {
        sc_admission_leave(queue, first);
        queue->on_admitted(first);
    }
    if (!TAILQ_EMPTY(&queue->waiters)) {
        set_timer(queue);
    }
}

int sc_admission_queue_init(struct sc_admission_queue *queue, struct event_base *base,
                            struct sc_admission *admission,
                            void (*on_admitted)(struct sc_admission_waiter *waiter),
                            struct sc_err *err)
{
    TAILQ_INIT(&queue->waiters);
    queue->admission = admission;
    queue->on_admitted = on_admitted;
    queue->timer = evtimer_new(base, on_timer, queue);
    return queue->timer ? 0 : sc_err_set(err, EX_OSERR, "cannot start a worker: out of memory");
}

void sc_admission_queue_fini(struct sc_admission_queue *queue)
{
    if (queue->timer) {
        event_free(queue->timer);
        queue->timer = NULL;
    }
}

void sc_admission_wait(struct sc_admission_queue *queue, struct sc_admission_waiter *waiter)
{
    const bool was_empty = TAILQ_EMPTY(&queue->waiters);
    waiter->waits = true;
    TAILQ_INSERT_TAIL(&queue->waiters, waiter, link);
    if (was_empty) {
        set_timer(queue);
    }
}

void sc_admission_leave(struct sc_admission_queue *queue, struct sc_admission_waiter *waiter)
{
    if (waiter->waits) {
        waiter->waits = false;
        TAILQ_REMOVE(&queue->waiters, waiter, link);
    }
}

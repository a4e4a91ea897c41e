/*
 * Rationing of full handshakes (handshake-rate): a budget that all workers share, and a queue in
 * each for those who have to wait. The budget is a bucket that fills at the rate and holds a tenth
 * of a second of it; taking from it is one compare-and-swap.
 */
#ifndef SC_SERVER_ADMISSION_H
#define SC_SERVER_ADMISSION_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include <event2/event.h>

#include "base/err.h"

/* Thread: any. Zero-initialised: no limit. */
struct sc_admission {
    _Atomic uint64_t interval_ns; /* between two handshakes; 0: no limit */
    _Atomic uint64_t
        full_at_ns; /* when the bucket would be full again if nothing more were taken (GCRA) */
};

/* Handshakes a second, 0: no limit. Thread: any. */
void sc_admission_set_rate(struct sc_admission *admission, uint32_t per_second);

static inline bool sc_admission_is_limited(const struct sc_admission *admission)
{
    return atomic_load_explicit(&admission->interval_ns, memory_order_relaxed) != 0;
}

/* Takes one if there is one. */
bool sc_admission_try(struct sc_admission *admission) SC_NODISCARD;

/* One that was taken was not needed. */
void sc_admission_give_back(struct sc_admission *admission);

/* Somebody who waits: a member of the one it stands for. Zero-initialised: does not wait. */
struct sc_admission_waiter {
    TAILQ_ENTRY(sc_admission_waiter) link;
    bool waits;
};

/* First come, first served. Thread: the base's. */
struct sc_admission_queue {
    TAILQ_HEAD(, sc_admission_waiter) waiters;
    struct sc_admission *admission;
    struct event *timer;
    void (*on_admitted)(struct sc_admission_waiter *waiter);
};

/* `on_admitted` is called from the loop, out of the queue, with one taken from the budget. */
int sc_admission_queue_init(struct sc_admission_queue *queue, struct event_base *base,
                            struct sc_admission *admission,
                            void (*on_admitted)(struct sc_admission_waiter *waiter),
                            struct sc_err *err) SC_NODISCARD;
void sc_admission_queue_fini(struct sc_admission_queue *queue); /* nobody waits; fine on zeros */

static inline bool sc_admission_nobody_waits(const struct sc_admission_queue *queue)
{
    return TAILQ_EMPTY(&queue->waiters);
}

void sc_admission_wait(struct sc_admission_queue *queue, struct sc_admission_waiter *waiter);
void sc_admission_leave(struct sc_admission_queue *queue,
                        struct sc_admission_waiter *waiter); /* fine if it does not wait */

#endif

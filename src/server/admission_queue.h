/* SPDX-License-Identifier: MIT */
/*
 * Handshakes that wait for a token of the full budget, one queue for each worker. Addresses take
 * turns (IPv4 by address, IPv6 by /64, all clients on unix sockets as one), so that many
 * connections from one address delay that address; within an address first come, first served.
 * Thread: that of the event_base.
 */
#ifndef SC_SERVER_ADMISSION_QUEUE_H
#define SC_SERVER_ADMISSION_QUEUE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include <event2/event.h>

#include "base/err.h"
#include "server/admission.h"

struct sc_address_table;
struct sc_admission_group; /* those of one address */

/* A member of what waits. Zero-initialised: it does not wait. */
struct sc_admission_waiter {
    TAILQ_ENTRY(sc_admission_waiter) link;
    struct sc_admission_group *group; /* NULL: it does not wait */
};

struct sc_admission_callbacks {
    /* The peer is still there. False: it gets no token; it is out of the queue afterwards. */
    bool (*is_alive)(struct sc_admission_waiter *waiter);
    /* It has got a token, and is out of the queue. */
    void (*on_admitted)(struct sc_admission_waiter *waiter);
};

struct sc_admission_queue {
    TAILQ_HEAD(, sc_admission_group) groups; /* the first has its turn next */
    struct sc_address_table *table;
    struct sc_admission_group *spare; /* of those for whose address there was no memory */
    struct sc_admission_budget *budget;
    struct event *timer;
    const struct sc_admission_callbacks *callbacks;
};

/* The callbacks are called from the loop. */
int sc_admission_queue_init(struct sc_admission_queue *queue, struct event_base *base,
                            struct sc_admission_budget *budget,
                            const struct sc_admission_callbacks *callbacks,
                            struct sc_err *err) SC_NODISCARD;

/* The queue is empty; fine on zeros. */
void sc_admission_queue_fini(struct sc_admission_queue *queue);

static inline bool sc_admission_queue_is_empty(const struct sc_admission_queue *queue)
{
    return TAILQ_EMPTY(&queue->groups);
}

/* `address_key`: sc_addr_key(). */
void sc_admission_enqueue(struct sc_admission_queue *queue, struct sc_admission_waiter *waiter,
                          uint64_t address_key);

void sc_admission_dequeue(struct sc_admission_queue *queue,
                          struct sc_admission_waiter *waiter); /* fine if it does not wait */

#endif

/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "server/admission_queue.h"

#include <stdlib.h>
#include <sysexits.h>

#include "net/loop.h"
#include "server/address_table.h"

#define MAX_ASKED_A_PASS 8U /* of their peers; then open connections are served */
#define NS_PER_MS UINT64_C(1000000)

struct sc_admission_group {
    struct sc_address_node node;
    TAILQ_ENTRY(sc_admission_group) link;
    TAILQ_HEAD(, sc_admission_waiter) waiters; /* never empty */
};

static void set_timer(struct sc_admission_queue *queue, uint64_t wait_ns)
{
    const struct timeval wait = {.tv_sec = (time_t)(wait_ns / (1000 * NS_PER_MS)),
                                 .tv_usec = (suseconds_t)(wait_ns / 1000 % 1000000)};
    event_add(queue->timer, &wait);
}

/* The next one, out of the queue; its address has its next turn after all others. */
static struct sc_admission_waiter *take_first(struct sc_admission_queue *queue)
{
    struct sc_admission_group *group = TAILQ_FIRST(&queue->groups);
    if (!group) {
        return NULL;
    }
    struct sc_admission_waiter *first = TAILQ_FIRST(&group->waiters);
    TAILQ_REMOVE(&queue->groups, group, link);
    TAILQ_INSERT_TAIL(&queue->groups, group, link);
    sc_admission_dequeue(queue, first);
    return first;
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct sc_admission_queue *queue = arg;
    unsigned asked = 0, admitted = 0;
    (void)fd;
    (void)what;
    while (asked < MAX_ASKED_A_PASS && !sc_admission_queue_is_empty(queue) &&
           sc_admission_try(queue->budget)) {
        struct sc_admission_waiter *waiter = take_first(queue);
        asked++;
        if (queue->callbacks->is_alive(waiter)) {
            admitted++;
            queue->callbacks->on_admitted(waiter);
        } else {
            sc_admission_give_back(queue->budget);
        }
    }
    if (!sc_admission_queue_is_empty(queue)) {
        /* A queue that has just got a token lets those of other workers go first. */
        const uint64_t wait_ns = sc_admission_wait_ns(queue->budget);
        set_timer(queue, wait_ns > 0 && admitted > 0 ? wait_ns + NS_PER_MS : wait_ns);
    }
}

int sc_admission_queue_init(struct sc_admission_queue *queue, struct event_base *base,
                            struct sc_admission_budget *budget,
                            const struct sc_admission_callbacks *callbacks, struct sc_err *err)
{
    TAILQ_INIT(&queue->groups);
    queue->budget = budget;
    queue->callbacks = callbacks;
    queue->table = sc_address_table_new();
    queue->spare = calloc(1, sizeof(*queue->spare));
    queue->timer = evtimer_new(base, on_timer, queue);
    if (!queue->table || !queue->spare || !queue->timer) {
        sc_admission_queue_fini(queue);
        return sc_err_set(err, EX_OSERR, "can't start a worker: out of memory");
    }
    return 0;
}

void sc_admission_queue_fini(struct sc_admission_queue *queue)
{
    sc_loop_free_event(queue->timer);
    sc_address_table_free(queue->table);
    free(queue->spare);
    queue->timer = NULL;
    queue->table = NULL;
    queue->spare = NULL;
}

void sc_admission_enqueue(struct sc_admission_queue *queue, struct sc_admission_waiter *waiter,
                          uint64_t address_key)
{
    const bool was_empty = sc_admission_queue_is_empty(queue);
    struct sc_admission_group *group =
        sc_address_table_add(queue->table, address_key, sizeof(*group));
    group = group ? group : queue->spare;
    if (!group->waiters.tqh_last) { /* it is new */
        TAILQ_INIT(&group->waiters);
        TAILQ_INSERT_TAIL(&queue->groups, group, link);
    }
    waiter->group = group;
    TAILQ_INSERT_TAIL(&group->waiters, waiter, link);
    if (was_empty) {
        set_timer(queue, sc_admission_wait_ns(queue->budget));
    }
}

void sc_admission_dequeue(struct sc_admission_queue *queue, struct sc_admission_waiter *waiter)
{
    struct sc_admission_group *group = waiter->group;
    if (!group) {
        return;
    }
    waiter->group = NULL;
    TAILQ_REMOVE(&group->waiters, waiter, link);
    if (TAILQ_EMPTY(&group->waiters)) {
        TAILQ_REMOVE(&queue->groups, group, link);
        if (group == queue->spare) {
            group->waiters.tqh_last = NULL;
        } else {
            sc_address_table_remove(&group->node);
        }
    }
}

#include "config.h"

#include <stdlib.h>

#include "net/tlsbev_pair.h"

/* --- Pairs that want a turn --- */

void sc_tlsbev_pair_leave_queue(struct sc_tlsbev *pair)
{
    if (pair->queued != SC_TLSBEV_NOT_QUEUED) {
        TAILQ_REMOVE(pair->queued == SC_TLSBEV_SOON ? &pair->shared->soon : &pair->shared->later,
                     pair, turn_link);
        pair->queued = SC_TLSBEV_NOT_QUEUED;
    }
}

void sc_tlsbev_pair_queue_soon(struct sc_tlsbev *pair)
{
    struct sc_tlsbev_shared *shared = pair->shared;
    if (pair->queued == SC_TLSBEV_SOON) {
        return;
    }
    sc_tlsbev_pair_leave_queue(pair);
    if (TAILQ_EMPTY(&shared->soon)) {
        event_active(shared->soon_event, EV_TIMEOUT, 1);
    }
    TAILQ_INSERT_TAIL(&shared->soon, pair, turn_link);
    pair->queued = SC_TLSBEV_SOON;
}

void sc_tlsbev_pair_queue_later(struct sc_tlsbev *pair)
{
    static const struct timeval now = {0, 0};
    struct sc_tlsbev_shared *shared = pair->shared;
    if (pair->queued != SC_TLSBEV_NOT_QUEUED) {
        return;
    }
    if (TAILQ_EMPTY(&shared->later)) {
        event_add(shared->later_event,
                  &now); /* a timeout: what is ready in the next pass of the loop comes first */
    }
    TAILQ_INSERT_TAIL(&shared->later, pair, turn_link);
    pair->queued = SC_TLSBEV_LATER;
    pair->round = shared->round;
}

static void on_soon(evutil_socket_t fd, short what, void *arg)
{
    struct sc_tlsbev_shared *shared = arg;
    struct sc_tlsbev *pair;
    (void)fd;
    (void)what;
    while ((pair = TAILQ_FIRST(&shared->soon)) != NULL) {
        sc_tlsbev_pair_turn(pair, false); /* takes it out of the queue */
    }
}

/* Those that ask again meanwhile have their turn in the next round. */
static void on_later(evutil_socket_t fd, short what, void *arg)
{
    static const struct timeval now = {0, 0};
    struct sc_tlsbev_shared *shared = arg;
    struct sc_tlsbev *pair;
    const uint32_t round = shared->round++;
    (void)fd;
    (void)what;
    while ((pair = TAILQ_FIRST(&shared->later)) != NULL && pair->round == round) {
        sc_tlsbev_pair_turn(pair, false);
    }
    if (!TAILQ_EMPTY(&shared->later)) {
        event_add(shared->later_event, &now);
    }
}

/* --- Life --- */

struct sc_tlsbev_shared *sc_tlsbev_shared_new(struct event_base *base, size_t read_bytes)
{
    struct sc_tlsbev_shared *shared = malloc(sizeof(*shared) + read_bytes);
    if (!shared) {
        return NULL;
    }
    shared->base = base;
    shared->round = 0;
    shared->size = read_bytes;
    shared->soon_event = event_new(base, -1, 0, on_soon, shared);
    shared->later_event = event_new(base, -1, 0, on_later, shared);
    TAILQ_INIT(&shared->soon);
    TAILQ_INIT(&shared->later);
    if (!shared->soon_event || !shared->later_event) {
        sc_tlsbev_shared_free(shared);
        return NULL;
    }
    return shared;
}

void sc_tlsbev_shared_free(struct sc_tlsbev_shared *shared)
{
    if (!shared) {
        return;
    }
    if (shared->soon_event) {
        event_free(shared->soon_event);
    }
    if (shared->later_event) {
        event_free(shared->later_event);
    }
    free(shared);
}

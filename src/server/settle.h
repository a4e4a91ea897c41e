/*
 * When the memory of a thread goes back to the system. Connections come and go, and malloc() and
 * the pool would keep for ever what they needed at most: a handshake 50 KiB for a moment, a large
 * reply its size, and a crowd all that it held.
 *
 *   - A second after whoever used much has said so (sc_settle_later(); every connection that
 *   closes does): sc_pool_settle(), which is
 *     quick. Not at once, since libevent frees what connections had in later turns; and once a
 *     second costs nothing under load.
 *   - When most of a crowd has been away for a whole second: sc_pool_trim(), which is slow. A
 *   crowd is 256 connections or more, and most
 *     of it is away when no more than a quarter of the most that there ever were, since the last
 *     trim, are left.
 *
 * Thread: the base's.
 */
#ifndef SC_SERVER_SETTLE_H
#define SC_SERVER_SETTLE_H

#include <stdbool.h>
#include <stdint.h>

#include <event2/event.h>

#include "base/err.h"

/* Its user's for the calls below only. */
struct sc_settle {
    struct event *timer;
    bool is_set; /* the timer */
    bool was_low; /* most of the crowd had left when the timer last fired */
    uint32_t open; /* connections */
    uint32_t crowd; /* the most of them since the last trim */
    void (*give_some)(void); /* sc_pool_settle(); tests put others here */
    void (*give_all)(void); /* sc_pool_trim() */
};

int sc_settle_init(struct sc_settle *settle, struct event_base *base,
                   struct sc_err *err) SC_NODISCARD;
void sc_settle_fini(struct sc_settle *settle); /* before the base; fine on zeros, and twice */

/* A connection has begun; it has ended. */
void sc_settle_opened(struct sc_settle *settle);
void sc_settle_closed(struct sc_settle *settle);

/* Much memory was needed for a moment. */
void sc_settle_later(struct sc_settle *settle);

#endif

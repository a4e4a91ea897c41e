/* SPDX-License-Identifier: MIT */
/*
 * Event bases as this project uses them. A base belongs to one thread and has no locks
 * (EVENT_BASE_FLAG_NOLOCK): no other thread may call anything on it; it is reached through a
 * mailbox only.
 */
#ifndef SC_NET_LOOP_H
#define SC_NET_LOOP_H

#include <event2/event.h>

#include "base/err.h"

/*
 * Before any base and any thread: libevent's log into ours, and SIGPIPE ignored.
 */
void sc_loop_init(void);

/*
 * libevent keeps an entry of 16 bytes for each descriptor number that was ever added to a base,
 * until the base is freed. Made one by one they lie between the blocks of connections, and each
 * keeps a page from going back to the system. This makes those of `fd`, which is open, and of the
 * numbers after it together. Returns the first number that has none yet.
 */
evutil_socket_t sc_loop_reserve_descriptors(struct event_base *base, evutil_socket_t fd);

/* Frees what libevent holds for the process. After every base. */
void sc_loop_fini(void);

/*
 * A base on libevent's best backend: epoll on Linux, unless the environment says otherwise
 * (EVENT_NOEPOLL). NULL on failure.
 */
struct event_base *sc_loop_new_base(struct sc_err *err) SC_NODISCARD;

void sc_loop_free_event(struct event *event); /* NULL is fine, unlike with event_free() */

#endif

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
 * Before any base and any thread: libevent's log into ours, its memory from base/pool, which it
 * starts, and SIGPIPE ignored.
 */
void sc_loop_init(void);

/* Frees what libevent holds for the process. After every base. */
void sc_loop_fini(void);

/*
 * A base on libevent's best backend: epoll on Linux, unless the environment says otherwise
 * (EVENT_NOEPOLL). NULL on failure.
 */
struct event_base *sc_loop_new_base(struct sc_err *err) SC_NODISCARD;

#endif

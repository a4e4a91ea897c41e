/*
 * Name look-ups that do not stop the event loop: getaddrinfo(3) in a thread of its own, since it
 * follows nsswitch.conf and has no deadline. Literal addresses are answered without one. Thread:
 * that of the event_base.
 */
#ifndef SC_CLIENT_RESOLVE_H
#define SC_CLIENT_RESOLVE_H

#include <netdb.h>

#include <event2/event.h>

#include "base/err.h"

struct sc_resolve;

/*
 * `list` is borrowed: it lives until sc_resolve_free(). `gai_error` is one of getaddrinfo(3), 0:
 * found, and then there is a list. `error_number` goes with EAI_SYSTEM.
 */
typedef void sc_resolve_done(void *arg, int gai_error, int error_number,
                             const struct addrinfo *list);

/*
 * Looks up stream addresses of `host` and `port`. `done` is called once, from the loop. NULL on
 * failure (EX_OSERR).
 */
struct sc_resolve *sc_resolve_start(struct event_base *base, const char *host, const char *port,
                                    sc_resolve_done *done, void *arg,
                                    struct sc_err *err) SC_NODISCARD;

/*
 * Also before `done`: it is then never called; the thread ends when the system's resolver gives
 * up. NULL is fine.
 */
void sc_resolve_free(struct sc_resolve *resolve);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Name look-ups without waiting: getaddrinfo(3) in a thread of its own, since it follows
 * nsswitch.conf and has no deadline. Literal addresses are answered without one. Thread: one.
 */
#ifndef SC_BASE_RESOLVE_H
#define SC_BASE_RESOLVE_H

#include <netdb.h>
#include <stdbool.h>

#include "base/err.h"

struct sc_resolve;

/* Looks up stream addresses of `host` and `port`. NULL on failure (EX_OSERR). */
struct sc_resolve *sc_resolve_start(const char *host, const char *port,
                                    struct sc_err *err) SC_NODISCARD;

/* Readable when the answer is there; -1: it is there already. */
int sc_resolve_fd(const struct sc_resolve *resolve);

/*
 * False: not yet. `*gai_error` is one of getaddrinfo(3), 0: found, and *list is borrowed until
 * sc_resolve_free(); `*error_number` goes with EAI_SYSTEM.
 */
bool sc_resolve_result(struct sc_resolve *resolve, int *gai_error, int *error_number,
                       const struct addrinfo **list);

/* Also before the answer: the thread ends when the system's resolver gives up. NULL is fine. */
void sc_resolve_free(struct sc_resolve *resolve);

#endif

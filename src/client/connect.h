/*
 * A connected stream socket to an address: the name is looked up, and each of its addresses, IPv6
 * and IPv4, is tried in the system's order (RFC 6724) until one answers. One deadline bounds all
 * of it; an address may use an even share of what is left, so that one that does not answer at all
 * leaves time for the next. Thread: that of the event_base.
 */
#ifndef SC_CLIENT_CONNECT_H
#define SC_CLIENT_CONNECT_H

#include <stdint.h>

#include <event2/event.h>

#include "base/err.h"
#include "base/parse.h"

struct sc_connect;

struct sc_connect_result {
    int fd; /* non-blocking, close-on-exec, TCP_NODELAY; the callee's from now on; -1: failed, see
               err */
    const char
        *peer_text; /* the address that answered, numeric, "[::1]:4242"; valid during the call */

    /*
     * Failed: EX_UNAVAILABLE, or EX_TEMPFAIL when time ran out. The text tells of each address.
     * NULL: connected.
     */
    const struct sc_err *err;
};

typedef void sc_connect_done(void *arg, const struct sc_connect_result *result);

/* `done` is called once, from the loop. NULL on failure (EX_OSERR). */
struct sc_connect *sc_connect_start(struct event_base *base, const struct sc_address *address,
                                    uint64_t timeout_ms, sc_connect_done *done, void *arg,
                                    struct sc_err *err) SC_NODISCARD;

/* Also before or inside `done`. NULL is fine. */
void sc_connect_free(struct sc_connect *connect);

#endif

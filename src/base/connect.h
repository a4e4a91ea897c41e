/* SPDX-License-Identifier: MIT */
/*
 * A connected stream socket to an address, without waiting: the name is looked up, and each of its
 * addresses, IPv6 and IPv4, is tried in the system's order (RFC 6724) until one answers. One
 * deadline bounds all of it; an address may use an even share of what is left, so that one that
 * does not answer at all leaves time for the next. Thread: one.
 */
#ifndef SC_BASE_CONNECT_H
#define SC_BASE_CONNECT_H

#include <signal.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/err.h"
#include "base/parse.h"

struct sc_connect;

/* NULL on failure (EX_OSERR). Times are of sc_clock_ms(). */
struct sc_connect *sc_connect_start(const struct sc_address *address, uint64_t timeout_ms,
                                    struct sc_err *err) SC_NODISCARD;
void sc_connect_free(struct sc_connect *connect); /* NULL is fine */

enum sc_connect_state {
    SC_CONNECT_UNDER_WAY, /* wait for what the next two say, then step again */
    SC_CONNECT_DONE, /* sc_connect_take() the socket */
    SC_CONNECT_FAILED, /* EX_UNAVAILABLE, EX_TEMPFAIL when time ran out, EX_OSERR when descriptors
                          or memory did; names each address */
};
enum sc_connect_state sc_connect_step(struct sc_connect *connect, struct sc_err *err);

/* Descriptor (-1: none), events of poll(2), and the time at which to step all the same. */
int sc_connect_fd(const struct sc_connect *connect);
short sc_connect_events(const struct sc_connect *connect);
uint64_t sc_connect_deadline_ms(const struct sc_connect *connect);

/*
 * Steps and waits until it is done. -1: it has failed, as SC_CONNECT_FAILED, or `*stop` has been
 * set (SC_EXIT_INTERRUPTED), as by a signal handler; NULL is fine.
 */
int sc_connect_wait(struct sc_connect *connect, const volatile sig_atomic_t *stop,
                    struct sc_err *err) SC_NODISCARD;

/* The socket: non-blocking, close-on-exec, TCP_NODELAY; the caller's from now on. */
int sc_connect_take(struct sc_connect *connect);
/* The address that answered, numeric: "[::1]:4242". */
const char *sc_connect_peer(const struct sc_connect *connect);
const struct sockaddr *sc_connect_peer_address(const struct sc_connect *connect, socklen_t *length);

#endif

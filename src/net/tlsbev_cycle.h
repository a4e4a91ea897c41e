/* SPDX-License-Identifier: MIT */
/*
 * The I/O cycle of a connection, for the files of net/tlsbev only. Below it: tlsbev_io.
 */
#ifndef SC_NET_TLSBEV_CYCLE_H
#define SC_NET_TLSBEV_CYCLE_H

#include "net/tlsbev_io.h"

/*
 * The first: the transport takes the descriptor, the handshake starts, what it makes is sent.
 * False: out of memory.
 */
bool sc_tlsbev_cycle_start(struct sc_tlsbev *tls);

/* One cycle; `readable`: reads the socket first. The connection may be gone afterwards. */
void sc_tlsbev_cycle_run(struct sc_tlsbev *tls, bool readable);

/* The same, and first a handshake that is suspended goes on. */
void sc_tlsbev_cycle_continue(struct sc_tlsbev *tls);

/* Asks for one in this iteration of the event loop, unless one is running: that will see to it. */
void sc_tlsbev_cycle_soon(struct sc_tlsbev *tls);

/* Asks for one in the next iteration, after everything that is ready then. */
void sc_tlsbev_cycle_later(struct sc_tlsbev *tls);

void sc_tlsbev_cycle_dequeue(struct sc_tlsbev *tls);

/* Frees what sc_tlsbev_free() leaves to the end of a cycle. */
void sc_tlsbev_cycle_destroy(struct sc_tlsbev *tls);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * The keys of session tickets in systemd's descriptor store, so that sessions can be resumed after
 * a restart, also after a crash. Keys of a file (`ticket-keys`) outlast the process by themselves
 * and are not stored. Nothing of them is in a log. Thread: the main one.
 */
#ifndef SC_SERVER_STORED_TICKETS_H
#define SC_SERVER_STORED_TICKETS_H

#include "base/sysd.h"
#include "tls/tickets.h"

/*
 * At the start: takes the keys that the process before has stored. Says so in the log, or why there
 * are new ones.
 */
void sc_stored_tickets_restore(struct sc_sysd *sysd, struct sc_tickets *tickets);

/*
 * Stores the keys when they are others than `*generation` says, which is 0 before the first call,
 * and removes those that were stored when the keys are those of a file.
 */
void sc_stored_tickets_update(const struct sc_sysd *sysd, struct sc_tickets *tickets,
                              uint64_t *generation);

#endif

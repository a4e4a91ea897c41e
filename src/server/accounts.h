/*
 * Connections counted by address: IPv4 by address, IPv6 by /64 (what one customer usually gets),
 * unix sockets not at all. A table of as many accounts as there are addresses with an open
 * connection. Thread: sc_accounts_enter() one; sc_accounts_leave() any.
 */
#ifndef SC_SERVER_ACCOUNTS_H
#define SC_SERVER_ACCOUNTS_H

#include <stdint.h>
#include <sys/socket.h>

struct sc_accounts;

struct sc_accounts *sc_accounts_new(void);
void sc_accounts_free(struct sc_accounts *accounts); /* NULL is fine */

/*
 * Counts a connection in. 0: it may enter, and *account is to be given to sc_accounts_leave()
 * (NULL when nothing is counted: no limit, a unix socket, or no memory for an account). -1: the
 * address has `limit` connections already.
 */
int sc_accounts_enter(struct sc_accounts *accounts, const struct sockaddr *address, uint32_t limit,
                      void **account);

void sc_accounts_leave(struct sc_accounts *accounts, void *account);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * What a client needs to try this server: its pin, and a whole command. For the log and the status
 * line of systemd, so that a first start asks for nothing else. Thread: the main one.
 */
#ifndef SC_SERVER_CLIENT_COMMAND_H
#define SC_SERVER_CLIENT_COMMAND_H

#include <stddef.h>

#include "net/listen.h"
#include "server/snapshot.h"

/*
 * "sc-client --connect HOST:PORT --pin sha256//... echo hello". HOST: of the first address that
 * other hosts reach, else of the first one. Where that is all addresses of this host, a name of the
 * certificate with a dot in it, unless that is only the host's own name, which others may not be
 * able to look up; else `own_address`. Empty: it does not fit.
 */
void sc_format_client_command(const struct sc_snapshot *snapshot, const struct sc_listen *listen,
                              const char *own_address, char *out, size_t out_size);

/*
 * The address that this host sends from, else "localhost". To be asked before sc_confine(), which
 * allows no socket for it.
 */
#define SC_OWN_ADDRESS_BYTES 64U
void sc_own_address(char out[SC_OWN_ADDRESS_BYTES]);

#endif

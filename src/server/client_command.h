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
 * able to look up; else the address that this host sends from; else localhost. Empty: it does not
 * fit.
 */
void sc_client_command(const struct sc_snapshot *snapshot, const struct sc_listen *listen,
                       char *out, size_t out_size);

#endif

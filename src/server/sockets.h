/* SPDX-License-Identifier: MIT */
/*
 * The listening sockets of a server: passed on by systemd, or opened as the configuration says.
 * Those that systemd calls "metrics" (FileDescriptorName=) are for metrics-listen, the others for
 * listen; what was passed on and is not a listening stream socket is logged and closed. Thread: the
 * main one.
 */
#ifndef SC_SERVER_SOCKETS_H
#define SC_SERVER_SOCKETS_H

#include "base/err.h"
#include "base/sysd.h"
#include "net/listen.h"
#include "server/configuration.h"

struct sc_sockets {
    struct sc_listen *tls;
    struct sc_listen *metrics; /* NULL: off */
};

/*
 * The owner of a socket sets its member to NULL. Where such a socket was passed on, the key of the
 * configuration is not used. -1: none is open (EX_UNAVAILABLE, EX_OSERR).
 */
int sc_sockets_open(const struct sc_sysd *sysd, const struct sc_config *config,
                    struct sc_sockets *out, struct sc_err *err) SC_NODISCARD;
void sc_sockets_close(struct sc_sockets *sockets); /* fine on zeros, and twice */

#endif

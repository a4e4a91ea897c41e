/* SPDX-License-Identifier: MIT */
/*
 * Takes away what a service does not need once it has started, and an attacker in it would: other
 * programs, other code, connections to other hosts. A unit cannot take these away, because the
 * start needs them. Linux, seccomp(2).
 */
#ifndef SC_BASE_CONFINE_H
#define SC_BASE_CONFINE_H

#include "base/err.h"

/*
 * From now on all threads of this process, and those to come, get EPERM when they execute a
 * program (also one in memory), map code, make memory executable, connect a socket (also one
 * that was accepted and is given up), make an io_uring, or make any system call of another ABI of
 * the machine (32-bit x86 and x32 on x86-64); and EACCES for a socket of another family than
 * AF_UNIX, and for shutdown(2) of another direction than SHUT_WR, since a listening socket would
 * be free to connect then. accept(2) and datagrams to unix sockets go on.
 *
 * Where libraries use socketcall(2) (32-bit x86), a filter sees that it connects, but neither the
 * family of a socket nor the direction of shutdown(2).
 *
 * Only where new privileges are ruled out already (NoNewPrivileges=), else it does nothing: the
 * kernel wants that, and a server that is run by hand is not confined. -1: EX_OSERR, and
 * nothing has changed.
 */
int sc_confine(struct sc_err *err) SC_NODISCARD;

#endif

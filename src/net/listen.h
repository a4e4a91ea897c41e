/* SPDX-License-Identifier: MIT */
/*
 * Listening sockets: opened from addresses, or adopted from the program that started this one. All
 * are non-blocking, close-on-exec, and have TCP_NODELAY set, which the sockets that they
 * accept inherit on Linux.
 *
 * Opening: an address with a host name stands for every address of it. "[::]" and "*" take IPv4
 * connections too, unless the list has "0.0.0.0" with the same port; on a machine without IPv6
 * they stand for "0.0.0.0". Every other IPv6 address takes IPv6 alone. A port that only waits for
 * the connections of an earlier server to time out can be taken (SO_REUSEADDR).
 *
 * A unix socket's file gets mode 0660. One that is there already is replaced if no process listens
 * on it any more; anything else that is there is left alone, and an error. Of servers that
 * start at the same time one gets it: PATH.lock is locked meanwhile. sc_listen_close() removes the
 * socket's file, unless another has taken its place.
 *
 * Thread: one.
 */
#ifndef SC_NET_LISTEN_H
#define SC_NET_LISTEN_H

#include <stddef.h>

#include "base/compiler.h"
#include "base/err.h"
#include "base/parse.h"

struct sc_listen;

/*
 * All or none. NULL: EX_UNAVAILABLE, which address and why (in use, not of this machine, no
 * permission, no such host).
 */
struct sc_listen *sc_listen_open(const struct sc_address *addresses, size_t count,
                                 struct sc_err *err) SC_NODISCARD;

/* -1: not a listening stream socket (IPv4, IPv6, unix): EX_UNAVAILABLE, and what it is. */
int sc_listen_check(int fd, struct sc_err *err) SC_NODISCARD;

/*
 * Takes over sockets for which sc_listen_check() is 0; the files of unix sockets are not ours to
 * remove. On failure NULL, EX_UNAVAILABLE, and they stay open, the caller's.
 */
struct sc_listen *sc_listen_adopt(const int *descriptors, size_t count,
                                  struct sc_err *err) SC_NODISCARD;

/* Closes the sockets that are still open and removes the files of unix sockets. NULL is fine. */
void sc_listen_close(struct sc_listen *listen);

size_t sc_listen_count(const struct sc_listen *listen);
int sc_listen_descriptor(const struct sc_listen *listen, size_t index);

/*
 * The address that it really listens on, as the kernel tells it: "[::]:4242", "127.0.0.1:38211",
 * "unix:/path".
 */
const char *sc_listen_address(const struct sc_listen *listen, size_t index);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * The command whose standard input and output carry a connection instead of a TCP connection of
 * our own, as ProxyCommand of ssh_config(5).
 *
 * It is run by the user's shell ($SHELL, else /bin/sh) with exec, so that it is that process
 * unless the shell has more to do. Both its standard input and its standard output are one end of
 * a socket pair; its standard error, environment, process group and terminal are ours, so that an
 * interrupt from the terminal reaches it, too. Thread: one.
 */
#ifndef SC_CLIENT_PROXY_COMMAND_H
#define SC_CLIENT_PROXY_COMMAND_H

#include <stddef.h>

#include "base/err.h"
#include "base/parse.h"

struct sc_proxy_command;

/*
 * Whether the command can be used for this address: EX_USAGE for another "%" than %h (host, or path
 * of a unix socket), %p (port) and %%, and for a host that would be more than a word to the shell.
 */
int sc_proxy_command_check(const char *command, const struct sc_address *address,
                           struct sc_err *err) SC_NODISCARD;

/*
 * Starts it; *fd is our end, the caller's to close. NULL on failure: as above, EX_UNAVAILABLE when
 * there is no such shell, or EX_OSERR. A command that the shell does not find is started all the
 * same, and ends.
 */
struct sc_proxy_command *sc_proxy_command_start(const char *command,
                                                const struct sc_address *address, int *fd,
                                                struct sc_err *err) SC_NODISCARD;

/*
 * "the proxy command ended with status 1": what became of it, once its end of the connection is
 * closed. Waits a second for its end at the most.
 */
void sc_proxy_command_describe(struct sc_proxy_command *proxy, char *out, size_t out_size);

/*
 * Once our end is closed: gives it a second to end by itself and, after SIGHUP, another one; then
 * it is killed. It is reaped in any case. NULL is fine.
 */
void sc_proxy_command_free(struct sc_proxy_command *proxy);

#endif

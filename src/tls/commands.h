/* SPDX-License-Identifier: MIT */
/*
 * The commands of SSL_CONF_cmd(3) in the [tls] section, applied to a context over our defaults.
 * Thread: any.
 */
#ifndef SC_TLS_COMMANDS_H
#define SC_TLS_COMMANDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/ssl.h>

#include "base/err.h"
#include "tls/command.h"

/*
 * In order. EX_CONFIG names the command and what is wrong; commands that would bypass our own
 * checks are refused with the key to use, EX_NOINPUT files that can't be read. `digest` (32 bytes;
 * NULL: not needed) is that of tls/command_files over all of them, taken before OpenSSL reads the
 * files.
 */
int sc_tls_commands_apply(SSL_CTX *context, const struct sc_tls_command *commands, size_t count,
                          uint8_t *digest, struct sc_err *err) SC_NODISCARD;

/*
 * Whether a server's context takes this one command, by itself. The same errors; nothing is kept.
 */
int sc_tls_command_check(const struct sc_tls_command *command, struct sc_err *err) SC_NODISCARD;

/*
 * Does it name CA certificates that client certificates are checked against (VerifyCAFile and its
 * like)?
 */
bool sc_tls_command_is_client_ca(const struct sc_tls_command *command);

#endif

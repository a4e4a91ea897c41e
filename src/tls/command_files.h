/* SPDX-License-Identifier: MIT */
/*
 * Files and directories that commands of SSL_CONF_cmd(3) name: VerifyCAFile, VerifyCAPath,
 * ChainCAFile, DHParameters, and whatever else OpenSSL takes a file for. OpenSSL opens them
 * itself, would wait for a FIFO, ask a terminal for a passphrase, and keeps no note of what it
 * read. Thread: any.
 */
#ifndef SC_TLS_COMMAND_FILES_H
#define SC_TLS_COMMAND_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "tls/command.h"

#define SC_TLS_COMMANDS_DIGEST_BYTES 32U

/*
 * SHA-256 over the commands that `which` picks (NULL: all) and the content of every file and
 * directory that they name. Fails when one is not what OpenSSL can read without waiting:
 * EX_NOINPUT unreadable, not a regular file or too large, EX_CONFIG encrypted.
 */
int sc_tls_commands_digest(const struct sc_tls_command *commands, size_t count,
                           bool (*which)(const struct sc_tls_command *command),
                           uint8_t out[SC_TLS_COMMANDS_DIGEST_BYTES],
                           struct sc_err *err) SC_NODISCARD;

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Asks for the passphrase of a private key: on the terminal, /dev/tty, and never on
 * standard input, which may be data. Thread: the main one.
 */
#ifndef SC_TLS_PASSPHRASE_PROMPT_H
#define SC_TLS_PASSPHRASE_PROMPT_H

#include <stddef.h>

#include <openssl/pem.h>

#include "base/err.h"

/*
 * Asks the terminal for a line that it does not show. Its length, or -1. ^C, which OpenSSL catches
 * to give the terminal back, ends the program then.
 */
int sc_passphrase_read(const char *prompt, char *out, int size);

/*
 * The function that asks; its argument is the name of the file. NULL: there is no terminal.
 * (OpenSSL would read standard input then.)
 */
pem_password_cb *sc_passphrase_prompt(void);

/*
 * Asks for the passphrase of a file when the key in it is encrypted. It is empty when there is
 * nothing to ask: also when the file can't be read, which its user will report. EX_NOINPUT:
 * there is no terminal, or nothing was entered. The caller erases it (OPENSSL_cleanse()).
 */
int sc_passphrase_ask(const char *key_path, char *out, size_t out_size,
                      struct sc_err *err) SC_NODISCARD;

#endif

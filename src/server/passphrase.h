/* SPDX-License-Identifier: MIT */
/*
 * The passphrase of an encrypted private key, from the first of these that there is: the file of
 * `passphrase-file`, the service credential "passphrase" (systemd.exec(5), LoadCredential=), and,
 * at the start only, a terminal. What a terminal gave is kept for reloads and erased at the end.
 * Thread: the main one.
 */
#ifndef SC_SERVER_PASSPHRASE_H
#define SC_SERVER_PASSPHRASE_H

#include <stdbool.h>

#include "base/err.h"
#include "base/sysd.h"

struct sc_passphrase {
    const struct sc_sysd *sysd; /* where a credential would be; NULL: nowhere */
    const char *file; /* passphrase-file; NULL or "": none */
    bool may_ask; /* a terminal may be asked */
    struct sc_err failure; /* what is wrong with the file or the credential; status 0: nothing */
    char asked[1024]; /* what the terminal gave; "" is not known */
};

/*
 * A pem_password_cb of OpenSSL; `arg` is a struct sc_passphrase. Returns the length, or -1 when
 * there is none; then `failure` says what is wrong with a file that should have held it. Nothing
 * of a file stays in memory but `out`.
 */
int sc_passphrase_callback(char *out, int out_size, int for_writing, void *arg);

void sc_passphrase_erase(struct sc_passphrase *passphrase);

#endif

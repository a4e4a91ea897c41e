/* SPDX-License-Identifier: MIT */
/*
 * For whom root makes and checks files: the account that owns the directory that they are in.
 * /etc/space-captain belongs to the server's account, so a key that root makes there must be
 * readable by it, and a check by root must not see more than it. Thread: the main one.
 */
#ifndef SC_BASE_ACCOUNT_H
#define SC_BASE_ACCOUNT_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"

struct sc_account {
    uid_t uid;
    gid_t gid;
    char name[64]; /* of the user, else its number */
};

/*
 * The owner of the directory that `path` is in. False, and nothing to do: this process is not
 * root, the directory is root's, or there is none.
 */
bool sc_account_of_directory(const char *path, struct sc_account *out);

/* Takes on the account for good, with all its groups. EX_OSERR when that is not permitted. */
int sc_account_become(const struct sc_account *account, struct sc_err *err) SC_NODISCARD;

#endif

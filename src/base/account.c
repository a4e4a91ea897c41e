/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "base/account.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/file.h"

bool sc_account_of_directory(const char *path, struct sc_account *out)
{
    char directory[SC_FILE_PATH_BYTES];
    struct stat status;
    sc_file_directory(path, directory);
    if (geteuid() != 0 || stat(directory, &status) != 0 || status.st_uid == 0) {
        return false;
    }
    const struct passwd *user = getpwuid(status.st_uid);
    *out = (struct sc_account){.uid = status.st_uid, .gid = user ? user->pw_gid : status.st_gid};
    if (user) {
        (void)snprintf(out->name, sizeof(out->name), "%s", user->pw_name);
    } else {
        (void)snprintf(out->name, sizeof(out->name), "%lu", (unsigned long)status.st_uid);
    }
    return true;
}

int sc_account_become(const struct sc_account *account, struct sc_err *err)
{
    const int groups = getpwuid(account->uid) ? initgroups(account->name, account->gid)
                                              : setgroups(1, &account->gid);
    if (groups != 0 || setresgid(account->gid, account->gid, account->gid) != 0 ||
        setresuid(account->uid, account->uid, account->uid) != 0) {
        return sc_err_set_errno(err, EX_OSERR, errno, "can't become the user %s", account->name);
    }
    return 0;
}

/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "base/user_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

bool sc_user_file_path(enum sc_user_directory directory, const char *name, char *out,
                       size_t out_size)
{
    static const struct {
        const char *variable, *below_home;
    } places[] = {
        [SC_USER_CONFIG] = {"XDG_CONFIG_HOME", "/.config"},
        [SC_USER_STATE] = {"XDG_STATE_HOME", "/.local/state"},
    };
    const char *base = secure_getenv(places[directory].variable);
    const char *below = "";
    if (!base || *base != '/') { /* a relative path is to be ignored */
        base = secure_getenv("HOME");
        below = places[directory].below_home;
    }
    if (!base || *base != '/') {
        return false;
    }
    const int length = snprintf(out, out_size, "%s%s/space-captain/%s", base, below, name);
    return length > 0 && (size_t)length < out_size;
}

int sc_user_file_check(const char *path, const struct stat *stat, struct sc_err *err)
{
    if (stat->st_uid != geteuid() && stat->st_uid != 0) {
        return sc_err_set(err, EX_DATAERR,
                          "%s belongs to another user (%lu): it says which keys are trusted", path,
                          (unsigned long)stat->st_uid);
    }
    if (stat->st_mode & (S_IWGRP | S_IWOTH)) {
        return sc_err_set(err, EX_DATAERR,
                          "%s can be written by others (mode %04o), and it says which keys are "
                          "trusted; look at it, then chmod go-w %s",
                          path, (unsigned)stat->st_mode & 07777U, path);
    }
    return 0;
}

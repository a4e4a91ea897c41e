/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "server/port_file.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

static int write_addresses(FILE *file, const struct sc_listen *listen)
{
    for (size_t i = 0; i < sc_listen_count(listen); i++) {
        if (fprintf(file, "%s\n", sc_listen_address(listen, i)) < 0) {
            return -1;
        }
    }
    return 0;
}

int sc_port_file_write(const char *path, const struct sc_listen *listen, struct sc_err *err)
{
    char temporary[4096];
    if (snprintf(temporary, sizeof(temporary), "%s.%ld", path, (long)getpid()) >=
        (int)sizeof(temporary)) {
        return sc_err_set(err, EX_CANTCREAT,
                          "cannot write the port file: the path is too long: %.200s...", path);
    }
    /* A rename would put a file in the place of a device such as /dev/stdout. */
    struct stat there;
    if (lstat(path, &there) == 0 && !S_ISREG(there.st_mode)) {
        return sc_err_set(
            err, EX_CANTCREAT,
            "cannot write the port file %s: what is there is not a regular file; name another",
            path);
    }
    (void)unlink(temporary); /* of a process that had our number and was killed */
    FILE *file = fopen(temporary, "wxe");
    if (!file) {
        return sc_err_set_errno(err, EX_CANTCREAT, errno, "cannot create the port file %s", path);
    }
    const int written = write_addresses(file, listen);
    if (fclose(file) != 0 || written != 0 || rename(temporary, path) != 0) {
        const int errnum = errno;
        (void)unlink(temporary);
        return sc_err_set_errno(err, EX_IOERR, errnum, "cannot write the port file %s", path);
    }
    return 0;
}

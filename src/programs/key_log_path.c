/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "programs/key_log_path.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/program.h"
#include "tls/key_log.h"

const char *sc_key_log_path(const char *program)
{
    struct sc_err err;
    const char *path = secure_getenv("SSLKEYLOGFILE");
    if (!path || !*path) {
        return NULL;
    }
    const int fd = sc_key_log_open(path, &err);
    if (fd < 0) {
        sc_program_warn(program, "%s", err.text);
        return NULL;
    }
    (void)close(fd);
    sc_program_warn(program, "SSLKEYLOGFILE is set: who reads %s can read what is sent", path);
    return path;
}

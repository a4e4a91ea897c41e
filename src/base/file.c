/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sysexits.h>
#include <unistd.h>

static int read_all(int fd, const char *path, size_t max_bytes, struct sc_file *out,
                    struct sc_err *err)
{
    if (fstat(fd, &out->stat) != 0) {
        return sc_err_set_errno(err, EX_NOINPUT, errno, "can't read %s", path);
    }
    if (S_ISDIR(out->stat.st_mode)) {
        return sc_err_set(err, EX_NOINPUT, "can't read %s: it is a directory; name a file in it",
                          path);
    }
    const bool null_device = S_ISCHR(out->stat.st_mode) && out->stat.st_rdev == makedev(1, 3);
    if (!S_ISREG(out->stat.st_mode) && !null_device) {
        return sc_err_set(err, EX_NOINPUT, "can't read %s: it is not a regular file", path);
    }
    /* The size from fstat() may be stale: the end is where read() says, within the bound. */
    size_t room = out->stat.st_size < 0 || (uintmax_t)out->stat.st_size > max_bytes
                      ? max_bytes
                      : (size_t)out->stat.st_size;
    out->length = 0;
    out->bytes = malloc(room + 2);
    if (!out->bytes) {
        return sc_err_set(err, EX_OSERR, "can't read %s: out of memory", path);
    }
    while (out->length <= room) {
        ssize_t got = read(fd, out->bytes + out->length, room + 1 - out->length);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return sc_err_set_errno(err, EX_NOINPUT, errno, "can't read %s", path);
        }
        if (got == 0) {
            out->bytes[out->length] = '\0';
            return 0;
        }
        out->length += (size_t)got;
    }
    if (room < max_bytes) {
        return sc_err_set(err, EX_NOINPUT, "can't read %s: it grew while it was read; try again",
                          path);
    }
    return sc_err_set(err, EX_NOINPUT,
                      "can't read %s: it is larger than %zu bytes; is it the right file?", path,
                      max_bytes);
}

static int open_and_read(const char *path, int flags, size_t max_bytes, struct sc_file *out,
                         struct sc_err *err)
{
    memset(out, 0, sizeof(*out));
    /* O_NONBLOCK: opening a FIFO must not wait for a writer. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | flags);
    if (fd < 0 && flags != 0 && errno == ELOOP) {
        return sc_err_set(err, EX_DATAERR, "%s is a symbolic link", path);
    }
    if (fd < 0) {
        return sc_err_set_errno(err, EX_NOINPUT, errno, "can't read %s", path);
    }
    int rc = read_all(fd, path, max_bytes, out, err);
    (void)close(fd);
    if (rc != 0) {
        sc_file_fini(out);
    }
    return rc;
}

int sc_file_read(const char *path, size_t max_bytes, struct sc_file *out, struct sc_err *err)
{
    return open_and_read(path, 0, max_bytes, out, err);
}

int sc_file_read_no_link(const char *path, size_t max_bytes, struct sc_file *out,
                         struct sc_err *err)
{
    return open_and_read(path, O_NOFOLLOW, max_bytes, out, err);
}

void sc_file_fini(struct sc_file *file)
{
    if (file->bytes) {
        explicit_bzero(file->bytes, file->length);
        free(file->bytes);
    }
    memset(file, 0, sizeof(*file));
}

void sc_file_directory(const char *path, char out[SC_FILE_PATH_BYTES])
{
    const char *slash = strrchr(path, '/');
    if (!slash) {
        (void)snprintf(out, SC_FILE_PATH_BYTES, ".");
    } else {
        (void)snprintf(out, SC_FILE_PATH_BYTES, "%.*s", slash == path ? 1 : (int)(slash - path),
                       path);
    }
}

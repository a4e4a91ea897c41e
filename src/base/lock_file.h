/* SPDX-License-Identifier: MIT */
/*
 * A file, or a directory, that one process at a time can lock, for the moments in which it looks at
 * something and then replaces it. The kernel releases the lock when a process ends. Thread: one.
 */
#ifndef SC_BASE_LOCK_FILE_H
#define SC_BASE_LOCK_FILE_H

#include "base/compiler.h"
#include "base/err.h"

#define SC_LOCK_FILE_PATH_BYTES 4128U /* a path and a suffix */

struct sc_lock_file {
    int fd;
    char path[SC_LOCK_FILE_PATH_BYTES];
};

/*
 * Makes and locks the file, mode 0600; waits up to `wait_ms` for another process that holds it.
 * On failure EX_UNAVAILABLE with the path and the reason; on success sc_lock_file_release() it.
 */
int sc_lock_file_take(struct sc_lock_file *lock, const char *path, unsigned wait_ms,
                      struct sc_err *err) SC_NODISCARD;

/* Removes the file. */
void sc_lock_file_release(struct sc_lock_file *lock);

/*
 * Locks the directory of `path`, without waiting: a descriptor, which holds the lock until it is
 * closed. -1: EX_NOINPUT it can't be opened, EX_TEMPFAIL another process holds it, EX_OSERR.
 */
int sc_lock_directory_of(const char *path, struct sc_err *err) SC_NODISCARD;

#endif

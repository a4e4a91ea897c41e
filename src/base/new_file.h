/* SPDX-License-Identifier: MIT */
/*
 * Files that appear whole or not at all: written beside their place under another name, made to
 * last, and then renamed. Thread: any.
 */
#ifndef SC_BASE_NEW_FILE_H
#define SC_BASE_NEW_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/compiler.h"
#include "base/err.h"
#include "base/file.h"

struct sc_new_file_settings {
    mode_t mode; /* whatever the umask is */

    /*
     * A file whose owner, group and right of the group to read the new one takes, as far as this
     * process may; what is not there counts as NULL. NULL: a file that root makes in a directory
     * of another account belongs to that account.
     */
    const char *like;

    bool own; /* the file belongs to this process's user, not to the account of its directory */

    /*
     * The caller holds a lock: no other process writes this file. Then what a process that was
     * killed had begun to write is written over; else it stays under its other name.
     */
    bool locked;
};

/* A file that is being written. */
struct sc_new_file {
    const char *path; /* borrowed */
    char temporary[SC_FILE_PATH_BYTES]; /* where it is until then; empty: nowhere */
};

/*
 * Writes the bytes and brings them to the disk, beside `path`. On failure (EX_CANTCREAT can't be
 * made, EX_IOERR can't be written) nothing is left. On success sc_new_file_put() or
 * sc_new_file_discard() it.
 */
int sc_new_file_write(struct sc_new_file *file, const char *path, const void *bytes, size_t size,
                      const struct sc_new_file_settings *settings, struct sc_err *err) SC_NODISCARD;

/*
 * Gives it its name. `replace` false and something has that name, also when it came there
 * meanwhile: EX_CANTCREAT. A symbolic link is replaced, not followed. On failure
 * sc_new_file_discard() it.
 */
int sc_new_file_put(struct sc_new_file *file, bool replace, struct sc_err *err) SC_NODISCARD;

void sc_new_file_discard(struct sc_new_file *file); /* fine on zeros, and after a success */

/* What sc_new_file_put() would refuse, as far as it can be known before anything is made. */
int sc_new_file_check(const char *path, bool replace, struct sc_err *err) SC_NODISCARD;

/* Renames a file within its directory, replacing what is there, and makes it last. */
int sc_new_file_rename(const char *from, const char *to, struct sc_err *err) SC_NODISCARD;

/* Makes the directories of the path that are not there, mode 0700. -1: EX_CANTCREAT. */
int sc_new_file_make_directories(const char *path, struct sc_err *err);

#endif

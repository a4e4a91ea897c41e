/* SPDX-License-Identifier: MIT */
/*
 * Where a program keeps a user's files (XDG Base Directory Specification), and whether one that
 * says which keys are trusted can be believed. Thread: any that does not change the environment.
 */
#ifndef SC_BASE_USER_FILE_H
#define SC_BASE_USER_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#include "base/compiler.h"
#include "base/err.h"

enum sc_user_directory {
    SC_USER_CONFIG, /* ${XDG_CONFIG_HOME:-~/.config}/space-captain */
    SC_USER_STATE, /* ${XDG_STATE_HOME:-~/.local/state}/space-captain */
};

/*
 * The path of the file with this name. False: there is no home directory, or the path does not fit;
 * `out` is not to be used then.
 */
bool sc_user_file_path(enum sc_user_directory directory, const char *name, char *out,
                       size_t out_size);

/* EX_DATAERR: another user than this one and root owns the file or can write it. */
int sc_user_file_check(const char *path, const struct stat *stat, struct sc_err *err) SC_NODISCARD;

#endif

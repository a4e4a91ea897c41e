/* SPDX-License-Identifier: MIT */
/*
 * Small files, read whole: settings, certificates, keys. One open and one pass, so that what is
 * checked is what is used, and a bound, so that a wrong path costs nothing. Thread: any.
 */
#ifndef SC_BASE_FILE_H
#define SC_BASE_FILE_H

#include <stddef.h>
#include <sys/stat.h>

#include "base/compiler.h"
#include "base/err.h"

#define SC_FILE_PATH_BYTES 4096U

struct sc_file {
    char *bytes; /* a NUL that does not count follows */
    size_t length;
    struct stat stat;
};

/*
 * Reads a regular file of at most `max_bytes`. EX_NOINPUT with the path and the reason: not there,
 * not readable, a directory, a device, too large. An empty file and /dev/null are read as no bytes.
 * On success sc_file_fini() it.
 */
int sc_file_read(const char *path, size_t max_bytes, struct sc_file *out,
                 struct sc_err *err) SC_NODISCARD;

/* The same for a file that must not be a symbolic link: EX_DATAERR. */
int sc_file_read_no_link(const char *path, size_t max_bytes, struct sc_file *out,
                         struct sc_err *err) SC_NODISCARD;

/* Overwrites the bytes, which may have been a key, and frees them. Fine on zeros. */
void sc_file_fini(struct sc_file *file);

/* The directory that a file is in: "." when the path names none. */
void sc_file_directory(const char *path, char out[SC_FILE_PATH_BYTES]);

#endif

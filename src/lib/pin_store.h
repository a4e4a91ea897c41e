/* SPDX-License-Identifier: MIT */
/*
 * A pin store: the file of the pins of servers, as lib/pin_store_text.h has it. Read without a
 * lock, since it is replaced as a whole; changed under the lock FILE.lock, written to FILE.new,
 * made to last and renamed, so that a kill or a full disk leaves the old one.
 *
 * It must be the user's own, or root's, a regular file, not a symbolic link, and not writable by
 * others. Thread: any; different processes and threads may use one file at once.
 */
#ifndef SC_LIB_PIN_STORE_H
#define SC_LIB_PIN_STORE_H

#include <stdbool.h>

#include "base/err.h"
#include "base/file.h"
#include "base/lock_file.h"
#include "base/new_file.h"
#include "lib/pin_store_text.h"

#define SC_PIN_STORE_PATH_BYTES SC_FILE_PATH_BYTES

/*
 * `given`, or without it ${XDG_STATE_HOME:-~/.local/state}/space-captain/known_pins. EX_USAGE: it
 * is too long, or there is no home.
 */
int sc_pin_store_path(const char *given, char out[SC_PIN_STORE_PATH_BYTES],
                      struct sc_err *err) SC_NODISCARD;

/* A store as it is read, and what is to be changed about one server. */
struct sc_pin_store {
    const char *path, *server; /* borrowed */
    struct sc_pin_store_pins pins; /* of the server */
    struct sc_file file; /* as it was read; zeros: there is none */
    struct sc_lock_file lock;
    bool is_locked;
};

/*
 * Reads it; a file that is not there has no pins. EX_DATAERR it is refused, EX_NOINPUT, EX_OSERR.
 * After success and failure sc_pin_store_fini().
 */
int sc_pin_store_read(struct sc_pin_store *store, const char *path, const char *server,
                      struct sc_err *err) SC_NODISCARD;

/*
 * The same to change it: waits for the lock, and makes the directories that are not there, mode
 * 0700. EX_CANTCREAT: it can't be locked within ten seconds.
 */
int sc_pin_store_lock(struct sc_pin_store *store, const char *path, const char *server,
                      struct sc_err *err) SC_NODISCARD;

/* Writes store->pins, under the lock. EX_CANTCREAT, EX_IOERR: then the file is as it was. */
int sc_pin_store_write(struct sc_pin_store *store, struct sc_err *err) SC_NODISCARD;

void sc_pin_store_fini(struct sc_pin_store *store);

#endif

/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "lib/pin_store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/user_file.h"

#define MAX_BYTES ((size_t)1 << 20)
#define LOCK_WAIT_MS 10000U

int sc_pin_store_path(const char *given, char out[SC_PIN_STORE_PATH_BYTES], struct sc_err *err)
{
    const size_t room = SC_PIN_STORE_PATH_BYTES - sizeof(".lock");
    if (!given) {
        return sc_user_file_path(SC_USER_STATE, "known_pins", out, room)
                   ? 0
                   : sc_err_set(err, EX_USAGE,
                                "there is no home directory for the pin store, or its path is too "
                                "long: name a file");
    }
    const int length = snprintf(out, room, "%s", given);
    return length > 0 && (size_t)length < room
               ? 0
               : sc_err_set(err, EX_USAGE, "the path of the pin store is empty or too long");
}

static int check_rights(const char *path, const struct stat *stat, struct sc_err *err)
{
    if (!S_ISREG(stat->st_mode)) { /* /dev/null, which can be read, must not be replaced */
        return sc_err_set(err, EX_NOINPUT, "can't read %s: it is not a regular file", path);
    }
    return sc_user_file_check(path, stat, err);
}

static int read_file(struct sc_pin_store *store, struct sc_err *err)
{
    struct stat there;
    const char *path = store->path;
    if (lstat(path, &there) != 0 && (errno == ENOENT || errno == ENOTDIR)) {
        return 0;
    }
    return sc_file_read_no_link(path, MAX_BYTES, &store->file, err) != 0 ||
                   check_rights(path, &store->file.stat, err) != 0 ||
                   sc_pin_store_find(store->file.bytes, store->file.length, path, store->server,
                                     &store->pins, err) != 0
               ? -1
               : 0;
}

int sc_pin_store_read(struct sc_pin_store *store, const char *path, const char *server,
                      struct sc_err *err)
{
    *store = (struct sc_pin_store){.path = path, .server = server};
    return read_file(store, err) == 0 ? 0 : sc_err_prefix(err, "the pin store");
}

int sc_pin_store_lock(struct sc_pin_store *store, const char *path, const char *server,
                      struct sc_err *err)
{
    char lock_path[SC_LOCK_FILE_PATH_BYTES];
    *store = (struct sc_pin_store){.path = path, .server = server};
    (void)snprintf(lock_path, sizeof(lock_path), "%s.lock", path);
    if (sc_new_file_make_directories(path, err) != 0 ||
        sc_lock_file_take(&store->lock, lock_path, LOCK_WAIT_MS, err) != 0) {
        if (err) {
            err->status = EX_CANTCREAT;
        }
        return sc_err_prefix(err, "the pin store");
    }
    store->is_locked = true;
    return read_file(store, err) == 0 ? 0 : sc_err_prefix(err, "the pin store");
}

int sc_pin_store_write(struct sc_pin_store *store, struct sc_err *err)
{
    const struct sc_new_file_settings settings = {.mode = 0600, .locked = true, .own = true};
    struct sc_new_file file = {0};
    char date[SC_CLOCK_RFC3339_BYTES + 1];
    size_t length;
    sc_clock_rfc3339(sc_clock_wall(), date);
    (void)strcpy(date + strlen("2026-11-22T00:12:43"), "Z"); /* without the microseconds */
    const char *old = store->file.bytes ? store->file.bytes : "";
    char *text =
        sc_pin_store_edit(old, store->file.length, store->server, &store->pins, date, &length);
    if (!text) {
        return sc_err_set(err, EX_OSERR, "the pin store: out of memory");
    }
    int rc = length > MAX_BYTES ? sc_err_set(err, EX_CANTCREAT, "%s has no room", store->path) : 0;
    if (rc == 0) {
        rc = sc_new_file_write(&file, store->path, text, length, &settings, err);
    }
    if (rc == 0 && (rc = sc_new_file_put(&file, true, err)) != 0) {
        sc_new_file_discard(&file);
    }
    free(text);
    return rc == 0 ? 0 : sc_err_prefix(err, "the pin store");
}

void sc_pin_store_fini(struct sc_pin_store *store)
{
    if (store->is_locked) {
        sc_lock_file_release(&store->lock);
        store->is_locked = false;
    }
    sc_file_fini(&store->file);
}

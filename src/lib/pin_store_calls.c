/* SPDX-License-Identifier: MIT */
/* The calls about a pin store that need no connection. */
#include "config.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "lib/engine.h"
#include "lib/pin_store.h"
#include "lib/sized.h"

/* The file and the name of the server in it. */
static int find(const char *path, const char *address, char file[SC_PIN_STORE_PATH_BYTES],
                char server[SC_PIN_STORE_SERVER_BYTES], struct sc_err *err)
{
    struct sc_address parsed;
    return sc_pin_store_path(path, file, err) != 0 ||
                   sc_parse_server_address(address, SC_PROTOCOL_PORT, &parsed, err) != 0 ||
                   sc_pin_store_server(&parsed, server, err) != 0
               ? -1
               : 0;
}

int sc_client_stored_pin(const char *path, const char *address, unsigned index,
                         struct sc_client_stored_pin *out, struct sc_client_error *error)
{
    char found[SC_PIN_STORE_PATH_BYTES], server[SC_PIN_STORE_SERVER_BYTES];
    struct sc_client_stored_pin all = SC_CLIENT_STORED_PIN_INIT;
    struct sc_pin_store store;
    struct sc_err err;
    if (find(path, address, found, server, &err) != 0) {
        return sc_lib_error(error, &err);
    }
    const int rc = sc_pin_store_read(&store, found, server, &err);
    const bool is_there = rc == 0 && index < store.pins.count;
    if (is_there) {
        memcpy(all.pin, store.pins.list[index].pin, sizeof(all.pin));
        all.line = store.pins.list[index].line;
        (void)snprintf(all.path, sizeof(all.path), "%.511s", found);
        sc_sized_copy(out, &all, sizeof(all));
    }
    sc_pin_store_fini(&store);
    return rc == 0 ? is_there : sc_lib_error(error, &err);
}

static int store(const char *path, const char *server, const struct sc_pin_store_line *line,
                 struct sc_err *err)
{
    struct sc_pin_store file;
    int rc = sc_pin_store_lock(&file, path, server, err);
    if (rc == 0 && sc_pin_store_index(&file.pins, line->pin) == file.pins.count) {
        if (file.pins.count > 0) {
            rc = sc_err_set(err, SC_EXIT_PIN, "%s:%u: another pin of this server is stored", path,
                            file.pins.list[0].line);
        } else {
            sc_pin_store_add(&file.pins, line->pin, line->how);
            rc = sc_pin_store_write(&file, err);
        }
    }
    sc_pin_store_fini(&file);
    return rc;
}

int sc_client_store_pin(const char *path, const char *address, const uint8_t pin[32],
                        const char *how, struct sc_client_error *error)
{
    char found[SC_PIN_STORE_PATH_BYTES], text[SC_PIN_STORE_LINE_BYTES];
    struct sc_pin_store_line line = {.date = "2026-11-22T00:12:43Z"}, again;
    struct sc_err err;
    bool is_remark;
    if (find(path, address, found, line.server, &err) != 0) {
        return sc_lib_error(error, &err);
    }
    memcpy(line.pin, pin, sizeof(line.pin));
    (void)snprintf(line.how, sizeof(line.how), "%s", how);
    const size_t length = sc_pin_store_format_line(&line, text) - 1;
    if (sc_pin_store_parse_line(text, length, &again, &is_remark) || strcmp(again.how, how) != 0) {
        (void)sc_err_set(&err, EX_USAGE, "\"%.40s\" is not a word of small letters", how);
        return sc_lib_error(error, &err);
    }
    return store(found, line.server, &line, &err) == 0 ? 0 : sc_lib_error(error, &err);
}

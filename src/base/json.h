/* SPDX-License-Identifier: MIT */
/*
 * Reads JSON (RFC 8259), strictly: what is not JSON is refused with the place of the fault. It
 * builds no tree: each value is reported with its path when it has been read. Thread: any.
 */
#ifndef SC_BASE_JSON_H
#define SC_BASE_JSON_H

#include <stddef.h>

#include "base/compiler.h"
#include "base/err.h"

#define SC_JSON_MAX_DEPTH 32U
#define SC_JSON_PATH_BYTES 256U

/*
 * A value: objects and arrays too, after what is in them. `path` is "errors.total" or
 * "list.0.name", "" that of the whole; `text` is the value as it stands there, a string without
 * its quotes and with its escapes. Both are good until the call returns.
 */
typedef void sc_json_on_value(void *arg, const char *path, const char *text, size_t length);

/*
 * Reads all of `text`, which a NUL follows that does not count. EX_DATAERR: it is not JSON, is
 * nested too deep or has a path that is too long; what was reported before does not count then.
 */
int sc_json_read(const char *text, size_t length, sc_json_on_value *on_value, void *arg,
                 struct sc_err *err) SC_NODISCARD;

#endif

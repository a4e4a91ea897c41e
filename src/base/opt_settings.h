/* SPDX-License-Identifier: MIT */
/*
 * What options were given, in order, with their arguments and where they come from: collected
 * first, from the command line and then from a file that it names, and acted upon afterwards.
 * Thread: that of the caller.
 */
#ifndef SC_BASE_OPT_SETTINGS_H
#define SC_BASE_OPT_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/opt.h"

struct sc_opt_setting {
    const struct sc_opt *option;
    char *value; /* NULL: it has none */
    char *where; /* "--pin", or "FILE:LINE: [SECTION] pin" */
    bool is_argument; /* of the command line */
};

/* Zeros are an empty list. */
struct sc_opt_settings {
    struct sc_opt_setting *list;
    size_t count;
};

/* Appends copies; `where` NULL: the command line. Fails with EX_OSERR only. */
int sc_opt_settings_add(struct sc_opt_settings *settings, const struct sc_opt *option,
                        const char *value, const char *where, struct sc_err *err) SC_NODISCARD;

/* The last one of the option with this name; NULL: it was not given. */
struct sc_opt_setting *sc_opt_settings_find(const struct sc_opt_settings *settings,
                                            const char *name);

/* Removes the last of all. */
void sc_opt_settings_drop(struct sc_opt_settings *settings);

void sc_opt_settings_fini(struct sc_opt_settings *settings);

#endif

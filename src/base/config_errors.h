/* SPDX-License-Identifier: MIT */
/*
 * What is wrong with a command line, a configuration file and the files that it names: a line for
 * each, as in "FILE:LINE: [SECTION] KEY: what is wrong; what is expected". Zero-initialised by the
 * caller. Thread: that of the caller.
 */
#ifndef SC_BASE_CONFIG_ERRORS_H
#define SC_BASE_CONFIG_ERRORS_H

#include <stddef.h>

#include "base/compiler.h"

#define SC_CONFIG_MAX_ERRORS 20U

struct sc_config_errors {
    int status; /* exit status of the first error: EX_USAGE command line, EX_NOINPUT file not
                   readable, EX_CONFIG its content, EX_OSERR; 0: no error */
    size_t count; /* lines in `text` */
    size_t dropped; /* errors beyond them; the last line says how many */
    char text[SC_CONFIG_MAX_ERRORS + 1][768];
};

/* Adds a line, with control characters as '?'. Always returns -1. */
int sc_config_error(struct sc_config_errors *errors, int status, const char *fmt, ...)
    SC_PRINTF(3, 4);

int sc_config_out_of_memory(struct sc_config_errors *errors);

#endif

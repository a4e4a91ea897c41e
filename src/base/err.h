/* SPDX-License-Identifier: MIT */
/*
 * An error that is propagated: what failed and why, human-readable, and the exit status that a
 * program ends with if nothing handles it. Functions that can fail return 0 / -1 (or a
 * pointer / NULL) and take a `struct sc_err *` as their last argument; it is written only on
 * failure and may be NULL. Errors are logged or printed once, by the layer that decides.
 */
#ifndef SC_BASE_ERR_H
#define SC_BASE_ERR_H

#include <stddef.h>

#include "base/compiler.h"

/*
 * Exit statuses beside those of sysexits.h; the first three are curl's numbers for the same thing.
 */
enum {
    SC_EXIT_HANDSHAKE = 35, /* the TLS handshake failed */
    SC_EXIT_UNTRUSTED = 60, /* no pin is known for this server */
    SC_EXIT_PIN = 90, /* the server's key matches no pin; nothing was sent */
    SC_EXIT_THRESHOLD = 99, /* sc-bench: an expectation was missed */
    SC_EXIT_INTERRUPTED = 130, /* by SIGINT, as a shell shows it */
};

struct sc_err {
    int status; /* exit status: sysexits.h or SC_EXIT_*; never 0 */
    char text[768]; /* "what failed: why; the way out", one line, no program name, no newline */
};

/*
 * Writes status and text. Always returns -1, so that a caller can end with `return
 * sc_err_set(...)`.
 */
int sc_err_set(struct sc_err *err, int status, const char *fmt, ...) SC_PRINTF(3, 4);

/* Like sc_err_set(), and appends ": " and the text of `errnum` (an errno value). */
int sc_err_set_errno(struct sc_err *err, int status, int errnum, const char *fmt, ...)
    SC_PRINTF(4, 5);

/* The text of an errno value, in `buffer` or in static memory. Thread: any, unlike strerror(3). */
const char *sc_err_errno_text(int errnum, char *buffer, size_t buffer_size);

/* Puts "PREFIX: " in front of the text. Always returns -1. */
int sc_err_prefix(struct sc_err *err, const char *fmt, ...) SC_PRINTF(2, 3);

#endif

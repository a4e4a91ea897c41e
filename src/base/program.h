/* SPDX-License-Identifier: MIT */
/*
 * What all programs do alike: one error line on stderr, the exit status, and never a success that
 * was not written. A main function ends with `return sc_program_end(NAME, status)`.
 * Thread: the main one.
 */
#ifndef SC_BASE_PROGRAM_H
#define SC_BASE_PROGRAM_H

#include "base/err.h"

/*
 * First in main: a standard descriptor that is closed would be taken by a file or a socket, which
 * would then get what is meant for stderr. The stand-in is /dev/null opened the wrong way round,
 * so that using it is an error.
 */
void sc_program_start(void);

/*
 * Prints "PROGRAM: TEXT" on stderr, one line whatever the text holds; nothing when it is empty.
 * Returns err->status. This and the other lines on stderr are lost when its reader does not take
 * them for two seconds.
 */
int sc_program_fail(const char *program, const struct sc_err *err);

/*
 * Prints "PROGRAM: WHAT: WHY; try 'PROGRAM --help'", where the format makes "WHAT: WHY". Returns
 * EX_USAGE.
 */
int sc_program_usage(const char *program, const char *fmt, ...) SC_PRINTF(2, 3);

/* The way out of a usage error; %s is the program. */
#define SC_PROGRAM_TRY "; try '%s --help'"

/*
 * What getopt_long() returned '?' or ':' for, as a usage error; needs opterr 0 and an optstring
 * that starts with ':' (after '+' or '-'). Returns EX_USAGE.
 */
int sc_program_bad_option(const char *program, int result, int argc, char *const argv[]);

/* The same as an error, which is not printed. Always returns -1. */
int sc_program_option_err(struct sc_err *err, const char *program, int result, int argc,
                          char *const argv[]);

/* Prints a warning: "PROGRAM: warning: TEXT". */
void sc_program_warn(const char *program, const char *fmt, ...) SC_PRINTF(2, 3);

/*
 * Flushes stdout. -1: something could not be written, EX_IOERR; the text is empty when stdout is a
 * pipe whose reader has gone, as with `| head`: that is not reported.
 */
int sc_program_flush(struct sc_err *err) SC_NODISCARD;

/*
 * sc_program_flush() at the end of main. Returns `status`, or EX_IOERR (and says why on stderr) for
 * EX_OK when something could not be written, as to /dev/full.
 */
int sc_program_end(const char *program, int status);

#endif

/* SPDX-License-Identifier: MIT */
/* SSLKEYLOGFILE, as all client programs honour it. Thread: the main one. */
#ifndef SC_PROGRAMS_KEY_LOG_PATH_H
#define SC_PROGRAMS_KEY_LOG_PATH_H

/*
 * The file that it names, with one warning; NULL when it is not set, when the program runs with
 * more rights than its caller, or, with a warning, when the file can't be written.
 */
const char *sc_key_log_path(const char *program);

#endif

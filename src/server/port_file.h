/* SPDX-License-Identifier: MIT */
/*
 * The file that says where a server listens, for the program that started it on a port of the
 * system's choice. Thread: the main one.
 */
#ifndef SC_SERVER_PORT_FILE_H
#define SC_SERVER_PORT_FILE_H

#include "base/err.h"
#include "net/listen.h"

/*
 * Writes the real addresses, one a line; the file appears whole or not at all (EX_CANTCREAT,
 * EX_IOERR).
 */
int sc_port_file_write(const char *path, const struct sc_listen *listen,
                       struct sc_err *err) SC_NODISCARD;

#endif

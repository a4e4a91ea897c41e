/* SPDX-License-Identifier: MIT */
/*
 * The file of SSLKEYLOGFILE: TLS secrets, a line each, for debugging. Thread: any; programs may
 * share the file.
 */
#ifndef SC_TLS_KEY_LOG_H
#define SC_TLS_KEY_LOG_H

#include "base/err.h"

/*
 * Opens it for appending; made with mode 0600. The descriptor, or -1 (EX_CANTCREAT): a FIFO must
 * have a reader.
 */
int sc_key_log_open(const char *path, struct sc_err *err) SC_NODISCARD;

/*
 * One write(2) that does not wait, so that lines do not mix; `line` without its newline. What fails
 * is lost, without a signal.
 */
void sc_key_log_write(int fd, const char *line);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * OpenSSL's error queue into an sc_err: the whole queue, oldest first, reasons only, one line. The
 * queue of the thread is empty afterwards. Thread: any, each its own queue.
 */
#ifndef SC_TLS_ERROR_H
#define SC_TLS_ERROR_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

/*
 * Sets `status` and "WHAT: reason (data), reason, ..."; "unknown reason" when the queue is empty.
 * Out of memory is EX_OSERR and called that, whatever else OpenSSL made of it. Always returns -1.
 */
int sc_tls_err(struct sc_err *err, int status, const char *fmt, ...) SC_PRINTF(3, 4);

/* Whether OpenSSL ran out of memory: it is the first or the last entry of the queue, which stays.
 */
bool sc_tls_is_out_of_memory(void);

/*
 * Empties the queue, as must be done before a call whose result SSL_get_error(3) is asked about.
 * ERR_clear_error(3) costs 840 instructions when it is empty already, this 200.
 */
void sc_tls_forget_errors(void);

/* The queue as text. Returns how many entries there were. */
unsigned sc_tls_take_errors(char *out, size_t out_size);

#endif

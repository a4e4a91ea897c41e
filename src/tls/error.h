/*
 * OpenSSL's error queue into an sc_err: the whole queue, oldest first, reasons only, one line. The
 * queue of the thread is empty afterwards. Thread: any, each its own queue.
 */
#ifndef SC_TLS_ERROR_H
#define SC_TLS_ERROR_H

#include <stddef.h>

#include "base/err.h"

/*
 * Sets `status` and "WHAT: reason (data), reason, ..."; "unknown reason" when the queue is empty.
 * Always returns -1.
 */
int sc_tls_err(struct sc_err *err, int status, const char *fmt, ...) SC_PRINTF(3, 4);

/* The queue as text. Returns how many entries there were. */
unsigned sc_tls_take_errors(char *out, size_t out_size);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * What a call of OpenSSL that did not succeed means to a client, and what it says when TLS has
 * ended a connection. Thread: the SSL's.
 */
#ifndef SC_TLS_OUTCOME_H
#define SC_TLS_OUTCOME_H

#include <stdbool.h>
#include <stdint.h>

#include <openssl/ssl.h>

#include "base/err.h"
#include "tls/explain.h"

enum sc_tls_outcome_kind {
    SC_TLS_WANTS_READ,
    SC_TLS_WANTS_WRITE,
    SC_TLS_CLOSED, /* the peer has sent close_notify */
    SC_TLS_CUT, /* the transport has ended without it */
    SC_TLS_TRANSPORT_FAILED, /* `error_number` says how */
    SC_TLS_FAILED, /* TLS itself; an alert may have been sent */
    SC_TLS_OUT_OF_MEMORY,
};

struct sc_tls_outcome {
    enum sc_tls_outcome_kind kind;
    enum sc_tls_end end; /* for the functions of tls/explain.h, unless it wants something */
    unsigned long code; /* the first entry of OpenSSL's error queue, 0: there was none */
    int error_number; /* an errno value, 0: none */
};

/*
 * `result` is what SSL_do_handshake(), SSL_read() or SSL_write() has returned, 0 or less, and
 * `error_number` errno after it; both errno and the error queue were empty before. The queue is
 * empty afterwards.
 */
struct sc_tls_outcome sc_tls_outcome_of(const SSL *ssl, int result, int error_number);

/* "the TLS handshake with TARGET failed: WHY", or the connection: SC_EXIT_HANDSHAKE. Returns -1. */
int sc_tls_failed(struct sc_err *err, bool in_handshake, const char *target, const char *why);

/* The same, with why as sc_tls_describe_failure() has it; without memory it is EX_OSERR. */
int sc_tls_outcome_err(struct sc_err *err, const struct sc_tls_outcome *outcome,
                       const struct sc_tls_watch *watch, bool in_handshake, const char *target);

/* After its handshake the server sends TLS messages, and no data in them: EX_PROTOCOL. -1. */
int sc_tls_flooded(struct sc_err *err, const char *target);

/* "the TLS handshake with TARGET timed out after TIME: WHY": EX_TEMPFAIL. Returns -1. */
int sc_tls_timed_out(struct sc_err *err, const char *target, uint64_t timeout_ms, const char *why);

#endif

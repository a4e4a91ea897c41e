/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "tls/outcome.h"

#include <errno.h>
#include <sysexits.h>

#include <openssl/err.h>

#include "base/parse.h"
#include "tls/error.h"

static enum sc_tls_outcome_kind kind_of(int why, unsigned long code, int error_number)
{
    switch (why) {
    case SSL_ERROR_WANT_WRITE: return SC_TLS_WANTS_WRITE;
    case SSL_ERROR_ZERO_RETURN: return SC_TLS_CLOSED;
    case SSL_ERROR_SYSCALL: return error_number == 0 ? SC_TLS_CUT : SC_TLS_TRANSPORT_FAILED;
    default:
        return ERR_GET_REASON(code) == SSL_R_UNEXPECTED_EOF_WHILE_READING ? SC_TLS_CUT
                                                                          : SC_TLS_FAILED;
    }
}

struct sc_tls_outcome sc_tls_outcome_of(const SSL *ssl, int result, int error_number)
{
    const int why = SSL_get_error(ssl, result);
    if (why == SSL_ERROR_WANT_READ) { /* the usual one: the queue is empty */
        return (struct sc_tls_outcome){
            .kind = SC_TLS_WANTS_READ, .end = SC_TLS_END_ERROR, .error_number = error_number};
    }
    struct sc_tls_outcome outcome = {.code = ERR_peek_error(), .error_number = error_number};
    outcome.kind =
        sc_tls_is_out_of_memory() ? SC_TLS_OUT_OF_MEMORY : kind_of(why, outcome.code, error_number);
    outcome.end = outcome.kind == SC_TLS_CLOSED || outcome.kind == SC_TLS_CUT ? SC_TLS_END_EOF
                  : outcome.kind == SC_TLS_TRANSPORT_FAILED &&
                          (error_number == ECONNRESET || error_number == EPIPE)
                      ? SC_TLS_END_RESET
                      : SC_TLS_END_ERROR;
    ERR_clear_error();
    return outcome;
}

int sc_tls_failed(struct sc_err *err, bool in_handshake, const char *target, const char *why)
{
    return sc_err_set(err, SC_EXIT_HANDSHAKE, "the TLS %s with %s failed: %s",
                      in_handshake ? "handshake" : "connection", target, why);
}

int sc_tls_outcome_err(struct sc_err *err, const struct sc_tls_outcome *outcome,
                       const struct sc_tls_watch *watch, bool in_handshake, const char *target)
{
    char why[256];
    if (outcome->kind == SC_TLS_OUT_OF_MEMORY) {
        (void)sc_tls_failed(err, in_handshake, target, "out of memory");
        err->status = EX_OSERR;
        return -1;
    }
    sc_tls_describe_failure(watch, outcome->end, outcome->code, why, sizeof(why));
    return sc_tls_failed(err, in_handshake, target, why);
}

int sc_tls_flooded(struct sc_err *err, const char *target)
{
    return sc_err_set(err, EX_PROTOCOL,
                      "%s broke the protocol: it keeps sending TLS messages without data", target);
}

int sc_tls_timed_out(struct sc_err *err, const char *target, uint64_t timeout_ms, const char *why)
{
    char time[32];
    sc_format_duration_ms(timeout_ms, time);
    return sc_err_set(err, EX_TEMPFAIL, "the TLS handshake with %s timed out after %s: %s", target,
                      time, why);
}

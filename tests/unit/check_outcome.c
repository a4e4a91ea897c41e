/* SPDX-License-Identifier: MIT */
/* What a call of OpenSSL that did not succeed means. */
#include "config.h"

#include "tls/outcome.h"

#include <errno.h>
#include <string.h>
#include <sysexits.h>

#include <openssl/err.h>

#include "base/compiler.h"
#include "suite.h"
#include "tls/watch.h"

static SSL_CTX *context;
static SSL *ssl;

static void set_up(void)
{
    ck_assert_ptr_nonnull(context = SSL_CTX_new(TLS_client_method()));
    ck_assert_ptr_nonnull(ssl = SSL_new(context));
}

static void tear_down(void)
{
    SSL_free(ssl);
    SSL_CTX_free(context);
}

/* `reason` of the error in OpenSSL's queue, 0: there is none, and errno says what it was. */
static struct sc_tls_outcome outcome_of(int reason, int error_number)
{
    if (reason != 0) {
        ERR_raise(ERR_LIB_SSL, reason);
    }
    const struct sc_tls_outcome outcome = sc_tls_outcome_of(ssl, -1, error_number);
    ck_assert_uint_eq(ERR_peek_error(), 0); /* else it is taken for the next call's */
    ck_assert_int_eq(outcome.error_number, error_number);
    return outcome;
}

START_TEST(each_end_has_its_kind)
{
    static const struct {
        int reason, error_number;
        enum sc_tls_outcome_kind kind;
        enum sc_tls_end end;
    } rows[] = {
        {0, 0, SC_TLS_CUT, SC_TLS_END_EOF},
        {0, ECONNRESET, SC_TLS_TRANSPORT_FAILED, SC_TLS_END_RESET},
        {0, EPIPE, SC_TLS_TRANSPORT_FAILED, SC_TLS_END_RESET},
        {0, ETIMEDOUT, SC_TLS_TRANSPORT_FAILED, SC_TLS_END_ERROR},
        {SSL_R_UNEXPECTED_EOF_WHILE_READING, 0, SC_TLS_CUT, SC_TLS_END_EOF},
        {SSL_R_BAD_SIGNATURE, 0, SC_TLS_FAILED, SC_TLS_END_ERROR},
        {ERR_R_MALLOC_FAILURE, 0, SC_TLS_OUT_OF_MEMORY, SC_TLS_END_ERROR},
    };
    set_up();
    for (size_t i = 0; i < SC_COUNT_OF(rows); i++) {
        const struct sc_tls_outcome outcome = outcome_of(rows[i].reason, rows[i].error_number);
        ck_assert_msg(outcome.kind == rows[i].kind, "row %zu: kind %d", i, outcome.kind);
        ck_assert_msg(outcome.end == rows[i].end, "row %zu: end %d", i, outcome.end);
    }
    tear_down();
}
END_TEST

START_TEST(statuses)
{
    struct sc_tls_watch watch;
    struct sc_err err;
    set_up();
    sc_tls_watch_init(&watch);
    struct sc_tls_outcome outcome = outcome_of(SSL_R_BAD_SIGNATURE, 0);
    ck_assert_int_eq(sc_tls_outcome_err(&err, &outcome, &watch, true, "it"), -1);
    ck_assert_int_eq(err.status, SC_EXIT_HANDSHAKE);
    ck_assert_int_eq(strncmp(err.text, "the TLS handshake with it failed: ", 34), 0);
    outcome = outcome_of(ERR_R_MALLOC_FAILURE, 0);
    ck_assert_int_eq(sc_tls_outcome_err(&err, &outcome, &watch, false, "it"), -1);
    ck_assert_int_eq(err.status, EX_OSERR);
    ck_assert_str_eq(err.text, "the TLS connection with it failed: out of memory");
    ck_assert_int_eq(sc_tls_timed_out(&err, "it", 1500, "nothing came"), -1);
    ck_assert_int_eq(err.status, EX_TEMPFAIL);
    ck_assert_str_eq(err.text, "the TLS handshake with it timed out after 1500ms: nothing came");
    tear_down();
}
END_TEST

SUITE_MAIN("outcome", each_end_has_its_kind, statuses)

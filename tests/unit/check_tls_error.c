/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "tls/error.h"

#include <errno.h>
#include <string.h>
#include <sysexits.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>

#include "suite.h"

/* What is in the queue, the oldest first. */
static void expect_text(const char *expected, unsigned count)
{
    char text[512];
    ck_assert_uint_eq(sc_tls_take_errors(text, sizeof(text)), count);
    ck_assert_str_eq(text, expected);
    ck_assert_uint_eq(ERR_peek_error(), 0);
}

static void start(void)
{
    ck_assert_int_eq(OPENSSL_init_ssl(OPENSSL_INIT_LOAD_SSL_STRINGS, NULL), 1);
    ERR_clear_error();
}

START_TEST(all_of_the_queue_in_order)
{
    start();
    expect_text("", 0);
    ERR_raise(ERR_LIB_SSL, SSL_R_BAD_PACKET);
    expect_text("bad packet", 1);
    ERR_raise(ERR_LIB_SSL, SSL_R_BAD_PACKET);
    ERR_raise_data(ERR_LIB_SSL, SSL_R_NO_SHARED_CIPHER, "%s", "name");
    ERR_raise(ERR_LIB_SSL, SSL_R_HTTP_REQUEST);
    expect_text("bad packet, no shared cipher (name), http request", 3);
    /* Layers of OpenSSL repeat a reason. */
    ERR_raise(ERR_LIB_SSL, SSL_R_BAD_PACKET);
    ERR_raise(ERR_LIB_SSL, SSL_R_BAD_PACKET);
    expect_text("bad packet", 2);
    ERR_raise(ERR_LIB_SSL, SSL_R_BAD_PACKET);
    ERR_raise_data(ERR_LIB_SSL, SSL_R_BAD_PACKET, "more");
    expect_text("bad packet, bad packet (more)", 2);
}
END_TEST

START_TEST(reasons_of_the_system_and_unknown_ones)
{
    start();
    ERR_raise_data(ERR_LIB_SYS, ENOENT, "open");
    expect_text("No such file or directory (open)", 1);
    ERR_raise(ERR_LIB_USER, 77);
    char expected[64];
    (void)snprintf(expected, sizeof(expected), "error %lX", ERR_PACK(ERR_LIB_USER, 0, 77));
    expect_text(expected, 1);
}
END_TEST

/* A file name, or what a peer sent: the text stays one line. */
START_TEST(data_is_escaped)
{
    start();
    ERR_raise_data(ERR_LIB_SSL, SSL_R_BAD_PACKET, "a\nb\x1b[2J\x7f");
    expect_text("bad packet (a\\x0ab\\x1b[2J\\x7f)", 1);
}
END_TEST

START_TEST(what_does_not_fit_is_cut)
{
    char text[64];
    for (size_t size = 1; size < 40; size++) {
        start();
        memset(text, '?', sizeof(text));
        ERR_raise(ERR_LIB_SSL, SSL_R_BAD_PACKET);
        ERR_raise_data(ERR_LIB_SSL, SSL_R_NO_SHARED_CIPHER, "name");
        ck_assert_uint_eq(sc_tls_take_errors(text, size), 2);
        ck_assert_uint_lt(strlen(text), size);
        ck_assert_int_eq(text[size], '?');
        ck_assert_int_eq(strncmp(text, "bad packet, no shared cipher (name)", strlen(text)), 0);
    }
    start();
    ERR_raise(ERR_LIB_SSL, SSL_R_BAD_PACKET);
    ck_assert_uint_eq(sc_tls_take_errors(NULL, 0), 1);
    ck_assert_uint_eq(ERR_peek_error(), 0);
}
END_TEST

START_TEST(as_an_error)
{
    struct sc_err err;
    start();
    ERR_raise(ERR_LIB_SSL, SSL_R_BAD_PACKET);
    ck_assert_int_eq(sc_tls_err(&err, EX_CONFIG, "can't read %s", "x"), -1);
    ck_assert_int_eq(err.status, EX_CONFIG);
    ck_assert_str_eq(err.text, "can't read x: bad packet");
    ck_assert_int_eq(sc_tls_err(&err, EX_OSERR, "x"), -1);
    ck_assert_str_eq(err.text, "x: unknown reason");
    ERR_raise(ERR_LIB_SSL, SSL_R_BAD_PACKET);
    ck_assert_int_eq(sc_tls_err(NULL, EX_OSERR, "x"), -1);
    ck_assert_uint_eq(ERR_peek_error(), 0);
}
END_TEST

START_TEST(out_of_memory_is_called_that)
{
    struct sc_err err;
    start();
    ck_assert(!sc_tls_is_out_of_memory());
    ERR_raise(ERR_LIB_X509, ERR_R_MALLOC_FAILURE);
    ERR_raise(ERR_LIB_ASN1, ERR_R_NESTED_ASN1_ERROR);
    ck_assert(sc_tls_is_out_of_memory());
    ck_assert_int_eq(sc_tls_err(&err, EX_DATAERR, "a file is damaged"), -1);
    ck_assert_int_eq(err.status, EX_OSERR);
    ck_assert_str_eq(err.text, "a file is damaged: out of memory");
    ck_assert_uint_eq(ERR_peek_error(), 0);
    ERR_raise(ERR_LIB_EVP, EVP_R_INITIALIZATION_ERROR);
    ERR_raise(ERR_LIB_X509, ERR_R_MALLOC_FAILURE);
    ck_assert(sc_tls_is_out_of_memory());
    ERR_clear_error();
}
END_TEST

SUITE_MAIN("tls_error", all_of_the_queue_in_order, reasons_of_the_system_and_unknown_ones,
           data_is_escaped, what_does_not_fit_is_cut, as_an_error, out_of_memory_is_called_that)

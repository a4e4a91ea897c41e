/* SPDX-License-Identifier: MIT */
/* What the tests of tls/keygen need. */
#ifndef SC_TESTS_KEYGEN_FIXTURE_H
#define SC_TESTS_KEYGEN_FIXTURE_H

#include <check.h>
#include <string.h>

#include <openssl/err.h>

#include "tls/keygen.h"

static const char *const two_names[] = {"localhost", "127.0.0.1"};

static inline EVP_PKEY *make_key(void)
{
    struct sc_err err;
    EVP_PKEY *key = sc_keygen_key(SC_KEY_EC_P256, 0, &err);
    ck_assert_ptr_nonnull(key);
    return key;
}

static inline X509 *make_certificate(EVP_PKEY *key)
{
    struct sc_err err;
    X509 *certificate = sc_keygen_certificate(key, two_names, 2, 30, &err);
    ck_assert_ptr_nonnull(certificate);
    return certificate;
}

static inline void assert_failed(const struct sc_err *err, int status, const char *text)
{
    ck_assert_int_eq(err->status, status);
    ck_assert_msg(strstr(err->text, text) != NULL, "\"%s\" is not in: %s", text, err->text);
    ck_assert_ptr_null(strchr(err->text, '\n'));
    ck_assert_uint_eq(ERR_peek_error(), 0);
}

#endif

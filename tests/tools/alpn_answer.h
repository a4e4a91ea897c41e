/* SPDX-License-Identifier: MIT */
/* A server that answers ALPN with a name of its own, whatever it was offered. */
#ifndef SC_TESTS_ALPN_ANSWER_H
#define SC_TESTS_ALPN_ANSWER_H

#include <openssl/ssl.h>

static inline int alpn_answer_cb(SSL *ssl, const unsigned char **out, unsigned char *out_length,
                                 const unsigned char *in, unsigned int in_length, void *arg)
{
    const unsigned char *answer = arg;
    (void)ssl;
    (void)in;
    (void)in_length;
    *out = answer + 1;
    *out_length = answer[0];
    return SSL_TLSEXT_ERR_OK;
}

/* `name` as on the wire, after its length; it is not copied. */
static inline void alpn_answer(SSL_CTX *ctx, const char *name)
{
    SSL_CTX_set_alpn_select_cb(ctx, alpn_answer_cb, (void *)(uintptr_t)name);
}

#endif

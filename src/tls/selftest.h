/* SPDX-License-Identifier: MIT */
/*
 * A handshake between two SSLs in memory: finds settings and keys that are each valid, and with
 * which no client could connect. Thread: any.
 */
#ifndef SC_TLS_SELFTEST_H
#define SC_TLS_SELFTEST_H

#include <openssl/ssl.h>

#include "base/err.h"

/*
 * Connects a client that allows all that OpenSSL has to the server context, without client
 * authentication. EX_CONFIG with OpenSSL's reason when they do not come together.
 */
int sc_tls_selftest(SSL_CTX *served, struct sc_err *err) SC_NODISCARD;

#endif

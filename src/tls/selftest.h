/* SPDX-License-Identifier: MIT */
/*
 * A handshake with oneself, in memory: finds settings and keys that are each fine and that no
 * client could connect to. Thread: any.
 */
#ifndef SC_TLS_SELFTEST_H
#define SC_TLS_SELFTEST_H

#include <openssl/ssl.h>

#include "base/err.h"

/*
 * Plays a client that takes everything OpenSSL has against a new connection of the server context;
 * client authentication is left out. EX_CONFIG with OpenSSL's reason when they do not come
 * together.
 */
int sc_tls_selftest(SSL_CTX *served, struct sc_err *err) SC_NODISCARD;

#endif

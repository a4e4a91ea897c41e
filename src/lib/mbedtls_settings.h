/* SPDX-License-Identifier: MIT */
/*
 * What connections over Mbed TLS have in common, and the configuration of one. The random numbers
 * are the kernel's, so that no generator is shared or kept. Thread: immutable once made.
 */
#ifndef SC_LIB_MBEDTLS_SETTINGS_H
#define SC_LIB_MBEDTLS_SETTINGS_H

#include <stddef.h>

#include <mbedtls/pk.h>
#include <mbedtls/ssl.h>
#include <mbedtls/x509_crt.h>

#include "base/err.h"
#include "lib/tls_library.h"

struct sc_mbedtls_shared {
    int key_log_fd; /* -1: none */
    mbedtls_x509_crt certificates; /* the client's own; raw.len 0: none */
    unsigned char *key; /* of it, DER; parsed for each connection, since signing writes to it */
    size_t key_size;
};

struct sc_tls_shared *sc_mbedtls_shared_new(const struct sc_tls_options *options,
                                            struct sc_err *err) SC_NODISCARD;
void sc_mbedtls_shared_free(struct sc_tls_shared *base);

/*
 * Of one connection: TLS 1.2, the same ciphers, groups and ALPN as OpenSSL's context. `config` and
 * `key` are initialised, and their owner frees them, also on failure. 0, or an error of Mbed TLS.
 */
int sc_mbedtls_configure(struct sc_mbedtls_shared *shared, mbedtls_ssl_config *config,
                         mbedtls_pk_context *key) SC_NODISCARD;

/* OpenSSL's name of a cipher suite. Static. */
const char *sc_mbedtls_cipher_name(int suite);

#endif

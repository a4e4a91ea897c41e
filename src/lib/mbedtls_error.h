/* SPDX-License-Identifier: MIT */
/* Errors of Mbed TLS in the terms of tls/explain.h. Thread: any. */
#ifndef SC_LIB_MBEDTLS_ERROR_H
#define SC_LIB_MBEDTLS_ERROR_H

#include <stdbool.h>

/* `result` is what a function of Mbed TLS has returned. */
bool sc_mbedtls_is_out_of_memory(int result);

/* The error of OpenSSL that means the same, so that both are explained alike; 0: none. */
unsigned long sc_mbedtls_openssl_code(int result);

/* What Mbed TLS calls it; NULL: nothing. Static. */
const char *sc_mbedtls_reason(int result);

#endif

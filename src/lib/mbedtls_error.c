/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "lib/mbedtls_error.h"

#include <stddef.h>
#include <string.h>

#include <mbedtls/asn1.h>
#include <mbedtls/bignum.h>
#include <mbedtls/cipher.h>
#include <mbedtls/ecp.h>
#include <mbedtls/error.h>
#include <mbedtls/md.h>
#include <mbedtls/pk.h>
#include <mbedtls/rsa.h>
#include <mbedtls/ssl.h>
#include <mbedtls/x509.h>
#include <openssl/err.h>
#include <openssl/sslerr.h>

#include "base/compiler.h"

/* A result is minus the sum of two: of a high-level module, and of what it is made of. */
static int high_part(int result)
{
    return -(-result & 0xff80);
}

static int low_part(int result)
{
    return -(-result & 0x7f);
}

bool sc_mbedtls_is_out_of_memory(int result)
{
    const int low = low_part(result);
    switch (high_part(result)) {
    case MBEDTLS_ERR_SSL_ALLOC_FAILED:
    case MBEDTLS_ERR_X509_ALLOC_FAILED:
    case MBEDTLS_ERR_PK_ALLOC_FAILED:
    case MBEDTLS_ERR_MD_ALLOC_FAILED:
    case MBEDTLS_ERR_CIPHER_ALLOC_FAILED:
    case MBEDTLS_ERR_ECP_ALLOC_FAILED: return true;
    default: return low == MBEDTLS_ERR_MPI_ALLOC_FAILED || low == MBEDTLS_ERR_ASN1_ALLOC_FAILED;
    }
}

unsigned long sc_mbedtls_openssl_code(int result)
{
    static const struct {
        int result, reason;
    } rows[] = {
        {MBEDTLS_ERR_SSL_BAD_HS_PROTOCOL_VERSION, SSL_R_UNSUPPORTED_PROTOCOL},
        {MBEDTLS_ERR_SSL_INVALID_MAC, SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC},
        {MBEDTLS_ERR_ECP_VERIFY_FAILED, SSL_R_BAD_SIGNATURE},
        {MBEDTLS_ERR_RSA_VERIFY_FAILED, SSL_R_BAD_SIGNATURE},
    };
    for (size_t i = 0; i < SC_COUNT_OF(rows); i++) {
        if (rows[i].result == high_part(result)) {
            return ERR_PACK(ERR_LIB_SSL, 0, rows[i].reason);
        }
    }
    return 0;
}

const char *sc_mbedtls_reason(int result)
{
    const char *text = mbedtls_high_level_strerr(result);
    text = text ? text : mbedtls_low_level_strerr(result);
    const char *after = text ? strstr(text, " - ") : NULL; /* "SSL - Verification of ..." */
    return after ? after + 3 : text;
}

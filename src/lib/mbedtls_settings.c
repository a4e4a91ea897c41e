/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "lib/mbedtls_settings.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sysexits.h>
#include <unistd.h>

#include <mbedtls/entropy.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include "lib/mbedtls_error.h"
#include "proto/frame.h"
#include "tls/cert_files.h"
#include "tls/key_log.h"

/* As in tls/context.c, and in the same order: what Mbed TLS calls it, and OpenSSL. */
#define SUITES(X) \
    X(ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, "ECDHE-ECDSA-AES128-GCM-SHA256") \
    X(ECDHE_RSA_WITH_AES_128_GCM_SHA256, "ECDHE-RSA-AES128-GCM-SHA256") \
    X(ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, "ECDHE-ECDSA-AES256-GCM-SHA384") \
    X(ECDHE_RSA_WITH_AES_256_GCM_SHA384, "ECDHE-RSA-AES256-GCM-SHA384") \
    X(ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, "ECDHE-ECDSA-CHACHA20-POLY1305") \
    X(ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256, "ECDHE-RSA-CHACHA20-POLY1305")

const char *sc_mbedtls_cipher_name(int suite)
{
    switch (suite) {
#define SUITE_NAME(id, name) \
    case MBEDTLS_TLS_##id: return name;
        SUITES(SUITE_NAME)
#undef SUITE_NAME
    default: return "";
    }
}

/* --- The client's own certificate --- */

static int parse_certificate(mbedtls_x509_crt *to, const X509 *certificate)
{
    unsigned char *der = NULL;
    const int size = i2d_X509(certificate, &der);
    const int result = size > 0 ? mbedtls_x509_crt_parse_der(to, der, (size_t)size)
                                : MBEDTLS_ERR_X509_ALLOC_FAILED;
    OPENSSL_free(der);
    return result;
}

static int take_chain(struct sc_mbedtls_shared *shared, const struct sc_cert_files *files)
{
    int result = parse_certificate(&shared->certificates, files->leaf);
    for (int i = 0; result == 0 && i < sk_X509_num(files->chain); i++) {
        result = parse_certificate(&shared->certificates, sk_X509_value(files->chain, i));
    }
    return result;
}

static int take_key(struct sc_mbedtls_shared *shared, const EVP_PKEY *key)
{
    mbedtls_pk_context parsed;
    const int size = i2d_PrivateKey(key, &shared->key);
    if (size <= 0) {
        return MBEDTLS_ERR_PK_ALLOC_FAILED;
    }
    shared->key_size = (size_t)size;
    mbedtls_pk_init(&parsed);
    const int result = mbedtls_pk_parse_key(&parsed, shared->key, shared->key_size, NULL, 0);
    mbedtls_pk_free(&parsed);
    return result;
}

/* The files are read, and what is wrong with them is said, by the same code as with OpenSSL. */
static int take_cert_files(struct sc_mbedtls_shared *shared, const struct sc_tls_options *options,
                           struct sc_err *err)
{
    struct sc_cert_files files;
    if (sc_cert_files_load(options->certificate_path, options->key_path,
                           options->passphrase ? sc_cert_files_passphrase : NULL,
                           (void *)(uintptr_t)options->passphrase, &files, err) != 0) {
        return -1;
    }
    int result = take_chain(shared, &files);
    result = result == 0 ? take_key(shared, files.key) : result;
    sc_cert_files_fini(&files);
    if (sc_mbedtls_is_out_of_memory(result)) {
        return sc_err_set(err, EX_OSERR, "can't set up TLS: out of memory");
    }
    return result == 0 ? 0
                       : sc_err_set(err, EX_CONFIG,
                                    "certificate %s with private key %s can't be used with Mbed "
                                    "TLS: it takes RSA and the P-256, P-384 and P-521 curves",
                                    options->certificate_path, options->key_path);
}

/* --- Shared --- */

void sc_mbedtls_shared_free(struct sc_tls_shared *base)
{
    struct sc_mbedtls_shared *shared = (struct sc_mbedtls_shared *)(void *)base;
    if (shared) {
        if (shared->key_log_fd >= 0) {
            (void)close(shared->key_log_fd);
        }
        mbedtls_x509_crt_free(&shared->certificates);
        OPENSSL_clear_free(shared->key, shared->key_size);
        free(shared);
    }
}

struct sc_tls_shared *sc_mbedtls_shared_new(const struct sc_tls_options *options,
                                            struct sc_err *err)
{
    struct sc_mbedtls_shared *shared = calloc(1, sizeof(*shared));
    if (!shared) {
        (void)sc_err_set(err, EX_OSERR, "can't set up TLS: out of memory");
        return NULL;
    }
    shared->key_log_fd = -1;
    mbedtls_x509_crt_init(&shared->certificates);
    if ((options->key_log_path &&
         (shared->key_log_fd = sc_key_log_open(options->key_log_path, err)) < 0) ||
        (options->certificate_path && take_cert_files(shared, options, err) != 0)) {
        sc_mbedtls_shared_free((struct sc_tls_shared *)shared);
        return NULL;
    }
    return (struct sc_tls_shared *)shared;
}

/* --- A connection's configuration --- */

static int random_bytes(void *arg, unsigned char *out, size_t count)
{
    (void)arg;
    while (count > 0) {
        const ssize_t got = getrandom(out, count, 0);
        if (got < 0 && errno != EINTR) {
            return MBEDTLS_ERR_ENTROPY_SOURCE_FAILED;
        }
        if (got > 0) {
            out += got;
            count -= (size_t)got;
        }
    }
    return 0;
}

int sc_mbedtls_configure(struct sc_mbedtls_shared *shared, mbedtls_ssl_config *config,
                         mbedtls_pk_context *key)
{
    /* Mbed TLS keeps pointers to these. */
#define SUITE_ID(id, name) MBEDTLS_TLS_##id,
    static const int suites[] = {SUITES(SUITE_ID) 0};
#undef SUITE_ID
    /* P-521 last: the list also says which keys of certificates are taken. */
    static const mbedtls_ecp_group_id curves[] = {
        MBEDTLS_ECP_DP_CURVE25519, MBEDTLS_ECP_DP_SECP256R1, MBEDTLS_ECP_DP_SECP384R1,
        MBEDTLS_ECP_DP_SECP521R1, MBEDTLS_ECP_DP_NONE};
    static const int hashes[] = {MBEDTLS_MD_SHA256, MBEDTLS_MD_SHA384, MBEDTLS_MD_SHA512,
                                 MBEDTLS_MD_NONE};
    static const char *protocols[] = {SC_PROTOCOL_ALPN, NULL};
    int result = mbedtls_ssl_config_defaults(
        config, MBEDTLS_SSL_IS_CLIENT, MBEDTLS_SSL_TRANSPORT_STREAM, MBEDTLS_SSL_PRESET_DEFAULT);
    result = result == 0 ? mbedtls_ssl_conf_alpn_protocols(config, protocols) : result;
    mbedtls_ssl_conf_min_version(config, MBEDTLS_SSL_MAJOR_VERSION_3, MBEDTLS_SSL_MINOR_VERSION_3);
    mbedtls_ssl_conf_ciphersuites(config, suites);
    mbedtls_ssl_conf_curves(config, curves);
    mbedtls_ssl_conf_sig_hashes(config, hashes);
    /* A server without RFC 5746 is refused, as by OpenSSL. */
    mbedtls_ssl_conf_legacy_renegotiation(config, MBEDTLS_SSL_LEGACY_BREAK_HANDSHAKE);
    /* The connection decides itself. Nothing of Mbed TLS's own validation would count. */
    mbedtls_ssl_conf_authmode(config, MBEDTLS_SSL_VERIFY_NONE);
    mbedtls_ssl_conf_rng(config, random_bytes, NULL);
    if (result == 0 && shared->key_size > 0) {
        result = mbedtls_pk_parse_key(key, shared->key, shared->key_size, NULL, 0);
        result =
            result == 0 ? mbedtls_ssl_conf_own_cert(config, &shared->certificates, key) : result;
    }
    return result;
}

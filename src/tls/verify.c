/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "tls/verify.h"

#include <stdio.h>

#include <openssl/err.h>
#include <openssl/x509.h>

#include "base/clock.h"
#include "tls/certificate.h"
#include "tls/error.h"
#include "tls/explain.h"
#include "tls/keygen.h"
#include "tls/watch.h"

/* A server of which no pin is stored. */
static int check_unknown(struct sc_tls_verify *verify, const X509 *leaf)
{
    struct sc_pin_formats as;
    const EVP_PKEY *key = X509_get0_pubkey(leaf);
    verify->is_unknown = true;
    if (key) {
        sc_keygen_describe_key(key, verify->key_type, sizeof(verify->key_type));
    }
    if (verify->first_use) {
        sc_pin_format(verify->key_pin, NULL, &as);
        (void)snprintf(verify->pin.pin, sizeof(verify->pin.pin), "%s", as.curl);
        return 0;
    }
    sc_pin_mismatch_find(verify->pins, leaf, "", &verify->mismatch);
    return sc_err_set(&verify->err, SC_EXIT_UNTRUSTED,
                      "%.300s is not trusted, nothing was sent: no pin of it is stored in %.300s",
                      verify->target, verify->store);
}

/* Against the pins that there are. */
static int check_known(struct sc_tls_verify *verify, X509 *leaf, STACK_OF(X509) * chain,
                       const SSL *ssl)
{
    const int rc =
        sc_pin_set_match_certificate(verify->pins, ssl, leaf, chain, verify->host, &verify->pin);
    if (verify->store && sc_pin_set_count(verify->pins) == 0) {
        return check_unknown(verify, leaf);
    }
    return rc == 0 ? 0
                   : sc_tls_refuse_server(verify->pins, leaf, &verify->pin, verify->target,
                                          &verify->mismatch, &verify->err);
}

static int check(struct sc_tls_verify *verify, X509 *leaf, STACK_OF(X509) * chain, const SSL *ssl)
{
    if (!leaf) {
        return sc_err_set(&verify->err, SC_EXIT_HANDSHAKE, "%.80s has shown no certificate",
                          verify->target);
    }
    if (sc_pin_of_certificate(leaf, verify->key_pin, &verify->err) != 0 ||
        sc_pin_fingerprint(leaf, verify->fingerprint, &verify->err) != 0) {
        return -1;
    }
    sc_certificate_dates(leaf, &verify->not_before, &verify->not_after);
    if (verify->inspect) {
        return 0;
    }
    if (check_known(verify, leaf, chain, ssl) != 0) {
        return -1;
    }
    if (verify->pin.expired && verify->strict_expiry) {
        char validity[SC_CERTIFICATE_VALIDITY_BYTES];
        sc_certificate_describe_validity(verify->not_before, verify->not_after,
                                         sc_clock_wall().tv_sec, validity);
        return sc_err_set(&verify->err, SC_EXIT_UNTRUSTED,
                          "the certificate of %s is refused because of --strict-expiry, nothing "
                          "was sent: %s",
                          verify->target, validity);
    }
    return 0;
}

/*
 * `chain`: what the peer sent along, NULL: nothing. `ssl`: its security level holds for ca: chains,
 * NULL: the default level.
 */
static int verify_certificate(struct sc_tls_verify *verify, X509 *leaf, STACK_OF(X509) * chain,
                              const SSL *ssl)
{
    verify->refused = check(verify, leaf, chain, ssl) != 0;
    return verify->refused ? -1 : 0;
}

/* Instead of OpenSSL's chain validation: 1 goes on, 0 ends the handshake. The error decides which
 * alert is sent. */
static int on_certificate(X509_STORE_CTX *store, void *arg)
{
    (void)arg;
    const SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    const struct sc_tls_watch *watch = SSL_get_app_data(ssl);
    const bool good = verify_certificate(watch->verify, X509_STORE_CTX_get0_cert(store),
                                         X509_STORE_CTX_get0_untrusted(store), ssl) == 0;
    X509_STORE_CTX_set_error(store, good ? X509_V_OK
                                    : watch->verify->is_unknown
                                        ? X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY
                                        : X509_V_ERR_CERT_REJECTED);
    return good;
}

void sc_tls_verify_install(SSL_CTX *context)
{
    /* With SSL_VERIFY_NONE the callback is called and its answer ignored. */
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_cert_verify_callback(context, on_certificate, NULL);
}

int sc_tls_verify_peer(struct sc_tls_verify *verify, const SSL *ssl)
{
    const int result = verify_certificate(verify, SSL_get0_peer_certificate(ssl),
                                          SSL_get_peer_cert_chain(ssl), ssl);
    ERR_clear_error();
    return result;
}

/* The certificates after the leaf. NULL: out of memory. What is not a certificate is left out. */
static STACK_OF(X509) * decode_chain(const struct sc_tls_der *certificates, size_t count)
{
    STACK_OF(X509) *chain = sk_X509_new_null();
    for (size_t i = 0; chain && i < count; i++) {
        const unsigned char *at = certificates[i].bytes;
        X509 *certificate = d2i_X509(NULL, &at, (long)certificates[i].count);
        if (certificate && sk_X509_push(chain, certificate) == 0) {
            X509_free(certificate);
            sk_X509_pop_free(chain, X509_free);
            chain = NULL;
        }
    }
    return chain;
}

int sc_tls_verify_der(struct sc_tls_verify *verify, const struct sc_tls_der *certificates,
                      size_t count)
{
    const unsigned char *at = count > 0 ? certificates[0].bytes : NULL;
    ERR_clear_error();
    X509 *leaf = at ? d2i_X509(NULL, &at, (long)certificates[0].count) : NULL;
    STACK_OF(X509) *chain = leaf ? decode_chain(certificates + 1, count - 1) : NULL;
    int rc = -1;
    if (count > 0 && !chain) {
        verify->refused = true;
        (void)sc_tls_err(&verify->err, SC_EXIT_HANDSHAKE,
                         "%.80s has shown a certificate that can't be used", verify->target);
    } else {
        rc = verify_certificate(verify, leaf, chain, NULL);
    }
    sk_X509_pop_free(chain, X509_free);
    X509_free(leaf);
    ERR_clear_error();
    return rc;
}

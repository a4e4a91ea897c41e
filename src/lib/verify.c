#include "config.h"

#include "lib/verify.h"

#include <openssl/err.h>
#include <openssl/x509.h>

#include "base/clock.h"
#include "tls/certificate.h"
#include "tls/error.h"
#include "tls/explain.h"

static int check(struct sc_lib_verify *verify, X509 *leaf, STACK_OF(X509) * chain, const SSL *ssl)
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
    if (sc_pin_set_match_certificate(verify->pins, ssl, leaf, chain, verify->host, &verify->pin) !=
        0) {
        return sc_tls_refuse_server(verify->pins, leaf, &verify->pin, verify->target,
                                    &verify->mismatch, &verify->err);
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

int sc_lib_verify_certificate(struct sc_lib_verify *verify, X509 *leaf, STACK_OF(X509) * chain,
                              const SSL *ssl)
{
    verify->refused = check(verify, leaf, chain, ssl) != 0;
    return verify->refused ? -1 : 0;
}

/* The certificates after the leaf. NULL: out of memory. What is not a certificate is left out. */
static STACK_OF(X509) * decode_chain(const struct sc_lib_der *certificates, size_t count)
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

int sc_lib_verify_der(struct sc_lib_verify *verify, const struct sc_lib_der *certificates,
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
        rc = sc_lib_verify_certificate(verify, leaf, chain, NULL);
    }
    sk_X509_pop_free(chain, X509_free);
    X509_free(leaf);
    ERR_clear_error();
    return rc;
}

#include "config.h"

#include "lib/verify.h"

#include "base/clock.h"
#include "tls/certificate.h"
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
        return sc_tls_refuse_server(verify->pins, leaf, &verify->pin, verify->target, &verify->err);
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

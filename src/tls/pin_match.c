#include "config.h"

#include "tls/pin.h"

#include <stdio.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include "base/clock.h"
#include "tls/pin_set.h"

#define HOST_BYTES 256

static bool is_expired(const X509 *certificate)
{
    time_t now = sc_clock_wall().tv_sec;
    /* X509_cmp_time() is 0 for a time that can't be read: outside as well. */
    return X509_cmp_time(X509_get0_notBefore(certificate), &now) >= 0 ||
           X509_cmp_time(X509_get0_notAfter(certificate), &now) <= 0;
}

/*
 * The name that the certificate must be for: an address, or a name without its final dot. -1:
 * none.
 */
static int set_host(X509_VERIFY_PARAM *param, const char *host)
{
    char name[HOST_BYTES];
    size_t length = strcspn(host, "%"); /* fe80::1%eth0: the interface is no part of the address */
    if (length >= sizeof(name)) {
        return -1;
    }
    memcpy(name, host, length);
    name[length] = '\0';
    if (X509_VERIFY_PARAM_set1_ip_asc(param, name) == 1) {
        return 0;
    }
    if (length > 0 && name[length - 1] == '.') {
        name[--length] = '\0';
    }
    /* An empty name would switch the check off. */
    if (length == 0 || X509_VERIFY_PARAM_set1_host(param, name, length) != 1) {
        return -1;
    }
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS |
                                               X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    return 0;
}

static int chain_reason(X509_STORE_CTX *ctx, bool chain_is_missing, const char *path,
                        struct sc_pin_result *result)
{
    const int code = X509_STORE_CTX_get_error(ctx);
    const char *hint = "";
    if (chain_is_missing && (code == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY ||
                             code == X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE)) {
        hint = " (the resumed session holds no intermediate certificates; a full handshake does)";
    }
    (void)snprintf(result->reason, sizeof(result->reason), "ca:%.96s: %s%s", path,
                   X509_verify_cert_error_string(code), hint);
    return -1;
}

/* Chain validation with nothing trusted but the certificates of the file. */
static int match_ca(const struct sc_pin *pin, const SSL *ssl, X509 *leaf, STACK_OF(X509) * chain,
                    const char *host, struct sc_pin_result *result)
{
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    int rc = -1;
    if (!ctx || X509_STORE_CTX_init(ctx, pin->store, leaf, chain) != 1 ||
        X509_STORE_CTX_set_default(ctx, SSL_is_server(ssl) ? "ssl_client" : "ssl_server") != 1) {
        (void)snprintf(result->reason, sizeof(result->reason), "ca:%.96s: out of memory",
                       pin->path);
    } else {
        X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(ctx);
        X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_PARTIAL_CHAIN);
        X509_VERIFY_PARAM_set_time(param, sc_clock_wall().tv_sec);
        X509_VERIFY_PARAM_set_auth_level(param, SSL_get_security_level(ssl));
        if (host && set_host(param, host) != 0) {
            (void)snprintf(result->reason, sizeof(result->reason),
                           "ca:%.96s: there is no host name to check", pin->path);
        } else if (X509_verify_cert(ctx) == 1 && X509_STORE_CTX_get_error(ctx) == X509_V_OK) {
            rc = 0;
        } else {
            rc = chain_reason(ctx, sk_X509_num(chain) <= 0, pin->path, result);
        }
    }
    X509_STORE_CTX_free(ctx);
    ERR_clear_error();
    return rc;
}

int sc_pin_set_match(const struct sc_pin_set *set, const SSL *ssl, const char *host,
                     struct sc_pin_result *result)
{
    return sc_pin_set_match_certificate(set, ssl, SSL_get0_peer_certificate(ssl),
                                        SSL_get_peer_cert_chain(ssl), host, result);
}

int sc_pin_set_match_certificate(const struct sc_pin_set *set, const SSL *ssl, X509 *leaf,
                                 STACK_OF(X509) * chain, const char *host,
                                 struct sc_pin_result *result)
{
    uint8_t key[SC_PIN_BYTES], certificate[SC_PIN_BYTES];
    memset(result, 0, sizeof(*result));
    if (!leaf || sc_pin_of_certificate(leaf, key, NULL) != 0 ||
        sc_pin_fingerprint(leaf, certificate, NULL) != 0) {
        (void)snprintf(result->reason, sizeof(result->reason), "the peer has shown no certificate");
        return -1;
    }
    result->expired = is_expired(leaf);
    for (size_t i = 0; i < set->count && !result->matched; i++) {
        const struct sc_pin *pin = &set->pins[i];
        switch (pin->kind) {
        case SC_PIN_KEY: result->matched = CRYPTO_memcmp(pin->digest, key, sizeof(key)) == 0; break;
        case SC_PIN_CERTIFICATE:
            result->matched = CRYPTO_memcmp(pin->digest, certificate, sizeof(certificate)) == 0;
            break;
        case SC_PIN_CA: result->matched = match_ca(pin, ssl, leaf, chain, host, result) == 0; break;
        }
        if (result->matched) {
            sc_pin_spell_one(pin, result->pin, sizeof(result->pin));
            result->reason[0] = '\0';
        }
    }
    return result->matched ? 0 : -1;
}

/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "tls/pin.h"

#include <stdio.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include "base/clock.h"
#include "tls/certificate.h"
#include "tls/pin_set.h"
#include "tls/weak_settings.h"

#define HOST_BYTES 256

/*
 * The name that the certificate must be for: an address, or a name without its final dot. -1:
 * none.
 */
static int set_host(X509_VERIFY_PARAM *param, const char *host)
{
    char name[HOST_BYTES];
    size_t length = strcspn(host, "%"); /* fe80::1%eth0: the interface is not part of the address */
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

/* Nothing is trusted but the certificates of the pin's file. NULL: out of memory. */
static X509_STORE_CTX *new_validation(const struct sc_pin *pin, const SSL *ssl, X509 *leaf,
                                      STACK_OF(X509) * chain)
{
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    if (!ctx || X509_STORE_CTX_init(ctx, pin->store, leaf, chain) != 1 ||
        X509_STORE_CTX_set_default(ctx, ssl && SSL_is_server(ssl) ? "ssl_client" : "ssl_server") !=
            1) {
        X509_STORE_CTX_free(ctx);
        return NULL;
    }
    X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(ctx);
    X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_PARTIAL_CHAIN);
    X509_VERIFY_PARAM_set_time(param, sc_clock_wall().tv_sec);
    X509_VERIFY_PARAM_set_auth_level(param,
                                     ssl ? SSL_get_security_level(ssl) : SC_TLS_SECURITY_LEVEL);
    return ctx;
}

static bool is_valid(X509_STORE_CTX *ctx)
{
    return X509_verify_cert(ctx) == 1 && X509_STORE_CTX_get_error(ctx) == X509_V_OK;
}

/* Whether the chain is right but for dates and names: validation stops at the first error. */
static bool is_issued_by(const struct sc_pin *pin, const SSL *ssl, X509 *leaf,
                         STACK_OF(X509) * chain)
{
    X509_STORE_CTX *ctx = new_validation(pin, ssl, leaf, chain);
    bool issued = false;
    if (ctx) {
        X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(ctx);
        X509_VERIFY_PARAM_clear_flags(param, X509_V_FLAG_USE_CHECK_TIME); /* else it wins */
        X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_NO_CHECK_TIME);
        issued = is_valid(ctx);
    }
    X509_STORE_CTX_free(ctx);
    return issued;
}

static enum sc_pin_cause cause_of(int code)
{
    switch (code) {
    case X509_V_ERR_CERT_HAS_EXPIRED: return SC_PIN_EXPIRED;
    case X509_V_ERR_CERT_NOT_YET_VALID: return SC_PIN_NOT_YET_VALID;
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH: return SC_PIN_WRONG_NAME;
    case X509_V_ERR_OUT_OF_MEM: return SC_PIN_UNCHECKED;
    default: return SC_PIN_OTHER;
    }
}

static const char *plain_words(int code)
{
    switch (code) {
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN: return "the certificate was not issued by it";
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT: return "the certificate is self-signed";
    case X509_V_ERR_CERT_SIGNATURE_FAILURE: return "a signature in the chain is wrong";
    case X509_V_ERR_INVALID_PURPOSE: return "the certificate is not for this purpose";
    case X509_V_ERR_INVALID_CA: return "an issuer in the chain is not a CA";
    case X509_V_ERR_EE_KEY_TOO_SMALL:
    case X509_V_ERR_CA_KEY_TOO_SMALL: return "a key in the chain is too short";
    case X509_V_ERR_CA_MD_TOO_WEAK: return "a signature in the chain is too weak";
    default: return X509_verify_cert_error_string(code);
    }
}

/* Fills `reason`; `cause` is decided already. */
static void explain(X509_STORE_CTX *ctx, bool chain_is_missing, const struct sc_pin *pin,
                    const char *host, struct sc_pin_result *result)
{
    const int code = X509_STORE_CTX_get_error(ctx);
    const X509 *certificate = X509_STORE_CTX_get_current_cert(ctx);
    const char *which =
        X509_STORE_CTX_get_error_depth(ctx) > 0 ? "certificate of an issuer" : "certificate";
    char text[144], names[64];
    time_t from, to;
    if (result->cause == SC_PIN_WRONG_NAME) {
        sc_certificate_names(X509_STORE_CTX_get0_cert(ctx), names, sizeof(names));
        (void)snprintf(text, sizeof(text), "the certificate is for %s, not for %.40s",
                       *names ? names : "no host", host);
    } else if (result->cause != SC_PIN_OTHER && result->cause != SC_PIN_UNCHECKED && certificate) {
        char validity[SC_CERTIFICATE_VALIDITY_BYTES];
        sc_certificate_dates(certificate, &from, &to);
        sc_certificate_describe_validity(from, to, sc_clock_wall().tv_sec, validity);
        (void)snprintf(text, sizeof(text), "the %s %s%s", which,
                       result->cause == SC_PIN_EXPIRED ? "" : "is ", validity);
    } else {
        const bool hint =
            chain_is_missing && (code == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY ||
                                 code == X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE);
        (void)snprintf(text, sizeof(text), "%s%s", plain_words(code),
                       hint ? " (the resumed session holds no intermediate certificates; a full "
                              "handshake does)"
                            : "");
    }
    (void)snprintf(result->reason, sizeof(result->reason), "ca:%.96s: %s", pin->path, text);
}

/* Chain validation up to the certificates of the file. */
static int match_ca(const struct sc_pin *pin, const SSL *ssl, X509 *leaf, STACK_OF(X509) * chain,
                    const char *host, struct sc_pin_result *result)
{
    X509_STORE_CTX *ctx = new_validation(pin, ssl, leaf, chain);
    int rc = -1;
    if (!ctx) {
        result->cause = SC_PIN_UNCHECKED;
        (void)snprintf(result->reason, sizeof(result->reason), "ca:%.96s: out of memory",
                       pin->path);
    } else if (host && set_host(X509_STORE_CTX_get0_param(ctx), host) != 0) {
        (void)snprintf(result->reason, sizeof(result->reason),
                       "ca:%.96s: there is no host name to check", pin->path);
    } else if (is_valid(ctx)) {
        rc = 0;
    } else if (result->cause == SC_PIN_OTHER) { /* else an earlier pin has the better reason */
        const enum sc_pin_cause cause = cause_of(X509_STORE_CTX_get_error(ctx));
        result->cause = cause == SC_PIN_UNCHECKED ||
                                (cause != SC_PIN_OTHER && is_issued_by(pin, ssl, leaf, chain))
                            ? cause
                            : SC_PIN_OTHER;
        explain(ctx, sk_X509_num(chain) <= 0, pin, host, result);
    }
    X509_STORE_CTX_free(ctx);
    ERR_clear_error();
    return rc;
}

static bool is_digest_of(const struct sc_pin *pin, const uint8_t key[SC_PIN_BYTES],
                         const uint8_t certificate[SC_PIN_BYTES])
{
    const bool of_key = CRYPTO_memcmp(pin->digest, key, SC_PIN_BYTES) == 0;
    const bool of_certificate = CRYPTO_memcmp(pin->digest, certificate, SC_PIN_BYTES) == 0;
    switch (pin->kind) {
    case SC_PIN_KEY: return of_key;
    case SC_PIN_CERTIFICATE: return of_certificate;
    case SC_PIN_DIGEST: return of_key || of_certificate;
    case SC_PIN_CA: break;
    }
    return false;
}

bool sc_pin_set_has(const struct sc_pin_set *set, const uint8_t key[SC_PIN_BYTES],
                    const uint8_t fingerprint[SC_PIN_BYTES])
{
    bool has = false;
    for (size_t i = 0; i < set->count && !has; i++) {
        has = is_digest_of(&set->pins[i], key, fingerprint);
    }
    return has;
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
    if (!leaf) {
        (void)snprintf(result->reason, sizeof(result->reason), "the peer has shown no certificate");
        return -1;
    }
    if (sc_pin_of_certificate(leaf, key, NULL) != 0 ||
        sc_pin_fingerprint(leaf, certificate, NULL) != 0) {
        result->cause = SC_PIN_UNCHECKED;
        (void)snprintf(result->reason, sizeof(result->reason), "out of memory");
        return -1;
    }
    result->expired = !sc_certificate_is_in_date(leaf);
    for (size_t i = 0; i < set->count && !result->matched; i++) {
        const struct sc_pin *pin = &set->pins[i];
        result->by_issuer = pin->kind == SC_PIN_CA;
        result->matched = result->by_issuer ? match_ca(pin, ssl, leaf, chain, host, result) == 0
                                            : is_digest_of(pin, key, certificate);
        if (result->matched) {
            sc_pin_format_one(pin, result->pin, sizeof(result->pin));
            result->name = pin->name;
            result->reason[0] = '\0';
            result->cause = SC_PIN_OTHER;
        }
    }
    return result->matched ? 0 : -1;
}

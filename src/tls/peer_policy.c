/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "tls/peer_policy.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include <openssl/err.h>
#include <openssl/evp.h>

#include "proto/frame.h"
#include "tls/certificate.h"
#include "tls/command_files.h"
#include "tls/error.h"
#include "tls/watch.h"

static int make_id(struct sc_peer_policy *policy, const struct sc_tls_command *commands,
                   size_t count, struct sc_err *err)
{
    const uint8_t auth = (uint8_t)policy->auth;
    uint8_t digest[SC_PIN_BYTES] = {0}, cas[SC_TLS_COMMANDS_DIGEST_BYTES];
    if (sc_tls_commands_digest(commands, count, sc_tls_command_is_client_ca, cas, err) != 0) {
        return -1;
    }
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    if (policy->pins) {
        sc_pin_set_digest(policy->pins, digest);
    }
    bool ok = md && EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1 &&
              EVP_DigestUpdate(md, SC_PROTOCOL_ALPN, sizeof(SC_PROTOCOL_ALPN)) == 1 &&
              EVP_DigestUpdate(md, &auth, 1) == 1 &&
              EVP_DigestUpdate(md, digest, sizeof(digest)) == 1 &&
              EVP_DigestUpdate(md, cas, sizeof(cas)) == 1 &&
              EVP_DigestFinal_ex(md, policy->id, NULL) == 1;
    EVP_MD_CTX_free(md);
    return ok ? 0 : sc_tls_err(err, EX_OSERR, "can't set up client-auth");
}

static int add_pins(struct sc_peer_policy *policy, const char *const *pins, size_t count,
                    struct sc_err *err)
{
    policy->pins = sc_pin_set_new();
    if (!policy->pins) {
        return sc_err_set(err, EX_OSERR, "can't set up client-pin: out of memory");
    }
    for (size_t i = 0; i < count; i++) {
        if (sc_pin_set_add_clients(policy->pins, pins[i], err) != 0) {
            if (err) {
                err->status = err->status == EX_USAGE ? EX_CONFIG : err->status;
            }
            return sc_err_prefix(err, "client-pin");
        }
        policy->has_ca_pins = policy->has_ca_pins || strncmp(pins[i], "ca:", strlen("ca:")) == 0;
    }
    return 0;
}

int sc_peer_policy_init(struct sc_peer_policy *policy, enum sc_peer_auth auth,
                        const char *const *pins, size_t pin_count,
                        const struct sc_tls_command *commands, size_t command_count,
                        struct sc_err *err)
{
    bool has_ca = false;
    for (size_t i = 0; i < command_count; i++) {
        has_ca = has_ca || sc_tls_command_is_client_ca(&commands[i]);
    }
    *policy = (struct sc_peer_policy){.auth = auth};
    ERR_clear_error();
    if (auth == SC_PEER_AUTH_NONE && (pin_count > 0 || has_ca)) {
        return sc_err_set(err, EX_CONFIG,
                          "%s is set and client-auth is none: no client would be checked; set "
                          "client-auth = require",
                          pin_count > 0 ? "client-pin" : "VerifyCAFile");
    }
    if (auth != SC_PEER_AUTH_NONE && pin_count == 0 && !has_ca) {
        return sc_err_set(err, EX_CONFIG,
                          "client-auth needs to know which clients are good; set client-pin (PINs "
                          "of clients) or VerifyCAFile (their CA)");
    }
    if (pin_count > 0 && has_ca) {
        return sc_err_set(err, EX_CONFIG,
                          "client-pin and VerifyCAFile do not go together; use client-pin with "
                          "ca:FILE for the CA");
    }
    if ((pin_count > 0 && add_pins(policy, pins, pin_count, err) != 0) ||
        make_id(policy, commands, command_count, err) != 0) {
        sc_peer_policy_fini(policy);
        return -1;
    }
    return 0;
}

void sc_peer_policy_fini(struct sc_peer_policy *policy)
{
    sc_pin_set_free(policy->pins);
    memset(policy, 0, sizeof(*policy));
}

static void format_pin(const X509 *certificate, char *out, size_t size)
{
    uint8_t pin[SC_PIN_BYTES];
    struct sc_pin_formats formats = {0};
    if (sc_pin_of_certificate(certificate, pin, NULL) == 0) {
        sc_pin_format(pin, NULL, &formats);
    }
    OPENSSL_strlcpy(out, formats.curl, size);
}

/* In place of OpenSSL's chain validation: a pin decides. */
static int on_verify(X509_STORE_CTX *store, void *arg)
{
    const struct sc_peer_policy *policy = arg;
    SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    X509 *leaf = X509_STORE_CTX_get0_cert(store);
    struct sc_pin_result result;
    if (sc_pin_set_match_certificate(policy->pins, ssl, leaf, X509_STORE_CTX_get0_untrusted(store),
                                     NULL, &result) == 0) {
        X509_STORE_CTX_set_error(store, X509_V_OK);
        return 1;
    }
    struct sc_tls_watch *watch = SSL_get_app_data(ssl);
    if (watch) {
        char pin[64];
        format_pin(leaf, pin, sizeof(pin));
        free(watch->refused_pin);
        watch->refused_pin = strdup(pin);
    }
    X509_STORE_CTX_set_error(store, X509_V_ERR_CERT_REJECTED);
    return 0;
}

int sc_peer_policy_install(const struct sc_peer_policy *policy, SSL_CTX *ssl_ctx,
                           struct sc_err *err)
{
    ERR_clear_error();
    if (SSL_CTX_set_session_id_context(ssl_ctx, policy->id, sizeof(policy->id)) != 1) {
        return sc_tls_err(err, EX_SOFTWARE, "can't set up client-auth");
    }
    switch (policy->auth) {
    case SC_PEER_AUTH_NONE: SSL_CTX_set_verify(ssl_ctx, SSL_VERIFY_NONE, NULL); break;
    case SC_PEER_AUTH_OPTIONAL: SSL_CTX_set_verify(ssl_ctx, SSL_VERIFY_PEER, NULL); break;
    case SC_PEER_AUTH_REQUIRE:
        SSL_CTX_set_verify(ssl_ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
        break;
    }
    if (policy->pins) {
        SSL_CTX_set_cert_verify_callback(ssl_ctx, on_verify, (void *)(uintptr_t)policy);
    }
    return 0;
}

int sc_peer_policy_check(const struct sc_peer_policy *policy, const SSL *ssl, const char **name,
                         struct sc_err *err)
{
    struct sc_pin_result result;
    char pin[64];
    *name = NULL;
    if (policy->auth == SC_PEER_AUTH_NONE) {
        return 0;
    }
    X509 *leaf = SSL_get0_peer_certificate(ssl);
    if (!leaf) {
        return policy->auth == SC_PEER_AUTH_OPTIONAL
                   ? 0
                   : sc_err_set(err, EX_NOPERM, "the client has no certificate");
    }
    bool validated = SSL_get_verify_result(ssl) == X509_V_OK && sc_certificate_is_in_date(leaf);
    if (!policy->pins) {
        if (validated) {
            return 0;
        }
        format_pin(leaf, pin, sizeof(pin));
        return sc_err_set(err, EX_NOPERM, "the client's certificate %s is not valid: %s", pin,
                          sc_certificate_is_in_date(leaf)
                              ? X509_verify_cert_error_string(SSL_get_verify_result(ssl))
                              : "it is outside its dates");
    }
    if (sc_pin_set_match(policy->pins, ssl, NULL, &result) == 0) {
        *name = result.name;
        return 0;
    }
    /*
     * A resumed session has no intermediate certificates to validate again; its id context says
     * that this very policy took it.
     */
    if (policy->has_ca_pins && SSL_session_reused(ssl) && validated) {
        return 0;
    }
    format_pin(leaf, pin, sizeof(pin));
    return sc_err_set(err, EX_NOPERM, "the client's certificate %s matches no client-pin%s%s", pin,
                      result.reason[0] ? ": " : "", result.reason);
}

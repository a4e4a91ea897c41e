#include "config.h"

#include "client/peer.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "base/clock.h"
#include "tls/certificate.h"
#include "tls/error.h"
#include "tls/explain.h"

/* The host that the certificate must be for: a unix socket is this host. */
static const char *host_of(const struct sc_address *address)
{
    return address->is_unix ? "localhost" : address->host;
}

static bool is_literal(const char *host)
{
    unsigned char bytes[sizeof(struct in6_addr)];
    return strchr(host, ':') || inet_pton(AF_INET, host, bytes) == 1;
}

int sc_peer_set_name(SSL *ssl, const struct sc_address *address, struct sc_err *err)
{
    const char *host = host_of(address);
    char name[sizeof(address->host)];
    if (is_literal(host)) {
        return 0;
    }
    (void)snprintf(name, sizeof(name), "%s", host);
    const size_t length = strlen(name);
    if (length > 0 && name[length - 1] == '.') {
        name[length - 1] = '\0';
    }
    if (SSL_set_tlsext_host_name(ssl, name) != 1) {
        return sc_tls_err(err, EX_USAGE, "can't ask for the server's name");
    }
    return 0;
}

int sc_peer_describe(SSL *ssl, struct sc_session_info *info, struct sc_err *err)
{
    const X509 *leaf = SSL_get0_peer_certificate(ssl);
    sc_tls_info_get(ssl, &info->tls);
    if (!leaf) {
        return sc_err_set(err, SC_EXIT_HANDSHAKE, "the server has shown no certificate");
    }
    sc_certificate_dates(leaf, &info->not_before, &info->not_after);
    return sc_pin_of_certificate(leaf, info->key_pin, err) != 0 ||
                   sc_pin_fingerprint(leaf, info->fingerprint, err) != 0
               ? -1
               : 0;
}

int sc_peer_check(const SSL *ssl, const struct sc_session_settings *settings, const char *target,
                  struct sc_session_info *info, struct sc_err *err)
{
    if (sc_pin_set_match(settings->pins, ssl, host_of(&settings->address), &info->pin) != 0) {
        return sc_tls_refuse_server(settings->pins, SSL_get0_peer_certificate(ssl), &info->pin,
                                    target, err);
    }
    if (info->pin.expired && settings->strict_expiry) {
        char validity[SC_CERTIFICATE_VALIDITY_BYTES];
        sc_certificate_describe_validity(info->not_before, info->not_after, sc_clock_wall().tv_sec,
                                         validity);
        return sc_err_set(err, SC_EXIT_UNTRUSTED,
                          "the certificate of %s is refused because of --strict-expiry, nothing "
                          "was sent: %s",
                          target, validity);
    }
    return 0;
}

#include "config.h"

#include "client/peer.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "tls/error.h"

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

static time_t to_time(const ASN1_TIME *from)
{
    struct tm tm;
    return ASN1_TIME_to_tm(from, &tm) == 1 ? timegm(&tm) : 0;
}

int sc_peer_describe(SSL *ssl, struct sc_session_info *info, struct sc_err *err)
{
    const X509 *leaf = SSL_get0_peer_certificate(ssl);
    sc_tls_info_get(ssl, &info->tls);
    if (!leaf) {
        return sc_err_set(err, SC_EXIT_HANDSHAKE, "the server has shown no certificate");
    }
    info->not_before = to_time(X509_get0_notBefore(leaf));
    info->not_after = to_time(X509_get0_notAfter(leaf));
    return sc_pin_of_certificate(leaf, info->key_pin, err) != 0 ||
                   sc_pin_fingerprint(leaf, info->fingerprint, err) != 0
               ? -1
               : 0;
}

static int refuse(const struct sc_session_settings *settings, const char *target,
                  const struct sc_session_info *info, struct sc_err *err)
{
    struct sc_pin_spellings got;
    char expected[240];
    const char *reason = info->pin.reason;
    sc_pin_spell(info->key_pin, info->fingerprint, &got);
    sc_pin_set_describe(settings->pins, expected, sizeof(expected));
    return sc_err_set(err, SC_EXIT_PIN,
                      "%.80s is not the server that was pinned, nothing was sent: expected %s, got "
                      "%s, %s%s%.140s%s; trust the new one only if "
                      "the server's owner confirms it",
                      target, expected, got.curl, got.cert_sha256, *reason ? " (" : "", reason,
                      *reason ? ")" : "");
}

int sc_peer_check(const SSL *ssl, const struct sc_session_settings *settings, const char *target,
                  struct sc_session_info *info, struct sc_err *err)
{
    if (sc_pin_set_match(settings->pins, ssl, host_of(&settings->address), &info->pin) != 0) {
        return refuse(settings, target, info, err);
    }
    if (info->pin.expired && settings->strict_expiry) {
        return sc_err_set(err, SC_EXIT_UNTRUSTED,
                          "the certificate of %s is outside its dates, and only a valid one is "
                          "wanted: nothing was sent",
                          target);
    }
    return 0;
}

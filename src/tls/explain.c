/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "tls/explain.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "base/compiler.h"

const char *sc_tls_reason_name(enum sc_tls_reason reason)
{
    static const char *const names[] = {
#define SC_TLS_REASON_NAME(name, word) word,
        SC_TLS_REASONS(SC_TLS_REASON_NAME)
#undef SC_TLS_REASON_NAME
    };
    return (unsigned)reason < SC_COUNT_OF(names) ? names[reason] : "other";
}

const char *sc_tls_alert_name(uint8_t alert)
{
    switch (alert) {
    case SC_TLS_NO_ALERT: return "none";
    /* OpenSSL 3.0 does not name these, or not like the others. */
    case SSL_AD_UNEXPECTED_MESSAGE: return "unexpected message";
    case SSL_AD_CERTIFICATE_UNKNOWN: return "certificate unknown";
    case SSL_AD_INAPPROPRIATE_FALLBACK: return "inappropriate fallback";
    case TLS13_AD_MISSING_EXTENSION: return "missing extension";
    case TLS13_AD_CERTIFICATE_REQUIRED: return "certificate required";
    default: return SSL_alert_desc_string_long(alert);
    }
}

static struct sc_tls_failure failure(enum sc_tls_reason reason, const char *hint)
{
    return (struct sc_tls_failure){
        .kind = reason, .reason = sc_tls_reason_name(reason), .hint = hint};
}

/*
 * A row for each cause: the code in OpenSSL's queue or the alert, and what it means on either
 * side.
 */
struct row {
    int code;
    enum sc_tls_reason reason;
    const char *at_server, *at_client;
};

#define NO_SHARED_GROUP \
    "the client offers no key exchange group that this server takes; it needs X25519, P-256 or " \
    "P-384 unless Groups says otherwise"
#define NO_SHARED_SIGNATURE \
    "the client takes no signature that this server's key can make; an EC P-256 or RSA key suits " \
    "most clients"

static const struct row library_rows[] = {
    {SSL_R_EXCESSIVE_MESSAGE_SIZE, SC_TLS_REASON_HELLO_REFUSED,
     "the client announced a handshake message that is longer than any client needs (a ClientHello "
     "over 16 KiB); it may want to use up memory",
     NULL},
    {SSL_R_RECORD_TOO_SMALL, SC_TLS_REASON_HELLO_REFUSED,
     "the ClientHello came in more TLS records than any client needs (32); it may want to use up "
     "processor time",
     NULL},
    {SSL_R_UNSUPPORTED_PROTOCOL, SC_TLS_REASON_VERSION,
     "the client offers only old TLS versions; it needs TLS 1.2 or newer",
     "the server chose an old TLS version; it needs TLS 1.2 or newer"},
    {SSL_R_VERSION_TOO_LOW, SC_TLS_REASON_VERSION,
     "the client offers only old TLS versions; it needs TLS 1.2 or newer",
     "the server chose an old TLS version; it needs TLS 1.2 or newer"},
    {SSL_R_VERSION_TOO_HIGH, SC_TLS_REASON_VERSION,
     "the client offers no TLS version that MaxProtocol allows",
     "the server chose a TLS version that was not offered"},
    {SSL_R_INAPPROPRIATE_FALLBACK, SC_TLS_REASON_VERSION,
     "the client came back with an older TLS version than it has; something on the way breaks "
     "newer ones",
     NULL},
    {SSL_R_NO_SHARED_CIPHER, SC_TLS_REASON_NO_SHARED_CIPHER,
     "the client offers no cipher suite that this server takes with its kind of key; it needs "
     "AES-GCM or ChaCha20 with ECDHE",
     NULL},
    {SSL_R_NO_SUITABLE_KEY_SHARE, SC_TLS_REASON_NO_SHARED_GROUP, NO_SHARED_GROUP, NULL},
    {SSL_R_NO_SHARED_GROUPS, SC_TLS_REASON_NO_SHARED_GROUP, NO_SHARED_GROUP, NULL},
    {SSL_R_NO_SUITABLE_GROUPS, SC_TLS_REASON_NO_SHARED_GROUP, NO_SHARED_GROUP, NULL},
    {SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS, SC_TLS_REASON_NO_SHARED_SIGNATURE, NO_SHARED_SIGNATURE,
     NULL},
    {SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM, SC_TLS_REASON_NO_SHARED_SIGNATURE, NO_SHARED_SIGNATURE,
     NULL},
    {SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE, SC_TLS_REASON_NO_CLIENT_CERTIFICATE,
     "client-auth requires a client certificate, and the client has none", NULL},
    {SSL_R_CERTIFICATE_VERIFY_FAILED, SC_TLS_REASON_CLIENT_CERTIFICATE,
     "the client's certificate matches no client-pin, or its CA is not the one in VerifyCAFile",
     NULL},
    {SSL_R_UNEXPECTED_MESSAGE, SC_TLS_REASON_OTHER, NULL,
     "the server sent a message that has no place there; does it send back what it gets?"},
    {SSL_R_BAD_SIGNATURE, SC_TLS_REASON_OTHER, NULL,
     "the server could not prove that it has the key of its certificate"},
    {SSL_R_WRONG_CIPHER_RETURNED, SC_TLS_REASON_NO_SHARED_CIPHER, NULL,
     "the server chose a cipher suite that was not offered"},
    {SSL_R_UNKNOWN_CIPHER_RETURNED, SC_TLS_REASON_NO_SHARED_CIPHER, NULL,
     "the server chose a cipher suite that was not offered"},
    {SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC, SC_TLS_REASON_OTHER,
     "what the client sent was changed in transit, or its TLS is broken",
     "what the server sent was changed in transit, or its TLS is broken"},
};

#define REFUSED_OUR_CERTIFICATE \
    "the client refused our certificate: its pin is for another key or certificate, or it trusts " \
    "only CAs that did not issue ours"

static const struct row alert_rows[] = {
    {SSL_AD_UNKNOWN_CA, SC_TLS_REASON_CERTIFICATE_REFUSED, REFUSED_OUR_CERTIFICATE,
     "the server does not know who issued our certificate"},
    {SSL_AD_BAD_CERTIFICATE, SC_TLS_REASON_BAD_CERTIFICATE,
     "the client refused our certificate and is locked out: it has pinned another key, or takes no "
     "certificate that is out of date; was the key changed? go back to the one before, or give "
     "the client the pin that 'sc-keygen --show' prints",
     "the server refused our certificate"},
    {SSL_AD_CERTIFICATE_UNKNOWN, SC_TLS_REASON_CERTIFICATE_REFUSED, REFUSED_OUR_CERTIFICATE,
     "the server refused our certificate"},
    {SSL_AD_UNSUPPORTED_CERTIFICATE, SC_TLS_REASON_CERTIFICATE_REFUSED,
     "the client can't use a certificate of our kind; an EC P-256 or RSA key suits most clients",
     "the server refused our certificate"},
    {SSL_AD_CERTIFICATE_EXPIRED, SC_TLS_REASON_CERTIFICATE_REFUSED,
     "the client says that our certificate is past its date, or not valid yet; compare the clocks, "
     "renew the certificate",
     "the server says that our certificate has expired"},
    {SSL_AD_CERTIFICATE_REVOKED, SC_TLS_REASON_CERTIFICATE_REFUSED,
     "the client says that our certificate was revoked",
     "the server says that our certificate was revoked"},
    {SSL_AD_BAD_CERTIFICATE_STATUS_RESPONSE, SC_TLS_REASON_CERTIFICATE_REFUSED,
     "the client did not accept the stapled OCSP response", NULL},
    {SSL_AD_NO_APPLICATION_PROTOCOL, SC_TLS_REASON_ALPN,
     "the client insists on another protocol (ALPN)",
     "the server does not speak space-captain/1; is this the right port?"},
    {SSL_AD_PROTOCOL_VERSION, SC_TLS_REASON_VERSION,
     "the client does not take the TLS version that was chosen",
     "the server takes no TLS version that this client has (1.2 and 1.3; with Mbed TLS 1.2 alone)"},
    {SSL_AD_HANDSHAKE_FAILURE, SC_TLS_REASON_ALERT_RECEIVED,
     "the client found nothing in common with us: cipher, group or signature",
     "the server found nothing in common with us: cipher, group, signature, or it wants a client "
     "certificate"},
    {SSL_AD_INSUFFICIENT_SECURITY, SC_TLS_REASON_ALERT_RECEIVED,
     "the client finds our settings too weak", "the server finds our settings too weak"},
    {SSL_AD_DECRYPT_ERROR, SC_TLS_REASON_ALERT_RECEIVED,
     "the client could not verify our signature; certificate and key may not belong together",
     "the server could not verify what we sent; a saved session may be damaged"},
    {SSL_AD_USER_CANCELLED, SC_TLS_REASON_ALERT_RECEIVED, "the client gave up on its own",
     "the server gave up on its own"},
    {SSL_AD_INTERNAL_ERROR, SC_TLS_REASON_ALERT_RECEIVED, "the client failed inside",
     "the server failed inside; its log says more"},
    {TLS13_AD_CERTIFICATE_REQUIRED, SC_TLS_REASON_NO_CLIENT_CERTIFICATE, NULL,
     "the server requires a client certificate; give it with --cert and --key"},
};

static const struct row *find(const struct row *rows, size_t count, int code)
{
    for (size_t i = 0; i < count; i++) {
        if (rows[i].code == code) {
            return &rows[i];
        }
    }
    return NULL;
}

static bool starts_with(const struct sc_tls_watch *watch, const void *text, size_t length)
{
    return watch->first_count >= length && memcmp(watch->first_bytes, text, length) == 0;
}

/*
 * What a peer that does not speak TLS seems to speak. NULL: what came looks like TLS, or nothing
 * came.
 */
static const char *plaintext_hint(const struct sc_tls_watch *watch, bool server)
{
    static const char *const http[] = {"GET ", "HEAD", "POST", "PUT ", "OPTI",
                                       "DELE", "PATC", "TRAC", "PRI "};
    if (watch->first_count == 0 || watch->first_bytes[0] == SSL3_RT_HANDSHAKE ||
        watch->first_bytes[0] == SSL3_RT_ALERT) {
        return NULL;
    }
    for (size_t i = 0; i < SC_COUNT_OF(http); i++) {
        if (starts_with(watch, http[i], 4)) {
            return "an HTTP client on this port; this is not a web server, and it speaks TLS only";
        }
    }
    if (starts_with(watch, "CONN", 4)) {
        return "an HTTP CONNECT on this port; this is not a proxy";
    }
    if (starts_with(watch, "HTTP", 4)) {
        return "an HTTP server answered; is this the right port?";
    }
    if (starts_with(watch, "SSH-", 4)) {
        return server ? "an SSH client on this port"
                      : "an SSH server answered; is this the right port?";
    }
    if (starts_with(watch, "PROX", 4) || starts_with(watch, "\r\n\r\n", 4)) {
        return server
                   ? "a PROXY protocol header from an address that is not in proxy-protocol-from: "
                     "put that of the load balancer there, or let it send none"
                   : "a PROXY protocol header; is this the right port?";
    }
    if (starts_with(watch, "\0\0\0", 3)) {
        return server ? "a client that speaks our protocol without TLS; nothing is served in "
                        "clear, use sc-client or a TLS library"
                      : "the server answered in clear; it does not speak TLS";
    }
    return server ? "the client does not speak TLS; this server speaks nothing else"
                  : "the server does not speak TLS on this port; is this the right port?";
}

static struct sc_tls_failure explain_alert(const struct sc_tls_watch *watch, uint8_t alert,
                                           bool server)
{
    /* TLS 1.2 has no alert of its own for this. */
    if (watch->certificate_requested && alert == SSL_AD_HANDSHAKE_FAILURE) {
        alert = TLS13_AD_CERTIFICATE_REQUIRED;
    }
    const struct row *row = find(alert_rows, SC_COUNT_OF(alert_rows), alert);
    const char *hint = !row ? NULL : server ? row->at_server : row->at_client;
    if (hint) {
        return failure(row->reason, hint);
    }
    return failure(row ? row->reason : SC_TLS_REASON_ALERT_RECEIVED,
                   server ? "the client gave up; the alert's name says why"
                          : "the server gave up; the alert's name says why");
}

const char *sc_tls_stage(const struct sc_tls_watch *watch)
{
    if (watch->first_count == 0) {
        return "connected";
    }
    return watch->hello_answered ? "answered" : watch->suspended ? "waiting" : "hello";
}

static struct sc_tls_failure failure_at(bool server, enum sc_tls_reason reason,
                                        const char *at_server, const char *at_client)
{
    return failure(reason, server ? at_server : at_client);
}

static struct sc_tls_failure explain_other(bool server)
{
    return failure_at(server, SC_TLS_REASON_OTHER, "what the client sent could not be used",
                      "what the server sent could not be used");
}

/* No error of the library, and no alert: the connection ended, or never got going. */
static struct sc_tls_failure explain_end(const struct sc_tls_watch *watch, enum sc_tls_end end,
                                         bool server)
{
    if (watch->first_count == 0 && server && (end == SC_TLS_END_RESET || end == SC_TLS_END_EOF)) {
        return failure(SC_TLS_REASON_PROBE,
                       "connected and closed without a byte: a port scan or a health check");
    }
    switch (end) {
    case SC_TLS_END_TIMEOUT:
        if (watch->suspended) {
            return failure(SC_TLS_REASON_TIMEOUT,
                           "the client waited for its turn and handshake-timeout was over first: "
                           "there are more full handshakes than handshake-rate allows");
        }
        if (watch->first_count == 0) {
            return failure_at(server, SC_TLS_REASON_TIMEOUT,
                              "the client connected and said nothing; it may wait for us to speak "
                              "first, as clients of plain protocols do, or it is a port scan",
                              "the server accepted the connection and said nothing; it may be "
                              "overloaded, or not a TLS server");
        }
        return failure_at(server, SC_TLS_REASON_TIMEOUT,
                          "the client began the handshake and did not finish it; a slow or lossy "
                          "network, or a client that stalls on purpose",
                          "the server began the handshake and did not finish it; a slow or lossy "
                          "network, or an overloaded server");
    case SC_TLS_END_RESET:
        return failure_at(server, SC_TLS_REASON_RESET,
                          "the client, or a firewall on the way, cut the connection in the middle "
                          "of the handshake",
                          "the server, or a firewall on the way, cut the connection in the middle "
                          "of the handshake");
    case SC_TLS_END_EOF:
        return failure_at(server, SC_TLS_REASON_EOF,
                          "the client left in the middle of the handshake; one that does not like "
                          "our certificate may leave like this",
                          "the server closed the connection in the middle of the handshake; it may "
                          "be full, or not a TLS server");
    case SC_TLS_END_ERROR: break;
    }
    return explain_other(server);
}

struct sc_tls_failure sc_tls_explain(const struct sc_tls_watch *watch, enum sc_tls_end end,
                                     unsigned long code, bool server)
{
    const char *plaintext = plaintext_hint(watch, server);
    if (plaintext) {
        return failure(SC_TLS_REASON_PLAINTEXT, plaintext);
    }
    if (watch->alpn_refused) {
        return failure(SC_TLS_REASON_ALPN, "a client of another protocol (ALPN) on this port; ours "
                                           "offers space-captain/1 or no ALPN at all");
    }
    if (watch->alert_received != SC_TLS_NO_ALERT) {
        return explain_alert(watch, watch->alert_received, server);
    }
    if (ERR_GET_LIB(code) == ERR_LIB_SSL) {
        int reason = ERR_GET_REASON(code);
        if (reason > SSL_AD_REASON_OFFSET && reason <= SSL_AD_REASON_OFFSET + UINT8_MAX) {
            return explain_alert(watch, (uint8_t)(reason - SSL_AD_REASON_OFFSET), server);
        }
        const struct row *row = find(library_rows, SC_COUNT_OF(library_rows), reason);
        const char *hint = !row ? NULL : server ? row->at_server : row->at_client;
        /* OpenSSL has the same codes for later messages: those are not about a ClientHello. */
        if (hint && !(row->reason == SC_TLS_REASON_HELLO_REFUSED && watch->hello_answered)) {
            return failure(row->reason, hint);
        }
        if (reason == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
            end = SC_TLS_END_EOF;
        } else if (end != SC_TLS_END_TIMEOUT) {
            return explain_other(server);
        }
    }
    return explain_end(watch, end, server);
}

void sc_tls_describe_failure(const struct sc_tls_watch *watch, enum sc_tls_end end,
                             unsigned long code, char *out, size_t out_size)
{
    sc_tls_describe_failure_as(watch, end, code, ERR_reason_error_string(code), out, out_size);
}

void sc_tls_describe_failure_as(const struct sc_tls_watch *watch, enum sc_tls_end end,
                                unsigned long code, const char *reason, char *out, size_t out_size)
{
    const struct sc_tls_failure failure = sc_tls_explain(watch, end, code, false);
    const uint8_t alert = watch->alert_received;
    if (alert != SC_TLS_NO_ALERT) {
        reason = sc_tls_alert_name(alert);
    } else if (failure.kind == SC_TLS_REASON_EOF) {
        reason = NULL; /* the hint says it all */
    }
    if (reason && failure.kind != SC_TLS_REASON_PLAINTEXT) {
        (void)snprintf(out, out_size, "%s (%s%s)", failure.hint,
                       alert != SC_TLS_NO_ALERT ? "alert: " : "", reason);
    } else {
        (void)snprintf(out, out_size, "%s", failure.hint);
    }
}

static int refuse_key(const struct sc_pin_set *pins, const X509 *leaf,
                      const struct sc_pin_result *result, const char *target, struct sc_err *err)
{
    uint8_t key[SC_PIN_BYTES], fingerprint[SC_PIN_BYTES];
    struct sc_pin_formats got;
    char expected[240];
    if (!leaf || sc_pin_of_certificate(leaf, key, NULL) != 0 ||
        sc_pin_fingerprint(leaf, fingerprint, NULL) != 0) {
        return sc_err_set(err, SC_EXIT_PIN, "%.80s has shown no certificate, nothing was sent",
                          target);
    }
    sc_pin_format(key, fingerprint, &got);
    sc_pin_set_describe(pins, expected, sizeof(expected));
    return sc_err_set(err, SC_EXIT_PIN,
                      "%.80s is not the server that was pinned, nothing was sent: expected %s, got "
                      "%s, %s%s%.140s%s; trust the new one only if the server's owner confirms it",
                      target, expected, got.curl, got.cert_sha256, *result->reason ? " (" : "",
                      result->reason, *result->reason ? ")" : "");
}

int sc_tls_refuse_server(const struct sc_pin_set *pins, const X509 *leaf,
                         const struct sc_pin_result *result, const char *target,
                         struct sc_pin_mismatch *mismatch, struct sc_err *err)
{
    const char *way_out = NULL;
    sc_pin_mismatch_find(pins, result->cause == SC_PIN_OTHER ? leaf : NULL, result->reason,
                         mismatch);
    switch (result->cause) {
    case SC_PIN_OTHER: return refuse_key(pins, leaf, result, target, err);
    case SC_PIN_UNCHECKED:
        return sc_err_set(err, EX_OSERR,
                          "the certificate of %.80s can't be checked, nothing was "
                          "sent: %s",
                          target, result->reason);
    case SC_PIN_EXPIRED: way_out = "the server needs a new one"; break;
    case SC_PIN_NOT_YET_VALID: way_out = "is the clock of this host right?"; break;
    case SC_PIN_WRONG_NAME: way_out = "connect to a name that it has"; break;
    }
    return sc_err_set(err, SC_EXIT_PIN, "%.80s is refused, nothing was sent: %s; %s", target,
                      result->reason, way_out);
}

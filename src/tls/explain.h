/* SPDX-License-Identifier: MIT */
/*
 * Why handshakes and certificates are refused, in plain words: the one home of these texts, for the
 * server's log and for every client program.
 *
 *   sc_tls_explain()            a word for counters and a hint for the server's log
 *   sc_tls_describe_failure()   a client's handshake or connection failed: one text
 *   sc_tls_refuse_server()      a client's pins do not match: the whole error
 *   sc_certificate_describe_validity() (tls/certificate.h)   dates
 *
 * Thread: the SSL's.
 */
#ifndef SC_TLS_EXPLAIN_H
#define SC_TLS_EXPLAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "tls/pin_mismatch.h"
#include "tls/watch.h"

/*
 * Why a handshake failed, as a word for counters and logs: one row for each, the enumerator and
 * the word.
 */
#define SC_TLS_REASONS(X) \
    X(PLAINTEXT, "plaintext") /* the peer does not speak TLS */ \
    X(PROBE, "probe") /* connected, sent nothing, left */ \
    X(EOF, "eof") /* left in the middle */ \
    X(RESET, "reset") /* the TCP connection was reset */ \
    X(TIMEOUT, "timeout") /* our handshake timeout */ \
    X(HELLO_REFUSED, "hello_refused") /* a ClientHello that no client sends */ \
    X(VERSION, "version") /* no common TLS version */ \
    X(NO_SHARED_CIPHER, \
      "no_shared_cipher") /* no common cipher suite, or none for our kind of key */ \
    X(NO_SHARED_GROUP, "no_shared_group") /* no common key exchange group */ \
    X(NO_SHARED_SIGNATURE, "no_shared_signature") /* no common signature algorithm */ \
    X(ALPN, "alpn") /* no common application protocol */ \
    X(BAD_CERTIFICATE, \
      "bad_certificate") /* the alert of that name: what our clients send for a wrong pin */ \
    X(CERTIFICATE_REFUSED, \
      "certificate_refused") /* the peer refused our certificate with another alert */ \
    X(NO_CLIENT_CERTIFICATE, \
      "no_client_certificate") /* a client certificate is required and none came */ \
    X(CLIENT_CERTIFICATE, "client_certificate") /* the client's certificate is not accepted */ \
    X(ALERT_RECEIVED, "alert_received") /* the peer gave up for another reason */ \
    X(SERVER_STOPPED, "server_stopped") /* our server ended meanwhile */ \
    X(OTHER, "other")

enum sc_tls_reason {
#define SC_TLS_REASON_ENUM(name, word) SC_TLS_REASON_##name,
    SC_TLS_REASONS(SC_TLS_REASON_ENUM)
#undef SC_TLS_REASON_ENUM
        SC_TLS_REASON_COUNT
};

const char *sc_tls_reason_name(enum sc_tls_reason reason);

struct sc_tls_failure {
    enum sc_tls_reason kind; /* index for counters */
    const char *reason; /* its word */
    const char *hint; /* plain words: what it means and what to do; static */
};

enum sc_tls_end { SC_TLS_END_EOF, SC_TLS_END_RESET, SC_TLS_END_TIMEOUT, SC_TLS_END_ERROR };

/*
 * Why a handshake failed. `code` is the first entry of OpenSSL's error queue, 0 when there was
 * none. `server`: seen from our server's side, else from our client's.
 */
struct sc_tls_failure sc_tls_explain(const struct sc_tls_watch *watch, enum sc_tls_end end,
                                     unsigned long code, bool server);

/*
 * How far a server's handshake came: "connected" (no byte came), "hello" (the ClientHello was not
 * accepted), "waiting" (the server's owner holds it up), "answered". Static.
 */
const char *sc_tls_stage(const struct sc_tls_watch *watch);

/* "unknown CA", "handshake failure", ...: the alert's name, "none" for SC_TLS_NO_ALERT. */
const char *sc_tls_alert_name(uint8_t alert);

/*
 * What a client says about a handshake or a connection that TLS has ended: the hint, and in
 * brackets the alert's name or OpenSSL's reason: "the server requires a client certificate; give it
 * with --cert and --key (alert: certificate required)". 256 bytes take every text.
 */
void sc_tls_describe_failure(const struct sc_tls_watch *watch, enum sc_tls_end end,
                             unsigned long code, char *out, size_t out_size);

/*
 * The same of another TLS library: `code` is that of OpenSSL which means the same, 0: there is
 * none; `reason` is what that library calls it, NULL: nothing.
 */
void sc_tls_describe_failure_as(const struct sc_tls_watch *watch, enum sc_tls_end end,
                                unsigned long code, const char *reason, char *out, size_t out_size);

/*
 * What a client says about a server that sc_pin_set_match() did not match: SC_EXIT_PIN. Of another
 * key the text has both sides; a certificate of the pinned issuer that is expired, not yet valid,
 * or for another host is called that. `leaf`: its certificate, NULL: it has shown none. `target`
 * names the server. *mismatch has both sides of another key, and is empty otherwise. Always returns
 * -1.
 */
int sc_tls_refuse_server(const struct sc_pin_set *pins, const X509 *leaf,
                         const struct sc_pin_result *result, const char *target,
                         struct sc_pin_mismatch *mismatch, struct sc_err *err);

#endif

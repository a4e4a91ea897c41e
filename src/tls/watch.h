/*
 * What happened in the handshake of one SSL, and how it failed in plain words. A watch hangs on an
 * SSL as its application data (SSL_set_app_data); the callbacks of the context write it.
 *
 * It also bounds what OpenSSL 3.0 accepts without limit after the handshake: KeyUpdates in TLS 1.3
 * (every one costs key derivation, and a reply when the peer asks for one) and refused
 * renegotiations in TLS 1.2 (every one costs an alert). Thread: the SSL's.
 */
#ifndef SC_TLS_WATCH_H
#define SC_TLS_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/ssl.h>

/*
 * A peer may update its keys this often over the life of a connection before it counts as a flood.
 */
#define SC_TLS_MAX_KEY_UPDATES 64U

#define SC_TLS_NO_ALERT 255U

struct sc_tls_watch {
    uint16_t key_updates; /* from the peer, renegotiations included; stops at its maximum */
    uint8_t alert_received; /* SSL_AD_*, SC_TLS_NO_ALERT: none; close_notify is not one */
    uint8_t alert_sent; /* likewise */
    bool handshake_done;
    bool hello_answered; /* a server: it took the ClientHello and sent its own */
    bool alpn_refused; /* the client offered ALPN without space-captain/1 */
    uint8_t first_bytes[5]; /* what the peer sent first: tells plain text from TLS */
    uint8_t first_count;
    char *refused_pin; /* "sha256//..." of a client certificate that no client-pin matched; else
                          NULL */
};

void sc_tls_watch_init(struct sc_tls_watch *watch);
void sc_tls_watch_fini(struct sc_tls_watch *watch);

/* Makes every SSL of the context look for a watch. Called once, by tls/context. */
void sc_tls_watch_install(SSL_CTX *context);

/* Keeps the first bytes that the peer sent. Cheap once they are there. */
void sc_tls_watch_first_bytes(struct sc_tls_watch *watch, const void *bytes, size_t length);

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
    X(VERSION, "version") /* no common TLS version */ \
    X(NO_SHARED_CIPHER, \
      "no_shared_cipher") /* no common cipher suite, or none for our kind of key */ \
    X(NO_SHARED_GROUP, "no_shared_group") /* no common key exchange group */ \
    X(NO_SHARED_SIGNATURE, "no_shared_signature") /* no common signature algorithm */ \
    X(ALPN, "alpn") /* no common application protocol */ \
    X(CERTIFICATE_REFUSED, "certificate_refused") /* the peer refused our certificate */ \
    X(NO_CLIENT_CERTIFICATE, \
      "no_client_certificate") /* a client certificate is required and none came */ \
    X(CLIENT_CERTIFICATE, "client_certificate") /* the client's certificate is not accepted */ \
    X(ALERT_RECEIVED, "alert_received") /* the peer gave up for another reason */ \
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
 * `code` is the first entry of OpenSSL's error queue, 0 when there was none. `server`: seen from
 * our server's side, else from our client's.
 */
struct sc_tls_failure sc_tls_explain(const struct sc_tls_watch *watch, enum sc_tls_end end,
                                     unsigned long code, bool server);

/*
 * How far a server's handshake came: "connected" (no byte came), "hello" (the ClientHello was not
 * accepted), "answered". Static.
 */
const char *sc_tls_stage(const struct sc_tls_watch *watch);

/* "unknown CA", "handshake failure", ...: the alert's name, "none" for SC_TLS_NO_ALERT. */
const char *sc_tls_alert_name(uint8_t alert);

#endif

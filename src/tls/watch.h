/*
 * What happened in the handshake of one SSL, and how it failed in plain words. A watch hangs on an SSL as its application data
 * (SSL_set_app_data); the callbacks of the context write it.
 *
 * It also bounds KeyUpdate floods, which OpenSSL 3.0 accepts without limit (notes: every one costs key derivation, and a reply when the
 * peer asks for one). Thread: the SSL's.
 */
#ifndef SC_TLS_WATCH_H
#define SC_TLS_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/ssl.h>

/* A peer may update its keys this often over the life of a connection before it counts as a flood. */
#define SC_TLS_MAX_KEY_UPDATES 64U

struct sc_tls_watch {
    uint16_t key_updates;    /* seen from the peer; stops at its maximum */
    uint8_t  alert_received; /* SSL_AD_*, 255: none */
    uint8_t  alert_sent;
    bool     alpn_refused;   /* the client offered ALPN without space-captain/1 */
    uint8_t  first_bytes[5]; /* what the peer sent first: tells plain text from TLS */
    uint8_t  first_count;
};

void sc_tls_watch_init(struct sc_tls_watch *watch);

/* Makes every SSL of the context look for a watch. Called once, by tls/context. */
void sc_tls_watch_install(SSL_CTX *context);

/* Keeps the first bytes that the peer sent. Cheap once they are there. */
void sc_tls_watch_first_bytes(struct sc_tls_watch *watch, const void *bytes, size_t length);

/* Why a handshake failed: a word for counters and logs, and a hint for a person. Static strings. */
struct sc_tls_failure {
    const char *reason; /* "plaintext", "version", "no_shared_cipher", "alert_received", "alpn", "probe", "eof", "reset", ... */
    const char *hint;   /* plain words */
};

enum sc_tls_end { SC_TLS_END_EOF, SC_TLS_END_RESET, SC_TLS_END_TIMEOUT, SC_TLS_END_ERROR };

/* `code` is the first entry of OpenSSL's error queue, 0 when there was none. `server`: seen from our server's side, else from our client's.
 */
struct sc_tls_failure sc_tls_explain(const struct sc_tls_watch *watch, enum sc_tls_end end, unsigned long code, bool server);

#endif

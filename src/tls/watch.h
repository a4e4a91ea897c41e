/* SPDX-License-Identifier: MIT */
/*
 * What happened in the handshake of one SSL; tls/explain.h says in plain words why one failed. A
 * watch is the application data of an SSL (SSL_set_app_data); the callbacks of the context write
 * it.
 *
 * It also counts what OpenSSL 3.0 accepts without limit after the handshake, for those that bound
 * it: records, KeyUpdates in TLS 1.3 (every one costs key derivation, and a reply when the peer
 * asks for one), and renegotiations in TLS 1.2, for which OpenSSL takes memory for all that the
 * first header announces, also when they are not allowed; at a client, session tickets.
 * Thread: the SSL's.
 */
#ifndef SC_TLS_WATCH_H
#define SC_TLS_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/ssl.h>

#include "tls/hello_peek.h"
#include "tls/trace.h"

struct sc_tls_handshake_hooks;
struct sc_tls_verify;

/*
 * A peer may update its keys this often over the life of a connection before it counts as a flood;
 * a server may also send so many tickets, and with TLS 1.2 ask for so many handshakes.
 */
#define SC_TLS_MAX_KEY_UPDATES 64U

/* Whether so many are a flood: one more is fine for each MiB that was received. */
static inline bool sc_tls_is_flood(uint64_t messages, uint64_t received)
{
    return messages > SC_TLS_MAX_KEY_UPDATES + (received >> 20);
}

#define SC_TLS_NO_ALERT 255U

struct sc_tls_watch {
    uint32_t records; /* that came; wraps around */
    uint16_t
        key_updates; /* from the peer, HelloRequests and tickets included; stops at its maximum */
    uint8_t alert_received; /* SSL_AD_*, SC_TLS_NO_ALERT: none; close_notify is not one */
    uint8_t alert_sent; /* likewise */
    bool handshake_done;
    bool renegotiates; /* TLS 1.2: the peer has begun another handshake */
    bool hello_answered; /* a server: it took the ClientHello and sent its own */
    bool suspended; /* a server: the handshake waits for its owner (tls/handshake_hooks.h) */
    bool alpn_refused; /* the client offered ALPN without space-captain/1 */
    bool certificate_requested; /* a client: the server asked for a client certificate */
    uint8_t first_bytes[5]; /* what the peer sent first, to recognise plain text */
    uint8_t first_count;
    struct sc_hello_peek hello; /* a server's; the owner starts it */
    const struct sc_tls_handshake_hooks *hooks; /* a server's, set by the owner; NULL: none */
    void *hooks_arg;
    struct sc_tls_verify *verify; /* a client's, set by the owner; NULL: none */
    struct sc_tls_trace *trace; /* of the handshake of a server; NULL: none is kept */
    char *refused_pin; /* "sha256//..." of a client certificate that no client-pin matched; else
                          NULL */
};

void sc_tls_watch_init(struct sc_tls_watch *watch);
void sc_tls_watch_fini(struct sc_tls_watch *watch);

/* From now on a trace is kept, if there is memory for it; the handshake is over: no longer. */
void sc_tls_watch_start_trace(struct sc_tls_watch *watch);
void sc_tls_watch_end_trace(struct sc_tls_watch *watch);

/* Makes every SSL of the context write to its watch. Called once, by tls/context. */
void sc_tls_watch_install(SSL_CTX *context);

/*
 * For an SSL that reads a socket of its own (SSL_set_fd): also keeps first bytes that are too few
 * for the header of a record.
 */
void sc_tls_watch_socket(SSL *ssl);

/*
 * Keeps the first bytes that the peer sent. For transports that see them before OpenSSL does: the
 * header of the first record is noted in any case. Cheap once they are there.
 */
void sc_tls_watch_first_bytes(struct sc_tls_watch *watch, const void *bytes, size_t length);

#endif

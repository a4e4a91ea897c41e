/* SPDX-License-Identifier: MIT */
/*
 * TLS contexts: everything that is decided before a connection exists. A context is immutable once
 * made and reference counted; a reload makes a new one and the connections of the old one keep it
 * alive: every SSL made from it holds a reference.
 *
 * Thread: making one, any thread that is not serving; new connections (SSL_new on
 * sc_tls_context_ssl_ctx()) from any thread.
 */
#ifndef SC_TLS_CONTEXT_H
#define SC_TLS_CONTEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <openssl/pem.h>
#include <openssl/ssl.h>

#include "base/err.h"
#include "tls/commands.h"
#include "tls/peer_policy.h"

struct sc_tls_context;
struct sc_announcement;
struct sc_ocsp;
struct sc_tickets;

/*
 * Borrowed for the call only, with all that it points to; the context takes a reference of its own
 * to the tickets.
 */
struct sc_tls_server_settings {
    const char *certificate_path; /* PEM, leaf first, then the chain; may hold the key too */
    const char *private_key_path; /* PEM */

    /*
     * The passphrase of an encrypted key: asked for at most once for each call; NULL: an encrypted
     * key is refused.
     */
    pem_password_cb *passphrase;
    void *passphrase_arg;

    /*
     * The key that is announced as the next one (tls/announcement.h), PEM; NULL: none. `optional`:
     * it need not be there. While sc-keygen promotes it, the certificate is of this key for a
     * moment, or for longer when that was interrupted: then it is what is served with.
     */
    const char *next_private_key_path;
    bool next_private_key_optional;

    const struct sc_tls_command *commands; /* applied over the defaults, in order */
    size_t command_count;

    uint32_t session_timeout_s; /* 0: 300 */
    uint32_t session_cache_size; /* sessions that the server remembers, beside those in tickets; 0:
                                    none */

    struct sc_tickets *tickets; /* NULL: OpenSSL's own random keys, and sessions by id,
                                   which nothing shares and no hooks limit */

    const char *ocsp_response_path; /* DER; NULL: nothing is stapled */

    enum sc_peer_auth client_auth;
    const char *const *client_pins; /* PIN arguments (tls/pin.h), any one is enough; none: chain
                                       validation (VerifyCAFile) */
    size_t client_pin_count;
};

/*
 * A server context: TLS 1.2 or newer, AEAD with forward secrecy only, groups X25519:P-256:P-384,
 * no compression, no renegotiation, no early data, ALPN space-captain/1, RELEASE_BUFFERS. One
 * reference, NULL on failure (EX_NOINPUT unreadable file, EX_CONFIG the rest).
 */
struct sc_tls_context *sc_tls_context_new_server(const struct sc_tls_server_settings *settings,
                                                 struct sc_err *err) SC_NODISCARD;

/* Borrowed for the call only; NULL: not set. */
struct sc_tls_client_settings {
    const char *keylog_path; /* SSLKEYLOGFILE: appended to, made with 0600 */
    const char *certificate_path, *private_key_path; /* the client's own, PEM */
    const char *passphrase; /* of its key; NULL: an encrypted key is refused */
};

/*
 * A client context: the same protocol versions and ciphers, offers ALPN. It verifies nothing by
 * itself: its user checks the server with tls/verify.h, in the handshake, and when the handshake
 * is done and before anything is sent. Sessions are not cached inside; SSL_CTX_sess_set_new_cb()
 * gets every one. NULL on failure (EX_CANTCREAT the key log; of the certificate as for a server).
 */
struct sc_tls_context *sc_tls_context_new_client(const struct sc_tls_client_settings *settings,
                                                 struct sc_err *err) SC_NODISCARD;

struct sc_tls_context *sc_tls_context_ref(struct sc_tls_context *context);
void sc_tls_context_unref(struct sc_tls_context *context); /* NULL is fine */

SSL_CTX *sc_tls_context_ssl_ctx(const struct sc_tls_context *context);

/* When a server context's leaf ends, in seconds since the epoch; a client's: 0. */
time_t sc_tls_context_not_after(const struct sc_tls_context *context);

/* The keys that a server context announces. */
const struct sc_announcement *sc_tls_context_announcement(const struct sc_tls_context *context);

/* What a server context staples; its `der` is NULL when that is nothing. */
const struct sc_ocsp *sc_tls_context_ocsp(const struct sc_tls_context *context);

/*
 * Is the client of this finished handshake one that client-auth takes? Call it after every
 * handshake and before anything is answered: a resumed one has not been checked by OpenSSL. 0 yes,
 * also without client-auth; -1 close the connection. *name is that of the client in a list of pins,
 * good for as long as the context; NULL: it has none.
 */
int sc_tls_context_check_peer(const struct sc_tls_context *context, const SSL *ssl,
                              const char **name, struct sc_err *err) SC_NODISCARD;

/*
 * SHA-256 over the settings and files that the context was made from: equal for two when a reload
 * has nothing new to serve.
 */
#define SC_TLS_CONTEXT_DIGEST_BYTES 32U
const uint8_t *sc_tls_context_digest(const struct sc_tls_context *context);

/*
 * What is not an error and what the operator should know, a sentence each: a certificate outside
 * its dates, a key that others can read. NULL after the last. Log each once when the context
 * becomes the active one.
 */
const char *sc_tls_context_warning(const struct sc_tls_context *context, unsigned index);

/* The same for what its commands allow below the defaults. */
const char *sc_tls_context_weakness(const struct sc_tls_context *context, unsigned index);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Where the owner of a server's connection decides about a handshake, between the ClientHello and
 * the part that costs: may this session be resumed, may this handshake be a full one. OpenSSL asks
 * at the right moments itself, so what is decided holds: a session that is offered and then
 * turns out not to fit ends at the second question. Thread: the SSL's.
 */
#ifndef SC_TLS_HANDSHAKE_HOOKS_H
#define SC_TLS_HANDSHAKE_HOOKS_H

#include <stdbool.h>

#include <openssl/ssl.h>

struct sc_tls_state;

struct sc_tls_handshake_hooks {
    /*
     * The client offers a session of ours. False: it is not used, and the handshake becomes a full
     * one. May be asked several times in a handshake.
     */
    bool (*may_resume)(void *arg);

    /*
     * A full handshake: the key exchange and the signature come next. False: it is suspended;
     * SSL_do_handshake() fails with SSL_ERROR_WANT_X509_LOOKUP, and asks again when it is called
     * again. May be asked several times in a handshake.
     */
    bool (*may_be_full)(void *arg);

    /* The handshake has entered a state; only while a trace is kept. NULL: not called. */
    void (*on_state)(void *arg, const struct sc_tls_state *step);
};

/*
 * Makes every SSL of a server's context look for hooks in its watch (tls/watch.h: `hooks`,
 * `hooks_arg`); without them everything is allowed. Called once, by tls/context. False: out of
 * memory.
 */
bool sc_tls_handshake_hooks_install(SSL_CTX *context);

/* Asks the hooks; for a session that was found by its id (tls/session_cache). */
bool sc_tls_may_resume(const SSL *ssl);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * ClientHellos that offer a session which the server made, in ways in which it cannot be resumed.
 * Whatever goes wrong ends the process (peer.h).
 */
#ifndef SC_TESTS_CLIENT_HELLO_H
#define SC_TESTS_CLIENT_HELLO_H

#include <stddef.h>
#include <stdint.h>

#include <openssl/ssl.h>

#define CLIENT_HELLO_MAX_BYTES 4096U

struct client_hello {
    uint8_t bytes[CLIENT_HELLO_MAX_BYTES]; /* one TLS record */
    size_t length;
};

/* A row for each way: word, and what is wrong. */
#define CLIENT_HELLO_WAYS(X) \
    X("none", "offers no session") \
    X("ticket", "nothing: TLS 1.3, the session can be resumed") \
    X("ticket12", "nothing: TLS 1.2, by ticket") \
    X("id12", "nothing: TLS 1.2, by session id") \
    X("hash", "TLS 1.3, the cipher suite offered has another hash than the session's") \
    X("modes", "TLS 1.3, without psk_key_exchange_modes") \
    X("binder", "TLS 1.3, a wrong binder") \
    X("no-binder", "TLS 1.3, without binders") \
    X("ems12", "TLS 1.2, the session is without extended master secret")

/* Connects to the server for the session, if the way needs one. */
void client_hello_make(const char *way, struct client_hello *hello);

/*
 * The session alone, or NULL, and a context for clients that offer it. The caller frees both.
 */
SSL_SESSION *client_hello_session(const char *way, SSL_CTX **context);

#endif

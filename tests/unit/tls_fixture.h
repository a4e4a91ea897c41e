/* SPDX-License-Identifier: MIT */
/*
 * TLS without sockets: certificates in a temporary directory, and handshakes between two SSLs of
 * one process over memory. Every function ends the test when it fails, except where it says
 * otherwise.
 */
#ifndef SC_TESTS_TLS_FIXTURE_H
#define SC_TESTS_TLS_FIXTURE_H

#include <stdbool.h>
#include <stddef.h>

#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "tls/context.h"
#include "tls/watch.h"

/*
 * A directory that is removed, with all files in it, when the process ends. Made at the first use.
 */
const char *fixture_directory(void);

/* DIRECTORY/NAME, in one of 16 static buffers in turn. */
const char *fixture_path(const char *name);

/* Kinds of keys: "P-256", "P-384", "P-521", "ED25519", "RSA2048", "RSA1024". */
EVP_PKEY *fixture_key(const char *kind);

/*
 * A certificate for the key, valid from `from_s` to `to_s` seconds from now. NULL issuer:
 * self-signed.
 */
X509 *fixture_certificate(EVP_PKEY *key, const char *name, long from_s, long to_s, X509 *issuer,
                          EVP_PKEY *issuer_key);

/* Replaces DIRECTORY/NAME. */
void fixture_write(const char *name, const void *bytes, size_t length);
void fixture_write_key(const char *name, EVP_PKEY *key,
                       const char *passphrase); /* NULL: not encrypted */
void fixture_write_certificate(const char *name, X509 *certificate, bool append);

/* NAME.crt and NAME.key: a pair that is good for a day. */
void fixture_write_pair(const char *name, const char *kind);

/*
 * Replaces DIRECTORY/NAME: what a responder says about the certificate (V_OCSP_CERTSTATUS_*), good
 * from `from_s` to `to_s` seconds from now (0: it does not say until when), signed by the last two.
 */
void fixture_write_ocsp(const char *name, X509 *about, X509 *issuer, X509 *signer,
                        EVP_PKEY *signer_key, int status, long from_s, long to_s);

/* NAME.crt and NAME.key, and everything else at its default. */
struct sc_tls_server_settings fixture_settings(const char *name);

/* Contexts that must come to be. The pair NAME.crt and NAME.key is there already. */
struct sc_tls_context *fixture_server(const struct sc_tls_server_settings *settings);
/* The settings of fixture_settings() and these commands of [tls]. */
struct sc_tls_context *fixture_server_with(const char *name, const struct sc_tls_command *commands,
                                           size_t count);
struct sc_tls_context *fixture_client(void);

/* Both ends of a connection, each with its watch. */
struct tls_pair {
    SSL *client, *server;
    struct sc_tls_watch client_watch, server_watch;
    unsigned long client_error,
        server_error; /* OpenSSL's first, when the handshake failed; else 0 */
};

/* Before the handshake: SSL options may still be set. */
void tls_pair_init(struct tls_pair *pair, const struct sc_tls_context *client,
                   const struct sc_tls_context *server);

/*
 * True when both sides are done, and the session tickets have been read. False: at least one
 * failed.
 */
bool tls_pair_handshake(struct tls_pair *pair);

/* Sends text from one end and reads it at the other. Returns false when either fails. */
bool tls_pair_send(SSL *from, SSL *to, const char *text);

/*
 * The client's session, for the next connection; NULL: none that could be resumed.
 * SSL_SESSION_free() it.
 */
SSL_SESSION *tls_pair_session(const struct tls_pair *pair);

/* Closes both sides cleanly and frees them. */
void tls_pair_fini(struct tls_pair *pair);

#endif

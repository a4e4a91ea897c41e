/* SPDX-License-Identifier: MIT */
/*
 * The other end of a connection, as a test wants it: an OpenSSL client on a non-blocking socket,
 * driven by an event base, that can stop reading, end its side in every way, and send bytes that
 * no client sends. Every function ends the test when it fails.
 */
#ifndef SC_TESTS_TLS_PEER_H
#define SC_TESTS_TLS_PEER_H

#include <stdbool.h>
#include <stddef.h>

#include <event2/event.h>
#include <openssl/ssl.h>

#include "tls/context.h"
#include "tls/watch.h"

struct evbuffer;

struct tls_peer {
    SSL *ssl;
    BIO *in, *out; /* the SSL's, in memory */
    struct event *readable, *writable;
    struct evbuffer *unsent; /* ciphertext for the socket */
    struct evbuffer *got; /* what the other side sent, decrypted */
    int fd; /* -1: closed */
    size_t at_once; /* so many bytes at most go into one write(2); 0: no limit */
    bool held;
    bool connected;
    bool closed; /* close_notify came */
    bool eof; /* the end of the TCP stream came */
    int error; /* errno of the socket, 0: none */
    bool failed; /* TLS failed; the alerts are in the watch */
    struct sc_tls_watch watch;
};

/* Takes over the socket, not the base. The handshake starts. */
void tls_peer_init(struct tls_peer *peer, struct event_base *base,
                   const struct sc_tls_context *client, int fd);
/* The same, offering a session; NULL: none. */
void tls_peer_init_with(struct tls_peer *peer, struct event_base *base,
                        const struct sc_tls_context *client, int fd, SSL_SESSION *session);
void tls_peer_fini(struct tls_peer *peer);

/* Encrypts; the bytes leave when the base runs. */
void tls_peer_write(struct tls_peer *peer, const void *bytes, size_t length);
void tls_peer_close_notify(struct tls_peer *peer);
void tls_peer_key_update(struct tls_peer *peer, int type); /* SSL_KEY_UPDATE_* */

/* Takes over what the test itself had the SSL make. */
void tls_peer_take(struct tls_peer *peer);

/* Puts bytes into the stream that TLS knows nothing of. */
void tls_peer_write_raw(struct tls_peer *peer, const void *bytes, size_t length);

/* Ciphertext is kept back, so that several things leave in one write(2). */
void tls_peer_hold(struct tls_peer *peer);
void tls_peer_release(struct tls_peer *peer);

void tls_peer_stop_reading(struct tls_peer *peer);
void tls_peer_start_reading(struct tls_peer *peer);
void tls_peer_shut_write(struct tls_peer *peer); /* TCP half-close */
void tls_peer_reset(struct tls_peer *peer); /* closes with a RST: TCP only */

/* Writes now what the socket takes, without the loop. */
void tls_peer_flush(struct tls_peer *peer);

/* Everything made so far is in the socket. */
bool tls_peer_all_sent(const struct tls_peer *peer);

/* Two connected, non-blocking sockets. */
void socket_pair(bool tcp, int ends[2]);

/* Runs the base until the condition holds; ends the test when that takes too long. */
#define RUN_UNTIL(base, condition) \
    do { \
        run_guard(base, #condition); \
        while (!(condition)) { \
            run_once(base); \
        } \
    } while (0)
void run_guard(struct event_base *base, const char *what);
void run_once(struct event_base *base);

/* Runs what is ready, and what becomes ready by it; nothing that waits for time. */
void run_ready(struct event_base *base);

/* A base, and its end: nothing may be left of what ran on it. */
struct event_base *run_base_new(void);
void run_base_free(struct event_base *base);

#endif

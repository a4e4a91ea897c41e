/* SPDX-License-Identifier: MIT */
/*
 * TLS over a socket: an OpenSSL filter bufferevent over a socket bufferevent, and the rules that
 * make the two safe and fast.
 *
 * A connection is driven in I/O cycles. One starts when the socket is readable, when a full socket
 * has taken all output, or when the owner asks for one; in it the ciphertext is read and decrypted,
 * the owner's callbacks run in a fixed order (connected, data, flushed, closed), and at its end
 * everything they wrote leaves in one send(2). Callbacks are never nested and never run inside a
 * call of the owner. A cycle is a bounded piece of work whatever the peer sends: it decrypts a
 * number of records, and goes on with the rest after other connections. Closed comes once, after
 * all the data; only what the owner itself still does (again, write, shutdown) has callbacks after
 * it.
 *
 * Why cycles, and not libevent's own callbacks: in 2.1 an end of stream is reported before the data
 * that preceded it, one failure is reported several times, an append can report a failure from
 * inside itself, and every request costs two epoll_ctl(2), one ioctl(2) and reads of at most 4,096
 * bytes (docs/architecture.md, "A TLS connection").
 *
 * Thread: one, that of the event_base.
 */
#ifndef SC_NET_TLSBEV_H
#define SC_NET_TLSBEV_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <event2/event.h>
#include <openssl/ssl.h>

#include "base/err.h"

struct evbuffer;
struct sc_tlsbev;

/* How the input ended. */
enum sc_tlsbev_end {
    SC_TLSBEV_CLOSE_NOTIFY, /* the peer ended its side cleanly; ours can still be written */
    SC_TLSBEV_EOF, /* TCP end of stream without close_notify; ours can still be written */
    SC_TLSBEV_RESET, /* the socket failed: see error_number */
    SC_TLSBEV_TLS, /* TLS failed: see error_code; the alert has been written */
    SC_TLSBEV_KEY_UPDATES, /* the peer floods us with KeyUpdates: more than SC_TLS_MAX_KEY_UPDATES
                              and one a MiB */
    SC_TLSBEV_RENEGOTIATION, /* TLS 1.2: the peer has begun another handshake */
};

struct sc_tlsbev_close {
    enum sc_tlsbev_end end;
    int error_number; /* errno, 0: none */
    unsigned long error_code; /* OpenSSL's first error, 0: none */
};

struct sc_tlsbev_callbacks {
    /* The handshake is done. */
    void (*on_connected)(void *arg);

    /*
     * `input` holds decrypted bytes; what the owner leaves there stays. Called when bytes arrived,
     * and in every cycle the owner asked for.
     */
    void (*on_data)(void *arg, struct evbuffer *input);

    /* Optional. The socket does not take everything: what waits is sc_tlsbev_pending(). */
    void (*on_blocked)(void *arg);

    /*
     * The socket was full, and now it has taken everything, or it failed and nothing is left; and
     * once when the close_notify of sc_tlsbev_shutdown() has left.
     */
    void (*on_flushed)(void *arg);

    /*
     * No more input will come. Called once. Only after CLOSE_NOTIFY and EOF something can still be
     * written. The owner may free it here.
     */
    void (*on_closed)(void *arg, const struct sc_tlsbev_close *close);
};

/*
 * What the connections of one thread share, one for each event_base: the memory that ciphertext is
 * read into, `read_bytes` at once, 16 KiB or more, and the queues of those that ask for a cycle.
 * What its sockets bring and take, TLS included, is added to `received` and `sent` (borrowed; other
 * threads may read them). NULL: out of memory.
 */
struct sc_tlsbev_shared;
struct sc_tlsbev_shared *sc_tlsbev_shared_new(struct event_base *base, size_t read_bytes,
                                              _Atomic uint64_t *received, _Atomic uint64_t *sent);
void sc_tlsbev_shared_free(
    struct sc_tlsbev_shared *shared); /* after all that use it; NULL is fine */

/*
 * Once, before the second thread that makes connections: libevent sets up its OpenSSL BIO at the
 * first use, without a lock.
 */
int sc_tlsbev_library_init(SSL_CTX *context, struct sc_err *err) SC_NODISCARD;

/*
 * Takes over the socket (non-blocking) and the SSL, whose application data is a struct sc_tls_watch
 * (tls/watch.h) that lasts as long. `server`: accept, else connect (the ClientHello leaves before
 * this returns, or, when the TCP connection is still under way, as soon as it is there). On failure
 * NULL, and both are freed.
 */
struct sc_tlsbev *sc_tlsbev_new(struct sc_tlsbev_shared *shared, evutil_socket_t fd, SSL *ssl,
                                bool server, const struct sc_tlsbev_callbacks *callbacks, void *arg,
                                struct sc_err *err) SC_NODISCARD;

/*
 * Closes the socket and frees everything; unsent output is lost. No callback follows. Fine inside
 * a callback. NULL is fine.
 */
void sc_tlsbev_free(struct sc_tlsbev *tls);

/*
 * Encrypts and queues `length` bytes at once: nothing of `data` is used after the return. One
 * call, one run of TLS records of 16 KiB: collect all replies of a cycle before the call. They
 * leave at its end, or, outside of one, in a cycle that is then asked for.
 */
void sc_tlsbev_write(struct sc_tlsbev *tls, const void *data, size_t length);

/* Ciphertext that the socket has not taken yet, bytes. */
size_t sc_tlsbev_pending(const struct sc_tlsbev *tls);

/* The socket does not take everything now. */
bool sc_tlsbev_is_blocked(const struct sc_tlsbev *tls);

/* Total that the socket took; grows while the peer reads. For write deadlines. */
uint64_t sc_tlsbev_sent(const struct sc_tlsbev *tls);
/* Total that came from the socket and has been decrypted. */
uint64_t sc_tlsbev_received(const struct sc_tlsbev *tls);

/* Stops and starts reading the socket. What is in the input stays. */
void sc_tlsbev_pause(struct sc_tlsbev *tls);
void sc_tlsbev_resume(struct sc_tlsbev *tls);

/*
 * A handshake that the hooks of the SSL have suspended (tls/handshake_hooks.h) goes on, in a cycle
 * of its own; nothing if it is not suspended. Not inside a callback or hook; the connection may be
 * gone afterwards if a callback freed it.
 *
 * While it is suspended the socket is read, and up to a ClientHello's length is kept, so that
 * on_closed comes when the client leaves.
 */
void sc_tlsbev_continue_handshake(struct sc_tlsbev *tls);

/*
 * Asks the socket whether the peer is still there (a system call). False: it has ended the
 * connection or its side of it, and on_closed follows. Fine inside a hook.
 */
bool sc_tlsbev_check_peer(struct sc_tlsbev *tls);

/*
 * Bytes that have arrived and are not decrypted yet. A system call: for the end of a connection,
 * not for every request.
 */
size_t sc_tlsbev_unread(const struct sc_tlsbev *tls);

/*
 * Asks for a cycle in the next iteration of the event loop, after everything that is ready then:
 * on_data is called even if no byte arrived.
 */
void sc_tlsbev_again(struct sc_tlsbev *tls);

/*
 * Queues close_notify after all output, and shuts down our side of the TCP connection when it has
 * left, unless the peer's has ended: then that is left to sc_tlsbev_free(). Nothing can be written
 * afterwards. Input is still read. Safe to call twice.
 */
void sc_tlsbev_shutdown(struct sc_tlsbev *tls);

SSL *sc_tlsbev_ssl(const struct sc_tlsbev *tls);

#endif

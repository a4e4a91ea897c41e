/* SPDX-License-Identifier: MIT */
/*
 * One client connection of a test, with deadlines everywhere: TCP, TLS, frames. Whatever goes
 * wrong ends the process: peer_fail() prints one line and exits 1. Sockets are non-blocking, every
 * wait is a poll(2) up to the deadline of the peer.
 */
#ifndef SC_TESTS_PEER_H
#define SC_TESTS_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/ssl.h>

#include "base/compiler.h"
#include "base/parse.h"

/* What the peers of this process are like; set once by main. */
struct peer_settings {
    struct sc_address address;
    const char *source; /* the own address, as a number; NULL: the system's choice */
    const char *mode; /* goes in front of every line that is printed */
    SSL_CTX *context;
    SSL_SESSION *session; /* to resume; NULL: none */
    uint64_t deadline_ms; /* for each connection, from its start */
};
extern struct peer_settings peer_settings;

struct peer {
    int fd;
    SSL *ssl;
    uint64_t started_ns;
    uint64_t deadline_ns;
};

/* How a connection was ended by the other side. */
enum peer_end {
    PEER_CLOSE_NOTIFY, /* cleanly */
    PEER_EOF, /* TCP end of stream without close_notify */
    PEER_RESET,
    PEER_ALERT, /* a fatal alert, or another TLS error */
};
extern const char *const peer_end_names[];

/* What came until the end. */
struct peer_ending {
    enum peer_end end;
    unsigned errors; /* ERROR frames */
    uint32_t code; /* of the last of them */
    uint32_t retry_after_ms;
    uint64_t after_ms; /* since peer_open() */
};

_Noreturn void peer_fail(const char *fmt, ...) SC_PRINTF(1, 2);

/*
 * An SSL_CTX that verifies nothing, offers the ALPN list (wire format; NULL: none), up to TLS 1.2
 * or 1.3.
 */
SSL_CTX *peer_context(bool tls12, const unsigned char *alpn, unsigned alpn_length);

/* Connects; no TLS yet. */
struct peer peer_open(void);
/* Connects and does the handshake. */
struct peer peer_open_tls(void);
/*
 * The handshake on an open connection. False: the server refused it with an alert or an end of
 * stream.
 */
bool peer_handshake(struct peer *peer);
/* The same with an SSL that was made and has perhaps begun already. */
bool peer_finish_handshake(struct peer *peer);
void peer_close(struct peer *peer);
/* Closes with a TCP reset. */
void peer_reset(struct peer *peer);

uint64_t peer_age_ms(const struct peer *peer);

/*
 * Waits for poll(2) events on the socket; false: `until_ms` of the connection's age has come
 * first. At the deadline the process fails.
 */
bool peer_wait(const struct peer *peer, short events, uint64_t until_ms);
#define PEER_FOR_EVER UINT64_MAX

/* Sends the bytes, in TLS records of at most `piece` bytes. False: the connection is gone. */
bool peer_send(struct peer *peer, const void *bytes, size_t length, size_t piece);

/* One try: sends what the socket takes now. -1: the connection is gone. */
int peer_send_some(struct peer *peer, const void *bytes, size_t length);

/* One try: how many bytes were there (0: none now), or -1 and how the connection ended. */
int peer_receive_some(struct peer *peer, void *bytes, size_t size, enum peer_end *end);

/* Exactly so many bytes, or the process fails. */
void peer_receive(struct peer *peer, void *bytes, size_t length);

/* Reads to the end. Only ERROR frames may come. */
struct peer_ending peer_read_end(struct peer *peer);

#endif

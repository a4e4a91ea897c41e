/* SPDX-License-Identifier: MIT */
/* The parts of tests/tools/odd-server: what its modes share, and those about TLS (odd_tls.c). */
#ifndef SC_TESTS_ODD_SERVER_H
#define SC_TESTS_ODD_SERVER_H

#include <stddef.h>
#include <stdint.h>

#include <openssl/ssl.h>

struct connection {
    int fd;
    SSL *ssl;
    size_t got; /* bytes of application data */
};

extern const char *odd_text; /* TEXT of the command line, or "" */

/* Until the peer leaves. */
void odd_read_all(struct connection *connection);
/* Of one request: the reply with other numbers in its header, and without its last bytes. */
void odd_answer_one(struct connection *connection, uint32_t type_change, int length_change,
                    size_t cut);

/* Those without a handshake of SSL_accept(). */
void odd_plain(struct connection *connection);
void odd_plain_end(struct connection *connection);
void odd_plain_echo(struct connection *connection);
void odd_trickle(struct connection *connection);

void odd_part(struct connection *connection);
void odd_garbage(struct connection *connection);
void odd_long_record(struct connection *connection);
void odd_after_close(struct connection *connection);
void odd_key_updates(struct connection *connection);
void odd_tickets(struct connection *connection);

/* Before the handshake: it will choose a protocol (ALPN) that was not offered. */
void odd_choose_protocol(SSL_CTX *ctx);

#endif

/* SPDX-License-Identifier: MIT */
/* The modes of odd-server that are about TLS, its end, and what is not TLS. */
#include "config.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "alpn_answer.h"
#include "odd_server.h"

/* The reply, close_notify and the end of the stream in one segment. */
void odd_part(struct connection *connection)
{
    const int on = 1;
    (void)setsockopt(connection->fd, IPPROTO_TCP, TCP_CORK, &on, sizeof(on));
    odd_answer_one(connection, 0, 0, 0);
    (void)SSL_shutdown(connection->ssl);
    (void)shutdown(connection->fd, SHUT_WR);
    odd_read_all(connection);
}

/* These send what is not a record of the connection, on the socket itself, after a reply. */
static void say_raw(struct connection *connection, const void *bytes, size_t length)
{
    (void)send(connection->fd, bytes, length, MSG_NOSIGNAL);
}

void odd_garbage(struct connection *connection)
{
    static const uint8_t record[5 + 48] = {0x17, 3, 3, 0, 48};
    odd_answer_one(connection, 0, 0, 0);
    say_raw(connection, record, sizeof(record));
    odd_read_all(connection);
}

void odd_long_record(struct connection *connection)
{
    static const uint8_t header[] = {0x17, 3, 3, 0xff, 0xff};
    odd_answer_one(connection, 0, 0, 0);
    say_raw(connection, header, sizeof(header));
    odd_read_all(connection);
}

void odd_after_close(struct connection *connection)
{
    odd_answer_one(connection, 0, 0, 0);
    (void)SSL_shutdown(connection->ssl);
    say_raw(connection, "and more", 8);
    odd_read_all(connection);
}

/* Updates its keys without end; TLS 1.3. */
void odd_key_updates(struct connection *connection)
{
    for (int i = 0;
         i < 1000 && SSL_key_update(connection->ssl, SSL_KEY_UPDATE_NOT_REQUESTED) == 1 &&
         SSL_do_handshake(connection->ssl) == 1;
         i++) {
    }
    odd_read_all(connection);
}

/* Session tickets without end; TLS 1.3. */
void odd_tickets(struct connection *connection)
{
    for (int i = 0; i < 1000 && SSL_new_session_ticket(connection->ssl) == 1 &&
                    SSL_do_handshake(connection->ssl) == 1;
         i++) {
    }
    odd_read_all(connection);
}

void odd_choose_protocol(SSL_CTX *ctx)
{
    alpn_answer(ctx, "\2h2");
}

/*
 * TEXT is "N MS": serves, but of what TLS has to send only N bytes leave, one every MS milliseconds
 * unless that is 0, and then it closes.
 */
void odd_trickle(struct connection *connection)
{
    unsigned left = 0;
    int delay_ms = 0;
    uint8_t bytes[4096];
    BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
    (void)sscanf(odd_text, "%u %d", &left, &delay_ms);
    SSL_set_bio(connection->ssl, in, out);
    SSL_set_accept_state(connection->ssl);
    for (ssize_t got; (got = recv(connection->fd, bytes, sizeof(bytes), 0)) > 0;) {
        (void)BIO_write(in, bytes, (int)got);
        (void)SSL_do_handshake(connection->ssl);
        const int step = delay_ms > 0 ? 1 : (int)sizeof(bytes);
        for (int count; left > 0 && (count = BIO_read(out, bytes, step)) > 0;) {
            const size_t most = (size_t)count < left ? (size_t)count : left;
            if (send(connection->fd, bytes, most, MSG_NOSIGNAL) < 0) {
                return;
            }
            left -= (unsigned)most;
            (void)poll(NULL, 0, delay_ms);
        }
        if (left == 0) {
            return;
        }
    }
}

/* Without TLS: says TEXT at once, or nothing, until the peer leaves. */
void odd_plain(struct connection *connection)
{
    char bytes[4096];
    (void)send(connection->fd, odd_text, strlen(odd_text), MSG_NOSIGNAL);
    while (recv(connection->fd, bytes, sizeof(bytes), 0) > 0) {
    }
}

/* Without TLS: sends the text and ends, as a server of HTTP/1.0. */
void odd_plain_end(struct connection *connection)
{
    char bytes[4096];
    (void)recv(connection->fd, bytes, sizeof(bytes), 0);
    (void)send(connection->fd, odd_text, strlen(odd_text), MSG_NOSIGNAL);
    (void)shutdown(connection->fd, SHUT_WR);
    while (recv(connection->fd, bytes, sizeof(bytes), 0) > 0) {
    }
}

/* Without TLS: sends everything back. */
void odd_plain_echo(struct connection *connection)
{
    char bytes[4096];
    ssize_t got;
    while ((got = recv(connection->fd, bytes, sizeof(bytes), 0)) > 0) {
        (void)send(connection->fd, bytes, (size_t)got, MSG_NOSIGNAL);
    }
}

/* SPDX-License-Identifier: MIT */
/*
 * Somebody in between: ends the TLS of clients with a certificate of his own, and passes on what
 * both sides say over a TLS connection of his own with the real server.
 *
 *   tls-relay CERTIFICATE KEY PORT-FILE PORT
 *
 * It listens on a free port of 127.0.0.1, writes it to PORT-FILE, and connects to PORT of
 * 127.0.0.1, one connection after the other. For each it prints how many bytes each side has said.
 * Nothing waits for ever: alarm(2) ends the process.
 */
#include "config.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

#include <openssl/ssl.h>

#include "listen_anywhere.h"

#define LIFE_SECONDS 120

struct side {
    int fd;
    SSL *ssl;
    size_t said;
};

_Noreturn static void die(const char *what)
{
    perror(what);
    exit(EX_OSERR);
}

static int connect_to(unsigned port)
{
    const struct sockaddr_in address = {.sin_family = AF_INET,
                                        .sin_port = htons((uint16_t)port),
                                        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof(address)) != 0) {
        die("connect");
    }
    return fd;
}

/* What one side has said now. False: it has ended. */
static bool pass_on(struct side *from, const struct side *to)
{
    char bytes[16384];
    const int got = SSL_read(from->ssl, bytes, sizeof(bytes));
    if (got <= 0) {
        return SSL_get_error(from->ssl, got) == SSL_ERROR_WANT_READ;
    }
    from->said += (size_t)got;
    return SSL_write(to->ssl, bytes, got) == got;
}

static void relay(struct side *client, struct side *server)
{
    struct pollfd ready[2] = {{.fd = client->fd, .events = POLLIN},
                              {.fd = server->fd, .events = POLLIN}};
    bool going = true;
    while (going && poll(ready, 2, -1) > 0) {
        if (ready[0].revents) {
            going = pass_on(client, server);
        }
        if (going && ready[1].revents) {
            going = pass_on(server, client);
        }
    }
}

int main(int argc, char *argv[])
{
    if (argc != 5) {
        (void)fputs("usage: tls-relay CERTIFICATE KEY PORT-FILE PORT\n", stderr);
        return EX_USAGE;
    }
    SSL_CTX *own = SSL_CTX_new(TLS_server_method()), *other = SSL_CTX_new(TLS_client_method());
    if (!own || !other || SSL_CTX_use_certificate_chain_file(own, argv[1]) != 1 ||
        SSL_CTX_use_PrivateKey_file(own, argv[2], SSL_FILETYPE_PEM) != 1) {
        return EX_NOINPUT;
    }
    SSL_CTX_clear_mode(other, SSL_MODE_AUTO_RETRY); /* it does not wait after a session ticket */
    (void)signal(SIGPIPE, SIG_IGN);
    (void)alarm(LIFE_SECONDS);
    const int listener = listen_anywhere(argv[3]);
    for (unsigned number = 1;; number++) {
        struct side client = {.fd = accept(listener, NULL, NULL), .ssl = SSL_new(own)};
        struct side server = {.fd = connect_to((unsigned)strtoul(argv[4], NULL, 10)),
                              .ssl = SSL_new(other)};
        if (client.fd < 0 || SSL_set_fd(client.ssl, client.fd) != 1 ||
            SSL_set_fd(server.ssl, server.fd) != 1) {
            die("accept");
        }
        if (SSL_accept(client.ssl) == 1 && SSL_connect(server.ssl) == 1) {
            relay(&client, &server);
            (void)SSL_shutdown(client.ssl);
        }
        SSL_free(client.ssl);
        SSL_free(server.ssl);
        (void)close(client.fd);
        (void)close(server.fd);
        printf("connection %u: the client has said %zu bytes, the server %zu\n", number,
               client.said, server.said);
        (void)fflush(stdout);
    }
}

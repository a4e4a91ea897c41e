/* SPDX-License-Identifier: MIT */
/*
 * relay ADDRESS [FILE]: bytes from standard input to the address and back to standard output, as
 * nc(1) does: for --proxy-command. What is in FILE goes to the address first. Ends when both
 * directions have.
 */
#include "config.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/parse.h"

static int open_socket(const struct sc_address *address)
{
    struct sockaddr_in in = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)atoi(address->port))};
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    const int fd = socket(address->is_unix ? AF_UNIX : AF_INET, SOCK_STREAM, 0);
    (void)snprintf(un.sun_path, sizeof(un.sun_path), "%.107s", address->host);
    (void)inet_pton(AF_INET, strcmp(address->host, "localhost") == 0 ? "127.0.0.1" : address->host,
                    &in.sin_addr);
    const int rc = address->is_unix ? connect(fd, (const struct sockaddr *)&un, sizeof(un))
                                    : connect(fd, (const struct sockaddr *)&in, sizeof(in));
    if (fd < 0 || rc != 0) {
        perror("relay");
        exit(EX_UNAVAILABLE);
    }
    return fd;
}

/* Returns whether there may be more. */
static bool move(int from, int to)
{
    char bytes[65536];
    const ssize_t got = read(from, bytes, sizeof(bytes));
    for (ssize_t at = 0, sent; at < got; at += sent) {
        sent = write(to, bytes + at, (size_t)(got - at));
        if (sent <= 0) {
            exit(EX_IOERR);
        }
    }
    return got > 0;
}

static void send_file(const char *path, int to)
{
    const int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) {
        perror("relay");
        exit(EX_NOINPUT);
    }
    while (move(file, to)) {
    }
    (void)close(file);
}

int main(int argc, char *argv[])
{
    struct sc_address address;
    const bool has_file = argc == 3;
    if ((argc != 2 && !has_file) || sc_parse_address(argv[1], NULL, &address, NULL) != 0) {
        fputs("usage: relay ADDRESS [FILE]\n", stderr);
        return EX_USAGE;
    }
    const int fd = open_socket(&address);
    if (has_file) {
        send_file(argv[2], fd);
    }
    struct pollfd ready[2] = {{.fd = STDIN_FILENO, .events = POLLIN}, {.fd = fd, .events = POLLIN}};
    while (ready[0].fd >= 0 || ready[1].fd >= 0) {
        (void)poll(ready, 2, -1);
        if (ready[0].fd >= 0 && ready[0].revents && !move(STDIN_FILENO, fd)) {
            (void)shutdown(fd, SHUT_WR);
            ready[0].fd = -1;
        }
        if (ready[1].fd >= 0 && ready[1].revents && !move(fd, STDOUT_FILENO)) {
            (void)shutdown(STDOUT_FILENO, SHUT_WR);
            ready[1].fd = -1;
        }
    }
    return EX_OK;
}

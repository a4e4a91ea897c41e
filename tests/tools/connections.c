/* SPDX-License-Identifier: MIT */
/*
 * Many TCP connections at once that send the same bytes and stay, for the tests of the admin
 * interface:
 *
 *   connections ADDRESS COUNT TEXT READY-FILE GO-FILE
 *
 * opens COUNT connections, sends TEXT on each, makes READY-FILE, and sends one byte more on each
 * that is still open, ten times a second, until GO-FILE is there. It reads nothing. Prints how many
 * the other side has closed.
 *
 * Exit status: 0, 1 when something failed, 64 wrong usage.
 */
#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/parse.h"

#define ROUND_MS 100

static int fail(const char *what)
{
    (void)fprintf(stderr, "connections: %s: %s\n", what, strerror(errno));
    return 1;
}

/* A connection on which TEXT is sent; -1: the other side refuses it. */
static int open_one(const struct sockaddr_in *address, const char *text)
{
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr *)address, sizeof(*address)) != 0) {
        return -1;
    }
    (void)send(fd, text, strlen(text), MSG_NOSIGNAL);
    return fd;
}

/* Hung up or reset: poll(2) reports it without reading. */
static size_t count_closed(struct pollfd *list, size_t count)
{
    size_t closed = 0;
    (void)poll(list, count, ROUND_MS);
    for (size_t i = 0; i < count; i++) {
        if (list[i].fd >= 0 && (list[i].revents & (POLLHUP | POLLERR | POLLRDHUP))) {
            (void)close(list[i].fd);
            list[i].fd = -1;
        }
        closed += list[i].fd < 0;
        if (list[i].fd >= 0) {
            (void)send(list[i].fd, "x", 1, MSG_NOSIGNAL | MSG_DONTWAIT);
        }
    }
    return closed;
}

int main(int argc, char **argv)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    struct sc_address given;
    if (argc != 6 || sc_parse_address(argv[1], NULL, &given, NULL) != 0 ||
        inet_pton(AF_INET, given.host, &address.sin_addr) != 1) {
        (void)fputs("usage: connections ADDRESS COUNT TEXT READY-FILE GO-FILE\n", stderr);
        return EX_USAGE;
    }
    address.sin_port = htons((uint16_t)strtoul(given.port, NULL, 10));
    const size_t count = strtoul(argv[2], NULL, 10);
    struct rlimit files;
    static struct pollfd list[20000];
    if (count > sizeof(list) / sizeof(list[0]) || getrlimit(RLIMIT_NOFILE, &files) != 0) {
        return fail("start");
    }
    files.rlim_cur = files.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &files);
    for (size_t i = 0; i < count; i++) {
        list[i] = (struct pollfd){.fd = open_one(&address, argv[3]), .events = POLLRDHUP};
        if (list[i].fd < 0) {
            return fail("connect");
        }
    }
    const int ready = open(argv[4], O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (ready < 0) {
        return fail(argv[4]);
    }
    (void)close(ready);
    size_t closed = 0;
    while (access(argv[5], F_OK) != 0) {
        closed = count_closed(list, count);
        (void)poll(NULL, 0, closed == count ? ROUND_MS : 0);
    }
    (void)printf("%zu of %zu were closed\n", closed, count);
    return 0;
}

/* SPDX-License-Identifier: MIT */
/* How a server of the tests listens: on a port of 127.0.0.1 that the system chooses. */
#ifndef SC_TESTS_LISTEN_ANYWHERE_H
#define SC_TESTS_LISTEN_ANYWHERE_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sysexits.h>

/* The listening socket; its port is in the file, which is there whole or not at all. */
static inline int listen_anywhere(const char *port_file)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(address);
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char path[512];
    (void)snprintf(path, sizeof(path), "%s.new", port_file);
    FILE *file = fopen(path, "w");
    if (fd < 0 || !file || bind(fd, (const struct sockaddr *)&address, length) != 0 ||
        listen(fd, 16) != 0 || getsockname(fd, (struct sockaddr *)&address, &length) != 0 ||
        fprintf(file, "%u\n", (unsigned)ntohs(address.sin_port)) < 0 || fclose(file) != 0 ||
        rename(path, port_file) != 0) {
        perror(port_file);
        exit(EX_OSERR);
    }
    return fd;
}

#endif

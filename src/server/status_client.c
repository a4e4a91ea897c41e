/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "server/status_client.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/connect.h"
#include "base/escape.h"

#define TIMEOUT_MS 5000U /* for each step, and for all of the answer */

static int unavailable(struct sc_err *err, const struct sc_address *address, const char *why)
{
    char text[320];
    sc_format_address(address, text, sizeof(text));
    return sc_err_set(err, EX_UNAVAILABLE, "can't ask the server at %s: %s", text, why);
}

static int unavailable_errno(struct sc_err *err, const struct sc_address *address, int errnum)
{
    char text[128];
    return unavailable(err, address,
                       errnum == EAGAIN ? "it does not answer in time"
                                        : sc_err_errno_text(errnum, text, sizeof(text)));
}

/* A connected socket with timeouts, or -1. */
static int connect_to(const struct sc_address *address, struct sc_err *err)
{
    const struct timeval timeout = sc_clock_timeval(TIMEOUT_MS);
    struct sc_address to = *address;
    int fd = -1;
    if (strcmp(to.port, "0") == 0) {
        return unavailable(err, address,
                           "port 0 stands for any; name the one of the log line ready");
    }
    if (!to.is_unix && strcmp(to.host, "*") == 0) {
        (void)strcpy(to.host, "localhost");
    }
    struct sc_connect *connect = sc_connect_start(&to, TIMEOUT_MS, err);
    if (connect && sc_connect_wait(connect, NULL, err) == 0) {
        fd = sc_connect_take(connect);
        (void)fcntl(fd, F_SETFL, 0); /* it may block, for so long */
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
        (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
    } else if (err) {
        err->status = EX_UNAVAILABLE; /* another one says what a server has answered */
    }
    sc_connect_free(connect);
    return fd;
}

/* Until the server closes: it does after each answer. -1 and errno. */
static ssize_t read_answer(int fd, char *out, size_t size)
{
    const uint64_t deadline_ms = sc_clock_ms() + TIMEOUT_MS;
    size_t length = 0;
    while (length < size) {
        const ssize_t got = recv(fd, out + length, size - length, 0);
        if (got == 0) {
            return (ssize_t)length;
        }
        if (got < 0 && errno != EINTR) {
            return -1;
        }
        length += got > 0 ? (size_t)got : 0;
        if (sc_clock_ms() > deadline_ms) {
            errno = EAGAIN;
            return -1;
        }
    }
    errno = EMSGSIZE;
    return -1;
}

/* The headers say how long the body is. */
static bool is_whole(const char *answer, const char *body)
{
    static const char name[] = "\r\nContent-Length:";
    const char *field = strcasestr(answer, name);
    return !field || field >= body || strtoull(field + strlen(name), NULL, 10) <= strlen(body);
}

static int find_body(const struct sc_address *address, const char *answer, const char **body,
                     struct sc_err *err)
{
    const char *end = strstr(answer, "\r\n\r\n");
    if (!end || strncmp(answer, "HTTP/1.", 7) != 0 || strncmp(answer + 8, " 200 ", 5) != 0) {
        return unavailable(err, address, "what answers there is not metrics-listen of this server");
    }
    *body = end + 4;
    return is_whole(answer, *body)
               ? 0
               : unavailable(err, address, "it ended in the middle of its answer");
}

int sc_status_client_get(const struct sc_address *address, const char *path, char *buffer,
                         const char **body, struct sc_err *err)
{
    char request[128];
    const int bytes = snprintf(request, sizeof(request), "GET %s HTTP/1.0\r\n\r\n", path);
    const int fd = connect_to(address, err);
    if (fd < 0) {
        return -1;
    }
    ssize_t length = send(fd, request, (size_t)bytes, MSG_NOSIGNAL);
    length = length < 0 ? -1 : read_answer(fd, buffer, SC_STATUS_CLIENT_BYTES - 1);
    const int failed = errno;
    (void)close(fd);
    if (length < 0) {
        return unavailable_errno(err, address, failed);
    }
    buffer[length] = '\0';
    return find_body(address, buffer, body, err);
}

int sc_status_client_print(const struct sc_address *address, FILE *out, struct sc_err *err)
{
    static char answer[SC_STATUS_CLIENT_BYTES];
    const char *body;
    if (sc_status_client_get(address, "/status.txt", answer, &body, err) != 0) {
        return -1;
    }
    sc_escape_terminal(out, body, strlen(body));
    return 0;
}

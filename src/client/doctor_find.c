/* SPDX-License-Identifier: MIT */
/* The name, its addresses, and whether they answer. */
#include "config.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/resolve.h"
#include "client/doctor.h"

#define MAX_ADDRESSES 16U /* that are tried */

static double seconds_since(uint64_t start_ns)
{
    return (double)(sc_clock_ns() - start_ns) / 1e9;
}

int sc_doctor_wait(int fd, short events, uint64_t until_ms)
{
    struct pollfd ready = {.fd = fd, .events = events};
    for (uint64_t now_ms = sc_clock_ms(); now_ms < until_ms; now_ms = sc_clock_ms()) {
        const int count = poll(&ready, 1, (int)(until_ms - now_ms));
        if (count > 0 || (count < 0 && errno != EINTR)) {
            return count > 0 ? 0 : errno;
        }
    }
    return ETIMEDOUT;
}

/* A connected socket; -1: *error is the errno value. */
static int connect_to(const struct sockaddr *address, socklen_t length, uint64_t timeout_ms,
                      int *error)
{
    const int fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    socklen_t error_length = sizeof(*error);
    if (fd < 0 || (connect(fd, address, length) != 0 && errno != EINPROGRESS)) {
        *error = errno;
    } else if ((*error = sc_doctor_wait(fd, POLLOUT, sc_clock_ms() + timeout_ms)) == 0 &&
               getsockopt(fd, SOL_SOCKET, SO_ERROR, error, &error_length) != 0) {
        *error = errno;
    }
    if (*error != 0 && fd >= 0) {
        (void)close(fd);
    }
    return *error == 0 ? fd : -1;
}

int sc_doctor_connect(const struct sc_doctor *doctor, struct sc_err *err)
{
    int error;
    const int fd = connect_to((const struct sockaddr *)&doctor->address, doctor->address_length,
                              doctor->options->timeout_ms, &error);
    if (fd < 0) {
        (void)sc_err_set_errno(err, error == ETIMEDOUT ? EX_TEMPFAIL : EX_UNAVAILABLE, error,
                               "can't connect to %s again", doctor->address_text);
    }
    return fd;
}

static const char *advice(int error)
{
    switch (error) {
    case ECONNREFUSED: return "; nothing listens there: is the server running, on this port?";
    case ETIMEDOUT: return "; no answer at all: a firewall, or no such host";
    case ENETUNREACH:
    case EHOSTUNREACH:
    case EADDRNOTAVAIL: return "; this host has no route to it";
    case ENOENT: return "; there is no such socket: is the server running?";
    case EACCES: return "; this user may not";
    default: return "";
    }
}

/* Tries one address. A failure is one only when no other address answers. */
static void try_address(struct sc_doctor *doctor, const struct sockaddr *address, socklen_t length,
                        const char *text, bool only)
{
    int error;
    char why[128];
    const uint64_t start_ns = sc_clock_ns();
    const int fd = connect_to(address, length, doctor->options->timeout_ms, &error);
    sc_doctor_fact(doctor, "address", "%s", text);
    if (fd < 0) {
        sc_doctor_report(doctor, "connect", only ? SC_DOCTOR_FAILED : SC_DOCTOR_NOTE,
                         error == ETIMEDOUT ? EX_TEMPFAIL : EX_UNAVAILABLE, "%s: %s%s", text,
                         sc_err_errno_text(error, why, sizeof(why)), advice(error));
        return;
    }
    (void)close(fd);
    const double seconds = seconds_since(start_ns);
    sc_doctor_number(doctor, "seconds", seconds);
    sc_doctor_report(doctor, "connect", SC_DOCTOR_OK, 0, "%s in %.3f ms", text, seconds * 1e3);
    if (doctor->address_length == 0) {
        memcpy(&doctor->address, address, length);
        doctor->address_length = length;
        (void)snprintf(doctor->address_text, sizeof(doctor->address_text), "%s", text);
    }
}

static int find_unix(struct sc_doctor *doctor)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%.107s",
                   doctor->options->address.host);
    try_address(doctor, (const struct sockaddr *)&address, sizeof(address), doctor->options->target,
                true);
    return doctor->address_length > 0 ? 0 : -1;
}

static void format_peer(const struct addrinfo *info, char out[300])
{
    struct sc_address peer = {0};
    if (getnameinfo(info->ai_addr, info->ai_addrlen, peer.host, sizeof(peer.host), peer.port,
                    sizeof(peer.port), NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
        (void)snprintf(peer.host, sizeof(peer.host), "?");
    }
    sc_format_address(&peer, out, 300);
}

/* Waits for the answer. NULL: it is reported. */
static const struct addrinfo *look_up(struct sc_doctor *doctor, struct sc_resolve *resolve)
{
    const struct sc_address *address = &doctor->options->address;
    const struct addrinfo *list = NULL;
    const uint64_t start_ns = sc_clock_ns();
    struct pollfd ready = {.fd = sc_resolve_fd(resolve), .events = POLLIN};
    int gai_error, error_number;
    char list_text[512] = "", why[128];
    if (ready.fd >= 0) {
        (void)poll(&ready, 1, (int)doctor->options->timeout_ms);
    }
    if (!sc_resolve_result(resolve, &gai_error, &error_number, &list)) {
        sc_doctor_report(doctor, "name", SC_DOCTOR_FAILED, EX_TEMPFAIL,
                         "%s: no answer; are the name servers of this host right?", address->host);
        return NULL;
    }
    if (gai_error != 0) {
        sc_doctor_report(doctor, "name", SC_DOCTOR_FAILED, EX_UNAVAILABLE,
                         "%s: %s; is it spelt right?", address->host,
                         gai_error == EAI_SYSTEM ? sc_err_errno_text(error_number, why, sizeof(why))
                                                 : gai_strerror(gai_error));
        return NULL;
    }
    for (const struct addrinfo *info = list; info; info = info->ai_next) {
        char text[300];
        const size_t used = strlen(list_text);
        format_peer(info, text);
        (void)snprintf(list_text + used, sizeof(list_text) - used, "%s%s", used > 0 ? ", " : "",
                       text);
    }
    const double seconds = seconds_since(start_ns);
    sc_doctor_fact(doctor, "addresses", "%s", list_text);
    sc_doctor_number(doctor, "seconds", seconds);
    sc_doctor_report(doctor, "name", SC_DOCTOR_OK, 0, "%s is %s, in %.3f ms", address->host,
                     list_text, seconds * 1e3);
    return list;
}

int sc_doctor_find(struct sc_doctor *doctor)
{
    const struct sc_address *address = &doctor->options->address;
    struct sc_err err;
    if (address->is_unix) {
        return find_unix(doctor);
    }
    struct sc_resolve *resolve = sc_resolve_start(address->host, address->port, &err);
    if (!resolve) {
        sc_doctor_report(doctor, "name", SC_DOCTOR_FAILED, err.status, "%s", err.text);
        return -1;
    }
    unsigned count = 0;
    const struct addrinfo *list = look_up(doctor, resolve);
    for (const struct addrinfo *info = list; info && count < MAX_ADDRESSES; info = info->ai_next) {
        char text[300];
        format_peer(info, text);
        /* The last one decides when none before it has answered. */
        const bool last = !info->ai_next || count + 1 == MAX_ADDRESSES;
        try_address(doctor, info->ai_addr, info->ai_addrlen, text,
                    last && doctor->address_length == 0);
        count++;
    }
    sc_resolve_free(resolve);
    return doctor->address_length > 0 ? 0 : -1;
}

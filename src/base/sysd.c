/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "base/sysd.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "base/escape.h"
#include "base/parse.h"

/* SD_LISTEN_FDS_START */
enum { FIRST_SOCKET = 3 };

/* NAME holds our process id. */
static bool is_for_us(const char *name)
{
    uint64_t pid;
    const char *text = getenv(name);
    return text && sc_parse_u64(text, 1, INT32_MAX, &pid, NULL) == 0 && pid == (uint64_t)getpid();
}

static int init_notify(struct sc_sysd *sysd, struct sc_err *err)
{
    const char *path = getenv("NOTIFY_SOCKET");
    const size_t length = path ? strlen(path) : 0;
    if (length == 0) {
        return 0;
    }
    if ((path[0] != '/' && path[0] != '@') || length < 2 ||
        length >= sizeof(sysd->notify.sun_path)) {
        return sc_err_set(err, EX_CONFIG,
                          "invalid value \"%.128s\" of NOTIFY_SOCKET: expected a path of up to 107 "
                          "bytes, or @NAME",
                          path);
    }
    sysd->notify.sun_family = AF_UNIX;
    memcpy(sysd->notify.sun_path, path, length);
    if (path[0] == '@') {
        sysd->notify.sun_path[0] = '\0'; /* abstract: unix(7) */
    }
    sysd->notify_length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
    return 0;
}

static int init_watchdog(struct sc_sysd *sysd, struct sc_err *err)
{
    const char *text = getenv("WATCHDOG_USEC");
    uint64_t usec;
    if (!text || (getenv("WATCHDOG_PID") && !is_for_us("WATCHDOG_PID"))) {
        return 0;
    }
    if (sc_parse_u64(text, 1, UINT64_MAX - 1, &usec, err) != 0) {
        return sc_err_prefix(err, "WATCHDOG_USEC");
    }
    sysd->watchdog_ms = usec / 1000 > 0 ? usec / 1000 : 1;
    return 0;
}

/* The names are in the order of the sockets, with ':' between them. */
static void name_sockets(struct sc_sysd *sysd, const char *names)
{
    for (size_t i = 0; i < sysd->socket_count; i++) {
        const size_t length = names ? strcspn(names, ":") : 0;
        (void)snprintf(sysd->names[i], sizeof(sysd->names[i]), "%.*s",
                       (int)(names ? length : strlen("unknown")), names ? names : "unknown");
        if (names) {
            names = names[length] == ':' ? names + length + 1 : NULL;
        }
    }
}

static int init_sockets(struct sc_sysd *sysd, struct sc_err *err)
{
    const char *text = getenv("LISTEN_FDS");
    uint64_t count;
    if (!text || !is_for_us("LISTEN_PID")) {
        return 0;
    }
    if (sc_parse_u64(text, 0, SC_SYSD_MAX_SOCKETS, &count, err) != 0) {
        return sc_err_prefix(err, "LISTEN_FDS");
    }
    for (size_t i = 0; i < count; i++) {
        sysd->sockets[i] = FIRST_SOCKET + (int)i;
        if (fcntl(sysd->sockets[i], F_SETFD, FD_CLOEXEC) != 0) {
            return sc_err_set_errno(err, EX_CONFIG, errno, "LISTEN_FDS=%s, but descriptor %d", text,
                                    sysd->sockets[i]);
        }
    }
    sysd->socket_count = (size_t)count;
    name_sockets(sysd, getenv("LISTEN_FDNAMES"));
    return 0;
}

int sc_sysd_init(struct sc_sysd *sysd, struct sc_err *err)
{
    memset(sysd, 0, sizeof(*sysd));
    const char *credentials = getenv("CREDENTIALS_DIRECTORY");
    if (credentials && strlen(credentials) < sizeof(sysd->credentials)) {
        (void)snprintf(sysd->credentials, sizeof(sysd->credentials), "%s", credentials);
    }
    return init_notify(sysd, err) != 0 || init_watchdog(sysd, err) != 0 ||
                   init_sockets(sysd, err) != 0
               ? -1
               : 0;
}

/*
 * One datagram, with `passed` (-1: none). A service manager that does not read may hold up a state
 * for half a second, a ping of the watchdog not at all.
 */
static void send_descriptor(const struct sc_sysd *sysd, const char *message, int passed, int flags)
{
    const struct timeval limit = {.tv_usec = 500000};
    union {
        char room[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control = {0};
    struct sockaddr_un to = sysd->notify;
    struct iovec part = {(void *)(uintptr_t)message, strlen(message)};
    struct msghdr datagram = {
        .msg_name = &to, .msg_namelen = sysd->notify_length, .msg_iov = &part, .msg_iovlen = 1};
    if (sysd->notify_length == 0) {
        return;
    }
    const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return;
    }
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
    if (passed >= 0) {
        datagram.msg_control = &control;
        datagram.msg_controllen = sizeof(control.room);
        struct cmsghdr *header = CMSG_FIRSTHDR(&datagram);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(header), &passed, sizeof(int));
    }
    (void)!sendmsg(fd, &datagram, MSG_NOSIGNAL | flags);
    (void)close(fd);
}

static void send_message(const struct sc_sysd *sysd, const char *message, int flags)
{
    send_descriptor(sysd, message, -1, flags);
}

/* `state` (may be empty), then STATUS=, whose text must stay in one line, and be UTF-8. */
static void send_status(const struct sc_sysd *sysd, const char *state, const char *status)
{
    char message[1024];
    const int used = snprintf(message, sizeof(message), "%sSTATUS=", state);
    (void)sc_escape_line(message + used, sizeof(message) - (size_t)used, status, strlen(status));
    send_message(sysd, message, 0);
}

void sc_sysd_ready(const struct sc_sysd *sysd, const char *status)
{
    send_status(sysd, "READY=1\n", status);
}

void sc_sysd_reloading(const struct sc_sysd *sysd)
{
    char message[128];
    struct timespec now; /* systemd compares it with its own CLOCK_MONOTONIC, so it is never a clock
                            of a test */
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    (void)snprintf(message, sizeof(message),
                   "RELOADING=1\nMONOTONIC_USEC=%" PRIu64 "\nSTATUS=Reloading",
                   (uint64_t)now.tv_sec * 1000000U + (uint64_t)now.tv_nsec / 1000U);
    send_message(sysd, message, 0);
}

void sc_sysd_stopping(const struct sc_sysd *sysd, const char *status)
{
    send_status(sysd, "STOPPING=1\n", status);
}

void sc_sysd_status(const struct sc_sysd *sysd, const char *status)
{
    send_status(sysd, "", status);
}

void sc_sysd_extend_timeout(const struct sc_sysd *sysd, uint64_t ms)
{
    char message[64];
    (void)snprintf(message, sizeof(message), "EXTEND_TIMEOUT_USEC=%" PRIu64, ms * 1000U);
    send_message(sysd, message, MSG_DONTWAIT);
}

void sc_sysd_watchdog(const struct sc_sysd *sysd)
{
    if (sysd->watchdog_ms > 0) {
        send_message(sysd, "WATCHDOG=1", MSG_DONTWAIT);
    }
}

/* --- The descriptor store --- */

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8U /* Linux 6.3 */
#endif
#define SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

static int make_sealed(const char *name, const void *bytes, size_t length, struct sc_err *err)
{
    const unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
    int fd = memfd_create(name, flags | MFD_NOEXEC_SEAL);
    if (fd < 0 && errno == EINVAL) {
        fd = memfd_create(name, flags);
    }
    if (fd < 0 || write(fd, bytes, length) != (ssize_t)length ||
        fcntl(fd, F_ADD_SEALS, SEALS) != 0) {
        (void)sc_err_set_errno(err, EX_OSERR, errno, "can't make a file in memory");
        if (fd >= 0) {
            (void)close(fd);
        }
        return -1;
    }
    return fd;
}

int sc_sysd_store(const struct sc_sysd *sysd, const char *name, const void *bytes, size_t length,
                  struct sc_err *err)
{
    char message[128];
    if (sysd->notify_length == 0) {
        return 0;
    }
    const int fd = length > 0 ? make_sealed(name, bytes, length, err) : -1;
    if (length > 0 && fd < 0) {
        return -1;
    }
    /* Removed first: another one of the same name would be beside it, and there is room for one. */
    (void)snprintf(message, sizeof(message), "FDSTOREREMOVE=1\nFDNAME=%s", name);
    send_message(sysd, message, 0);
    if (fd >= 0) {
        (void)snprintf(message, sizeof(message), "FDSTORE=1\nFDNAME=%s", name);
        send_descriptor(sysd, message, fd, 0);
        (void)close(fd);
    }
    return 0;
}

/* The descriptor leaves the list. -1: there is none of this name. */
static int take(struct sc_sysd *sysd, const char *name)
{
    for (size_t i = 0; i < sysd->socket_count; i++) {
        if (strcmp(sysd->names[i], name) == 0) {
            const int fd = sysd->sockets[i];
            sysd->socket_count--;
            for (; i < sysd->socket_count; i++) {
                sysd->sockets[i] = sysd->sockets[i + 1];
                memcpy(sysd->names[i], sysd->names[i + 1], sizeof(sysd->names[i]));
            }
            return fd;
        }
    }
    return -1;
}

static int read_sealed(int fd, uint8_t out[SC_SYSD_STORED_BYTES], size_t *length,
                       struct sc_err *err)
{
    struct stat status;
    const int seals = fcntl(fd, F_GET_SEALS);
    if (seals < 0 || (seals & SEALS) != SEALS) {
        return sc_err_set(err, EX_DATAERR, "it is not a sealed file in memory");
    }
    if (fstat(fd, &status) != 0 || status.st_size < 1 ||
        status.st_size > (off_t)SC_SYSD_STORED_BYTES) {
        return sc_err_set(err, EX_DATAERR, "it has %lld bytes: expected 1 to %u",
                          (long long)status.st_size, SC_SYSD_STORED_BYTES);
    }
    if (pread(fd, out, (size_t)status.st_size, 0) != (ssize_t)status.st_size) {
        return sc_err_set_errno(err, EX_DATAERR, errno, "it can't be read");
    }
    *length = (size_t)status.st_size;
    return 0;
}

int sc_sysd_take_stored(struct sc_sysd *sysd, const char *name, uint8_t out[SC_SYSD_STORED_BYTES],
                        size_t *length, struct sc_err *err)
{
    int result = 0;
    *length = 0;
    for (int fd; (fd = take(sysd, name)) >= 0; (void)close(fd)) {
        result = read_sealed(fd, out, length, err);
    }
    return result;
}

/* --- Credentials --- */

int sc_sysd_credential(const struct sc_sysd *sysd, const char *name, char *path, size_t path_size)
{
    if (sysd->credentials[0] == '\0' || strchr(name, '/') || name[0] == '.') {
        return -1;
    }
    const int length = snprintf(path, path_size, "%s/%s", sysd->credentials, name);
    return length > 0 && (size_t)length < path_size && access(path, F_OK) == 0 ? 0 : -1;
}

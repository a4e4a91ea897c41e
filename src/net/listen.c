/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "net/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

#include "net/addr.h"
#include "base/lock_file.h"

#define LOCK_WAIT_MS 2000U

struct entry {
    int fd;
    char address[SC_ADDR_TEXT_BYTES];
    char *path; /* of a unix socket's file that is ours to remove, and which file that is */
    dev_t device;
    ino_t inode;
};

struct sc_listen {
    size_t count;
    struct entry entries[64];
};

static const mode_t unix_mode = 0660;

/* Takes over the socket: on failure it is closed. */
static int add_entry(struct sc_listen *set, int fd, struct sc_err *err)
{
    if (set->count == SC_COUNT_OF(set->entries)) {
        (void)close(fd);
        return sc_err_set(err, EX_UNAVAILABLE, "can't listen on more than %zu addresses",
                          SC_COUNT_OF(set->entries));
    }
    struct entry *entry = &set->entries[set->count++];
    *entry = (struct entry){.fd = fd};
    sc_addr_format_local(fd, entry->address);
    return 0;
}

static void set_option(int fd, int level, int name, int value)
{
    (void)setsockopt(fd, level, name, &value, sizeof(value));
}

/* Why a bind or listen failed, and the way out. */
static int bind_error(struct sc_err *err, int errnum, const char *address, const char *port)
{
    sc_err_set_errno(err, EX_UNAVAILABLE, errnum, "can't listen on %.300s", address);
    switch (errnum) {
    case EADDRINUSE:
        return sc_err_set(
            err, EX_UNAVAILABLE,
            "can't listen on %.300s: the port is in use; \"ss -ltnp sport = :%s\" shows by whom",
            address, port);
    case EADDRNOTAVAIL:
        return sc_err_set(err, EX_UNAVAILABLE,
                          "can't listen on %.300s: this machine does not have the address; \"ip "
                          "address\" shows those it has",
                          address);
    case EACCES:
        return sc_err_set(
            err, EX_UNAVAILABLE, "can't listen on %.300s: permission denied%s", address,
            atoi(port) < 1024 ? "; for a port below 1024 let systemd open it (sc-server.socket), "
                                "or see \"Ports below 1024\" in sc-server(8)"
                              : "");
    default: return -1;
    }
}

/* One socket, bound and listening, or -1 with errno. */
static int open_inet(const struct addrinfo *info, bool v6_only)
{
    const int fd =
        socket(info->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, info->ai_protocol);
    if (fd < 0) {
        return -1;
    }
    set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    if (info->ai_family == AF_INET6) {
        set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, v6_only);
    }
    if (bind(fd, info->ai_addr, info->ai_addrlen) != 0 || listen(fd, SOMAXCONN) != 0) {
        const int errnum = errno;
        (void)close(fd);
        errno = errnum;
        return -1;
    }
    return fd;
}

static bool is_v6_any(const struct sc_address *address)
{
    return !address->is_unix &&
           (strcmp(address->host, "*") == 0 || strcmp(address->host, "::") == 0);
}

static bool has_v4_any(const struct sc_address *addresses, size_t count, const char *port)
{
    for (size_t i = 0; i < count; i++) {
        if (!addresses[i].is_unix && strcmp(addresses[i].host, "0.0.0.0") == 0 &&
            strcmp(addresses[i].port, port) == 0) {
            return true;
        }
    }
    return false;
}

/*
 * Opens every address that a host has. A family that the kernel does not have is passed over if
 * the host has an address of another.
 */
static int open_all(struct sc_listen *set, const struct sc_address *address, const char *host,
                    bool v6_only, struct sc_err *err)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                                   .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *list = NULL;
    char text[300];
    int result = 0, opened = 0, unsupported = 0;
    sc_format_address(address, text, sizeof(text));
    const int failure = getaddrinfo(host, address->port, &hints, &list);
    if (failure != 0) {
        return sc_err_set(err, EX_UNAVAILABLE, "can't listen on %s: %s", text,
                          failure == EAI_SYSTEM ? strerror(errno) : gai_strerror(failure));
    }
    for (const struct addrinfo *info = list; result == 0 && info; info = info->ai_next) {
        const int fd = open_inet(info, v6_only);
        if (fd >= 0) {
            opened++;
            result = add_entry(set, fd, err);
        } else if (errno == EAFNOSUPPORT) {
            unsupported = errno;
        } else {
            result = bind_error(err, errno, text, address->port);
        }
    }
    freeaddrinfo(list);
    return result == 0 && opened == 0 ? bind_error(err, unsupported, text, address->port) : result;
}

static bool kernel_has_ipv6(void)
{
    const int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0) {
        (void)close(fd);
    }
    return fd >= 0;
}

static int open_host(struct sc_listen *set, const struct sc_address *address,
                     const struct sc_address *all, size_t count, struct sc_err *err)
{
    if (!is_v6_any(address)) {
        return open_all(set, address, address->host, true, err);
    }
    const bool v4_apart = has_v4_any(all, count, address->port);
    if (!v4_apart && !kernel_has_ipv6()) {
        return open_all(set, address, "0.0.0.0", true, err);
    }
    return open_all(set, address, "::", v4_apart, err);
}

/* Whether a unix socket's file is left over from a server that is gone: nothing listens there. */
static bool is_stale(const struct sockaddr_un *address)
{
    struct stat status;
    if (lstat(address->sun_path, &status) != 0 || !S_ISSOCK(status.st_mode)) {
        return false;
    }
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return false;
    }
    const bool refused = connect(fd, (const struct sockaddr *)address, sizeof(*address)) != 0 &&
                         errno == ECONNREFUSED;
    (void)close(fd);
    return refused;
}

static int bind_unix(int fd, const struct sockaddr_un *address, struct sc_err *err)
{
    const struct sockaddr *generic = (const struct sockaddr *)address;
    int result = bind(fd, generic, sizeof(*address));
    if (result != 0 && errno == EADDRINUSE) {
        if (!is_stale(address)) {
            return sc_err_set(err, EX_UNAVAILABLE,
                              "can't listen on unix:%s: another process listens there, or the file "
                              "is not a socket; remove it or choose another",
                              address->sun_path);
        }
        (void)unlink(address->sun_path);
        result = bind(fd, generic, sizeof(*address));
    }
    if (result != 0) {
        return sc_err_set_errno(err, EX_UNAVAILABLE, errno, "can't listen on unix:%s",
                                address->sun_path);
    }
    return 0;
}

/* The file is bound: notes it for removal, opens it to owner and group, and listens. */
static int listen_unix(struct sc_listen *set, int fd, const char *path, struct sc_err *err)
{
    struct stat status;
    if (add_entry(set, fd, err) != 0) {
        (void)unlink(path);
        return -1;
    }
    struct entry *entry = &set->entries[set->count - 1];
    if (lstat(path, &status) == 0 && (entry->path = strdup(path))) {
        entry->device = status.st_dev;
        entry->inode = status.st_ino;
    }
    if (chmod(path, unix_mode) != 0 || listen(fd, SOMAXCONN) != 0) {
        return sc_err_set_errno(err, EX_UNAVAILABLE, errno, "can't listen on unix:%s", path);
    }
    return 0;
}

static int open_unix(struct sc_listen *set, const struct sc_address *from, struct sc_err *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char lock_path[sizeof(address.sun_path) + sizeof(".lock")];
    struct sc_lock_file lock;
    if (strlen(from->host) >= sizeof(address.sun_path)) {
        return sc_err_set(err, EX_UNAVAILABLE,
                          "can't listen on unix:%s: the path is longer than %zu bytes", from->host,
                          sizeof(address.sun_path) - 1);
    }
    memcpy(address.sun_path, from->host, strlen(from->host));
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return sc_err_set_errno(err, EX_UNAVAILABLE, errno, "can't listen on unix:%s", from->host);
    }
    /* For the owner alone until the mode is set; umask(2) would be the whole process's. */
    (void)fchmod(fd, S_IRUSR | S_IWUSR);
    /*
     * Until this one listens, no other server may look at what is there: it would take a file that
     * is bound and not yet listened on for one that is left over.
     */
    (void)snprintf(lock_path, sizeof(lock_path), "%s.lock", address.sun_path);
    if (sc_lock_file_take(&lock, lock_path, LOCK_WAIT_MS, err) != 0) {
        (void)close(fd);
        return sc_err_prefix(err, "can't listen on unix:%s", address.sun_path);
    }
    int rc = bind_unix(fd, &address, err);
    if (rc != 0) {
        (void)close(fd);
    } else {
        rc = listen_unix(set, fd, address.sun_path, err);
    }
    sc_lock_file_release(&lock);
    return rc;
}

struct sc_listen *sc_listen_open(const struct sc_address *addresses, size_t count,
                                 struct sc_err *err)
{
    struct sc_listen *set = calloc(1, sizeof(*set));
    if (!set) {
        sc_err_set(err, EX_OSERR, "out of memory");
        return NULL;
    }
    for (size_t i = 0; i < count; i++) {
        const struct sc_address *address = &addresses[i];
        if ((address->is_unix ? open_unix(set, address, err)
                              : open_host(set, address, addresses, count, err)) != 0) {
            sc_listen_close(set);
            return NULL;
        }
    }
    return set;
}

static int get_option(int fd, int name)
{
    int value = -1;
    socklen_t size = sizeof(value);
    return getsockopt(fd, SOL_SOCKET, name, &value, &size) == 0 ? value : -1;
}

int sc_listen_check(int fd, struct sc_err *err)
{
    struct stat status;
    const char *what = NULL;
    const int family = get_option(fd, SO_DOMAIN);
    if (fstat(fd, &status) != 0) {
        what = "it is not open";
    } else if (!S_ISSOCK(status.st_mode)) {
        what = "it is not a socket";
    } else if (get_option(fd, SO_TYPE) != SOCK_STREAM ||
               (family != AF_INET && family != AF_INET6 && family != AF_UNIX)) {
        what = "it is not a TCP or unix stream socket; ListenStream= makes one";
    } else if (get_option(fd, SO_ACCEPTCONN) != 1) {
        what = "it does not listen; with Accept=yes systemd passes each connection, and that is "
               "not supported";
    }
    return what ? sc_err_set(err, EX_UNAVAILABLE, "%s", what) : 0;
}

struct sc_listen *sc_listen_adopt(const int *descriptors, size_t count, struct sc_err *err)
{
    struct sc_listen *set = calloc(1, sizeof(*set));
    if (!set || count > SC_COUNT_OF(set->entries)) {
        sc_err_set(err, EX_UNAVAILABLE, "can't use %zu inherited sockets: %s", count,
                   set ? "too many" : "out of memory");
        free(set);
        return NULL;
    }
    for (size_t i = 0; i < count; i++) {
        const int fd = descriptors[i];
        (void)fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
        (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
        if (get_option(fd, SO_DOMAIN) != AF_UNIX) {
            set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
        }
        (void)!add_entry(set, fd, NULL);
    }
    return set;
}

void sc_listen_close(struct sc_listen *set)
{
    if (!set) {
        return;
    }
    for (size_t i = 0; i < set->count; i++) {
        struct entry *entry = &set->entries[i];
        struct stat status;
        if (entry->path && lstat(entry->path, &status) == 0 && status.st_dev == entry->device &&
            status.st_ino == entry->inode) {
            (void)unlink(entry->path);
        }
        free(entry->path);
        (void)close(entry->fd);
    }
    free(set);
}

size_t sc_listen_count(const struct sc_listen *set)
{
    return set->count;
}

int sc_listen_descriptor(const struct sc_listen *set, size_t index)
{
    return set->entries[index].fd;
}

const char *sc_listen_address(const struct sc_listen *set, size_t index)
{
    return set->entries[index].address;
}

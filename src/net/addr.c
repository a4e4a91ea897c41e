/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "net/addr.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

static uint64_t get_bytes(const uint8_t *from, size_t count)
{
    uint64_t value = 0;
    for (size_t i = 0; i < count; i++) {
        value = value << 8 | from[i];
    }
    return value;
}

static void format_v4(const void *host, in_port_t port, char out[SC_ADDR_TEXT_BYTES])
{
    char text[INET_ADDRSTRLEN] = "";
    (void)inet_ntop(AF_INET, host, text, sizeof(text));
    (void)snprintf(out, SC_ADDR_TEXT_BYTES, "%s:%u", text, ntohs(port));
}

static void format_v6(const struct sockaddr_in6 *address, char out[SC_ADDR_TEXT_BYTES])
{
    char text[INET6_ADDRSTRLEN] = "";
    char scope[IF_NAMESIZE + 1] = "";
    char interface_name[IF_NAMESIZE] = "";
    if (IN6_IS_ADDR_V4MAPPED(&address->sin6_addr)) {
        format_v4(&address->sin6_addr.s6_addr[12], address->sin6_port, out);
        return;
    }
    if (address->sin6_scope_id != 0 && if_indextoname(address->sin6_scope_id, interface_name)) {
        (void)snprintf(scope, sizeof(scope), "%%%s", interface_name);
    }
    (void)inet_ntop(AF_INET6, &address->sin6_addr, text, sizeof(text));
    (void)snprintf(out, SC_ADDR_TEXT_BYTES, "[%s%s]:%u", text, scope, ntohs(address->sin6_port));
}

/*
 * The kernel's length says where the path ends: it need not have a NUL, and an abstract name
 * begins with one (unix(7)).
 */
static void format_unix(const struct sockaddr_un *address, socklen_t length,
                        char out[SC_ADDR_TEXT_BYTES])
{
    const size_t room = length > offsetof(struct sockaddr_un, sun_path)
                            ? length - offsetof(struct sockaddr_un, sun_path)
                            : 0;
    if (room == 0) {
        (void)snprintf(out, SC_ADDR_TEXT_BYTES, "unix");
    } else if (address->sun_path[0] == '\0') {
        (void)snprintf(out, SC_ADDR_TEXT_BYTES, "unix:@%.*s",
                       (int)strnlen(address->sun_path + 1, room - 1), address->sun_path + 1);
    } else {
        (void)snprintf(out, SC_ADDR_TEXT_BYTES, "unix:%.*s", (int)strnlen(address->sun_path, room),
                       address->sun_path);
    }
}

void sc_addr_format(const struct sockaddr *address, socklen_t length, char out[SC_ADDR_TEXT_BYTES])
{
    if (length >= sizeof(struct sockaddr_in) && address->sa_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)address;
        format_v4(&v4->sin_addr, v4->sin_port, out);
    } else if (length >= sizeof(struct sockaddr_in6) && address->sa_family == AF_INET6) {
        format_v6((const struct sockaddr_in6 *)(const void *)address, out);
    } else if (length >= sizeof(sa_family_t) && address->sa_family == AF_UNIX) {
        format_unix((const struct sockaddr_un *)(const void *)address, length, out);
    } else {
        (void)snprintf(out, SC_ADDR_TEXT_BYTES, "unknown");
    }
}

struct sc_addr sc_addr_pack(const struct sockaddr *address, socklen_t length)
{
    struct sc_addr packed = {.family = 0};
    if (length >= sizeof(struct sockaddr_in) && address->sa_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)address;
        memcpy(packed.host, &v4->sin_addr, sizeof(v4->sin_addr));
        packed.port = ntohs(v4->sin_port);
        packed.family = AF_INET;
    } else if (length >= sizeof(struct sockaddr_in6) && address->sa_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)address;
        memcpy(packed.host, &v6->sin6_addr, sizeof(v6->sin6_addr));
        packed.port = ntohs(v6->sin6_port);
        packed.scope = v6->sin6_scope_id;
        packed.family = AF_INET6;
    } else if (length >= sizeof(sa_family_t) && address->sa_family == AF_UNIX) {
        packed.family = AF_UNIX;
    }
    return packed;
}

void sc_addr_format_packed(const struct sc_addr *packed, char out[SC_ADDR_TEXT_BYTES])
{
    struct sockaddr_in6 v6 = {
        .sin6_family = AF_INET6, .sin6_port = htons(packed->port), .sin6_scope_id = packed->scope};
    switch (packed->family) {
    case AF_INET: format_v4(packed->host, htons(packed->port), out); break;
    case AF_INET6:
        memcpy(&v6.sin6_addr, packed->host, sizeof(v6.sin6_addr));
        format_v6(&v6, out);
        break;
    case AF_UNIX: (void)snprintf(out, SC_ADDR_TEXT_BYTES, "unix"); break;
    default: (void)snprintf(out, SC_ADDR_TEXT_BYTES, "unknown"); break;
    }
}

void sc_addr_format_local(int fd, char out[SC_ADDR_TEXT_BYTES])
{
    struct sockaddr_storage address;
    socklen_t length = sizeof(address);
    if (getsockname(fd, (struct sockaddr *)&address, &length) != 0) {
        length = 0;
    }
    sc_addr_format((const struct sockaddr *)&address, length, out);
}

bool sc_addr_is_local(const char *text)
{
    return strncmp(text, "unix:", 5) == 0 || strncmp(text, "127.", 4) == 0 ||
           strncmp(text, "[::1]:", 6) == 0;
}

bool sc_addr_source(int family, char *out, size_t out_size)
{
    const bool v4 = family == AF_INET;
    /* Addresses for documentation (RFC 5737, RFC 3849), which the default route leads to. */
    const char *far = v4 ? "192.0.2.1" : "2001:db8::1";
    struct sockaddr_storage address = {.ss_family = (sa_family_t)family};
    struct sockaddr_in *in = (struct sockaddr_in *)&address;
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&address;
    void *host = v4 ? (void *)&in->sin_addr : (void *)&in6->sin6_addr;
    socklen_t length = v4 ? sizeof(*in) : sizeof(*in6);
    const int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    (void)inet_pton(family, far, host);
    *(v4 ? &in->sin_port : &in6->sin6_port) = htons(9);
    const bool ok = fd >= 0 && connect(fd, (const struct sockaddr *)&address, length) == 0 &&
                    getsockname(fd, (struct sockaddr *)&address, &length) == 0 &&
                    inet_ntop(family, host, out, (socklen_t)out_size) != NULL;
    if (fd >= 0) {
        (void)close(fd);
    }
    return ok;
}

uint64_t sc_addr_key(const struct sc_addr *packed)
{
    const uint64_t v4_range = UINT64_C(0xffff00000000);
    struct in6_addr v6;
    if (packed->family == AF_INET) {
        return v4_range | get_bytes(packed->host, 4);
    }
    if (packed->family != AF_INET6) {
        return 0;
    }
    memcpy(&v6, packed->host, sizeof(v6));
    if (IN6_IS_ADDR_V4MAPPED(&v6)) {
        return v4_range | get_bytes(packed->host + 12, 4);
    }
    const uint64_t prefix = get_bytes(packed->host, 8);
    return prefix == 0 ? 1 : prefix; /* ::1 */
}

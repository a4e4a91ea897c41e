/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "net/addr.h"
#include "suite.h"

static struct sockaddr_storage storage;

static socklen_t v4(const char *host, in_port_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    ck_assert_int_eq(inet_pton(AF_INET, host, &address.sin_addr), 1);
    memcpy(&storage, &address, sizeof(address));
    return sizeof(address);
}

static socklen_t v6(const char *host, in_port_t port, uint32_t scope)
{
    struct sockaddr_in6 address = {
        .sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_scope_id = scope};
    ck_assert_int_eq(inet_pton(AF_INET6, host, &address.sin6_addr), 1);
    memcpy(&storage, &address, sizeof(address));
    return sizeof(address);
}

static socklen_t local(const char *path, size_t length)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path, path, length);
    memcpy(&storage, &address, sizeof(address));
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
}

static void is_written(socklen_t length, const char *expected)
{
    char text[SC_ADDR_TEXT_BYTES];
    sc_addr_format((const struct sockaddr *)&storage, length, text);
    ck_assert_str_eq(text, expected);
    text[0] = '\0';
    const struct sc_addr packed = sc_addr_pack((const struct sockaddr *)&storage, length);
    sc_addr_format_packed(&packed, text);
    ck_assert_str_eq(text, strncmp(expected, "unix", 4) == 0 ? "unix" : expected);
}

START_TEST(text_of_every_family)
{
    char path[108];
    char expected[128];
    is_written(v4("192.0.2.1", 5), "192.0.2.1:5");
    is_written(v6("2001:db8::1", 65535, 0), "[2001:db8::1]:65535");
    is_written(v6("::", 4242, 0), "[::]:4242");
    is_written(v6("::ffff:192.0.2.1", 80, 0), "192.0.2.1:80");
    is_written(v6("fe80::1", 1, 1), "[fe80::1%lo]:1");
    is_written(v6("fe80::1", 1, 0x7fffffff), "[fe80::1]:1");
    is_written(local("", 0), "unix");
    is_written(local("/run/x", 7), "unix:/run/x");
    is_written(local("\0name", 5), "unix:@name");
    memset(path, 'p', sizeof(path)); /* the kernel need not end it */
    (void)snprintf(expected, sizeof(expected), "unix:%.108s", path);
    is_written(local(path, sizeof(path)), expected);
    is_written(v4("192.0.2.1", 5) - 1, "unknown");
    is_written(v6("2001:db8::1", 5, 0) - 1, "unknown");
    is_written(0, "unknown");
    is_written(1, "unknown");
    (void)local("", 0);
    is_written(1, "unknown");
}
END_TEST

static uint64_t key_of(socklen_t length)
{
    const struct sc_addr packed = sc_addr_pack((const struct sockaddr *)&storage, length);
    return sc_addr_key(&packed);
}

START_TEST(keys_join_what_one_client_can_have)
{
    const uint64_t one = key_of(v4("192.0.2.1", 5));
    ck_assert_uint_ne(one, 0);
    ck_assert_uint_eq(key_of(v6("::ffff:192.0.2.1", 9, 0)), one);
    ck_assert_uint_ne(key_of(v4("192.0.2.2", 5)), one);
    const uint64_t wide = key_of(v6("2001:db8:0:1::1", 5, 0));
    ck_assert_uint_eq(key_of(v6("2001:db8:0:1:ffff:ffff:ffff:ffff", 6, 0)), wide);
    ck_assert_uint_ne(key_of(v6("2001:db8:0:2::1", 5, 0)), wide);
    ck_assert_uint_ne(key_of(v6("::1", 5, 0)), 0);
    ck_assert_uint_ne(key_of(v6("::1", 5, 0)), key_of(v4("0.0.0.0", 5)));
    /* The bytes of a /64 read in the other order must not be an IPv4 address. */
    ck_assert_uint_ne(key_of(v6("2001:db8:ffff::1", 5, 0)), key_of(v4("184.13.1.32", 5)));
    ck_assert_uint_eq(key_of(local("", 0)), 0);
}
END_TEST

static void is_local(int fd, const char *expected)
{
    char text[SC_ADDR_TEXT_BYTES];
    sc_addr_format_local(fd, text);
    ck_assert_str_eq(text, expected);
}

START_TEST(our_end_of_a_socket)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t length = sizeof(address);
    char expected[32];
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, length), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &length), 0);
    (void)snprintf(expected, sizeof(expected), "127.0.0.1:%u", ntohs(address.sin_port));
    is_local(fd, expected);
    char text[SC_ADDR_TEXT_BYTES];
    sc_addr_format_local(fd, text);
    sc_addr_format_local(-1, text); /* not what the one before left on the stack */
    ck_assert_str_eq(text, "unknown");
    (void)close(fd);
}
END_TEST

START_TEST(only_this_machine_is_local)
{
    ck_assert(sc_addr_is_local("127.0.0.1:9464"));
    ck_assert(sc_addr_is_local("127.8.0.1:9464"));
    ck_assert(sc_addr_is_local("[::1]:9464"));
    ck_assert(sc_addr_is_local("unix:/run/x"));
    ck_assert(!sc_addr_is_local("192.0.2.1:9464"));
    ck_assert(!sc_addr_is_local("12.0.0.1:9464"));
    ck_assert(!sc_addr_is_local("0.0.0.0:9464"));
    ck_assert(!sc_addr_is_local("[::]:9464"));
    ck_assert(!sc_addr_is_local("[::1:2]:9464"));
}
END_TEST

SUITE_MAIN("addr", our_end_of_a_socket, only_this_machine_is_local, text_of_every_family,
           keys_join_what_one_client_can_have)

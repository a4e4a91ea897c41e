/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "leaks.h"
#include "net/addr.h"
#include "net/listen.h"
#include "scratch.h"
#include "suite.h"

static struct sc_err err;

/*
 * In place of the C library's: what a test machine does not have. A family that the kernel lacks, a
 * reason why bind() fails, and the mode of a unix socket's file before it is set.
 */
static int lacking_family, bind_errno;
static mode_t mode_before;

int socket(int family, int type, int protocol)
{
    if (family == lacking_family) {
        errno = EAFNOSUPPORT;
        return -1;
    }
    return (int)syscall(SYS_socket, family, type, protocol);
}

#ifdef __GLIBC__
int bind(int fd, __CONST_SOCKADDR_ARG union_of_pointers, socklen_t length)
{
    const struct sockaddr *address = union_of_pointers.__sockaddr__;
#else
int bind(int fd, const struct sockaddr *address, socklen_t length)
{
#endif
    if (bind_errno != 0) {
        errno = bind_errno;
        return -1;
    }
    return (int)syscall(SYS_bind, fd, address, length);
}

int chmod(const char *path, mode_t mode)
{
    struct stat status;
    ck_assert_int_eq(stat(path, &status), 0);
    mode_before = status.st_mode & 07777;
    return fchmodat(AT_FDCWD, path, mode, 0);
}

static struct sc_listen *open_list(const char *const *texts)
{
    struct sc_address addresses[8];
    size_t count = 0;
    for (; texts[count]; count++) {
        ck_assert_int_eq(sc_parse_address(texts[count], NULL, &addresses[count], &err), 0);
    }
    err.text[0] = '\0';
    return sc_listen_open(addresses, count, &err);
}
#define OPEN(...) open_list((const char *const[]){__VA_ARGS__, NULL})

static struct sc_listen *must_open_list(const char *const *texts)
{
    struct sc_listen *set = open_list(texts);
    ck_assert_msg(set != NULL, "%s", err.text);
    return set;
}
#define MUST_OPEN(...) must_open_list((const char *const[]){__VA_ARGS__, NULL})

/* The last of them can't be opened, so none is; `why` is the begin of the reason. */
static void cannot_open_list(const char *why, const char *const *texts)
{
    char expected[256];
    ck_assert_ptr_null(open_list(texts));
    ck_assert_int_eq(err.status, EX_UNAVAILABLE);
    while (texts[1]) {
        texts++;
    }
    (void)snprintf(expected, sizeof(expected), "can't listen on %s: %s", *texts, why);
    ck_assert_msg(strncmp(err.text, expected, strlen(expected)) == 0, "%s", err.text);
}
#define CANNOT_OPEN(why, ...) cannot_open_list(why, (const char *const[]){__VA_ARGS__, NULL})

static const char *port_of(const struct sc_listen *set, size_t index)
{
    return strrchr(sc_listen_address(set, index), ':') + 1;
}

/* Connects to 127.0.0.1 or ::1. 0, or errno. */
static int try_connect(int family, const char *port)
{
    const struct addrinfo hints = {.ai_family = family, .ai_socktype = SOCK_STREAM};
    struct addrinfo *loopback;
    ck_assert_int_eq(getaddrinfo(NULL, port, &hints, &loopback), 0);
    const int fd = socket(family, SOCK_STREAM, 0);
    const int result = connect(fd, loopback->ai_addr, loopback->ai_addrlen) == 0 ? 0 : errno;
    freeaddrinfo(loopback);
    close(fd);
    return result;
}

static bool has_ipv6(void)
{
    struct sc_listen *set = OPEN("[::1]:0");
    sc_listen_close(set);
    return set != NULL;
}

static void check_flags(int fd)
{
    int nodelay = 0;
    socklen_t size = sizeof(nodelay);
    ck_assert(fcntl(fd, F_GETFL) & O_NONBLOCK);
    ck_assert(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    ck_assert_int_eq(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &nodelay, &size), 0);
    ck_assert_int_ne(nodelay, 0);
}

START_TEST(real_addresses_and_flags)
{
    struct sc_listen *set = MUST_OPEN("127.0.0.1:0", "127.0.0.2:0");
    ck_assert_uint_eq(sc_listen_count(set), 2);
    ck_assert_int_eq(strncmp(sc_listen_address(set, 0), "127.0.0.1:", 10), 0);
    ck_assert_int_eq(strncmp(sc_listen_address(set, 1), "127.0.0.2:", 10), 0);
    const int fd = sc_listen_descriptor(set, 0);
    check_flags(fd);
    int reuse = 0;
    socklen_t size = sizeof(reuse);
    ck_assert_int_eq(getsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &reuse, &size), 0);
    ck_assert_int_ne(reuse, 0);
    /* Of a socket that listens this is the most that may wait for accept(2): all that there may. */
    struct tcp_info info = {0};
    size = sizeof(info);
    ck_assert_int_eq(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size), 0);
    ck_assert_uint_gt(info.tcpi_sacked, 100);
    ck_assert_int_eq(try_connect(AF_INET, port_of(set, 0)), 0);
    sc_listen_close(set);
}
END_TEST

START_TEST(wildcards)
{
    struct sc_listen *set = MUST_OPEN("*:0");
    ck_assert_int_eq(try_connect(AF_INET, port_of(set, 0)), 0);
    if (has_ipv6()) {
        ck_assert_int_eq(try_connect(AF_INET6, port_of(set, 0)), 0);
        ck_assert_int_eq(strncmp(sc_listen_address(set, 0), "[::]:", 5), 0);
    }
    char both[2][64];
    (void)snprintf(both[0], sizeof(both[0]), "[::]:%s", port_of(set, 0));
    (void)snprintf(both[1], sizeof(both[1]), "0.0.0.0:%s", port_of(set, 0));
    sc_listen_close(set);
    if (has_ipv6()) {
        set = OPEN("[::]:0");
        ck_assert_int_eq(try_connect(AF_INET, port_of(set, 0)), 0);
        sc_listen_close(set);
        /* Beside an IPv4 wildcard the other one is for IPv6 alone. */
        set = MUST_OPEN(both[0], both[1]);
        sc_listen_close(set);
        set = MUST_OPEN("*:0", both[1]); /* another port: no reason to */
        ck_assert_int_eq(try_connect(AF_INET, port_of(set, 0)), 0);
        sc_listen_close(set);
        set = OPEN("[::1]:0");
        ck_assert_int_eq(try_connect(AF_INET, port_of(set, 0)), ECONNREFUSED);
        sc_listen_close(set);
    }
}
END_TEST

START_TEST(a_machine_without_ipv6)
{
    lacking_family = AF_INET6;
    static const char *const wild[] = {"*:0", "[::]:0"};
    for (size_t i = 0; i < SC_COUNT_OF(wild); i++) {
        struct sc_listen *set = MUST_OPEN(wild[i]);
        ck_assert_uint_eq(sc_listen_count(set), 1);
        ck_assert_int_eq(strncmp(sc_listen_address(set, 0), "0.0.0.0:", 8), 0);
        sc_listen_close(set);
    }
    /* A name may have addresses of both families, whatever this machine's resolver says. */
    struct sc_listen *set = MUST_OPEN("localhost:0");
    sc_listen_close(set);
    CANNOT_OPEN("Address family not", "[::1]:0");
    lacking_family = 0;
}
END_TEST

START_TEST(the_way_out_depends_on_the_reason)
{
    bind_errno = EACCES;
    CANNOT_OPEN("permission denied; for a port below 1024 ", "127.0.0.1:443");
    CANNOT_OPEN("permission denied; for a port below 1024 ", "127.0.0.1:1023");
    CANNOT_OPEN("permission denied", "127.0.0.1:1024");
    ck_assert_ptr_null(strstr(err.text, "below 1024"));
    bind_errno = EIO;
    CANNOT_OPEN("Input/output error", "127.0.0.1:443");
    bind_errno = 0;
}
END_TEST

#define OPEN_AND_CLOSE(...) sc_listen_close(OPEN(__VA_ARGS__))

START_TEST(why_not)
{
    struct sc_listen *set = MUST_OPEN("127.0.0.1:0");
    CANNOT_OPEN("the port is in use", "127.0.0.2:0", sc_listen_address(set, 0));
    sc_listen_close(set);
    CANNOT_OPEN("this machine does not have the address", "192.0.2.77:0");
    CANNOT_OPEN("", "no.such.host.invalid:0");
    const struct sc_address named_port = {.host = "127.0.0.1", .port = "x"};
    ck_assert_ptr_null(sc_listen_open(&named_port, 1, &err));
    ck_assert_ptr_nonnull(strstr(err.text, gai_strerror(EAI_NONAME)));
}
END_TEST

static void leave_empty(void)
{
    ck_assert_uint_eq(scratch_files(false), 0);
    scratch_leave();
}

/* A socket with the file "s", and its descriptor. */
static int bind_unix_socket(void)
{
    const struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "s"};
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

START_TEST(unix_sockets)
{
    struct stat status;
    scratch_enter();
    (void)umask(0);
    struct sc_listen *set = MUST_OPEN("unix:s");
    ck_assert_str_eq(sc_listen_address(set, 0), "unix:s");
    ck_assert_int_eq(lstat("s", &status), 0);
    ck_assert_uint_eq(status.st_mode, S_IFSOCK | 0660);
    ck_assert_uint_eq(mode_before & 0177, 0); /* nobody else could connect in between */

    CANNOT_OPEN("another process listens there", "unix:s");
    ck_assert_int_eq(lstat("s", &status), 0);

    close(dup(sc_listen_descriptor(set, 0)));
    sc_listen_close(set);
    ck_assert_int_ne(lstat("s", &status), 0);
    leave_empty();
}
END_TEST

/* Who connects while the server is busy is not turned away. */
START_TEST(many_may_wait_at_a_unix_socket)
{
    const struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "s"};
    int fds[50];
    scratch_enter();
    struct sc_listen *set = MUST_OPEN("unix:s");
    for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
        fds[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
        ck_assert_msg(connect(fds[i], (const struct sockaddr *)&address, sizeof(address)) == 0,
                      "number %zu: %s", i, strerror(errno));
    }
    for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
        close(fds[i]);
    }
    sc_listen_close(set);
    leave_empty();
}
END_TEST

START_TEST(unix_socket_left_over)
{
    struct stat before, after;
    scratch_enter();
    const int fd = bind_unix_socket();
    ck_assert_int_eq(listen(fd, 1), 0);
    ck_assert_int_eq(lstat("s", &before), 0);
    close(fd); /* the server is gone, its file stays */
    struct sc_listen *set = MUST_OPEN("unix:s");

    /* Somebody else's socket in its place is not removed. */
    ck_assert_int_eq(rename("s", "t"), 0);
    struct sc_listen *other = MUST_OPEN("unix:s");
    sc_listen_close(set);
    ck_assert_int_eq(lstat("s", &after), 0);
    sc_listen_close(other);
    ck_assert_int_ne(lstat("s", &after), 0);
    ck_assert_int_eq(unlink("t"), 0);

    /* A file that is not a socket is left alone. */
    close(open("s", O_CREAT | O_WRONLY, 0600));
    CANNOT_OPEN("another process listens there, or the file is not a socket", "unix:s");
    ck_assert_int_eq(unlink("s"), 0);
    CANNOT_OPEN("can't lock no/s.lock: No such file", "unix:no/s");

    /* All or none: what was opened before the failure is closed and removed. */
    CANNOT_OPEN("can't lock", "unix:s", "unix:no/s");
    leave_empty();
}
END_TEST

/*
 * Processes that start at once on a file that is left over: one of them has it, and the others say
 * so. Each round is a race; without the lock some of them end with two that believe they have it.
 */
enum { ROUNDS = 150, RACERS = 3 };

static void race(const int *start, const int *verdicts, const int *end)
{
    char byte;
    (void)!read(start[0], &byte, 1);
    struct sc_listen *set = OPEN("unix:s");
    byte = set                                                                 ? 'w'
           : strstr(err.text, "unix:s: another process listens there") != NULL ? 'l'
                                                                               : '?';
    (void)!write(verdicts[1], &byte, 1);
    (void)!read(end[0], &byte, 1);
    _exit(0); /* without removing the file */
}

START_TEST(one_of_many_gets_a_unix_socket)
{
    scratch_enter();
    for (int round = 0; round < ROUNDS; round++) {
        int start[2], verdicts[2], end[2], winners = 0, losers = 0;
        pid_t racers[RACERS];
        char byte;
        ck_assert(pipe(start) == 0 && pipe(verdicts) == 0 && pipe(end) == 0);
        for (int i = 0; i < RACERS; i++) {
            racers[i] = fork();
            ck_assert_int_ge(racers[i], 0);
            if (racers[i] == 0) {
                (void)close(start[1]);
                (void)close(end[1]);
                race(start, verdicts, end);
            }
        }
        (void)close(start[1]);
        for (int i = 0; i < RACERS; i++) {
            ck_assert_int_eq(read(verdicts[0], &byte, 1), 1);
            winners += byte == 'w';
            losers += byte == 'l';
        }
        ck_assert_msg(winners == 1 && losers == RACERS - 1, "round %d: %d have it, %d do not",
                      round, winners, losers);
        (void)close(end[1]);
        for (int i = 0; i < RACERS; i++) {
            ck_assert_int_eq(waitpid(racers[i], NULL, 0), racers[i]);
        }
        (void)close(start[0]);
        (void)close(verdicts[0]);
        (void)close(verdicts[1]);
        (void)close(end[0]);
        ck_assert_int_eq(access("s", F_OK), 0);
    }
    ck_assert_int_eq(unlink("s"), 0);
    leave_empty();
}
END_TEST

/* Somebody listens who has no time: its file must stay. */
START_TEST(a_busy_unix_socket_is_not_left_over)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "s"};
    int clients[64];
    size_t count = 0;
    scratch_enter();
    const int fd = bind_unix_socket();
    ck_assert_int_eq(listen(fd, 1), 0);
    do {
        ck_assert_uint_lt(count, SC_COUNT_OF(clients));
        clients[count] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    } while (connect(clients[count++], (struct sockaddr *)&address, sizeof(address)) == 0);
    ck_assert_int_eq(errno, EAGAIN);
    CANNOT_OPEN("another process listens there", "unix:s");
    while (count > 0) {
        (void)close(clients[--count]);
    }
    (void)close(fd);
    ck_assert_int_eq(unlink("s"), 0);
    leave_empty();
}
END_TEST

/* A socket file of nobody's is replaced, again and again. */
static void replace(void)
{
    (void)close(bind_unix_socket());
    OPEN_AND_CLOSE("unix:s");
}

START_TEST(nothing_is_kept)
{
    struct sc_listen *set = OPEN("127.0.0.1:0");
    const char *const in_use = sc_listen_address(set, 0);
    scratch_enter();
    ASSERT_KEEPS_NOTHING(OPEN_AND_CLOSE("127.0.0.1:0", "unix:s"));
    ASSERT_KEEPS_NOTHING(OPEN_AND_CLOSE("127.0.0.1:0", in_use));
    ASSERT_KEEPS_NOTHING(OPEN_AND_CLOSE("unix:s", "unix:no/s"));
    ASSERT_KEEPS_NOTHING(replace());
    scratch_write("f", "");
    ASSERT_KEEPS_NOTHING(OPEN_AND_CLOSE("unix:f"));
    ck_assert_int_eq(unlink("f"), 0);
    sc_listen_close(set);
    leave_empty();
}
END_TEST

START_TEST(there_is_a_most)
{
    struct sc_address addresses[65];
    int descriptors[65];
    for (size_t i = 0; i < SC_COUNT_OF(addresses); i++) {
        ck_assert_int_eq(sc_parse_address("127.0.0.1:0", NULL, &addresses[i], &err), 0);
    }
    struct sc_listen *set = sc_listen_open(addresses, 64, &err);
    ck_assert_msg(set != NULL, "%s", err.text);
    const int before = leaks_descriptors();
    ck_assert_ptr_null(sc_listen_open(addresses, 65, &err));
    ck_assert_int_eq(err.status, EX_UNAVAILABLE);
    ck_assert_ptr_nonnull(strstr(err.text, "64 addresses"));
    ck_assert_int_eq(leaks_descriptors(), before);

    for (size_t i = 0; i < 64; i++) {
        descriptors[i] = sc_listen_descriptor(set, i);
    }
    descriptors[64] = descriptors[0];
    ck_assert_ptr_null(sc_listen_adopt(descriptors, 65, &err));
    ck_assert_int_eq(err.status, EX_UNAVAILABLE);
    ck_assert_ptr_nonnull(strstr(err.text, "too many"));
    sc_listen_close(set);
}
END_TEST

static void refuse(int fd, const char *why)
{
    ck_assert_int_ne(sc_listen_check(fd, &err), 0);
    ck_assert_int_eq(err.status, EX_UNAVAILABLE);
    ck_assert_msg(strstr(err.text, why) != NULL, "%s", err.text);
}

START_TEST(inherited_descriptors)
{
    int pair[2];
    ck_assert_int_eq(pipe(pair), 0);
    refuse(pair[0], "not a socket");
    refuse(1000, "not open");
    const int datagram = socket(AF_INET, SOCK_DGRAM, 0);
    refuse(datagram, "not a TCP");
    const int stream = socket(AF_INET, SOCK_STREAM, 0);
    refuse(stream, "does not listen");
    close(pair[0]);
    close(pair[1]);
    close(datagram);

    ck_assert_int_eq(listen(stream, 1), 0);
    ck_assert_int_eq(sc_listen_check(stream, &err), 0);
    struct sc_listen *set = sc_listen_adopt(&stream, 1, &err);
    ck_assert_msg(set != NULL, "%s", err.text);
    ck_assert_int_eq(sc_listen_descriptor(set, 0), stream);
    ck_assert_int_eq(strncmp(sc_listen_address(set, 0), "0.0.0.0:", 8), 0);
    check_flags(stream);
    ck_assert_int_eq(try_connect(AF_INET, port_of(set, 0)), 0);
    sc_listen_close(set);
    ck_assert_int_eq(fcntl(stream, F_GETFD), -1);
}
END_TEST

SUITE_MAIN("listen", real_addresses_and_flags, wildcards, a_machine_without_ipv6, why_not,
           the_way_out_depends_on_the_reason, unix_sockets, many_may_wait_at_a_unix_socket,
           unix_socket_left_over, one_of_many_gets_a_unix_socket,
           a_busy_unix_socket_is_not_left_over, nothing_is_kept, there_is_a_most,
           inherited_descriptors)

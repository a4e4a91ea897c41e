/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/sysd.h"
#include "leaks.h"
#include "suite.h"

static struct sc_sysd sysd;
static struct sc_err err;

static void set_env(const char *name, const char *value)
{
    if (value) {
        ck_assert_int_eq(setenv(name, value, 1), 0);
    } else {
        unsetenv(name);
    }
}

static void clear_env(void)
{
    static const char *const names[] = {"NOTIFY_SOCKET",        "WATCHDOG_USEC", "WATCHDOG_PID",
                                        "LISTEN_PID",           "LISTEN_FDS",    "LISTEN_FDNAMES",
                                        "CREDENTIALS_DIRECTORY"};
    for (size_t i = 0; i < SC_COUNT_OF(names); i++) {
        set_env(names[i], NULL);
    }
}

static const char *own_pid(void)
{
    static char text[16];
    (void)snprintf(text, sizeof(text), "%ld", (long)getpid());
    return text;
}

/* A socket to be notified on. `name` as in NOTIFY_SOCKET. */
static int listen_on(const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const size_t length = strlen(name);
    memcpy(address.sun_path, name, length);
    if (name[0] == '@') {
        address.sun_path[0] = '\0';
    }
    const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address,
                          (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length)),
                     0);
    return fd;
}

static char message[2048];
static const char *receive(int fd)
{
    const ssize_t got = recv(fd, message, sizeof(message) - 1, 0);
    message[got > 0 ? got : 0] = '\0';
    return message;
}

static void check_messages(int fd)
{
    sc_sysd_ready(&sysd, "Serving\nREADY=0");
    ck_assert_str_eq(receive(fd), "READY=1\nSTATUS=Serving\\x0aREADY=0");
    /* What is not UTF-8 systemd would not show at all. */
    sc_sysd_status(&sysd, "reload failed: \"s\303\266n\377\"");
    ck_assert_str_eq(receive(fd), "STATUS=reload failed: \"s\303\266n\\xff\"");
    struct timespec before, after;
    uint64_t usec = 0;
    (void)clock_gettime(CLOCK_MONOTONIC, &before);
    sc_sysd_reloading(&sysd);
    (void)clock_gettime(CLOCK_MONOTONIC, &after);
    ck_assert_int_eq(
        sscanf(receive(fd), "RELOADING=1\nMONOTONIC_USEC=%" SCNu64 "\nSTATUS=Reloading", &usec), 1);
    ck_assert_uint_ge(usec, (uint64_t)before.tv_sec * 1000000U + (uint64_t)before.tv_nsec / 1000U);
    ck_assert_uint_le(usec, (uint64_t)after.tv_sec * 1000000U + (uint64_t)after.tv_nsec / 1000U);
    sc_sysd_stopping(&sysd, "Draining");
    ck_assert_str_eq(receive(fd), "STOPPING=1\nSTATUS=Draining");
    sc_sysd_status(&sysd, "12 connections");
    ck_assert_str_eq(receive(fd), "STATUS=12 connections");
    sc_sysd_extend_timeout(&sysd, 15000);
    ck_assert_str_eq(receive(fd), "EXTEND_TIMEOUT_USEC=15000000");
    sc_sysd_watchdog(&sysd);
    ck_assert_str_eq(receive(fd), "WATCHDOG=1");
    ck_assert_str_eq(receive(fd), "");
    const uint64_t watchdog_ms = sysd.watchdog_ms;
    sysd.watchdog_ms = 0; /* nobody asked for signs of life */
    sc_sysd_watchdog(&sysd);
    ck_assert_str_eq(receive(fd), "");
    sysd.watchdog_ms = watchdog_ms;
    ASSERT_KEEPS_NOTHING((sc_sysd_status(&sysd, "x"), receive(fd)));
}

START_TEST(messages_arrive_at_a_path_and_at_an_abstract_name)
{
    char path[64], name[64];
    (void)snprintf(path, sizeof(path), "/tmp/check_sysd.%ld", (long)getpid());
    (void)snprintf(name, sizeof(name), "@check_sysd.%ld", (long)getpid());
    clear_env();
    set_env("WATCHDOG_USEC", "2000000");
    set_env("WATCHDOG_PID", own_pid());

    int fd = listen_on(path);
    set_env("NOTIFY_SOCKET", path);
    ck_assert_int_eq(sc_sysd_init(&sysd, &err), 0);
    ck_assert_uint_eq(sysd.watchdog_ms, 2000);
    check_messages(fd);
    close(fd);
    unlink(path);
    sc_sysd_ready(&sysd, "nobody listens any more");

    fd = listen_on(name);
    set_env("NOTIFY_SOCKET", name);
    ck_assert_int_eq(sc_sysd_init(&sysd, &err), 0);
    check_messages(fd);
    close(fd);
}
END_TEST

/*
 * A service manager that has stopped reading: a state is given half a second, a sign of life none.
 * Twenty of them would else take ten seconds.
 */
START_TEST(a_manager_that_does_not_read_stops_nobody)
{
    char name[64];
    (void)snprintf(name, sizeof(name), "@check_sysd.full.%ld", (long)getpid());
    clear_env();
    const int fd = listen_on(name);
    set_env("NOTIFY_SOCKET", name);
    set_env("WATCHDOG_USEC", "2000000");
    ck_assert_int_eq(sc_sysd_init(&sysd, &err), 0);
    for (unsigned i = 0; i < 5000; i++) {
        sc_sysd_watchdog(&sysd); /* more than any queue takes */
    }
    sc_sysd_status(&sysd, "lost");
    const uint64_t start_ms = sc_clock_ms();
    for (unsigned i = 0; i < 20; i++) {
        sc_sysd_watchdog(&sysd);
    }
    ck_assert_uint_lt(sc_clock_ms() - start_ms, 8000);
    close(fd);
}
END_TEST

START_TEST(the_watchdog_counts_milliseconds)
{
    static const struct {
        const char *usec;
        uint64_t ms;
    } cases[] = {{"1", 1}, {"999", 1}, {"1000", 1}, {"1999", 1}, {"2000", 2}, {"30000000", 30000}};
    clear_env();
    for (size_t i = 0; i < SC_COUNT_OF(cases); i++) {
        set_env("WATCHDOG_USEC", cases[i].usec);
        ck_assert_int_eq(sc_sysd_init(&sysd, &err), 0);
        ck_assert_uint_eq(sysd.watchdog_ms, cases[i].ms);
    }
    clear_env();
}
END_TEST

START_TEST(without_systemd_nothing_happens)
{
    char path[64];
    clear_env();
    ck_assert_int_eq(sc_sysd_init(&sysd, &err), 0);
    ck_assert_uint_eq(sysd.notify_length, 0);
    ck_assert_uint_eq(sysd.watchdog_ms, 0);
    ck_assert_uint_eq(sysd.socket_count, 0);
    sc_sysd_ready(&sysd, "");
    sc_sysd_reloading(&sysd);
    sc_sysd_watchdog(&sysd);
    ck_assert_int_eq(sc_sysd_credential(&sysd, "passphrase", path, sizeof(path)), -1);
}
END_TEST

START_TEST(another_process_is_meant)
{
    clear_env();
    set_env("WATCHDOG_USEC", "1000000");
    set_env("WATCHDOG_PID", "1");
    set_env("LISTEN_PID", "1");
    set_env("LISTEN_FDS", "1");
    ck_assert_int_eq(sc_sysd_init(&sysd, &err), 0);
    ck_assert_uint_eq(sysd.watchdog_ms, 0);
    ck_assert_uint_eq(sysd.socket_count, 0);
}
END_TEST

START_TEST(sockets_and_their_names)
{
    /* Two descriptors at 3 and 4, wherever the test framework has its own. */
    const int spare = open("/dev/null", O_RDONLY);
    dup2(spare, 3);
    dup2(spare, 4);
    clear_env();
    set_env("LISTEN_PID", own_pid());
    set_env("LISTEN_FDS", "2");
    set_env("LISTEN_FDNAMES", "main:");
    ck_assert_int_eq(sc_sysd_init(&sysd, &err), 0);
    ck_assert_uint_eq(sysd.socket_count, 2);
    ck_assert_int_eq(sysd.sockets[1], 4);
    ck_assert_str_eq(sysd.names[0], "main");
    ck_assert_str_eq(sysd.names[1], "");
    ck_assert(fcntl(3, F_GETFD) & FD_CLOEXEC);
    set_env("LISTEN_FDNAMES", "main");
    ck_assert_int_eq(sc_sysd_init(&sysd, &err), 0);
    ck_assert_str_eq(sysd.names[1], "unknown");
    set_env("LISTEN_FDNAMES", NULL);
    ck_assert_int_eq(sc_sysd_init(&sysd, &err), 0);
    ck_assert_str_eq(sysd.names[0], "unknown");
}
END_TEST

static void is_refused(const char *name, const char *value)
{
    set_env(name, value);
    err.text[0] = '\0';
    ck_assert_int_eq(sc_sysd_init(&sysd, &err), -1);
    ck_assert_int_ne(err.status, 0);
    ck_assert_msg(strstr(err.text, name) != NULL, "%s", err.text);
    set_env(name, NULL);
}

START_TEST(an_environment_that_systemd_does_not_make)
{
    char long_path[200];
    memset(long_path, '/', sizeof(long_path) - 1);
    long_path[sizeof(long_path) - 1] = '\0';
    clear_env();
    is_refused("NOTIFY_SOCKET", "relative");
    is_refused("NOTIFY_SOCKET", "@");
    is_refused("NOTIFY_SOCKET", long_path);
    long_path[108] = '\0';
    is_refused("NOTIFY_SOCKET", long_path);
    long_path[107] = '\0';
    set_env("NOTIFY_SOCKET", long_path);
    ck_assert_int_eq(sc_sysd_init(&sysd, &err), 0);
    set_env("NOTIFY_SOCKET", NULL);
    is_refused("WATCHDOG_USEC", "soon");
    set_env("LISTEN_PID", own_pid());
    is_refused("LISTEN_FDS", "-1");
    is_refused("LISTEN_FDS", "1000000");
    is_refused("LISTEN_FDS", "65");
    ck_assert_msg(strstr(err.text, "0 to 64") != NULL, "%s", err.text);
    close(10);
    is_refused("LISTEN_FDS", "60"); /* they are not open */
}
END_TEST

START_TEST(credentials)
{
    char directory[] = "/tmp/check_sysd.XXXXXX";
    char path[256];
    clear_env();
    ck_assert_ptr_nonnull(mkdtemp(directory));
    set_env("CREDENTIALS_DIRECTORY", directory);
    ck_assert_int_eq(sc_sysd_init(&sysd, &err), 0);
    ck_assert_int_eq(sc_sysd_credential(&sysd, "passphrase", path, sizeof(path)), -1);
    (void)snprintf(path, sizeof(path), "%s/passphrase", directory);
    close(open(path, O_CREAT | O_WRONLY, 0600));
    ck_assert_int_eq(sc_sysd_credential(&sysd, "passphrase", path, sizeof(path)), 0);
    ck_assert_ptr_nonnull(strstr(path, "/passphrase"));
    /* One that is there, by an invalid name, and a path that is cut to one that is there. */
    ck_assert_int_eq(sc_sysd_credential(&sysd, "./passphrase", path, sizeof(path)), -1);
    ck_assert_int_eq(sc_sysd_credential(&sysd, ".", path, sizeof(path)), -1);
    ck_assert_int_eq(sc_sysd_credential(&sysd, "..", path, sizeof(path)), -1);
    (void)snprintf(path, sizeof(path), "%s/in", directory);
    ck_assert_int_eq(mkdir(path, 0700), 0);
    ck_assert_int_eq(sc_sysd_credential(&sysd, "in/../passphrase", path, sizeof(path)), -1);
    ck_assert_int_eq(sc_sysd_credential(&sysd, "passphrase", path,
                                        strlen(directory) + sizeof("/passphrase") - 1),
                     -1);
    ck_assert_int_eq(sc_sysd_credential(&sysd, "inside", path, strlen(directory) + sizeof("/in")),
                     -1);
    ck_assert_int_eq(chdir(directory), 0);
    ck_assert_int_eq(rmdir("in") | unlink("passphrase"), 0);
    ck_assert_int_eq(chdir("/"), 0);
    ck_assert_int_eq(rmdir(directory), 0);
}
END_TEST

/* A message and the descriptor that came with it (-1: none). */
static int receive_descriptor(int fd)
{
    union {
        char room[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control;
    struct iovec part = {message, sizeof(message) - 1};
    struct msghdr datagram = {.msg_iov = &part,
                              .msg_iovlen = 1,
                              .msg_control = &control,
                              .msg_controllen = sizeof(control)};
    int passed = -1;
    const ssize_t got = recvmsg(fd, &datagram, 0);
    message[got > 0 ? got : 0] = '\0';
    const struct cmsghdr *header = CMSG_FIRSTHDR(&datagram);
    if (header && header->cmsg_type == SCM_RIGHTS) {
        memcpy(&passed, CMSG_DATA(header), sizeof(passed));
    }
    return passed;
}

static void store_and_receive(int fd)
{
    ck_assert_int_eq(sc_sysd_store(&sysd, "keys", "x", 1, &err), 0);
    (void)receive(fd);
    close(receive_descriptor(fd));
}

/* As the next process gets it: from descriptor 3 on. */
static int take(int stored, const char *names, uint8_t *out, size_t *length)
{
    dup2(stored, 3);
    dup2(stored, 4);
    set_env("LISTEN_PID", own_pid());
    set_env("LISTEN_FDS", "2");
    set_env("LISTEN_FDNAMES", names);
    ck_assert_int_eq(sc_sysd_init(&sysd, &err), 0);
    err.text[0] = '\0';
    return sc_sysd_take_stored(&sysd, "keys", out, length, &err);
}

START_TEST(bytes_are_stored_in_a_sealed_file)
{
    char name[64];
    uint8_t out[SC_SYSD_STORED_BYTES];
    size_t length;
    (void)snprintf(name, sizeof(name), "@check_sysd.store.%ld", (long)getpid());
    clear_env();
    const int fd = listen_on(name);
    set_env("NOTIFY_SOCKET", name);
    ck_assert_int_eq(sc_sysd_init(&sysd, &err), 0);
    ck_assert_int_eq(sc_sysd_store(&sysd, "keys", "secret", 6, &err), 0);
    ck_assert_int_eq(receive_descriptor(fd), -1);
    ck_assert_str_eq(message, "FDSTOREREMOVE=1\nFDNAME=keys");
    const int stored = receive_descriptor(fd);
    ck_assert_str_eq(message, "FDSTORE=1\nFDNAME=keys");
    ck_assert_int_ge(stored, 0);
    ck_assert_int_eq(write(stored, "x", 1), -1);
    ck_assert_int_eq(ftruncate(stored, 0), -1);
    ck_assert_int_eq(ftruncate(stored, 100), -1);
    ck_assert_int_eq(fcntl(stored, F_ADD_SEALS, F_SEAL_SEAL), -1);
    ck_assert_ptr_eq(mmap(NULL, 6, PROT_READ | PROT_WRITE, MAP_SHARED, stored, 0), MAP_FAILED);
    ASSERT_KEEPS_NOTHING(store_and_receive(fd));

    /* Without bytes it is only removed. */
    ck_assert_int_eq(sc_sysd_store(&sysd, "keys", NULL, 0, &err), 0);
    ck_assert_int_eq(receive_descriptor(fd), -1);
    ck_assert_str_eq(message, "FDSTOREREMOVE=1\nFDNAME=keys");
    ck_assert_str_eq(receive(fd), "");

    ck_assert_int_eq(take(stored, "main:keys", out, &length), 0);
    ck_assert_uint_eq(length, 6);
    ck_assert_mem_eq(out, "secret", 6);
    ck_assert_uint_eq(sysd.socket_count, 1);
    ck_assert_str_eq(sysd.names[0], "main");
    ck_assert_int_eq(fcntl(4, F_GETFD), -1);
    ck_assert_int_eq(sc_sysd_take_stored(&sysd, "keys", out, &length, &err), 0);
    ck_assert_uint_eq(length, 0);
    ck_assert_int_eq(take(stored, "keys:main", out, &length), 0);
    ck_assert_uint_eq(length, 6);
    ck_assert_int_eq(sysd.sockets[0], 4);
    ck_assert_str_eq(sysd.names[0], "main");
    ck_assert_int_eq(take(stored, "other:main", out, &length), 0);
    ck_assert_uint_eq(length, 0);
    ck_assert_uint_eq(sysd.socket_count, 2);
    close(stored);
    close(fd);
    clear_env();
}
END_TEST

START_TEST(only_a_sealed_file_is_taken)
{
    uint8_t out[SC_SYSD_STORED_BYTES];
    uint8_t bytes[SC_SYSD_STORED_BYTES + 1] = {0};
    size_t length;
    const int all = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
    const struct {
        int seals;
        size_t length;
        const char *words;
    } cases[] = {{0, 6, "not a sealed file"},
                 {all & ~F_SEAL_WRITE, 6, "not a sealed file"},
                 {all & ~F_SEAL_SEAL, 6, "not a sealed file"},
                 {all & ~F_SEAL_GROW, 6, "not a sealed file"},
                 {all & ~F_SEAL_SHRINK, 6, "not a sealed file"},
                 {all, 0, "0 bytes"},
                 {all, sizeof(bytes), "1025 bytes"},
                 {all, sizeof(bytes) - 1, NULL}};
    clear_env();
    for (size_t i = 0; i < SC_COUNT_OF(cases); i++) {
        const int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        ck_assert_int_eq(write(fd, bytes, cases[i].length), (ssize_t)cases[i].length);
        ck_assert_int_eq(fcntl(fd, F_ADD_SEALS, cases[i].seals), 0);
        ck_assert_int_eq(take(fd, "main:keys", out, &length), cases[i].words ? -1 : 0);
        ck_assert_msg(!cases[i].words || strstr(err.text, cases[i].words), "%s", err.text);
        ck_assert_uint_eq(length, cases[i].words ? 0 : cases[i].length);
        close(fd);
    }
    const int null = open("/dev/null", O_RDWR);
    ck_assert_int_eq(take(null, "main:keys", out, &length), -1);
    close(null);
    clear_env();
}
END_TEST

SUITE_MAIN("sysd", messages_arrive_at_a_path_and_at_an_abstract_name,
           a_manager_that_does_not_read_stops_nobody, the_watchdog_counts_milliseconds,
           without_systemd_nothing_happens, another_process_is_meant, sockets_and_their_names,
           an_environment_that_systemd_does_not_make, credentials,
           bytes_are_stored_in_a_sealed_file, only_a_sealed_file_is_taken)

/* SPDX-License-Identifier: MIT */
/*
 * Connecting to a list of addresses. The look-up is this file's: the linker takes it before the
 * archive's.
 */
#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/connect.h"
#include "base/resolve.h"
#include "leaks.h"
#include "suite.h"

/* --- The look-up --- */

static struct sockaddr_in addresses[4];
static struct addrinfo list[4];
static size_t list_count;
static bool look_up_hangs;
static int look_up_error;

struct sc_resolve {
    int fds[2]; /* a pipe that nobody closes: an answer that never comes */
};

struct sc_resolve *sc_resolve_start(const char *host, const char *port, struct sc_err *err)
{
    (void)host;
    (void)port;
    (void)err;
    struct sc_resolve *resolve = calloc(1, sizeof(*resolve));
    ck_assert_int_eq(pipe(resolve->fds), 0);
    return resolve;
}

int sc_resolve_fd(const struct sc_resolve *resolve)
{
    return look_up_hangs ? resolve->fds[0] : -1;
}

bool sc_resolve_result(struct sc_resolve *resolve, int *gai_error, int *error_number,
                       const struct addrinfo **found)
{
    (void)resolve;
    *gai_error = look_up_error;
    *error_number = 0;
    *found = look_up_error == 0 ? list : NULL;
    return !look_up_hangs;
}

void sc_resolve_free(struct sc_resolve *resolve)
{
    if (resolve) {
        (void)close(resolve->fds[0]);
        (void)close(resolve->fds[1]);
        free(resolve);
    }
}

/* --- Sockets --- */

static int socket_errno; /* why there is none */

int socket(int family, int type, int protocol)
{
    if (socket_errno != 0) {
        errno = socket_errno;
        return -1;
    }
    return (int)syscall(SYS_socket, family, type, protocol);
}

/* As a signal handler does that runs just before the wait begins; how long that would have been. */
static volatile sig_atomic_t stop;
static bool stops_in_poll;
static int poll_ms;

int poll(struct pollfd *fds, nfds_t count, int timeout_ms)
{
    const struct timespec timeout = {timeout_ms / 1000, timeout_ms % 1000 * 1000000L};
    if (stops_in_poll && timeout_ms > 0) {
        poll_ms = timeout_ms;
        stop = 1;
        return 0;
    }
    return ppoll(fds, count, &timeout, NULL);
}

/* Bound to 127.0.0.1; a backlog of -1: nobody listens. The address goes to the end of the list. */
static int add_address(int backlog)
{
    struct sockaddr_in *address = &addresses[list_count];
    socklen_t length = sizeof(*address);
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    *address =
        (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    ck_assert_int_eq(bind(fd, (const struct sockaddr *)address, sizeof(*address)), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)address, &length), 0);
    if (backlog >= 0) {
        ck_assert_int_eq(listen(fd, backlog), 0);
    }
    list[list_count] = (struct addrinfo){.ai_family = AF_INET,
                                         .ai_socktype = SOCK_STREAM,
                                         .ai_addr = (struct sockaddr *)address,
                                         .ai_addrlen = sizeof(*address)};
    if (list_count > 0) {
        list[list_count - 1].ai_next = &list[list_count];
    }
    list_count++;
    return fd;
}

/*
 * Fills the backlog of a listener, so that the kernel drops what else comes: an address that never
 * answers.
 */
static void fill(size_t index, int fds[2])
{
    for (int i = 0; i < 2; i++) {
        fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        (void)connect(fds[i], (const struct sockaddr *)&addresses[index], sizeof(addresses[index]));
    }
}

struct outcome {
    int fd;
    char peer[300];
    struct sc_err err;
};

static struct outcome run(uint64_t timeout_ms)
{
    struct outcome outcome = {.fd = -1};
    int nodelay = 0;
    socklen_t length = sizeof(nodelay);
    struct sc_address address;
    enum sc_connect_state state;
    ck_assert_int_eq(sc_parse_address("example.test:4242", NULL, &address, NULL), 0);
    struct sc_connect *connecting = sc_connect_start(&address, timeout_ms, NULL);
    ck_assert_ptr_nonnull(connecting);
    while ((state = sc_connect_step(connecting, &outcome.err)) == SC_CONNECT_UNDER_WAY) {
        const uint64_t now_ms = sc_clock_ms(), at_ms = sc_connect_deadline_ms(connecting);
        struct pollfd ready = {.fd = sc_connect_fd(connecting),
                               .events = sc_connect_events(connecting)};
        /* An answer is read, a connection becomes writable: more would wake the loop for nothing.
         */
        ck_assert_int_eq(ready.events, look_up_hangs ? POLLIN : POLLOUT);
        (void)poll(&ready, 1, at_ms > now_ms ? (int)(at_ms - now_ms) : 0);
    }
    if (state == SC_CONNECT_DONE) {
        (void)snprintf(outcome.peer, sizeof(outcome.peer), "%s", sc_connect_peer(connecting));
        outcome.fd = sc_connect_take(connecting);
        ck_assert_int_eq(fcntl(outcome.fd, F_GETFD), FD_CLOEXEC);
        ck_assert_int_eq(getsockopt(outcome.fd, IPPROTO_TCP, TCP_NODELAY, &nodelay, &length), 0);
        ck_assert_int_ne(nodelay, 0);
    }
    sc_connect_free(connecting);
    list_count = 0;
    return outcome;
}

static void port_text(size_t index, char out[64])
{
    (void)snprintf(out, 64, "127.0.0.1:%u", (unsigned)ntohs(addresses[index].sin_port));
}

START_TEST(the_second_address_answers_when_the_first_refuses)
{
    char expected[64];
    const int refuses = add_address(-1), answers = add_address(1);
    port_text(1, expected);
    struct outcome outcome = run(5000);
    ck_assert_int_ge(outcome.fd, 0);
    ck_assert_str_eq(outcome.peer, expected);
    (void)close(outcome.fd);
    (void)close(refuses);
    (void)close(answers);
}
END_TEST

START_TEST(every_address_is_named_when_all_refuse)
{
    char first[64], second[64], expected[256];
    const int a = add_address(-1), b = add_address(-1);
    struct outcome outcome = (port_text(0, first), port_text(1, second), run(5000));
    ck_assert_int_eq(outcome.fd, -1);
    ck_assert_int_eq(outcome.err.status, EX_UNAVAILABLE);
    (void)snprintf(expected, sizeof(expected),
                   "can't connect to example.test:4242: %s: Connection refused; %s: Connection "
                   "refused; is the server running there?",
                   first, second);
    ck_assert_str_eq(outcome.err.text, expected);
    (void)close(a);
    (void)close(b);
}
END_TEST

START_TEST(an_address_that_is_silent_leaves_time_for_the_next)
{
    char expected[64];
    int fillers[2];
    const int silent = add_address(0), answers = add_address(1);
    fill(0, fillers);
    port_text(1, expected);
    struct sc_address address;
    struct sc_err err;
    enum sc_connect_state state;
    uint64_t now_ns = UINT64_C(5000000000);
    sc_clock_fake(&now_ns, NULL);
    ck_assert_int_eq(sc_parse_address("example.test:4242", NULL, &address, NULL), 0);
    struct sc_connect *connecting = sc_connect_start(&address, 1000, NULL);
    ck_assert_ptr_nonnull(connecting);
    ck_assert_int_eq(sc_connect_step(connecting, &err), SC_CONNECT_UNDER_WAY);
    const uint64_t at_ms = sc_connect_deadline_ms(connecting);
    ck_assert_uint_ge(at_ms, 5500);
    ck_assert_uint_le(at_ms, 5502);
    now_ns = at_ms * 1000000U;
    sc_clock_fake(&now_ns, NULL);
    while ((state = sc_connect_step(connecting, &err)) == SC_CONNECT_UNDER_WAY) {
        struct pollfd ready = {.fd = sc_connect_fd(connecting), .events = POLLOUT};
        ck_assert_int_eq(poll(&ready, 1, 20000), 1);
    }
    ck_assert_int_eq(state, SC_CONNECT_DONE);
    ck_assert_str_eq(sc_connect_peer(connecting), expected);
    sc_connect_free(connecting);
    sc_clock_fake(NULL, NULL);
    list_count = 0;
    (void)close(silent);
    (void)close(answers);
    (void)close(fillers[0]);
    (void)close(fillers[1]);
}
END_TEST

/* Two fillers for each. */
static void add_silent_addresses(size_t count, int sockets[], int fillers[][2])
{
    for (size_t i = 0; i < count; i++) {
        sockets[i] = add_address(0);
        fill(i, fillers[i]);
    }
}

START_TEST(an_attempt_that_is_given_up_is_closed)
{
    int fillers[2];
    struct sc_address address;
    struct sc_err err;
    const int silent = add_address(0);
    fill(0, fillers);
    ck_assert_int_eq(sc_parse_address("example.test:4242", NULL, &address, NULL), 0);
    const int before = leaks_descriptors();
    struct sc_connect *connecting = sc_connect_start(&address, 60000, NULL);
    ck_assert_int_eq(sc_connect_step(connecting, &err), SC_CONNECT_UNDER_WAY);
    ck_assert_int_ge(sc_connect_fd(connecting), 0);
    sc_connect_free(connecting);
    ck_assert_int_eq(leaks_descriptors(), before);
    list_count = 0;
    (void)close(silent);
    (void)close(fillers[0]);
    (void)close(fillers[1]);
}
END_TEST

/* Of three addresses the first has a third of the time, the next a half of what is left. */
START_TEST(each_address_has_its_share_of_the_time)
{
    enum { COUNT = 3, TIME_MS = 900 };
    int sockets[COUNT], fillers[COUNT][2];
    struct sc_address address;
    struct sc_err err;
    uint64_t now_ns = UINT64_C(5000000000);
    add_silent_addresses(COUNT, sockets, fillers);
    sc_clock_fake(&now_ns, NULL);
    ck_assert_int_eq(sc_parse_address("example.test:4242", NULL, &address, NULL), 0);
    struct sc_connect *connecting = sc_connect_start(&address, TIME_MS, NULL);
    ck_assert_ptr_nonnull(connecting);
    for (unsigned i = 1; i <= COUNT; i++) {
        ck_assert_int_eq(sc_connect_step(connecting, &err), SC_CONNECT_UNDER_WAY);
        const uint64_t at_ms = sc_connect_deadline_ms(connecting) - 5000;
        ck_assert_uint_ge(at_ms, i * TIME_MS / COUNT);
        ck_assert_uint_le(at_ms, i * TIME_MS / COUNT + 2);
        now_ns = UINT64_C(5000000000) + at_ms * 1000000U;
        sc_clock_fake(&now_ns, NULL);
    }
    ck_assert_int_eq(sc_connect_step(connecting, &err), SC_CONNECT_FAILED);
    ck_assert_int_eq(err.status, EX_TEMPFAIL);
    sc_connect_free(connecting);
    sc_clock_fake(NULL, NULL);
    list_count = 0;
    for (size_t i = 0; i < COUNT; i++) {
        (void)close(sockets[i]);
        (void)close(fillers[i][0]);
        (void)close(fillers[i][1]);
    }
}
END_TEST

START_TEST(silence_everywhere_is_a_time_out)
{
    int fillers[2];
    const int silent = add_address(0);
    struct outcome outcome = (fill(0, fillers), run(300));
    ck_assert_int_eq(outcome.fd, -1);
    ck_assert_int_eq(outcome.err.status, EX_TEMPFAIL);
    (void)close(silent);
    (void)close(fillers[0]);
    (void)close(fillers[1]);
}
END_TEST

/* It may answer later, though the other one refuses at once. */
START_TEST(silence_of_one_is_a_time_out)
{
    int fillers[2];
    const int silent = add_address(0), refuses = add_address(-1);
    struct outcome outcome = (fill(0, fillers), run(300));
    ck_assert_int_eq(outcome.fd, -1);
    ck_assert_int_eq(outcome.err.status, EX_TEMPFAIL);
    (void)close(silent);
    (void)close(refuses);
    (void)close(fillers[0]);
    (void)close(fillers[1]);
}
END_TEST

START_TEST(without_a_descriptor_it_is_the_system_that_fails)
{
    struct rlimit before, none;
    const int answers = add_address(1);
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = before;
    const int next = dup(answers); /* the look-up's pipe takes two */
    (void)close(next);
    none.rlim_cur = (rlim_t)next + 2;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
    struct outcome outcome = run(5000);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
    ck_assert_int_eq(outcome.fd, -1);
    ck_assert_int_eq(outcome.err.status, EX_OSERR);
    ck_assert_ptr_nonnull(strstr(outcome.err.text, "Too many open files"));
    (void)close(answers);
}
END_TEST

START_TEST(what_the_system_lacks_is_not_what_the_server_lacks)
{
    static const int scarce[] = {EMFILE, ENFILE, ENOBUFS, ENOMEM};
    const int answers = add_address(1);
    for (size_t i = 0; i < sizeof(scarce) / sizeof(scarce[0]); i++) {
        list_count = 1;
        socket_errno = scarce[i];
        ck_assert_int_eq(run(5000).err.status, EX_OSERR);
    }
    socket_errno = EACCES;
    ck_assert_int_eq(run(5000).err.status, EX_UNAVAILABLE);
    socket_errno = 0;
    (void)close(answers);
}
END_TEST

START_TEST(a_signal_before_the_wait_is_seen_soon)
{
    struct sc_address address;
    struct sc_err err = {0};
    ck_assert_int_eq(sc_parse_address("example.test:4242", NULL, &address, NULL), 0);
    look_up_hangs = true;
    struct sc_connect *connecting = sc_connect_start(&address, 60000, &err);
    ck_assert_ptr_nonnull(connecting);
    stops_in_poll = true;
    ck_assert_int_eq(sc_connect_wait(connecting, &stop, &err), -1);
    stops_in_poll = look_up_hangs = false;
    ck_assert_int_eq(err.status, SC_EXIT_INTERRUPTED);
    ck_assert_int_le(poll_ms, 500);
    sc_connect_free(connecting);
}
END_TEST

START_TEST(the_look_up_has_a_deadline_too)
{
    look_up_hangs = true;
    struct outcome outcome = run(200);
    look_up_hangs = false;
    ck_assert_int_eq(outcome.err.status, EX_TEMPFAIL);
    ck_assert_ptr_nonnull(strstr(outcome.err.text, "look-up of the name timed out"));
}
END_TEST

START_TEST(a_name_without_address_is_reported_as_one)
{
    look_up_error = EAI_NONAME;
    struct outcome outcome = run(200);
    look_up_error = 0;
    ck_assert_int_eq(outcome.err.status, EX_UNAVAILABLE);
    ck_assert_ptr_nonnull(strstr(outcome.err.text, "no address is known for this name"));
}
END_TEST

SUITE_MAIN("connect", the_second_address_answers_when_the_first_refuses,
           every_address_is_named_when_all_refuse,
           an_address_that_is_silent_leaves_time_for_the_next,
           an_attempt_that_is_given_up_is_closed, each_address_has_its_share_of_the_time,
           silence_everywhere_is_a_time_out, silence_of_one_is_a_time_out,
           without_a_descriptor_it_is_the_system_that_fails, the_look_up_has_a_deadline_too,
           a_name_without_address_is_reported_as_one,
           what_the_system_lacks_is_not_what_the_server_lacks,
           a_signal_before_the_wait_is_seen_soon)

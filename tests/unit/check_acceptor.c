#include "config.h"

#include "server/acceptor.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "kept_log.h"
#include "net/listen.h"
#include "suite.h"
#include "tls_fixture.h"
#include "tls_peer.h"

enum { WORKERS = 2 };

/* In place of the C library's, for libevent: fails with this number as long as there is one. */
static int accept_errno;

#ifdef __GLIBC__
__attribute__((visibility("default"))) int accept4(int fd, __SOCKADDR_ARG union_of_pointers,
                                                   socklen_t *length, int flags)
{
    if (accept_errno != 0) {
        errno = accept_errno;
        return -1;
    }
    return (int)syscall(SYS_accept4, fd, union_of_pointers.__sockaddr__, length, flags);
}
#endif

/* An acceptor and its workers in one loop; the clients are sockets that say nothing. */
static struct event_base *base;
static struct sc_tls_context *context;
static struct sc_listen *sockets;
static struct sc_worker *workers[WORKERS];
static struct sc_acceptor *acceptor;
static struct sc_admission admission;
static struct sockaddr_in server_address;

static void on_gone(const struct sc_conn_origin *origin, void *arg)
{
    (void)arg;
    sc_acceptor_on_gone(acceptor, origin);
}

static void on_empty(void *arg)
{
    (void)arg;
}

static const struct sc_worker_owner owner = {
    .admission = &admission, .on_gone = on_gone, .on_empty = on_empty};

static void start(uint32_t max_connections, uint32_t max_per_address)
{
    struct sc_err err;
    struct sc_address address;
    socklen_t length = sizeof(server_address);
    const struct sc_acceptor_limits limits = {.max_connections = max_connections,
                                              .max_connections_per_address = max_per_address};
    fixture_write_pair("server", "P-256");
    const struct sc_tls_server_settings tls = fixture_settings("server");
    context = fixture_server(&tls);
    const struct sc_worker_settings settings = {.tls = context,
                                                .limits = {.max_body_bytes = 65536,
                                                           .output_limit_bytes = 262144,
                                                           .handshake_timeout_ms = 60000,
                                                           .frame_timeout_ms = 60000}};
    kept_start(SC_LOG_INFO);
    base = run_base_new();
    for (unsigned i = 0; i < WORKERS; i++) {
        ck_assert_ptr_nonnull(workers[i] = sc_worker_new(i, base, &settings, &owner, &err));
    }
    ck_assert_int_eq(sc_parse_address("127.0.0.1:0", NULL, &address, &err), 0);
    ck_assert_ptr_nonnull(sockets = sc_listen_open(&address, 1, &err));
    const evutil_socket_t fd = sc_listen_descriptor(sockets, 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&server_address, &length), 0);
    ck_assert_ptr_nonnull(acceptor =
                              sc_acceptor_new(base, &fd, 1, workers, WORKERS, &limits, &err));
}

static void finish(void)
{
    sc_acceptor_stop(acceptor);
    for (unsigned i = 0; i < WORKERS; i++) {
        sc_worker_free(workers[i]);
    }
    ck_assert_uint_eq(sc_acceptor_open(acceptor), 0);
    sc_acceptor_free(acceptor);
    sc_listen_close(sockets);
    run_base_free(base);
    sc_tls_context_unref(context);
}

/* A client from 127.0.0.`host`: its connection waits to be accepted. */
static int connect_from(uint32_t host)
{
    const struct sockaddr_in from = {.sin_family = AF_INET,
                                     .sin_addr = {htonl(0x7f000000U + host)}};
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(bind(fd, (const struct sockaddr *)&from, sizeof(from)), 0);
    ck_assert_int_eq(connect(fd, (const struct sockaddr *)&server_address, sizeof(server_address)),
                     0);
    return fd;
}

static bool is_closed(int fd)
{
    char byte;
    return recv(fd, &byte, 1, MSG_DONTWAIT) == 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
}

static int enter(uint32_t host)
{
    const uint32_t before = sc_acceptor_open(acceptor);
    const int fd = connect_from(host);
    RUN_UNTIL(base, sc_acceptor_open(acceptor) == before + 1);
    ck_assert(!is_closed(fd));
    return fd;
}

static void is_refused(uint32_t host)
{
    const uint32_t before = sc_acceptor_open(acceptor);
    const int fd = connect_from(host);
    RUN_UNTIL(base, is_closed(fd));
    ck_assert_uint_eq(sc_acceptor_open(acceptor), before);
    (void)close(fd);
}

static void leave(int fd)
{
    const uint32_t before = sc_acceptor_open(acceptor);
    (void)close(fd);
    RUN_UNTIL(base, sc_acceptor_open(acceptor) == before - 1);
}

START_TEST(no_more_than_max_connections)
{
    start(2, 0);
    const int one = enter(1), two = enter(1);
    is_refused(1);
    ck_assert_uint_eq(sc_stats_get(&sc_acceptor_stats(acceptor)->refused_max_connections), 1);
    ck_assert_uint_eq(kept_count, 1);
    ASSERT_HAS(kept_last(), " warning connection_refused peer=127.0.0.1:");
    ASSERT_HAS(kept_last(), " reason=max_connections hint=");
    leave(one);
    const int three = enter(1);
    is_refused(1);
    sc_acceptor_set_limits(acceptor, &(const struct sc_acceptor_limits){.max_connections = 3});
    leave(enter(1));
    leave(two);
    leave(three);
    ck_assert_uint_eq(sc_stats_get(&sc_acceptor_stats(acceptor)->refused_max_connections), 2);
    finish();
}
END_TEST

START_TEST(no_more_than_its_share_for_one_address)
{
    start(100, 1);
    const int one = enter(1), other = enter(2);
    is_refused(1);
    is_refused(2);
    ck_assert_uint_eq(sc_stats_get(&sc_acceptor_stats(acceptor)->refused_per_address), 2);
    ASSERT_HAS(kept_last(), " reason=max_connections_per_address ");
    leave(one);
    leave(enter(1));
    sc_acceptor_set_limits(acceptor, &(const struct sc_acceptor_limits){
                                         .max_connections = 100, .max_connections_per_address = 2});
    leave(enter(2));
    leave(other);
    finish();
}
END_TEST

static void at_second(uint64_t second)
{
    const uint64_t ns = second * 1000000000U;
    sc_clock_fake(&ns, NULL);
}

START_TEST(refusals_are_counted_and_seldom_logged)
{
    start(1, 0);
    const int one = enter(1);
    at_second(5);
    for (int i = 0; i < 10; i++) {
        is_refused(1);
    }
    ck_assert_uint_eq(kept_count, 1);
    at_second(6);
    is_refused(1);
    ck_assert_uint_eq(kept_count, 2);
    ASSERT_HAS(kept_last(), " suppressed=9 ");
    /* Another reason has a limit of its own. */
    sc_acceptor_set_limits(acceptor, &(const struct sc_acceptor_limits){
                                         .max_connections = 9, .max_connections_per_address = 1});
    const int two = enter(2);
    is_refused(2);
    ck_assert_uint_eq(kept_count, 3);
    ASSERT_HAS(kept_last(), " connection_refused peer=127.0.0.2:");
    leave(two);
    ck_assert_uint_eq(sc_stats_get(&sc_acceptor_stats(acceptor)->refused_max_connections), 11);
    leave(one);
    finish();
}
END_TEST

START_TEST(the_worker_with_the_fewest_gets_it)
{
    start(100, 0);
    const int one = enter(1), two = enter(1);
    ck_assert_uint_eq(sc_worker_load(workers[0]), 1);
    ck_assert_uint_eq(sc_worker_load(workers[1]), 1);
    leave(one);
    ck_assert_uint_eq(sc_worker_load(workers[0]), 0);
    const int three = enter(1);
    ck_assert_uint_eq(sc_worker_load(workers[0]), 1);
    leave(two);
    leave(three);
    finish();
}
END_TEST

static void allow_descriptors(rlim_t count)
{
    struct rlimit limit;
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = count;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

static rlim_t first_free_descriptor(void)
{
    const int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    ck_assert_int_ge(fd, 0);
    (void)close(fd);
    return (rlim_t)fd;
}

/*
 * The reserve takes in and turns away those who wait, so that nobody waits for ever and the loop
 * has nothing left to do.
 */
START_TEST(without_descriptors_clients_are_turned_away)
{
    int clients[3];
    start(100, 0);
    at_second(5);
    for (size_t i = 0; i < SC_COUNT_OF(clients); i++) {
        clients[i] = connect_from(1);
    }
    allow_descriptors(first_free_descriptor());
    for (size_t i = 0; i < SC_COUNT_OF(clients); i++) {
        RUN_UNTIL(base, is_closed(clients[i]));
    }
    ck_assert_uint_eq(sc_stats_get(&sc_acceptor_stats(acceptor)->refused_descriptors), 3);
    ck_assert_uint_eq(kept_count, 1);
    ASSERT_HAS(kept_last(), " reason=descriptors hint=\"out of file descriptors: raise the limit");
    allow_descriptors(1024);
    for (size_t i = 0; i < SC_COUNT_OF(clients); i++) {
        (void)close(clients[i]);
    }
    leave(enter(1));
    finish();
}
END_TEST

/*
 * Then nothing can be accepted, not even to be closed; the listening socket stays readable all the
 * time.
 */
START_TEST(without_a_reserve_it_rests_and_does_not_spin)
{
    start(100, 0);
    at_second(5);
    const int client = connect_from(1);
    allow_descriptors(3);
    RUN_UNTIL(base, kept_count == 1);
    run_ready(base);
    allow_descriptors(1024);
    RUN_UNTIL(base, sc_acceptor_open(acceptor) == 1); /* by itself */
    ck_assert(!is_closed(client));
    at_second(6);
    sc_acceptor_set_limits(acceptor, &(const struct sc_acceptor_limits){.max_connections = 1});
    is_refused(1);
    ck_assert_ptr_null(strstr(kept_last(), "suppressed")); /* it was tried once */
    ck_assert_uint_eq(sc_stats_get(&sc_acceptor_stats(acceptor)->refused_descriptors), 0);

    /* And it has a reserve again. */
    const int late = connect_from(1);
    allow_descriptors(first_free_descriptor());
    RUN_UNTIL(base, is_closed(late));
    allow_descriptors(1024);
    ck_assert_uint_eq(sc_stats_get(&sc_acceptor_stats(acceptor)->refused_descriptors), 1);
    (void)close(late);
    leave(client);
    finish();
}
END_TEST

#ifdef __GLIBC__
/* The system's table of files can be full, too; then the reserve helps as well. */
START_TEST(why_it_could_not_accept)
{
    start(100, 0);
    at_second(5);
    accept_errno = ENFILE;
    const int one = connect_from(1);
    RUN_UNTIL(base, is_closed(one));
    ck_assert_uint_eq(sc_stats_get(&sc_acceptor_stats(acceptor)->refused_descriptors), 1);
    ASSERT_HAS(kept_last(), " connection_refused reason=descriptors hint=");
    accept_errno = ENOMEM;
    const int two = connect_from(1);
    RUN_UNTIL(base, kept_count == 2);
    ASSERT_HAS(kept_last(), " warning accept_failed message=\"Cannot allocate memory\"");
    run_ready(base);
    ck_assert(!is_closed(two));
    accept_errno = 0;
    RUN_UNTIL(base, sc_acceptor_open(acceptor) == 1);
    ck_assert_uint_eq(sc_stats_get(&sc_acceptor_stats(acceptor)->refused_descriptors), 1);
    (void)close(one);
    leave(two);
    finish();
}
END_TEST
#else
START_TEST(why_it_could_not_accept)
{
    ck_assert_int_eq(accept_errno, 0);
}
END_TEST
#endif

/* However many wait: then it is the turn of those who are in. */
START_TEST(a_pass_is_bounded)
{
    int clients[100];
    unsigned passes = 0;
    start(1000, 0);
    for (size_t i = 0; i < SC_COUNT_OF(clients); i++) {
        clients[i] = connect_from(1);
    }
    run_once(base);
    ck_assert_uint_eq(sc_acceptor_open(acceptor), 64);
    for (; sc_acceptor_open(acceptor) < SC_COUNT_OF(clients); passes++) {
        run_once(base);
    }
    ck_assert_uint_lt(passes, 10);
    for (size_t i = 0; i < SC_COUNT_OF(clients); i++) {
        (void)close(clients[i]);
    }
    RUN_UNTIL(base, sc_acceptor_open(acceptor) == 0);
    finish();
}
END_TEST

START_TEST(each_connection_has_its_number)
{
    start(100, 0);
    kept_start(SC_LOG_DEBUG);
    leave(enter(1));
    ASSERT_HAS(kept_last(), " conn=1 peer=127.0.0.1:");
    leave(enter(2));
    ASSERT_HAS(kept_last(), " conn=2 peer=127.0.0.2:");
    finish();
}
END_TEST

START_TEST(after_the_stop_nobody_enters)
{
    start(100, 0);
    const int one = enter(1);
    sc_acceptor_stop(acceptor);
    const int two = connect_from(1);
    run_ready(base);
    ck_assert_uint_eq(sc_acceptor_open(acceptor), 1);
    leave(one);
    (void)close(two);
    finish();
}
END_TEST

SUITE_MAIN("acceptor", no_more_than_max_connections, no_more_than_its_share_for_one_address,
           refusals_are_counted_and_seldom_logged, the_worker_with_the_fewest_gets_it,
           without_descriptors_clients_are_turned_away,
           without_a_reserve_it_rests_and_does_not_spin, why_it_could_not_accept, a_pass_is_bounded,
           each_connection_has_its_number, after_the_stop_nobody_enters)

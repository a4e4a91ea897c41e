/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "server/acceptor.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "acceptor_fixture.h"
#include "leaks.h"

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

START_TEST(no_more_than_max_connections)
{
    start(2, 0);
    const int one = enter(1), two = enter(1);
    is_refused(1);
    ck_assert_uint_eq(sc_stats_get(&sc_acceptor_stats(acceptor)->refused_max_connections), 1);
    ck_assert_uint_eq(kept_count, 1);
    ASSERT_HAS(kept_last(), " warning connection_refused conn=3 peer=127.0.0.1:");
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
    ASSERT_HAS(kept_last(), " peer=127.0.0.2:");
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
    ASSERT_HAS(kept_last(), " connection_refused conn=1 peer=127.0.0.1:");
    ASSERT_HAS(kept_last(), " reason=descriptors hint=\"out of file descriptors: raise the limit");
    allow_descriptors(1024);
    for (size_t i = 0; i < SC_COUNT_OF(clients); i++) {
        (void)close(clients[i]);
    }
    at_second(6);
    clients[0] = connect_from(1);
    allow_descriptors(first_free_descriptor());
    RUN_UNTIL(base, is_closed(clients[0]));
    allow_descriptors(1024);
    ASSERT_HAS(kept_last(), " suppressed=2 "); /* one each */
    (void)close(clients[0]);
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
    ASSERT_HAS(kept_last(), " reason=descriptors hint=");
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
    const int open_before = leaks_descriptors();
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
    RUN_UNTIL(base, leaks_descriptors() == open_before);
    finish();
}
END_TEST

/* How late its loop is, is counted by the one who answers. */
START_TEST(a_worker_answers_a_ping)
{
    start(100, 0);
    at_second(5);
    for (uint32_t i = 1; i <= 3; i++) {
        sc_worker_ping(workers[0]);
        ck_assert_uint_eq(sc_worker_pings_answered(workers[0]), i);
        ck_assert_uint_eq(
            sc_stats_total(sc_worker_stats(workers[0])->loop_lag.buckets, SC_STATS_BUCKETS), i);
    }
    ck_assert_uint_eq(sc_stats_get(&sc_worker_stats(workers[0])->loop_lag.sum_ns), 0);
    finish();
}
END_TEST

static unsigned freed;

static void on_context_free(void *parent, void *ptr, CRYPTO_EX_DATA *ad, int index, long argl,
                            void *argp)
{
    (void)parent;
    (void)ad;
    (void)index;
    (void)argl;
    (void)argp;
    freed += ptr != NULL;
}

/* Else each reload would keep a certificate, its key, and what its clients are checked against. */
START_TEST(workers_let_go_of_what_was_replaced)
{
    start(100, 0);
    const int index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, on_context_free);
    ck_assert_int_eq(SSL_CTX_set_ex_data(sc_tls_context_ssl_ctx(context), index, &freed), 1);
    const struct sc_tls_server_settings tls = fixture_settings("server");
    struct sc_tls_context *fresh = fixture_server(&tls);
    const struct sc_worker_settings settings = {.tls = fresh};
    sc_worker_publish(workers[0], &settings);
    sc_tls_context_unref(context);
    context = fresh;
    ck_assert_uint_eq(freed, 0); /* the other one has it */
    sc_worker_publish(workers[1], &settings);
    ck_assert_uint_eq(freed, 1);
    finish();
}
END_TEST

START_TEST(connections_keep_nothing)
{
    start(100, 0);
    ASSERT_KEEPS_NOTHING(leave(enter(1)));
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
           a_worker_answers_a_ping, workers_let_go_of_what_was_replaced, connections_keep_nothing,
           each_connection_has_its_number, after_the_stop_nobody_enters)

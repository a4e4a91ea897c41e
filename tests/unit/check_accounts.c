#include "config.h"

#include "server/accounts.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <string.h>
#include <sys/un.h>

#include "suite.h"

static int enter(struct sc_accounts *accounts, const char *text, uint32_t limit, void **account)
{
    struct sockaddr_storage storage;
    memset(&storage, 0, sizeof(storage));
    if (strchr(text, ':')) {
        struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
        ck_assert_int_eq(inet_pton(AF_INET6, text, &v6.sin6_addr), 1);
        memcpy(&storage, &v6, sizeof(v6));
    } else {
        struct sockaddr_in v4 = {.sin_family = AF_INET};
        ck_assert_int_eq(inet_pton(AF_INET, text, &v4.sin_addr), 1);
        memcpy(&storage, &v4, sizeof(v4));
    }
    return sc_accounts_enter(accounts, (struct sockaddr *)&storage, limit, account);
}

START_TEST(an_address_has_a_limit)
{
    struct sc_accounts *accounts = sc_accounts_new();
    void *a, *b, *c, *other;
    ck_assert_int_eq(enter(accounts, "192.0.2.1", 2, &a), 0);
    ck_assert_int_eq(enter(accounts, "::ffff:192.0.2.1", 2, &b),
                     0); /* the same one on a dual-stack socket */
    ck_assert_ptr_eq(a, b);
    ck_assert_int_eq(enter(accounts, "192.0.2.1", 2, &c), -1);
    ck_assert_int_eq(enter(accounts, "192.0.2.2", 2, &other), 0);
    sc_accounts_leave(accounts, b);
    ck_assert_int_eq(enter(accounts, "192.0.2.1", 2, &c), 0);
    sc_accounts_leave(accounts, a);
    sc_accounts_leave(accounts, c);
    sc_accounts_leave(accounts, other);
    ck_assert_int_eq(enter(accounts, "192.0.2.1", 1, &a), 0);
    sc_accounts_free(accounts); /* with an account that is still open */
}
END_TEST

START_TEST(a_v6_network_is_one_client)
{
    struct sc_accounts *accounts = sc_accounts_new();
    void *a, *b;
    ck_assert_int_eq(enter(accounts, "2001:db8:0:1::1", 1, &a), 0);
    ck_assert_int_eq(enter(accounts, "2001:db8:0:1:ffff::2", 1, &b), -1);
    ck_assert_int_eq(enter(accounts, "2001:db8:0:2::1", 1, &b), 0);
    sc_accounts_leave(accounts, a);
    sc_accounts_leave(accounts, b);
    sc_accounts_free(accounts);
}
END_TEST

START_TEST(some_are_not_counted)
{
    const struct sockaddr_un local = {.sun_family = AF_UNIX};
    struct sc_accounts *accounts = sc_accounts_new();
    void *account = accounts;
    ck_assert_int_eq(enter(accounts, "192.0.2.1", 0, &account), 0);
    ck_assert_ptr_null(account);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(sc_accounts_enter(accounts, (const struct sockaddr *)&local, 1, &account),
                         0);
        ck_assert_ptr_null(account);
    }
    sc_accounts_leave(accounts, NULL);
    sc_accounts_free(accounts);
    sc_accounts_free(NULL);
}
END_TEST

#define COUNT 2000U

struct leaver {
    struct sc_accounts *accounts;
    void *open[COUNT];
};

static void *leave_all(void *arg)
{
    struct leaver *leaver = arg;
    for (unsigned i = 0; i < COUNT; i++) {
        sc_accounts_leave(leaver->accounts, leaver->open[i]);
    }
    return NULL;
}

START_TEST(other_threads_leave)
{
    static struct leaver leavers[4];
    pthread_t threads[4];
    struct sc_accounts *accounts = sc_accounts_new();
    void *account;
    for (unsigned t = 0; t < 4; t++) {
        leavers[t].accounts = accounts;
        for (unsigned i = 0; i < COUNT; i++) {
            ck_assert_int_eq(
                enter(accounts, i % 2 ? "192.0.2.1" : "192.0.2.2", 4 * COUNT, &leavers[t].open[i]),
                0);
        }
    }
    for (unsigned t = 0; t < 4; t++) {
        ck_assert_int_eq(pthread_create(&threads[t], NULL, leave_all, &leavers[t]), 0);
    }
    for (unsigned t = 0; t < 4; t++) {
        ck_assert_int_eq(pthread_join(threads[t], NULL), 0);
    }
    ck_assert_int_eq(enter(accounts, "192.0.2.1", 1, &account), 0); /* nobody is left */
    sc_accounts_leave(accounts, account);
    sc_accounts_free(accounts);
}
END_TEST

SUITE_MAIN("accounts", an_address_has_a_limit, a_v6_network_is_one_client, some_are_not_counted,
           other_threads_leave)

/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "server/address_limits.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "leaks.h"
#include "server/address_table.h"
#include "suite.h"

static int acquire(struct sc_address_limits *limits, const char *text, uint32_t limit,
                   struct sc_address_entry **entry)
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
    const struct sc_addr peer = sc_addr_pack((struct sockaddr *)&storage, sizeof(storage));
    return sc_address_limits_acquire(limits, &peer, limit, entry);
}

START_TEST(an_address_has_a_limit)
{
    struct sc_address_limits *limits = sc_address_limits_new();
    struct sc_address_entry *a, *b, *c, *other;
    ck_assert_int_eq(acquire(limits, "192.0.2.1", 2, &a), 0);
    ck_assert_int_eq(acquire(limits, "::ffff:192.0.2.1", 2, &b),
                     0); /* the same one on a dual-stack socket */
    ck_assert_ptr_eq(a, b);
    ck_assert_int_eq(acquire(limits, "192.0.2.1", 2, &c), -1);
    ck_assert_int_eq(acquire(limits, "192.0.2.2", 2, &other), 0);
    sc_address_limits_release(limits, b);
    ck_assert_int_eq(acquire(limits, "192.0.2.1", 2, &c), 0);
    sc_address_limits_release(limits, a);
    sc_address_limits_release(limits, c);
    sc_address_limits_release(limits, other);
    ck_assert_int_eq(acquire(limits, "192.0.2.1", 1, &a), 0);
    sc_address_limits_free(limits); /* with an entry that is still open */
}
END_TEST

START_TEST(a_v6_network_is_one_client)
{
    struct sc_address_limits *limits = sc_address_limits_new();
    struct sc_address_entry *a, *b;
    ck_assert_int_eq(acquire(limits, "2001:db8:0:1::1", 1, &a), 0);
    ck_assert_int_eq(acquire(limits, "2001:db8:0:1:ffff::2", 1, &b), -1);
    ck_assert_int_eq(acquire(limits, "2001:db8:0:2::1", 1, &b), 0);
    sc_address_limits_release(limits, a);
    sc_address_limits_release(limits, b);
    sc_address_limits_free(limits);
}
END_TEST

START_TEST(some_are_not_counted)
{
    const struct sc_addr local = {.family = AF_UNIX};
    struct sc_address_limits *limits = sc_address_limits_new();
    struct sc_address_entry *entry = (struct sc_address_entry *)limits;
    ck_assert_int_eq(acquire(limits, "192.0.2.1", 0, &entry), 0);
    ck_assert_ptr_null(entry);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(sc_address_limits_acquire(limits, &local, 1, &entry), 0);
        ck_assert_ptr_null(entry);
    }
    sc_address_limits_release(limits, NULL);
    sc_address_limits_free(limits);
    sc_address_limits_free(NULL);
}
END_TEST

static void come_and_go(struct sc_address_limits *limits)
{
    static unsigned visits;
    struct sc_address_entry *entry;
    char address[32];
    (void)snprintf(address, sizeof(address), "10.%u.%u.1", visits / 256 % 256, visits % 256);
    visits++;
    ck_assert_int_eq(acquire(limits, address, 1, &entry), 0);
    sc_address_limits_release(limits, entry);
}

START_TEST(who_has_left_is_forgotten)
{
    struct sc_address_limits *limits = sc_address_limits_new();
    ASSERT_KEEPS_NOTHING(come_and_go(limits));
    sc_address_limits_free(limits);
}
END_TEST

#define COUNT 2000U

struct leaver {
    struct sc_address_limits *limits;
    struct sc_address_entry *open[COUNT];
};

static void *leave_all(void *arg)
{
    struct leaver *leaver = arg;
    for (unsigned i = 0; i < COUNT; i++) {
        sc_address_limits_release(leaver->limits, leaver->open[i]);
    }
    return NULL;
}

START_TEST(other_threads_leave)
{
    static struct leaver leavers[4];
    pthread_t threads[4];
    struct sc_address_limits *limits = sc_address_limits_new();
    struct sc_address_entry *entry;
    for (unsigned t = 0; t < 4; t++) {
        leavers[t].limits = limits;
        for (unsigned i = 0; i < COUNT; i++) {
            ck_assert_int_eq(
                acquire(limits, i % 2 ? "192.0.2.1" : "192.0.2.2", 4 * COUNT, &leavers[t].open[i]),
                0);
        }
    }
    for (unsigned t = 0; t < 4; t++) {
        ck_assert_int_eq(pthread_create(&threads[t], NULL, leave_all, &leavers[t]), 0);
    }
    for (unsigned t = 0; t < 4; t++) {
        ck_assert_int_eq(pthread_join(threads[t], NULL), 0);
    }
    ck_assert_int_eq(acquire(limits, "192.0.2.1", 1, &entry), 0); /* nobody is left */
    sc_address_limits_release(limits, entry);
    sc_address_limits_free(limits);
}
END_TEST

/* Else a client with many addresses could put them all into one bucket. */
START_TEST(which_addresses_share_a_bucket_nobody_knows)
{
    enum { KEYS = 20000 };
    static const struct sc_address_node *nodes[2][KEYS];
    struct sc_address_table *tables[2];
    unsigned shared = 0, same = 0;
    for (unsigned t = 0; t < 2; t++) {
        ck_assert_ptr_nonnull(tables[t] = sc_address_table_new());
        for (unsigned i = 0; i < KEYS; i++) {
            nodes[t][i] = sc_address_table_add(tables[t], i + 1, sizeof(struct sc_address_node));
            ck_assert_ptr_nonnull(nodes[t][i]);
        }
    }
    for (unsigned i = 0; i < KEYS; i++) {
        const struct sc_address_node *a = LIST_NEXT(nodes[0][i], link);
        const struct sc_address_node *b = LIST_NEXT(nodes[1][i], link);
        shared += a != NULL;
        same += a && b && a->key == b->key;
    }
    ck_assert_uint_gt(shared, KEYS / 2);
    ck_assert_uint_lt(same, shared / 10);
    sc_address_table_free(tables[0]);
    sc_address_table_free(tables[1]);
}
END_TEST

SUITE_MAIN("address_limits", an_address_has_a_limit, a_v6_network_is_one_client,
           some_are_not_counted, who_has_left_is_forgotten, other_threads_leave,
           which_addresses_share_a_bucket_nobody_knows)

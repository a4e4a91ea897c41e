/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "server/address_limits.h"

#include <pthread.h>
#include <stdlib.h>

#include "server/address_table.h"

struct sc_address_entry {
    struct sc_address_node node;
    uint32_t open;
};

struct sc_address_limits {
    /* Taken at the start and at the end of a connection, and only if there is a limit. */
    pthread_mutex_t lock;
    struct sc_address_table *table;
};

struct sc_address_limits *sc_address_limits_new(void)
{
    struct sc_address_limits *limits = calloc(1, sizeof(*limits));
    if (limits) {
        limits->table = sc_address_table_new();
        if (!limits->table) {
            free(limits);
            return NULL;
        }
        (void)pthread_mutex_init(&limits->lock, NULL);
    }
    return limits;
}

void sc_address_limits_free(struct sc_address_limits *limits)
{
    if (limits) {
        sc_address_table_free(limits->table);
        (void)pthread_mutex_destroy(&limits->lock);
        free(limits);
    }
}

int sc_address_limits_acquire(struct sc_address_limits *limits, const struct sc_addr *peer,
                              uint32_t limit, struct sc_address_entry **entry)
{
    const uint64_t key = sc_addr_key(peer);
    int result = 0;
    *entry = NULL;
    if (limit == 0 || key == 0) {
        return 0;
    }
    pthread_mutex_lock(&limits->lock);
    struct sc_address_entry *found = sc_address_table_add(limits->table, key, sizeof(*found));
    if (found && found->open >= limit) {
        result = -1;
    } else if (found) {
        found->open++;
        *entry = found;
    }
    pthread_mutex_unlock(&limits->lock);
    return result;
}

void sc_address_limits_release(struct sc_address_limits *limits, struct sc_address_entry *entry)
{
    if (!entry) {
        return;
    }
    pthread_mutex_lock(&limits->lock);
    if (--entry->open == 0) {
        sc_address_table_remove(&entry->node);
    }
    pthread_mutex_unlock(&limits->lock);
}

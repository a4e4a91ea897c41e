/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "server/address_table.h"

#include <stdlib.h>

#include <openssl/rand.h>

#define BUCKETS 4096U /* a power of two */

LIST_HEAD(bucket, sc_address_node);

struct sc_address_table {
    uint64_t secret; /* so that addresses of one bucket can't be chosen */
    struct bucket buckets[BUCKETS];
};

struct sc_address_table *sc_address_table_new(void)
{
    struct sc_address_table *table = calloc(1, sizeof(*table));
    if (table && RAND_bytes((unsigned char *)&table->secret, sizeof(table->secret)) != 1) {
        free(table);
        return NULL;
    }
    return table;
}

void sc_address_table_free(struct sc_address_table *table)
{
    if (!table) {
        return;
    }
    for (size_t i = 0; i < BUCKETS; i++) {
        while (!LIST_EMPTY(&table->buckets[i])) {
            /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): off the list before it is freed */
            sc_address_table_remove(LIST_FIRST(&table->buckets[i]));
        }
    }
    free(table);
}

static struct bucket *bucket_of(struct sc_address_table *table, uint64_t key)
{
    uint64_t hash = (key ^ table->secret) * UINT64_C(0x9e3779b97f4a7c15);
    hash ^= hash >> 29;
    hash *= UINT64_C(0xbf58476d1ce4e5b9);
    return &table->buckets[(hash >> 40) & (BUCKETS - 1U)];
}

static struct sc_address_node *find(struct sc_address_table *table, uint64_t key)
{
    struct sc_address_node *node;
    LIST_FOREACH(node, bucket_of(table, key), link)
    {
        if (node->key == key) {
            return node;
        }
    }
    return NULL;
}

void *sc_address_table_add(struct sc_address_table *table, uint64_t key, size_t size)
{
    struct sc_address_node *node = find(table, key);
    if (!node) {
        node = calloc(1, size);
        if (node) {
            node->key = key;
            LIST_INSERT_HEAD(bucket_of(table, key), node, link);
        }
    }
    return node;
}

void sc_address_table_remove(struct sc_address_node *node)
{
    LIST_REMOVE(node, link);
    free(node);
}

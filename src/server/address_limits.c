#include "config.h"

#include "server/address_limits.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/queue.h>

#include <openssl/rand.h>

#define BUCKETS 4096U /* a power of two */

struct sc_address_entry {
    LIST_ENTRY(sc_address_entry) link;
    uint64_t key;
    uint32_t open;
};

LIST_HEAD(bucket, sc_address_entry);

struct sc_address_limits {
    /* Taken at the start and at the end of a connection, and only if there is a limit. */
    pthread_mutex_t lock;
    uint64_t secret; /* nobody can choose addresses that fall into one bucket */
    struct bucket buckets[BUCKETS];
};

struct sc_address_limits *sc_address_limits_new(void)
{
    struct sc_address_limits *limits = calloc(1, sizeof(*limits));
    if (limits) {
        (void)pthread_mutex_init(&limits->lock, NULL);
        if (RAND_bytes((unsigned char *)&limits->secret, sizeof(limits->secret)) != 1) {
            sc_address_limits_free(limits);
            return NULL;
        }
    }
    return limits;
}

void sc_address_limits_free(struct sc_address_limits *limits)
{
    if (!limits) {
        return;
    }
    for (size_t i = 0; i < BUCKETS; i++) {
        while (!LIST_EMPTY(&limits->buckets[i])) {
            struct sc_address_entry *entry = LIST_FIRST(&limits->buckets[i]);
            LIST_REMOVE(entry, link);
            free(entry);
        }
    }
    (void)pthread_mutex_destroy(&limits->lock);
    free(limits);
}

static struct bucket *bucket_of(struct sc_address_limits *limits, uint64_t key)
{
    uint64_t hash = (key ^ limits->secret) * UINT64_C(0x9e3779b97f4a7c15);
    hash ^= hash >> 29;
    hash *= UINT64_C(0xbf58476d1ce4e5b9);
    return &limits->buckets[(hash >> 40) & (BUCKETS - 1U)];
}

static struct sc_address_entry *find_or_add(struct sc_address_limits *limits, uint64_t key)
{
    struct bucket *bucket = bucket_of(limits, key);
    struct sc_address_entry *entry;
    LIST_FOREACH(entry, bucket, link)
    {
        if (entry->key == key) {
            return entry;
        }
    }
    entry = calloc(1, sizeof(*entry));
    if (entry) {
        entry->key = key;
        LIST_INSERT_HEAD(bucket, entry, link);
    }
    return entry;
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
    struct sc_address_entry *found = find_or_add(limits, key);
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
        LIST_REMOVE(entry, link);
        free(entry);
    }
    pthread_mutex_unlock(&limits->lock);
}

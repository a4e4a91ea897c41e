#include "config.h"

#include "server/accounts.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/queue.h>

#include <openssl/rand.h>

#include "net/addr.h"

#define BUCKETS 4096U /* a power of two */

struct account {
    LIST_ENTRY(account) link;
    uint64_t key;
    uint32_t open;
};

LIST_HEAD(bucket, account);

struct sc_accounts {
    pthread_mutex_t lock; /* taken once at the begin and once at the end of a connection, and only
                             if there is a limit */
    uint64_t secret; /* nobody can choose addresses that fall into one bucket */
    struct bucket buckets[BUCKETS];
};

struct sc_accounts *sc_accounts_new(void)
{
    struct sc_accounts *accounts = calloc(1, sizeof(*accounts));
    if (accounts) {
        (void)pthread_mutex_init(&accounts->lock, NULL);
        if (RAND_bytes((unsigned char *)&accounts->secret, sizeof(accounts->secret)) != 1) {
            sc_accounts_free(accounts);
            return NULL;
        }
    }
    return accounts;
}

void sc_accounts_free(struct sc_accounts *accounts)
{
    if (!accounts) {
        return;
    }
    for (size_t i = 0; i < BUCKETS; i++) {
        while (!LIST_EMPTY(&accounts->buckets[i])) {
            struct account *account = LIST_FIRST(&accounts->buckets[i]);
            LIST_REMOVE(account, link);
            free(account);
        }
    }
    (void)pthread_mutex_destroy(&accounts->lock);
    free(accounts);
}

static struct bucket *bucket_of(struct sc_accounts *accounts, uint64_t key)
{
    uint64_t hash = (key ^ accounts->secret) * UINT64_C(0x9e3779b97f4a7c15);
    hash ^= hash >> 29;
    hash *= UINT64_C(0xbf58476d1ce4e5b9);
    return &accounts->buckets[(hash >> 40) & (BUCKETS - 1U)];
}

static struct account *find_or_add(struct sc_accounts *accounts, uint64_t key)
{
    struct bucket *bucket = bucket_of(accounts, key);
    struct account *account;
    LIST_FOREACH(account, bucket, link)
    {
        if (account->key == key) {
            return account;
        }
    }
    account = calloc(1, sizeof(*account));
    if (account) {
        account->key = key;
        LIST_INSERT_HEAD(bucket, account, link);
    }
    return account;
}

int sc_accounts_enter(struct sc_accounts *accounts, const struct sockaddr *address, uint32_t limit,
                      void **account)
{
    const uint64_t key = sc_addr_key(address);
    int result = 0;
    *account = NULL;
    if (limit == 0 || key == 0) {
        return 0;
    }
    pthread_mutex_lock(&accounts->lock);
    struct account *found = find_or_add(accounts, key);
    if (found && found->open >= limit) {
        result = -1;
    } else if (found) {
        found->open++;
        *account = found;
    }
    pthread_mutex_unlock(&accounts->lock);
    return result;
}

void sc_accounts_leave(struct sc_accounts *accounts, void *account)
{
    struct account *found = account;
    if (!found) {
        return;
    }
    pthread_mutex_lock(&accounts->lock);
    if (--found->open == 0) {
        LIST_REMOVE(found, link);
        free(found);
    }
    pthread_mutex_unlock(&accounts->lock);
}

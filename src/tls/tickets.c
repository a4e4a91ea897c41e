/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "tls/tickets.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>

#include "base/clock.h"
#include "tls/error.h"
#include "tls/session_cache.h"
#include "tls/ticket_file.h"

#define NAME_BYTES SC_TICKETS_KEY_NAME_BYTES
#define HALF_BYTES 32U

struct ticket_key {
    unsigned char name[NAME_BYTES];
    unsigned char cipher[HALF_BYTES];
    unsigned char mac[HALF_BYTES];
};
_Static_assert(sizeof(struct ticket_key) == SC_TICKETS_KEY_BYTES, "a key is read as it lies");

/* The first makes tickets, all open them. */
struct key_set {
    unsigned count;
    struct ticket_key keys[SC_TICKETS_MAX_KEYS];
};

struct sc_tickets {
    atomic_uint references;
    pthread_mutex_t mutex; /* guards the four below */
    struct key_set set;
    bool from_file;
    uint64_t rotated_ms;
    uint64_t generation;
    struct sc_session_cache *sessions;
    EVP_CIPHER *cipher; /* fetched once: a fetch for each handshake takes locks */
};

/* --- The keys --- */

static int random_key(struct ticket_key *key, struct sc_err *err)
{
    uint8_t bytes[SC_TICKETS_KEY_BYTES];
    const int rc = sc_ticket_file_random_key(bytes, err);
    memcpy(key, bytes, sizeof(*key));
    OPENSSL_cleanse(bytes, sizeof(bytes));
    return rc;
}

struct sc_tickets *sc_tickets_new(struct sc_err *err)
{
    struct sc_tickets *tickets = calloc(1, sizeof(*tickets));
    if (!tickets) {
        (void)sc_err_set(err, EX_OSERR, "can't make keys for session tickets: out of memory");
        return NULL;
    }
    ERR_clear_error();
    atomic_init(&tickets->references, 1);
    (void)pthread_mutex_init(&tickets->mutex, NULL);
    tickets->rotated_ms = sc_clock_ms();
    tickets->set.count = 1;
    tickets->generation = 1;
    tickets->cipher = EVP_CIPHER_fetch(NULL, "AES-256-CBC", NULL);
    if (!tickets->cipher) {
        (void)sc_tls_err(err, EX_SOFTWARE, "can't use AES-256-CBC for session tickets");
    } else if ((tickets->sessions = sc_session_cache_new(err)) &&
               random_key(&tickets->set.keys[0], err) == 0) {
        return tickets;
    }
    sc_tickets_unref(tickets);
    return NULL;
}

struct sc_tickets *sc_tickets_ref(struct sc_tickets *tickets)
{
    (void)atomic_fetch_add_explicit(&tickets->references, 1, memory_order_relaxed);
    return tickets;
}

void sc_tickets_unref(struct sc_tickets *tickets)
{
    if (tickets && atomic_fetch_sub_explicit(&tickets->references, 1, memory_order_acq_rel) == 1) {
        EVP_CIPHER_free(tickets->cipher);
        sc_session_cache_free(tickets->sessions);
        (void)pthread_mutex_destroy(&tickets->mutex);
        OPENSSL_cleanse(&tickets->set, sizeof(tickets->set));
        free(tickets);
    }
}

uint64_t sc_tickets_age_ms(struct sc_tickets *tickets)
{
    (void)pthread_mutex_lock(&tickets->mutex);
    const uint64_t since_ms = tickets->rotated_ms;
    (void)pthread_mutex_unlock(&tickets->mutex);
    return sc_clock_ms() - since_ms;
}

struct sc_session_cache *sc_tickets_session_cache(const struct sc_tickets *tickets)
{
    return tickets->sessions;
}

/* Makes a set the active one and erases it and the one before. True when it is another one. */
static bool publish(struct sc_tickets *tickets, struct key_set *set, bool from_file)
{
    (void)pthread_mutex_lock(&tickets->mutex);
    bool changed = memcmp(&tickets->set, set, sizeof(*set)) != 0;
    tickets->set = *set;
    tickets->from_file = from_file;
    tickets->rotated_ms = changed ? sc_clock_ms() : tickets->rotated_ms;
    tickets->generation += changed ? 1 : 0;
    (void)pthread_mutex_unlock(&tickets->mutex);
    OPENSSL_cleanse(set, sizeof(*set));
    return changed;
}

/* A new key in front, and after it the one that made tickets until now. */
static int publish_random(struct sc_tickets *tickets, struct sc_err *err)
{
    struct key_set set = {.count = 2};
    if (random_key(&set.keys[0], err) != 0) {
        return -1;
    }
    (void)pthread_mutex_lock(&tickets->mutex);
    set.keys[1] = tickets->set.keys[0];
    (void)pthread_mutex_unlock(&tickets->mutex);
    (void)publish(tickets, &set, false);
    return 0;
}

int sc_tickets_use_memory(struct sc_tickets *tickets, struct sc_err *err)
{
    (void)pthread_mutex_lock(&tickets->mutex);
    bool from_file = tickets->from_file;
    (void)pthread_mutex_unlock(&tickets->mutex);
    return from_file ? publish_random(tickets, err) : 0;
}

int sc_tickets_rotate(struct sc_tickets *tickets, uint64_t period_ms, uint64_t *next_ms,
                      struct sc_err *err)
{
    (void)pthread_mutex_lock(&tickets->mutex);
    bool from_file = tickets->from_file;
    uint64_t age_ms = sc_clock_ms() - tickets->rotated_ms;
    (void)pthread_mutex_unlock(&tickets->mutex);
    *next_ms = period_ms;
    if (from_file) {
        return 0;
    }
    if (age_ms < period_ms) {
        *next_ms = period_ms - age_ms;
        return 0;
    }
    /* After a long sleep both keys are too old. */
    bool twice = age_ms / 2 >= period_ms;
    if (publish_random(tickets, err) != 0 || (twice && publish_random(tickets, err) != 0)) {
        *next_ms = 0;
        return -1;
    }
    return 0;
}

/* --- The file --- */

int sc_tickets_use_file(struct sc_tickets *tickets, const char *path, bool *changed,
                        struct sc_err *err)
{
    struct sc_ticket_keys read;
    struct key_set set = {0};
    const int rc = sc_ticket_file_read(path, &read, err);
    if (rc == 0) {
        set.count = read.count;
        memcpy(set.keys, read.keys, (size_t)read.count * SC_TICKETS_KEY_BYTES);
        bool differs = publish(tickets, &set, true);
        if (changed) {
            *changed = differs;
        }
    }
    OPENSSL_cleanse(&read, sizeof(read));
    OPENSSL_cleanse(&set, sizeof(set));
    return rc;
}

/* --- For a later process --- */

/* As it lies in memory: both processes run on one machine, between two starts of it. */
struct saved {
    uint8_t format[8];
    uint64_t rotated_ms; /* CLOCK_MONOTONIC, which goes on when a process ends */
    uint64_t count;
    struct ticket_key keys[2];
};
_Static_assert(sizeof(struct saved) == SC_TICKETS_SAVED_BYTES, "no padding");
static const uint8_t saved_format[8] = "sctkeys1";

static size_t saved_length(uint64_t count)
{
    return offsetof(struct saved, keys) + (size_t)count * sizeof(struct ticket_key);
}

size_t sc_tickets_save(struct sc_tickets *tickets, uint8_t out[SC_TICKETS_SAVED_BYTES])
{
    struct saved saved = {0};
    (void)pthread_mutex_lock(&tickets->mutex);
    const bool from_file = tickets->from_file;
    saved.rotated_ms = tickets->rotated_ms;
    saved.count = from_file ? 0 : tickets->set.count;
    memcpy(saved.keys, tickets->set.keys, (size_t)saved.count * sizeof(saved.keys[0]));
    (void)pthread_mutex_unlock(&tickets->mutex);
    memcpy(saved.format, saved_format, sizeof(saved.format));
    memcpy(out, &saved, sizeof(saved));
    const size_t length = from_file ? 0 : saved_length(saved.count);
    OPENSSL_cleanse(&saved, sizeof(saved));
    return length;
}

static int check_saved(const struct saved *saved, size_t length, struct sc_err *err)
{
    if (length < saved_length(1) || length > sizeof(*saved) ||
        memcmp(saved->format, saved_format, sizeof(saved_format)) != 0) {
        return sc_err_set(err, EX_DATAERR, "saved by another version, or damaged");
    }
    if (saved->count < 1 || saved->count > SC_COUNT_OF(saved->keys) ||
        length != saved_length(saved->count) || saved->rotated_ms > sc_clock_ms() ||
        (saved->count == 2 && memcmp(saved->keys[0].name, saved->keys[1].name, NAME_BYTES) == 0)) {
        return sc_err_set(err, EX_DATAERR, "damaged");
    }
    return 0;
}

int sc_tickets_restore(struct sc_tickets *tickets, const uint8_t *bytes, size_t length,
                       struct sc_err *err)
{
    struct saved saved = {0};
    memcpy(&saved, bytes, length < sizeof(saved) ? length : sizeof(saved));
    const int status = check_saved(&saved, length, err);
    if (status == 0) {
        struct key_set set = {.count = (unsigned)saved.count};
        memcpy(set.keys, saved.keys, (size_t)saved.count * sizeof(set.keys[0]));
        (void)publish(tickets, &set, false);
        (void)pthread_mutex_lock(&tickets->mutex);
        tickets->rotated_ms = saved.rotated_ms;
        (void)pthread_mutex_unlock(&tickets->mutex);
    }
    OPENSSL_cleanse(&saved, sizeof(saved));
    return status;
}

uint64_t sc_tickets_generation(struct sc_tickets *tickets)
{
    (void)pthread_mutex_lock(&tickets->mutex);
    const uint64_t generation = tickets->generation;
    (void)pthread_mutex_unlock(&tickets->mutex);
    return generation;
}

/* --- OpenSSL's side --- */

/*
 * Copies the key of that name, or without one the key that makes tickets. Returns its place, -1:
 * unknown.
 */
static int find_key(struct sc_tickets *tickets, const unsigned char *name, struct ticket_key *out)
{
    int place = -1;
    (void)pthread_mutex_lock(&tickets->mutex);
    for (unsigned i = 0; i < tickets->set.count && place < 0; i++) {
        if (!name || memcmp(tickets->set.keys[i].name, name, NAME_BYTES) == 0) {
            place = (int)i;
            *out = tickets->set.keys[i];
        }
    }
    (void)pthread_mutex_unlock(&tickets->mutex);
    return place;
}

static bool set_up(const struct sc_tickets *tickets, const struct ticket_key *key,
                   const unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac,
                   int encrypting)
{
    char digest[] = "SHA256";
    OSSL_PARAM params[] = {OSSL_PARAM_construct_octet_string(
                               OSSL_MAC_PARAM_KEY, (void *)(uintptr_t)key->mac, sizeof(key->mac)),
                           OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
                           OSSL_PARAM_construct_end()};
    return EVP_CipherInit_ex2(cipher, tickets->cipher, key->cipher, iv, encrypting, NULL) == 1 &&
           EVP_MAC_CTX_set_params(mac, params) == 1;
}

/*
 * SSL_CTX_set_tlsext_ticket_key_evp_cb(3): -1 fatal, 0 unknown key, 1 good, 2 good, and give the
 * client a new ticket. A TLS 1.3 client uses a ticket once (RFC 8446, appendix C.4), so it always
 * needs a new one.
 */
static int on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
                     EVP_MAC_CTX *mac, int encrypting)
{
    struct sc_tickets *tickets = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    struct ticket_key key;
    int place = find_key(tickets, encrypting ? NULL : name, &key);
    if (place < 0) {
        return 0;
    }
    int rc = encrypting || (place == 0 && SSL_version(ssl) < TLS1_3_VERSION) ? 1 : 2;
    if (encrypting) {
        memcpy(name, key.name, NAME_BYTES);
        if (RAND_bytes(iv, EVP_CIPHER_get_iv_length(tickets->cipher)) != 1) {
            rc = -1;
        }
    }
    if (rc > 0 && !set_up(tickets, &key, iv, cipher, mac, encrypting)) {
        rc = -1;
    }
    OPENSSL_cleanse(&key, sizeof(key));
    return rc;
}

int sc_tickets_install(struct sc_tickets *tickets, SSL_CTX *ssl_ctx, struct sc_err *err)
{
    ERR_clear_error();
    if (SSL_CTX_set_app_data(ssl_ctx, tickets) != 1 ||
        SSL_CTX_set_tlsext_ticket_key_evp_cb(ssl_ctx, on_ticket) != 1) {
        return sc_tls_err(err, EX_OSERR, "can't set up session tickets");
    }
    return 0;
}

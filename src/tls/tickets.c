#include "config.h"

#include "tls/tickets.h"

#include <ctype.h>
#include <pthread.h>
#include <stdatomic.h>
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
#include "base/file.h"
#include "tls/error.h"
#include "tls/session_cache.h"

#define NAME_BYTES 16U
#define HALF_BYTES 32U
#define MAX_FILE_BYTES 4096U /* 16 keys in base64, with room for line ends */

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
    pthread_mutex_t mutex; /* guards the three below */
    struct key_set set;
    bool from_file;
    uint64_t rotated_ms;
    struct sc_session_cache *sessions;
    EVP_CIPHER *cipher; /* fetched once: a fetch for each handshake takes locks */
};

/* --- The keys --- */

static int random_key(struct ticket_key *key, struct sc_err *err)
{
    ERR_clear_error();
    /* The name is public: it travels in the ticket. */
    if (RAND_bytes(key->name, sizeof(key->name)) != 1 ||
        RAND_priv_bytes(key->cipher, sizeof(key->cipher)) != 1 ||
        RAND_priv_bytes(key->mac, sizeof(key->mac)) != 1) {
        return sc_tls_err(err, EX_OSERR, "can't make keys for session tickets");
    }
    return 0;
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
    tickets->rotated_ms = sc_clock_ms();
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

static bool is_text(const struct sc_file *file)
{
    for (size_t i = 0; i < file->length; i++) {
        unsigned char c = (unsigned char)file->bytes[i];
        if (!isalnum(c) && !strchr("+/=\r\n", c)) {
            return false;
        }
    }
    return true;
}

/* A line of base64: 108 characters for 80 bytes, the last one '='. */
static bool read_line(const char *line, size_t length, struct ticket_key *key)
{
    unsigned char bytes[81];
    bool ok =
        length == 108 &&
        EVP_DecodeBlock(bytes, (const unsigned char *)line, (int)length) == (int)sizeof(bytes) &&
        line[107] == '=' && line[106] != '=';
    if (ok) {
        memcpy(key, bytes, sizeof(*key));
    }
    OPENSSL_cleanse(bytes, sizeof(bytes));
    return ok;
}

static int read_text(const char *path, const struct sc_file *file, struct key_set *set,
                     struct sc_err *err)
{
    const char *line = file->bytes;
    for (line += strspn(line, "\r\n"); *line; line += strspn(line, "\r\n")) {
        size_t length = strcspn(line, "\r\n");
        if (set->count == SC_TICKETS_MAX_KEYS) {
            return sc_err_set(err, EX_CONFIG, "ticket keys %s: more than %u keys; drop old ones",
                              path, SC_TICKETS_MAX_KEYS);
        }
        if (!read_line(line, length, &set->keys[set->count++])) {
            ERR_clear_error();
            return sc_err_set(err, EX_CONFIG,
                              "ticket keys %s: key %u is not a line of 80 bytes in base64; make "
                              "one: openssl rand 80 | openssl "
                              "base64 -A",
                              path, set->count);
        }
        line += length;
    }
    return 0;
}

static int read_keys(const char *path, const struct sc_file *file, struct key_set *set,
                     struct sc_err *err)
{
    if (file->length > 0 && is_text(file)) {
        if (read_text(path, file, set, err) != 0) {
            return -1;
        }
    } else if (file->length % SC_TICKETS_KEY_BYTES != 0 ||
               file->length / SC_TICKETS_KEY_BYTES > SC_TICKETS_MAX_KEYS) {
        return sc_err_set(err, EX_CONFIG,
                          "ticket keys %s: %zu bytes; a key is 80 bytes, and there are at most %u; "
                          "make one: openssl rand 80",
                          path, file->length, SC_TICKETS_MAX_KEYS);
    } else {
        set->count = (unsigned)(file->length / SC_TICKETS_KEY_BYTES);
        memcpy(set->keys, file->bytes, file->length);
    }
    if (set->count == 0) {
        return sc_err_set(err, EX_CONFIG,
                          "ticket keys %s: no key in it; make one: openssl rand 80 >%s", path,
                          path);
    }
    for (unsigned i = 1; i < set->count; i++) {
        for (unsigned k = 0; k < i; k++) {
            if (memcmp(set->keys[i].name, set->keys[k].name, NAME_BYTES) == 0) {
                return sc_err_set(
                    err, EX_CONFIG,
                    "ticket keys %s: keys %u and %u start with the same name; every key needs 16 "
                    "bytes of its own as a name",
                    path, k + 1, i + 1);
            }
        }
    }
    return 0;
}

int sc_tickets_use_file(struct sc_tickets *tickets, const char *path, bool *changed,
                        struct sc_err *err)
{
    struct sc_file file;
    struct key_set set = {0};
    if (sc_file_read(path, MAX_FILE_BYTES, &file, err) != 0) {
        return sc_err_prefix(err, "ticket keys");
    }
    int rc = read_keys(path, &file, &set, err);
    sc_file_fini(&file);
    if (rc == 0) {
        bool differs = publish(tickets, &set, true);
        if (changed) {
            *changed = differs;
        }
    }
    OPENSSL_cleanse(&set, sizeof(set));
    return rc;
}

/* --- OpenSSL's side --- */

static pthread_once_t index_once = PTHREAD_ONCE_INIT;
static int ex_index = -1;

static void on_ssl_ctx_free(void *parent, void *ptr, CRYPTO_EX_DATA *ad, int index, long argl,
                            void *argp)
{
    (void)parent;
    (void)ad;
    (void)index;
    (void)argl;
    (void)argp;
    sc_tickets_unref(ptr);
}

static void make_index(void)
{
    ex_index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, on_ssl_ctx_free);
}

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
    struct sc_tickets *tickets = SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), ex_index);
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
    (void)pthread_once(&index_once, make_index);
    if (ex_index < 0 || SSL_CTX_set_ex_data(ssl_ctx, ex_index, tickets) != 1) {
        return sc_tls_err(err, EX_OSERR, "can't set up session tickets");
    }
    (void)sc_tickets_ref(tickets);
    if (SSL_CTX_set_tlsext_ticket_key_evp_cb(ssl_ctx, on_ticket) != 1) {
        return sc_tls_err(err, EX_SOFTWARE, "can't set up session tickets");
    }
    return 0;
}

/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "tls/session_cache.h"

#include <pthread.h>
#include <stdlib.h>
#include <sysexits.h>

#include <openssl/err.h>
#include <openssl/lhash.h>

#include "tls/error.h"
#include "tls/handshake_hooks.h"

#define FLUSH_EVERY 256U /* new sessions, as OpenSSL's own cache does */

struct sc_session_cache {
    pthread_mutex_t mutex; /* guards both */
    SSL_CTX *store; /* its cache is what is used of it: the oldest session makes room */
    unsigned added;
};

static pthread_once_t index_once = PTHREAD_ONCE_INIT;
static int ex_index = -1;

static void make_index(void)
{
    ex_index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, NULL);
}

struct sc_session_cache *sc_session_cache_new(struct sc_err *err)
{
    struct sc_session_cache *cache = calloc(1, sizeof(*cache));
    ERR_clear_error();
    (void)pthread_once(&index_once, make_index);
    if (!cache || ex_index < 0 || !(cache->store = SSL_CTX_new(TLS_server_method()))) {
        (void)sc_tls_err(err, EX_OSERR, "can't set up TLS sessions");
        free(cache);
        return NULL;
    }
    (void)pthread_mutex_init(&cache->mutex, NULL);
    return cache;
}

void sc_session_cache_free(struct sc_session_cache *cache)
{
    if (cache) {
        SSL_CTX_free(cache->store);
        (void)pthread_mutex_destroy(&cache->mutex);
        free(cache);
    }
}

/* Returns 0: OpenSSL keeps its reference. */
static int on_new(SSL *ssl, SSL_SESSION *session)
{
    SSL_CTX *ssl_ctx = SSL_get_SSL_CTX(ssl);
    struct sc_session_cache *cache = SSL_CTX_get_ex_data(ssl_ctx, ex_index);
    if (SSL_SESSION_get_protocol_version(session) >= TLS1_3_VERSION &&
        !(SSL_get_options(ssl) & SSL_OP_NO_TICKET)) {
        return 0; /* the ticket holds all of it */
    }
    (void)pthread_mutex_lock(&cache->mutex);
    (void)SSL_CTX_sess_set_cache_size(cache->store, SSL_CTX_sess_get_cache_size(ssl_ctx));
    (void)SSL_CTX_add_session(cache->store, session);
    if (++cache->added % FLUSH_EVERY == 0) {
        SSL_CTX_flush_sessions(cache->store, (long)time(NULL));
    }
    (void)pthread_mutex_unlock(&cache->mutex);
    return 0;
}

static SSL_SESSION *on_get(SSL *ssl, const unsigned char *id, int length, int *copy)
{
    struct sc_session_cache *cache = SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), ex_index);
    SSL_SESSION *key = SSL_SESSION_new();
    SSL_SESSION *found = NULL;
    *copy = 0; /* the reference is taken here, under the lock */
    if (key && SSL_SESSION_set1_id(key, id, (unsigned)length) == 1 &&
        SSL_SESSION_set_protocol_version(key, SSL_version(ssl)) == 1) {
        (void)pthread_mutex_lock(&cache->mutex);
        found = OPENSSL_LH_retrieve((OPENSSL_LHASH *)SSL_CTX_sessions(cache->store), key);
        if (found) {
            (void)SSL_SESSION_up_ref(found);
        }
        (void)pthread_mutex_unlock(&cache->mutex);
    }
    SSL_SESSION_free(key);
    if (found && !sc_tls_may_resume(ssl)) {
        SSL_SESSION_free(found);
        found = NULL; /* the handshake becomes a full one */
    }
    return found;
}

static void on_remove(SSL_CTX *ssl_ctx, SSL_SESSION *session)
{
    struct sc_session_cache *cache = SSL_CTX_get_ex_data(ssl_ctx, ex_index);
    (void)pthread_mutex_lock(&cache->mutex);
    (void)SSL_CTX_remove_session(cache->store, session);
    (void)pthread_mutex_unlock(&cache->mutex);
}

int sc_session_cache_install(struct sc_session_cache *cache, SSL_CTX *ssl_ctx, uint32_t size,
                             struct sc_err *err)
{
    if (SSL_CTX_set_ex_data(ssl_ctx, ex_index, cache) != 1) {
        return sc_tls_err(err, EX_OSERR, "can't set up TLS sessions");
    }
    (void)SSL_CTX_set_session_cache_mode(ssl_ctx,
                                         SSL_SESS_CACHE_SERVER | SSL_SESS_CACHE_NO_INTERNAL);
    (void)SSL_CTX_sess_set_cache_size(ssl_ctx, (long)size);
    SSL_CTX_sess_set_new_cb(ssl_ctx, on_new);
    SSL_CTX_sess_set_get_cb(ssl_ctx, on_get);
    SSL_CTX_sess_set_remove_cb(ssl_ctx, on_remove);
    return 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * Sessions that are resumed by their id, for clients that take no tickets: one cache for all
 * contexts of a server, so that a reload loses none. OpenSSL's own cache is freed with its context.
 * Which context may resume a session is decided by the session id context, as always; whether it
 * may now, by the hooks of the handshake (tls/handshake_hooks.h). Thread: any.
 */
#ifndef SC_TLS_SESSION_CACHE_H
#define SC_TLS_SESSION_CACHE_H

#include <openssl/ssl.h>

#include "base/err.h"

struct sc_session_cache;

struct sc_session_cache *sc_session_cache_new(struct sc_err *err) SC_NODISCARD;
void sc_session_cache_free(struct sc_session_cache *cache); /* NULL is fine */

/*
 * The context remembers its sessions here, and the cache no more than `size` (at least 1) from its
 * next session on. The cache must outlast the context.
 */
int sc_session_cache_install(struct sc_session_cache *cache, SSL_CTX *ssl_ctx, uint32_t size,
                             struct sc_err *err) SC_NODISCARD;

#endif

/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "client_hello.h"

#include <string.h>

#include <openssl/bio.h>

#include "base/compiler.h"
#include "peer.h"
#include "proto/frame.h"

#define RECORD_HEADER 5U
#define MESSAGE_HEADER 4U
#define FIXED_PART (2U + 32U) /* version, random */

static unsigned get16(const uint8_t *at)
{
    return (unsigned)at[0] << 8 | at[1];
}

static void put16(uint8_t *at, size_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

/* --- Sessions --- */

static SSL_CTX *context_for(const char *way)
{
    const bool tls12 = strstr(way, "12") != NULL;
    SSL_CTX *context = peer_context(tls12, NULL, 0);
    if (strcmp(way, "id12") == 0) {
        SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
    }
    return context;
}

/* With a request and its reply: a ticket of TLS 1.3 comes after the handshake. */
static SSL_SESSION *get_session(const char *way, SSL_CTX *context)
{
    uint8_t frame[SC_FRAME_HEADER_BYTES];
    SSL_CTX *const usual = peer_settings.context;
    if (strcmp(way, "hash") == 0 && !SSL_CTX_set_ciphersuites(context, "TLS_AES_256_GCM_SHA384")) {
        peer_fail("no TLS_AES_256_GCM_SHA384");
    }
    if (strcmp(way, "ems12") == 0) {
        SSL_CTX_set_options(context, SSL_OP_NO_EXTENDED_MASTER_SECRET);
    }
    peer_settings.context = context;
    struct peer peer = peer_open_tls();
    peer_settings.context = usual;
    sc_frame_put_header(frame, SC_FRAME_ECHO, 0);
    if (!peer_send(&peer, frame, sizeof(frame), sizeof(frame))) {
        peer_fail("no connection for a session");
    }
    peer_receive(&peer, frame, sizeof(frame));
    SSL_SESSION *session = SSL_get1_session(peer.ssl);
    (void)SSL_shutdown(peer.ssl);
    peer_close(&peer);
    if (!session || !SSL_SESSION_is_resumable(session)) {
        peer_fail("the server gives no session");
    }
    return session;
}

/* --- What OpenSSL sends, and what is changed in it --- */

static void take_hello(SSL *ssl, struct client_hello *hello)
{
    BIO *out = BIO_new(BIO_s_mem());
    SSL_set_bio(ssl, BIO_new(BIO_s_mem()), out);
    (void)SSL_connect(ssl);
    const int length = BIO_read(out, hello->bytes, sizeof(hello->bytes));
    if (length < (int)(RECORD_HEADER + MESSAGE_HEADER + FIXED_PART) ||
        RECORD_HEADER + get16(hello->bytes + 3) != (size_t)length) {
        peer_fail("no ClientHello");
    }
    hello->length = (size_t)length;
}

/* The 16 bits that say how long the extensions are. */
static uint8_t *extensions_of(struct client_hello *hello)
{
    uint8_t *at = hello->bytes + RECORD_HEADER + MESSAGE_HEADER + FIXED_PART;
    at += 1 + at[0]; /* session id */
    at += 2 + get16(at); /* cipher suites */
    return at + 1 + at[0]; /* compression methods */
}

static uint8_t *find_extension(struct client_hello *hello, unsigned type)
{
    uint8_t *const extensions = extensions_of(hello);
    uint8_t *const end = extensions + 2 + get16(extensions);
    for (uint8_t *at = extensions + 2; at + 4 <= end; at += 4 + get16(at + 2)) {
        if (get16(at) == type) {
            return at;
        }
    }
    peer_fail("no extension %u", type);
}

/* Takes bytes out of an extension, or with `whole` all of it, and mends the lengths around it. */
static void cut(struct client_hello *hello, uint8_t *extension, uint8_t *from, size_t count,
                bool whole)
{
    uint8_t *const extensions = extensions_of(hello);
    if (!whole) {
        put16(extension + 2, get16(extension + 2) - count);
    }
    put16(extensions, get16(extensions) - count);
    memmove(from, from + count, (size_t)(hello->bytes + hello->length - (from + count)));
    hello->length -= count;
    put16(hello->bytes + 3, hello->length - RECORD_HEADER);
    put16(hello->bytes + RECORD_HEADER + 2, hello->length - RECORD_HEADER - MESSAGE_HEADER);
}

static void change(const char *way, struct client_hello *hello)
{
    if (strcmp(way, "modes") == 0) {
        uint8_t *const modes = find_extension(hello, TLSEXT_TYPE_psk_kex_modes);
        cut(hello, modes, modes, 4 + get16(modes + 2), true);
    } else if (strcmp(way, "binder") == 0) {
        hello->bytes[hello->length - 1] ^= 1;
    } else if (strcmp(way, "no-binder") == 0) {
        uint8_t *const psk = find_extension(hello, TLSEXT_TYPE_psk);
        uint8_t *const binders = psk + 4 + 2 + get16(psk + 4);
        const size_t length = get16(binders);
        put16(binders, 0);
        cut(hello, psk, binders + 2, length, false);
    }
}

SSL_SESSION *client_hello_session(const char *way, SSL_CTX **context)
{
    static const char *const ways[] = {
#define CLIENT_HELLO_WORD(word, what) word,
        CLIENT_HELLO_WAYS(CLIENT_HELLO_WORD)
#undef CLIENT_HELLO_WORD
    };
    size_t known = 0;
    for (size_t i = 0; i < SC_COUNT_OF(ways); i++) {
        known += strcmp(ways[i], way) == 0;
    }
    if (!known) {
        peer_fail("--how %s is not known", way);
    }
    *context = context_for(way);
    return strcmp(way, "none") == 0 ? NULL : get_session(way, *context);
}

void client_hello_make(const char *way, struct client_hello *hello)
{
    SSL_CTX *context;
    SSL_SESSION *session = client_hello_session(way, &context);
    if (strcmp(way, "hash") == 0 && !SSL_CTX_set_ciphersuites(context, "TLS_AES_128_GCM_SHA256")) {
        peer_fail("no TLS_AES_128_GCM_SHA256");
    }
    (void)SSL_CTX_clear_options(context, SSL_OP_NO_EXTENDED_MASTER_SECRET);
    SSL *ssl = SSL_new(context);
    if (!ssl || (session && !SSL_set_session(ssl, session))) {
        peer_fail("no TLS connection");
    }
    take_hello(ssl, hello);
    change(way, hello);
    SSL_free(ssl);
    SSL_SESSION_free(session);
    SSL_CTX_free(context);
}

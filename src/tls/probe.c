#include "config.h"

#include "tls/probe.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

#include <openssl/bio.h>
#include <openssl/err.h>

#include "tls/context.h"
#include "tls/error.h"
#include "tls/tickets.h"

struct sc_tls_probe {
    SSL_CTX *ssl_ctx;
    unsigned char id_context[SSL_MAX_SID_CTX_LENGTH];
    size_t id_length;
};

/* Without a ticket there is nothing to find out: stop before the handshake starts. */
static int on_hello(SSL *ssl, int *alert, void *arg)
{
    (void)arg;
    const unsigned char *extension;
    size_t length;
    if ((SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_psk, &extension, &length) == 1 && length > 0) ||
        (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_session_ticket, &extension, &length) == 1 &&
         length > 0)) {
        return SSL_CLIENT_HELLO_SUCCESS;
    }
    *alert = SSL_AD_HANDSHAKE_FAILURE;
    return SSL_CLIENT_HELLO_ERROR;
}

/* Runs when the ticket has been decrypted, or has not, and ends the handshake there. */
static SSL_TICKET_RETURN on_decrypted(SSL *ssl, SSL_SESSION *session, const unsigned char *name,
                                      size_t name_length, SSL_TICKET_STATUS status, void *arg)
{
    (void)name;
    (void)name_length;
    const struct sc_tls_probe *probe = arg;
    bool *resumes = SSL_get_app_data(ssl);
    if (session && (status == SSL_TICKET_SUCCESS || status == SSL_TICKET_SUCCESS_RENEW)) {
        unsigned int length;
        const unsigned char *id_context = SSL_SESSION_get0_id_context(session, &length);
        long age_s = (long)time(NULL) - SSL_SESSION_get_time(session);
        *resumes = length == probe->id_length &&
                   memcmp(id_context, probe->id_context, length) == 0 && age_s >= 0 &&
                   age_s <= SSL_SESSION_get_timeout(session) &&
                   SSL_SESSION_get_protocol_version(session) == SSL_version(ssl);
    }
    return SSL_TICKET_RETURN_ABORT;
}

static int on_ticket_made(SSL *ssl, void *arg)
{
    (void)ssl;
    (void)arg;
    return 1;
}

/*
 * Only its presence counts: without a certificate or this callback a server does not offer TLS
 * 1.3. It never runs.
 */
static int on_certificate(SSL *ssl, void *arg)
{
    (void)ssl;
    (void)arg;
    return 0;
}

static bool share_ticket_keys(SSL_CTX *from, SSL_CTX *to)
{
    unsigned char keys[SC_TICKETS_KEY_BYTES];
    bool ok = SSL_CTX_get_tlsext_ticket_keys(from, keys, sizeof(keys)) == 1 &&
              SSL_CTX_set_tlsext_ticket_keys(to, keys, sizeof(keys)) == 1;
    OPENSSL_cleanse(keys, sizeof(keys));
    return ok;
}

struct sc_tls_probe *sc_tls_probe_new(SSL_CTX *served, struct sc_tickets *tickets,
                                      const uint8_t *id_context, size_t id_length,
                                      struct sc_err *err)
{
    ERR_clear_error();
    struct sc_tls_probe *probe = calloc(1, sizeof(*probe));
    SSL_CTX *ssl_ctx = SSL_CTX_new(TLS_server_method());
    if (!probe || !ssl_ctx || id_length > sizeof(probe->id_context) ||
        SSL_CTX_set_min_proto_version(ssl_ctx, (int)SSL_CTX_get_min_proto_version(served)) != 1 ||
        SSL_CTX_set_max_proto_version(ssl_ctx, (int)SSL_CTX_get_max_proto_version(served)) != 1 ||
        SSL_CTX_set_session_ticket_cb(ssl_ctx, on_ticket_made, on_decrypted, probe) != 1 ||
        (!tickets && !share_ticket_keys(served, ssl_ctx)) ||
        (tickets && sc_tickets_install(tickets, ssl_ctx, NULL) != 0)) {
        (void)sc_tls_err(err, EX_OSERR, "can't set up TLS");
        SSL_CTX_free(ssl_ctx);
        free(probe);
        return NULL;
    }
    (void)SSL_CTX_set_session_cache_mode(ssl_ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_client_hello_cb(ssl_ctx, on_hello, NULL);
    SSL_CTX_set_cert_cb(ssl_ctx, on_certificate, NULL);
    memcpy(probe->id_context, id_context, id_length);
    probe->id_length = id_length;
    probe->ssl_ctx = ssl_ctx;
    return probe;
}

void sc_tls_probe_free(struct sc_tls_probe *probe)
{
    if (probe) {
        SSL_CTX_free(probe->ssl_ctx);
        free(probe);
    }
}

/* Plays the server's first step over memory. */
static enum sc_tls_hello play(SSL *ssl, size_t length)
{
    bool resumes = false;
    if (SSL_set_app_data(ssl, &resumes) != 1) {
        return SC_TLS_HELLO_FULL;
    }
    SSL_set_accept_state(ssl);
    int rc = SSL_do_handshake(ssl);
    if (resumes) {
        return SC_TLS_HELLO_RESUMES;
    }
    bool starved = rc != 1 && SSL_get_error(ssl, rc) == SSL_ERROR_WANT_READ;
    return starved && length < SC_TLS_PROBE_MAX_BYTES ? SC_TLS_HELLO_INCOMPLETE : SC_TLS_HELLO_FULL;
}

enum sc_tls_hello sc_tls_probe_hello(const struct sc_tls_context *context, const void *bytes,
                                     size_t length)
{
    const struct sc_tls_probe *probe = sc_tls_context_probe(context);
    size_t taken = length < SC_TLS_PROBE_MAX_BYTES ? length : SC_TLS_PROBE_MAX_BYTES;
    if (length == 0) {
        return SC_TLS_HELLO_INCOMPLETE;
    }
    ERR_clear_error();
    SSL *ssl = SSL_new(probe->ssl_ctx);
    BIO *input = BIO_new_mem_buf(bytes, (int)taken);
    BIO *sink = BIO_new(BIO_s_null());
    enum sc_tls_hello hello = SC_TLS_HELLO_FULL;
    if (ssl && input && sink) {
        (void)BIO_set_mem_eof_return(input, -1);
        SSL_set_bio(ssl, input, sink);
        hello = play(ssl, length);
    } else {
        BIO_free(input);
        BIO_free(sink);
    }
    SSL_free(ssl);
    ERR_clear_error();
    return hello;
}

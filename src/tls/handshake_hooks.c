#include "config.h"

#include "tls/handshake_hooks.h"

#include <stddef.h>

#include "tls/watch.h"

static bool may_resume(const SSL *ssl)
{
    const struct sc_tls_watch *watch = SSL_get_app_data(ssl);
    return !watch || !watch->hooks || watch->hooks->may_resume(watch->hooks_arg);
}

static bool may_be_full(const SSL *ssl)
{
    const struct sc_tls_watch *watch = SSL_get_app_data(ssl);
    return !watch || !watch->hooks || watch->hooks->may_be_full(watch->hooks_arg);
}

static bool has_extension(SSL *ssl, unsigned int type)
{
    const unsigned char *extension;
    size_t length;
    return SSL_client_hello_get0_ext(ssl, type, &extension, &length) == 1 && length > 0;
}

/*
 * A session that the server remembers (TLS 1.2 without tickets) is found without asking anybody:
 * what could be resumed like that is rationed before it is known.
 */
static int on_client_hello(SSL *ssl, int *alert, void *arg)
{
    const unsigned char *id;
    (void)alert;
    (void)arg;
    const bool by_id = SSL_client_hello_get0_session_id(ssl, &id) > 0 &&
                       !has_extension(ssl, TLSEXT_TYPE_supported_versions) &&
                       !has_extension(ssl, TLSEXT_TYPE_session_ticket);
    return !by_id || may_resume(ssl) || may_be_full(ssl) ? SSL_CLIENT_HELLO_SUCCESS
                                                         : SSL_CLIENT_HELLO_RETRY;
}

/* A ticket has been decrypted, or has not. */
static SSL_TICKET_RETURN on_ticket(SSL *ssl, SSL_SESSION *session, const unsigned char *name,
                                   size_t name_length, SSL_TICKET_STATUS status, void *arg)
{
    (void)session;
    (void)name;
    (void)name_length;
    (void)arg;
    switch (status) {
    case SSL_TICKET_SUCCESS:
        return may_resume(ssl) ? SSL_TICKET_RETURN_USE : SSL_TICKET_RETURN_IGNORE_RENEW;
    case SSL_TICKET_SUCCESS_RENEW:
        return may_resume(ssl) ? SSL_TICKET_RETURN_USE_RENEW : SSL_TICKET_RETURN_IGNORE_RENEW;
    default: return SSL_TICKET_RETURN_IGNORE_RENEW;
    }
}

static int on_ticket_made(SSL *ssl, void *arg)
{
    (void)ssl;
    (void)arg;
    return 1;
}

/* OpenSSL calls this only when nothing is resumed. */
static int on_certificate(SSL *ssl, void *arg)
{
    (void)arg;
    return may_be_full(ssl) ? 1 : -1;
}

bool sc_tls_handshake_hooks_install(SSL_CTX *context)
{
    SSL_CTX_set_client_hello_cb(context, on_client_hello, NULL);
    SSL_CTX_set_cert_cb(context, on_certificate, NULL);
    return SSL_CTX_set_session_ticket_cb(context, on_ticket_made, on_ticket, NULL) == 1;
}

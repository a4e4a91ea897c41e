/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "tls/handshake_hooks.h"

#include <stddef.h>

#include "tls/watch.h"

bool sc_tls_may_resume(const SSL *ssl)
{
    const struct sc_tls_watch *watch = SSL_get_app_data(ssl);
    return !watch || !watch->hooks || watch->hooks->may_resume(watch->hooks_arg);
}

static bool may_be_full(const SSL *ssl)
{
    const struct sc_tls_watch *watch = SSL_get_app_data(ssl);
    return !watch || !watch->hooks || watch->hooks->may_be_full(watch->hooks_arg);
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
        return sc_tls_may_resume(ssl) ? SSL_TICKET_RETURN_USE : SSL_TICKET_RETURN_IGNORE_RENEW;
    case SSL_TICKET_SUCCESS_RENEW:
        return sc_tls_may_resume(ssl) ? SSL_TICKET_RETURN_USE_RENEW
                                      : SSL_TICKET_RETURN_IGNORE_RENEW;
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
    SSL_CTX_set_cert_cb(context, on_certificate, NULL);
    return SSL_CTX_set_session_ticket_cb(context, on_ticket_made, on_ticket, NULL) == 1;
}

/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "tls/selftest.h"

#include <stdbool.h>
#include <sysexits.h>

#include <openssl/bio.h>
#include <openssl/err.h>

#include "tls/error.h"

#define MAX_ROUNDS 10 /* a full handshake takes three */

/* True: go on. The queue has the reason when not. */
static bool step(SSL *ssl)
{
    int rc = SSL_do_handshake(ssl);
    int error = rc == 1 ? SSL_ERROR_NONE : SSL_get_error(ssl, rc);
    return error == SSL_ERROR_NONE || error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE;
}

static bool handshake(SSL *client, SSL *server)
{
    for (int round = 0; round < MAX_ROUNDS; round++) {
        /*
         * The server goes first, so that its reason is the first in the queue: it says more than
         * the client's alert.
         */
        if (!step(server) || !step(client)) {
            return false;
        }
        if (SSL_is_init_finished(client) && SSL_is_init_finished(server)) {
            return true;
        }
    }
    return false;
}

int sc_tls_selftest(SSL_CTX *served, struct sc_err *err)
{
    ERR_clear_error();
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    SSL *client = context ? SSL_new(context) : NULL;
    SSL *server = SSL_new(served);
    BIO *at_client = NULL, *at_server = NULL;
    int rc = -1;
    if (!client || !server || BIO_new_bio_pair(&at_client, 0, &at_server, 0) != 1) {
        (void)sc_tls_err(err, EX_OSERR, "can't set up TLS");
        goto out;
    }
    SSL_set_bio(client, at_client, at_client);
    SSL_set_bio(server, at_server, at_server);
    SSL_set_connect_state(client);
    SSL_set_accept_state(server);
    SSL_set_security_level(client, 0);
    SSL_set_verify(client, SSL_VERIFY_NONE, NULL);
    SSL_set_verify(server, SSL_VERIFY_NONE, NULL);
    if (!handshake(client, server)) {
        char reasons[384];
        (void)sc_tls_take_errors(reasons, sizeof(reasons));
        (void)sc_err_set(err, EX_CONFIG,
                         "no client can connect with this key and these [tls] settings: %s; make "
                         "an EC P-256 key with sc-keygen, or "
                         "leave Groups, Ciphersuites and their like at their defaults",
                         reasons);
        goto out;
    }
    rc = 0;
out:
    SSL_free(client);
    SSL_free(server);
    SSL_CTX_free(context);
    ERR_clear_error();
    return rc;
}

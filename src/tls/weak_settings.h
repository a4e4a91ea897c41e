/* SPDX-License-Identifier: MIT */
/*
 * What [tls] commands allow below the defaults of sc-server: older versions, ciphers without
 * forward secrecy, a lower security level and the like. It is the operator's choice and is served,
 * but said. Thread: any.
 */
#ifndef SC_TLS_WEAK_SETTINGS_H
#define SC_TLS_WEAK_SETTINGS_H

#include <stddef.h>

#include <openssl/ssl.h>

#include "tls/command.h"

#define SC_TLS_SECURITY_LEVEL 2 /* of the defaults: 112 bits */
#define SC_WEAK_SETTINGS_MAX 10U

struct sc_weak_settings {
    unsigned count;
    char text[SC_WEAK_SETTINGS_MAX][256]; /* a sentence each */
};

/* Of a context that the commands have been applied to. */
void sc_weak_settings_find(SSL_CTX *ssl_ctx, const struct sc_tls_command *commands, size_t count,
                           struct sc_weak_settings *out);

#endif

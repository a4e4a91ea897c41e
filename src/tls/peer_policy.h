/* SPDX-License-Identifier: MIT */
/*
 * Which clients a server takes: by certificate, pinned or issued by a CA of ours, or all of them.
 * Thread: making one, any; checking, any, also several at once: it is immutable once made.
 */
#ifndef SC_TLS_PEER_POLICY_H
#define SC_TLS_PEER_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/ssl.h>

#include "base/err.h"
#include "tls/commands.h"
#include "tls/pin.h"

enum sc_peer_auth {
    SC_PEER_AUTH_NONE, /* no certificate is asked for */
    SC_PEER_AUTH_OPTIONAL, /* asked for; one that is shown must be good */
    SC_PEER_AUTH_REQUIRE,
};

struct sc_peer_policy {
    enum sc_peer_auth auth;
    struct sc_pin_set *pins; /* NULL: chain validation */
    bool has_ca_pins;
    uint8_t id[32]; /* SHA-256 over all of the policy: sessions are resumed only under the policy
                       they were made under */
};

/*
 * From settings: PIN arguments, and the commands, of which VerifyCAFile and its like count.
 * EX_CONFIG when they do not go together, because a check would then not be made. On
 * failure it is empty; on success sc_peer_policy_fini() it.
 */
int sc_peer_policy_init(struct sc_peer_policy *policy, enum sc_peer_auth auth,
                        const char *const *pins, size_t pin_count,
                        const struct sc_tls_command *commands, size_t command_count,
                        struct sc_err *err) SC_NODISCARD;
void sc_peer_policy_fini(struct sc_peer_policy *policy);

/*
 * Makes the context ask for certificates, and check them during the handshake. The policy is
 * borrowed for the life of the context.
 */
int sc_peer_policy_install(const struct sc_peer_policy *policy, SSL_CTX *ssl_ctx,
                           struct sc_err *err) SC_NODISCARD;

/*
 * The check of a finished handshake: resumed ones do not call OpenSSL's. *name is that of the
 * client in a list of pins, good for the life of the policy; NULL: it has none. -1: close the
 * connection; the text has the pin of the certificate that was refused.
 */
int sc_peer_policy_check(const struct sc_peer_policy *policy, const SSL *ssl, const char **name,
                         struct sc_err *err) SC_NODISCARD;

#endif

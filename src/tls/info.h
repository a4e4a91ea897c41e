/* What a finished handshake agreed on, as text. Thread: the SSL's. */
#ifndef SC_TLS_INFO_H
#define SC_TLS_INFO_H

#include <stdbool.h>

#include <openssl/ssl.h>

struct sc_tls_info {
    const char *version; /* "TLSv1.3"; static, as the other texts */
    const char *cipher; /* "TLS_AES_256_GCM_SHA384" */
    const char *group; /* "x25519"; "" when the handshake used none */
    bool resumed;
};

void sc_tls_info_get(SSL *ssl, struct sc_tls_info *out);

#endif

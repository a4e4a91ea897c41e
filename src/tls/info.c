#include "config.h"

#include "tls/info.h"

void sc_tls_info_get(SSL *ssl, struct sc_tls_info *out)
{
    const int group = (int)SSL_get_negotiated_group(ssl);
    const char *name = group > 0 ? SSL_group_to_name(ssl, group) : NULL;
    out->version = SSL_get_version(ssl);
    out->cipher = SSL_get_cipher_name(ssl);
    out->group = name ? name : "";
    out->resumed = SSL_session_reused(ssl) == 1;
}

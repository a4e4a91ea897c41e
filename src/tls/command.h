/* SPDX-License-Identifier: MIT */
/* One command of SSL_CONF_cmd(3) in the [tls] section, and how OpenSSL is asked about it. */
#ifndef SC_TLS_COMMAND_H
#define SC_TLS_COMMAND_H

#include <openssl/ssl.h>

#define SC_TLS_COMMAND_FLAGS \
    (SSL_CONF_FLAG_FILE | SSL_CONF_FLAG_SERVER | SSL_CONF_FLAG_CERTIFICATE | \
     SSL_CONF_FLAG_SHOW_ERRORS)

/* "MinProtocol", "CipherString", "Groups", ... */
struct sc_tls_command {
    const char *name, *value;
};

#endif

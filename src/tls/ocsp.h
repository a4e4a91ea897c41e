/* SPDX-License-Identifier: MIT */
/*
 * A stapled OCSP response: a statement of the CA, sent along with the certificate, that it is not
 * revoked (RFC 6066, section 8). Read from a DER file, checked, and never sent when it is stale:
 * that is worse than none. Thread: immutable once loaded.
 */
#ifndef SC_TLS_OCSP_H
#define SC_TLS_OCSP_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "base/err.h"

struct sc_ocsp {
    unsigned char *der; /* NULL: nothing is stapled */
    size_t length;
    time_t this_update, next_update; /* it is sent only between the two */
};

/*
 * EX_NOINPUT unreadable, EX_CONFIG when it is not a successful response, or not one for this
 * certificate, or says that it is revoked. One that is out of date is not an error, since the next
 * file mends it: see sc_ocsp_is_current(). On failure `*out` is empty; on success sc_ocsp_fini()
 * it.
 */
int sc_ocsp_load(const char *path, X509 *leaf, STACK_OF(X509) * chain, struct sc_ocsp *out,
                 struct sc_err *err) SC_NODISCARD;
void sc_ocsp_fini(struct sc_ocsp *ocsp);

bool sc_ocsp_is_current(const struct sc_ocsp *ocsp);

/*
 * Staples it to the context's certificates while it is current. Borrowed for the life of the
 * context.
 */
int sc_ocsp_install(const struct sc_ocsp *ocsp, SSL_CTX *ssl_ctx, struct sc_err *err) SC_NODISCARD;

#endif

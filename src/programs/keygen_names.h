/* SPDX-License-Identifier: MIT */
/* Which names a new certificate is for. Asks no name server. Thread: the main one. */
#ifndef SC_PROGRAMS_KEYGEN_NAMES_H
#define SC_PROGRAMS_KEYGEN_NAMES_H

#include "tls/keygen.h"

/*
 * sc_keygen_certificate() for these names; without any for those of `model` (NULL: there is none),
 * and if it has none for those of this host: its name, its full name where /etc/hosts has it,
 * localhost, 127.0.0.1 and ::1.
 */
X509 *sc_keygen_make_certificate(EVP_PKEY *key, const char *const *names, size_t count,
                                 const X509 *model, unsigned days, struct sc_err *err) SC_NODISCARD;

#endif

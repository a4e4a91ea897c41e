/* SPDX-License-Identifier: MIT */
/* What sc-keygen prints about certificates and keys, on stdout. Thread: the main one. */
#ifndef SC_PROGRAMS_KEYGEN_SHOW_H
#define SC_PROGRAMS_KEYGEN_SHOW_H

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "base/err.h"

/* The pins of a certificate, or of a key alone (the other is NULL), in every form. */
int sc_keygen_show_pins(const X509 *certificate, const EVP_PKEY *key,
                        struct sc_err *err) SC_NODISCARD;

/*
 * The kind of key, names, dates and pins of a PEM file with a certificate, else the kind and pins
 * of a private key; an encrypted one asks on the terminal.
 */
int sc_keygen_show_file(const char *path, struct sc_err *err) SC_NODISCARD;

/*
 * The commands for a new pair, in order: the server with it, a client that pins it, and what other
 * programs need to see from outside whether a server has it.
 */
int sc_keygen_show_next_steps(const X509 *certificate, const char *certificate_path,
                              const char *key_path, struct sc_err *err) SC_NODISCARD;

/* A new certificate, in one line: its file, its end and its names. */
void sc_keygen_show_certificate(const char *path, const X509 *certificate);

/* The names and the dates of a certificate. */
void sc_keygen_show_names_and_dates(const X509 *certificate);

#endif

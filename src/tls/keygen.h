/*
 * Keys and self-signed certificates: made, written safely, and checked. Prints nothing and exits nowhere.
 *
 * Files appear whole or not at all: a temporary file in the same directory (O_EXCL, 0600 for a key, 0644 for a certificate), fsync,
 * rename. An existing file is replaced only when told to. Thread: any.
 */
#ifndef SC_TLS_KEYGEN_H
#define SC_TLS_KEYGEN_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "base/err.h"

enum sc_key_kind { SC_KEY_EC_P256, SC_KEY_ED25519, SC_KEY_RSA };

/* A new private key; `rsa_bits` counts for RSA only (2048 to 16384). NULL on failure; EVP_PKEY_free() it. */
EVP_PKEY *sc_keygen_key(enum sc_key_kind kind, unsigned rsa_bits, struct sc_err *err) SC_NODISCARD;

/*
 * A self-signed certificate (X.509 v3) for the key: names and addresses as subjectAltName (what reads as an IPv4 or IPv6 address becomes
 * one), the first name as CN, valid from one hour ago (clocks differ) for `days`. NULL on failure; X509_free() it.
 */
X509 *sc_keygen_certificate(EVP_PKEY *key, const char *const *names, size_t name_count, unsigned days, struct sc_err *err) SC_NODISCARD;

/* Writes PEM (PKCS#8 for the key). `replace` false and the file there: EX_CANTCREAT, and it is untouched. */
int sc_keygen_write_key(const char *path, EVP_PKEY *key, bool replace, struct sc_err *err) SC_NODISCARD;
int sc_keygen_write_certificate(const char *path, X509 *certificate, bool replace, struct sc_err *err) SC_NODISCARD;

/* Reads PEM. An encrypted key asks `password_cb` (OpenSSL's pem_password_cb; NULL: refused, EX_DATAERR). NULL on failure. */
X509     *sc_keygen_read_certificate(const char *path, struct sc_err *err) SC_NODISCARD;
EVP_PKEY *sc_keygen_read_key(const char *path, pem_password_cb *password_cb, void *password_arg, struct sc_err *err) SC_NODISCARD;

/* "EC P-256", "RSA 4096", "Ed25519". */
void sc_keygen_describe_key(const EVP_PKEY *key, char *out, size_t out_size);

#endif

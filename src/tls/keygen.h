/* SPDX-License-Identifier: MIT */
/*
 * Keys and self-signed certificates: made, written safely, and checked. Prints nothing and exits
 * nowhere.
 *
 * Files appear whole or not at all (base/new_file), 0600 for a key, 0644 for a certificate. An
 * existing file is replaced only when asked to, and its owner, its group and the group's right to
 * read pass on to the new one. Those that root makes in a directory of another account belong to
 * that account.
 * Thread: any.
 */
#ifndef SC_TLS_KEYGEN_H
#define SC_TLS_KEYGEN_H

#include <stdbool.h>
#include <stddef.h>

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "base/err.h"

enum sc_key_kind { SC_KEY_EC_P256, SC_KEY_ED25519, SC_KEY_RSA };

#define SC_KEYGEN_KEY_MODE 0600
#define SC_KEYGEN_CERTIFICATE_MODE 0644
#define SC_KEYGEN_MIN_RSA_BITS 2048U
#define SC_KEYGEN_MAX_RSA_BITS 16384U /* what OpenSSL takes from a peer */
#define SC_KEYGEN_MAX_DAYS 36500U
#define SC_KEYGEN_MAX_NAMES 100U

/*
 * A new private key; `rsa_bits` counts for RSA only. NULL on failure (EX_USAGE a size out of
 * range); EVP_PKEY_free() it.
 */
EVP_PKEY *sc_keygen_key(enum sc_key_kind kind, unsigned rsa_bits, struct sc_err *err) SC_NODISCARD;

/*
 * What can stand in subjectAltName: an IPv4 or IPv6 address, or a host name of ASCII letters,
 * digits, '-' and '_', also "*.NAME". EX_USAGE.
 */
int sc_keygen_check_name(const char *name, struct sc_err *err) SC_NODISCARD;

/*
 * A self-signed certificate (X.509 v3) for the key: names and addresses as subjectAltName (what
 * reads as an IPv4 or IPv6 address becomes one; a name given twice stands there once), the first
 * name as CN unless it is too long for one, valid from one hour ago (clocks differ) until `days`
 * from now. NULL on failure (EX_USAGE for what was asked); X509_free() it.
 */
X509 *sc_keygen_certificate(EVP_PKEY *key, const char *const *names, size_t name_count,
                            unsigned days, struct sc_err *err) SC_NODISCARD;

/*
 * Writes both as PEM (PKCS#8 for the key) or, on failure, none: nothing is put in place before
 * both are on the disk. `replace` false and one of them there: EX_CANTCREAT, and it is untouched,
 * also when it came there meanwhile. A symbolic link is replaced, not followed. A disk that is
 * full, or fails: EX_IOERR.
 */
int sc_keygen_write_pair(const char *key_path, const EVP_PKEY *key, const char *certificate_path,
                         const X509 *certificate, bool replace, struct sc_err *err) SC_NODISCARD;

/*
 * Writes one of them, replacing what is there. It gets the rights of `like` (base/new_file.h). The
 * caller holds a lock on the directory (tls/rotation).
 */
int sc_keygen_write_key(const char *path, const EVP_PKEY *key, const char *like,
                        struct sc_err *err) SC_NODISCARD;
int sc_keygen_write_certificate(const char *path, const X509 *certificate, const char *like,
                                struct sc_err *err) SC_NODISCARD;

/*
 * Reads PEM: the first certificate of the file (the leaf), or its private key. NULL on failure:
 * EX_NOINPUT what can't be read, EX_DATAERR what holds none. An encrypted key asks `password_cb`
 * (OpenSSL's pem_password_cb), once; NULL: refused, EX_DATAERR.
 */
X509 *sc_keygen_read_certificate(const char *path, struct sc_err *err) SC_NODISCARD;
EVP_PKEY *sc_keygen_read_key(const char *path, pem_password_cb *password_cb, void *password_arg,
                             struct sc_err *err) SC_NODISCARD;

/*
 * The first certificate of the file or, when it holds none, its private key; the other one is
 * NULL.
 */
int sc_keygen_read_either(const char *path, pem_password_cb *password_cb, void *password_arg,
                          X509 **certificate, EVP_PKEY **key, struct sc_err *err) SC_NODISCARD;

/* "EC P-256", "RSA 4096", "Ed25519". */
void sc_keygen_describe_key(const EVP_PKEY *key, char *out, size_t out_size);

#endif

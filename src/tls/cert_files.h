/* SPDX-License-Identifier: MIT */
/*
 * A certificate, its chain and its key: read from files once, and checked as a whole before
 * anything serves with them. Thread: any.
 */
#ifndef SC_TLS_CERT_FILES_H
#define SC_TLS_CERT_FILES_H

#include <stdbool.h>
#include <stdint.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "base/err.h"

#define SC_CERT_FILES_MAX_BYTES (1U << 20) /* of each file */
#define SC_CERT_FILES_MAX_CHAIN 10U /* certificates above the leaf */
#define SC_CERT_FILES_WARNINGS 6U
#define SC_CERT_FILES_MIN_BITS 112 /* of security: OpenSSL's level 2, RSA 2048 and EC P-224 */

struct sc_cert_files {
    X509 *leaf;
    STACK_OF(X509) * chain; /* above the leaf, in the order of the file; may be empty */
    EVP_PKEY *key;
    uint8_t digest[32]; /* SHA-256 over both files: whether a later read brings anything new */

    /*
     * What is not an error and what the operator should know, a sentence each: outside its dates,
     * key readable by others, chain out of order.
     */
    char warnings[SC_CERT_FILES_WARNINGS][384];
    unsigned warning_count;
};

/*
 * Reads and checks: the files are what they should be (and not swapped), key and certificate
 * belong together, the key is strong enough. Both paths may name one file. `passphrase` (NULL: an
 * encrypted key is refused) is asked at most once. Dates only warn: clients that pin accept an
 * expired certificate. EX_NOINPUT unreadable, EX_CONFIG the rest. On failure `*out` is empty; on
 * success sc_cert_files_fini() it.
 */
int sc_cert_files_load(const char *certificate_path, const char *key_path,
                       pem_password_cb *passphrase, void *passphrase_arg, struct sc_cert_files *out,
                       struct sc_err *err) SC_NODISCARD;

/* A pem_password_cb for a passphrase that is known: `arg` is its text. */
int sc_cert_files_passphrase(char *out, int size, int writing, void *arg);

/*
 * A pem_password_cb that asks another one, once, whatever OpenSSL does with the answer: `arg` is a
 * struct sc_passphrase_once, whose last two members say what came of it.
 */
struct sc_passphrase_once {
    pem_password_cb *ask; /* NULL: there is no passphrase */
    void *arg;
    bool asked, answered;
};
int sc_passphrase_ask_once(char *out, int size, int writing, void *arg);

/* Adds a warning; above SC_CERT_FILES_WARNINGS it is dropped. */
void sc_cert_files_warn(struct sc_cert_files *files, const char *fmt, ...) SC_PRINTF(2, 3);

void sc_cert_files_fini(struct sc_cert_files *files);

#endif

/* SPDX-License-Identifier: MIT */
/* Pins that are given as files. */
#include "config.h"

#include <string.h>
#include <sysexits.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "base/file.h"
#include "tls/error.h"
#include "tls/pin_set.h"

#define MAX_FILE_BYTES (1U << 20)

static int out_of_memory(struct sc_err *err)
{
    return sc_err_set(err, EX_OSERR, "out of memory");
}

/*
 * The next certificate of a PEM file; NULL at the end, and then *bad says whether it was a clean
 * end.
 */
static X509 *next_certificate(BIO *bio, bool *bad)
{
    ERR_clear_error();
    /* The empty passphrase keeps OpenSSL from asking the terminal for one. */
    X509 *certificate = PEM_read_bio_X509(bio, NULL, NULL, (void *)(uintptr_t) "");
    if (!certificate) {
        const unsigned long code = ERR_peek_last_error();
        *bad = ERR_GET_LIB(code) != ERR_LIB_PEM || ERR_GET_REASON(code) != PEM_R_NO_START_LINE;
    }
    return certificate;
}

/* A pin for each certificate of the file. */
static int read_certificates(struct sc_pin_set *set, BIO *bio, const char *path, X509_STORE *store,
                             struct sc_err *err)
{
    bool bad = false;
    X509 *certificate;
    while ((certificate = next_certificate(bio, &bad))) {
        struct sc_pin pin = {.kind = SC_PIN_CERTIFICATE, .path = strdup(path)};
        int rc = pin.path ? sc_pin_fingerprint(certificate, pin.digest, err) : out_of_memory(err);
        if (rc == 0 && store && X509_STORE_add_cert(store, certificate) != 1) {
            rc = sc_tls_err(err, EX_DATAERR, "%s", path);
        }
        pin.has_key = sc_pin_of_certificate(certificate, pin.key, NULL) == 0;
        X509_free(certificate);
        if (rc != 0) {
            sc_pin_fini(&pin);
            return -1;
        }
        if (sc_pin_set_append(set, &pin, err) != 0) {
            return -1;
        }
    }
    if (bad) {
        return sc_tls_err(err, EX_DATAERR, "%s holds a certificate that can't be read", path);
    }
    ERR_clear_error();
    return 0;
}

/* A pin for the public key of the file: `openssl pkey -pubout` writes one. */
static int read_public_key(struct sc_pin_set *set, BIO *bio, const char *path, struct sc_err *err)
{
    struct sc_pin pin = {.kind = SC_PIN_KEY, .path = strdup(path)};
    (void)BIO_reset(bio);
    EVP_PKEY *key = PEM_read_bio_PUBKEY(bio, NULL, NULL, (void *)(uintptr_t) "");
    const int rc = !pin.path ? out_of_memory(err)
                   : key     ? sc_pin_of_key(key, pin.digest, err)
                         : sc_tls_err(err, EX_DATAERR, "%s holds a key that can't be read", path);
    EVP_PKEY_free(key);
    ERR_clear_error();
    if (rc != 0) {
        sc_pin_fini(&pin);
        return -1;
    }
    return sc_pin_set_append(set, &pin, err);
}

/* A file without a certificate. */
static int read_other(struct sc_pin_set *set, BIO *bio, const char *path, const char *text,
                      bool issuer, struct sc_err *err)
{
    if (!issuer && strstr(text, "-----BEGIN PUBLIC KEY-----")) {
        return read_public_key(set, bio, path, err);
    }
    if (strstr(text, "PRIVATE KEY-----")) {
        return sc_err_set(err, EX_DATAERR,
                          "%s holds no certificate but a private key, which should stay on its "
                          "host: pin the certificate that belongs to it, or what 'sc-keygen "
                          "--show' prints for it",
                          path);
    }
    return sc_err_set(err, EX_DATAERR,
                      "%s holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)", path);
}

static int read_pem(struct sc_pin_set *set, const struct sc_file *file, const char *path,
                    X509_STORE *store, struct sc_err *err)
{
    BIO *bio = BIO_new_mem_buf(file->bytes, (int)file->length);
    int rc = bio ? read_certificates(set, bio, path, store, err) : out_of_memory(err);
    if (rc == 0 && set->count == 0) {
        rc = read_other(set, bio, path, file->bytes, store != NULL, err);
    }
    BIO_free(bio);
    return rc;
}

int sc_pin_set_add_file(struct sc_pin_set *set, const char *path, X509_STORE *store,
                        struct sc_err *err)
{
    struct sc_file file;
    if (sc_file_read(path, MAX_FILE_BYTES, &file, err) != 0) {
        return sc_err_prefix(err, "pinned certificate");
    }
    const int rc = read_pem(set, &file, path, store, err);
    sc_file_fini(&file);
    return rc;
}

int sc_pin_set_add_clients_file(struct sc_pin_set *set, const char *path, struct sc_err *err)
{
    struct sc_file file;
    if (sc_file_read(path, MAX_FILE_BYTES, &file, err) != 0) {
        return -1;
    }
    const int rc = strstr(file.bytes, "-----BEGIN ")
                       ? read_pem(set, &file, path, NULL, err)
                       : sc_pin_set_add_list(set, path, file.bytes, file.length, err);
    sc_file_fini(&file);
    return rc;
}

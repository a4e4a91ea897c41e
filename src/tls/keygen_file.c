/* SPDX-License-Identifier: MIT */
/* Key and certificate files: written whole or not at all, read with a bound. */
#include "config.h"

#include "tls/keygen.h"

#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include "base/file.h"
#include "base/new_file.h"
#include "tls/cert_files.h"
#include "tls/error.h"

#define MAX_FILE_BYTES (1U << 20) /* a long chain is some kilobytes */
#define CERTIFICATE_LINE_END "CERTIFICATE-----" /* TRUSTED, X509 or nothing stands before it */
#define KEY_LINE_END "PRIVATE KEY-----" /* RSA, EC, ENCRYPTED or nothing stands before it */

static int write_key(struct sc_new_file *file, const char *path, const EVP_PKEY *key,
                     const struct sc_new_file_settings *settings, struct sc_err *err)
{
    int status = -1;
    char *bytes;

    ERR_clear_error();
    /* This kind of memory is wiped when it is freed. */
    BIO *content = BIO_new(BIO_s_secmem());
    if (content && PEM_write_bio_PKCS8PrivateKey(content, key, NULL, NULL, 0, NULL, NULL) == 1) {
        const long size = BIO_get_mem_data(content, &bytes);
        status = sc_new_file_write(file, path, bytes, (size_t)size, settings, err);
    } else {
        (void)sc_tls_err(err, EX_SOFTWARE, "can't encode the key for %s", path);
    }
    BIO_free(content);
    return status;
}

static int write_certificate(struct sc_new_file *file, const char *path, const X509 *certificate,
                             const struct sc_new_file_settings *settings, struct sc_err *err)
{
    int status = -1;
    char *bytes;

    ERR_clear_error();
    BIO *content = BIO_new(BIO_s_mem());
    if (content && PEM_write_bio_X509(content, certificate) == 1) {
        const long size = BIO_get_mem_data(content, &bytes);
        status = sc_new_file_write(file, path, bytes, (size_t)size, settings, err);
    } else {
        (void)sc_tls_err(err, EX_SOFTWARE, "can't encode the certificate for %s", path);
    }
    BIO_free(content);
    return status;
}

int sc_keygen_write_pair(const char *key_path, const EVP_PKEY *key, const char *certificate_path,
                         const X509 *certificate, bool replace, struct sc_err *err)
{
    const struct sc_new_file_settings key_settings = {.mode = SC_KEYGEN_KEY_MODE,
                                                      .like = replace ? key_path : NULL};
    const struct sc_new_file_settings certificate_settings = {
        .mode = SC_KEYGEN_CERTIFICATE_MODE, .like = replace ? certificate_path : NULL};
    struct sc_new_file new_key = {0};
    struct sc_new_file new_certificate = {0};
    int status = -1;

    if (sc_new_file_check(key_path, replace, err) == 0 &&
        sc_new_file_check(certificate_path, replace, err) == 0 &&
        write_key(&new_key, key_path, key, &key_settings, err) == 0 &&
        write_certificate(&new_certificate, certificate_path, certificate, &certificate_settings,
                          err) == 0 &&
        sc_new_file_put(&new_key, replace, err) == 0) {
        status = sc_new_file_put(&new_certificate, replace, err);
        if (status != 0 && !replace) {
            (void)unlink(key_path);
        }
    }
    sc_new_file_discard(&new_key);
    sc_new_file_discard(&new_certificate);
    return status;
}

int sc_keygen_write_key(const char *path, const EVP_PKEY *key, const char *like, struct sc_err *err)
{
    const struct sc_new_file_settings settings = {
        .mode = SC_KEYGEN_KEY_MODE, .like = like, .locked = true};
    struct sc_new_file file = {0};
    const int status =
        write_key(&file, path, key, &settings, err) == 0 ? sc_new_file_put(&file, true, err) : -1;
    sc_new_file_discard(&file);
    return status;
}

int sc_keygen_write_certificate(const char *path, const X509 *certificate, const char *like,
                                struct sc_err *err)
{
    const struct sc_new_file_settings settings = {
        .mode = SC_KEYGEN_CERTIFICATE_MODE, .like = like, .locked = true};
    struct sc_new_file file = {0};
    const int status = write_certificate(&file, path, certificate, &settings, err) == 0
                           ? sc_new_file_put(&file, true, err)
                           : -1;
    sc_new_file_discard(&file);
    return status;
}

/* --- Reading --- */

static bool holds(const struct sc_file *file, const char *text)
{
    return memmem(file->bytes, file->length, text, strlen(text)) != NULL;
}

/*
 * OpenSSL's reasons are about its decoders, not about the file, and are dropped. A block that is
 * encrypted would make it ask the terminal: the empty passphrase is the answer.
 */
static X509 *parse_certificate(const struct sc_file *file, const char *path, struct sc_err *err)
{
    ERR_clear_error();
    BIO *content = BIO_new_mem_buf(file->bytes, (int)file->length);
    X509 *certificate =
        content ? PEM_read_bio_X509(content, NULL, NULL, (void *)(uintptr_t) "") : NULL;
    BIO_free(content);
    if (!certificate) {
        (void)sc_err_set(err, EX_DATAERR, "%s: %s", path,
                         holds(file, CERTIFICATE_LINE_END) ? "the certificate in it is damaged"
                                                           : "holds no PEM certificate");
    }
    ERR_clear_error();
    return certificate;
}

static EVP_PKEY *parse_key(const struct sc_file *file, const char *path,
                           pem_password_cb *password_cb, void *password_arg, struct sc_err *err)
{
    ERR_clear_error();
    struct sc_passphrase_once passphrase = {.ask = password_cb, .arg = password_arg};
    BIO *content = BIO_new_mem_buf(file->bytes, (int)file->length);
    EVP_PKEY *key =
        content ? PEM_read_bio_PrivateKey(content, NULL, sc_passphrase_ask_once, &passphrase)
                : NULL;
    BIO_free(content);
    if (!key) {
        const char *why = "holds no PEM private key";
        if (passphrase.asked) {
            why = password_cb
                      ? "the passphrase does not open the key"
                      : "the key is encrypted, and there is no terminal to ask for its passphrase";
        } else if (holds(file, KEY_LINE_END)) {
            why = "the private key in it is damaged, or of an unknown kind";
        }
        (void)sc_err_set(err, EX_DATAERR, "%s: %s", path, why);
    }
    ERR_clear_error();
    return key;
}

X509 *sc_keygen_read_certificate(const char *path, struct sc_err *err)
{
    struct sc_file file;
    if (sc_file_read(path, MAX_FILE_BYTES, &file, err) != 0) {
        return NULL;
    }
    X509 *certificate = parse_certificate(&file, path, err);
    sc_file_fini(&file);
    return certificate;
}

EVP_PKEY *sc_keygen_read_key(const char *path, pem_password_cb *password_cb, void *password_arg,
                             struct sc_err *err)
{
    struct sc_file file;
    if (sc_file_read(path, MAX_FILE_BYTES, &file, err) != 0) {
        return NULL;
    }
    EVP_PKEY *key = parse_key(&file, path, password_cb, password_arg, err);
    sc_file_fini(&file);
    return key;
}

int sc_keygen_read_either(const char *path, pem_password_cb *password_cb, void *password_arg,
                          X509 **certificate, EVP_PKEY **key, struct sc_err *err)
{
    struct sc_file file;

    *certificate = NULL;
    *key = NULL;
    if (sc_file_read(path, MAX_FILE_BYTES, &file, err) != 0) {
        return -1;
    }
    if (holds(&file, CERTIFICATE_LINE_END)) {
        *certificate = parse_certificate(&file, path, err);
    } else if (holds(&file, KEY_LINE_END)) {
        *key = parse_key(&file, path, password_cb, password_arg, err);
    } else {
        (void)sc_err_set(err, EX_DATAERR,
                         "%s: holds neither a PEM certificate nor a PEM private key", path);
    }
    sc_file_fini(&file);
    return *certificate || *key ? 0 : -1;
}

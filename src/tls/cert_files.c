/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "tls/cert_files.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "base/clock.h"
#include "base/file.h"
#include "tls/error.h"

void sc_cert_files_warn(struct sc_cert_files *files, const char *fmt, ...)
{
    if (files->warning_count < SC_CERT_FILES_WARNINGS) {
        va_list args;
        va_start(args, fmt);
        (void)vsnprintf(files->warnings[files->warning_count++], sizeof(files->warnings[0]), fmt,
                        args);
        va_end(args);
    }
}

static bool holds(const struct sc_file *file, const char *text)
{
    return strstr(file->bytes, text) != NULL;
}

static bool holds_key(const struct sc_file *file)
{
    return holds(file, "PRIVATE KEY-----");
}

static bool holds_certificate(const struct sc_file *file)
{
    return holds(file, "-----BEGIN CERTIFICATE-----") ||
           holds(file, "-----BEGIN TRUSTED CERTIFICATE-----") ||
           holds(file, "-----BEGIN X509 CERTIFICATE-----");
}

/* A DER structure (certificate, key, PKCS#12) starts with a SEQUENCE of a long length. */
static bool looks_like_der(const struct sc_file *file)
{
    return file->length > 2 && (unsigned char)file->bytes[0] == 0x30 &&
           ((unsigned char)file->bytes[1] & 0x80) != 0;
}

static int no_certificate(const char *path, const char *key_path, const struct sc_file *file,
                          struct sc_err *err)
{
    if (file->length == 0) {
        return sc_err_set(err, EX_CONFIG, "certificate %s is empty; make a pair with sc-keygen",
                          path);
    }
    if (holds_key(file)) {
        return sc_err_set(err, EX_CONFIG,
                          "certificate %s holds a private key and no certificate; are certificate "
                          "and private-key (%s) swapped?",
                          path, key_path);
    }
    if (holds(file, "-----BEGIN CERTIFICATE REQUEST-----")) {
        return sc_err_set(err, EX_CONFIG,
                          "certificate %s holds a certificate request; the certificate is what the "
                          "CA answered to it",
                          path);
    }
    if (looks_like_der(file)) {
        return sc_err_set(err, EX_CONFIG,
                          "certificate %s is not PEM but looks like DER; convert it: openssl x509 "
                          "-inform DER -in %s -out NEW",
                          path, path);
    }
    return sc_err_set(err, EX_CONFIG,
                      "certificate %s holds no PEM certificate; it should have a block -----BEGIN "
                      "CERTIFICATE-----",
                      path);
}

static int read_certificates(const char *path, const char *key_path, const struct sc_file *file,
                             struct sc_cert_files *out, struct sc_err *err)
{
    if (!holds_certificate(file)) {
        return no_certificate(path, key_path, file, err);
    }
    BIO *bio = BIO_new_mem_buf(file->bytes, (int)file->length);
    out->chain = sk_X509_new_null();
    int rc = -1;
    if (!bio || !out->chain) {
        (void)sc_tls_err(err, EX_OSERR, "can't read certificate %s", path);
        goto out;
    }
    for (unsigned count = 0;; count++) {
        /* The empty passphrase keeps OpenSSL from asking the terminal for one. */
        X509 *certificate = PEM_read_bio_X509_AUX(bio, NULL, NULL, (void *)(uintptr_t) "");
        if (!certificate) {
            break;
        }
        if (count > SC_CERT_FILES_MAX_CHAIN) {
            X509_free(certificate);
            (void)sc_err_set(err, EX_CONFIG,
                             "certificate %s holds more than %u certificates; leave the leaf and "
                             "its own chain in it",
                             path, SC_CERT_FILES_MAX_CHAIN + 1);
            goto out;
        }
        if (!out->leaf) {
            out->leaf = certificate;
        } else if (sk_X509_push(out->chain, certificate) <= 0) {
            X509_free(certificate);
            (void)sc_tls_err(err, EX_OSERR, "can't read certificate %s", path);
            goto out;
        }
    }
    if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE || !out->leaf) {
        (void)sc_tls_err(err, EX_CONFIG, "certificate %s is damaged", path);
        goto out;
    }
    rc = 0;
out:
    ERR_clear_error();
    BIO_free(bio);
    return rc;
}

static int no_key(const char *path, const char *certificate_path, const struct sc_file *file,
                  struct sc_err *err)
{
    if (file->length == 0) {
        return sc_err_set(err, EX_CONFIG, "private key %s is empty; make a pair with sc-keygen",
                          path);
    }
    if (holds_certificate(file) && strcmp(path, certificate_path) == 0) {
        return sc_err_set(err, EX_CONFIG,
                          "private key: %s holds a certificate and no private key; name the file "
                          "that holds its key",
                          path);
    }
    if (holds_certificate(file)) {
        return sc_err_set(err, EX_CONFIG,
                          "private key %s holds a certificate and no private key; are private-key "
                          "and certificate (%s) swapped?",
                          path, certificate_path);
    }
    if (holds(file, "-----BEGIN PUBLIC KEY-----")) {
        return sc_err_set(err, EX_CONFIG,
                          "private key %s holds a public key; the private half of it is needed",
                          path);
    }
    if (looks_like_der(file)) {
        return sc_err_set(err, EX_CONFIG,
                          "private key %s is not PEM but looks like DER; convert it: openssl pkey "
                          "-inform DER -in %s -out NEW",
                          path, path);
    }
    return sc_err_set(err, EX_CONFIG,
                      "private key %s holds no PEM private key; it should have a block -----BEGIN "
                      "PRIVATE KEY-----",
                      path);
}

static int read_key(const char *path, const char *certificate_path, const struct sc_file *file,
                    struct sc_passphrase_once *passphrase, struct sc_cert_files *out,
                    struct sc_err *err)
{
    if (!holds_key(file)) {
        return no_key(path, certificate_path, file, err);
    }
    BIO *bio = BIO_new_mem_buf(file->bytes, (int)file->length);
    out->key = bio ? PEM_read_bio_PrivateKey(bio, NULL, sc_passphrase_ask_once, passphrase) : NULL;
    BIO_free(bio);
    if (out->key) {
        ERR_clear_error();
        return 0;
    }
    if (!passphrase->asked) {
        return sc_tls_err(err, EX_CONFIG, "private key %s is damaged", path);
    }
    ERR_clear_error();
    if (passphrase->answered) {
        return sc_err_set(err, EX_CONFIG, "private key %s can't be decrypted: wrong passphrase",
                          path);
    }
    return sc_err_set(
        err, EX_CONFIG, "private key %s is encrypted, and there is no passphrase for it%s", path,
        passphrase->ask ? "; set passphrase-file to a file whose first line is the passphrase"
                        : "");
}

static int check_strength(const char *path, const EVP_PKEY *key, struct sc_err *err)
{
    int bits = EVP_PKEY_get_security_bits(key);
    if (bits >= SC_CERT_FILES_MIN_BITS) {
        return 0;
    }
    return sc_err_set(err, EX_CONFIG,
                      "private key %s is too weak: %s of %d bits; at least RSA 2048 or EC P-256 is "
                      "needed; make a new pair with sc-keygen",
                      path, EVP_PKEY_get0_type_name(key), EVP_PKEY_get_bits(key));
}

static int check_pair(const char *certificate_path, const char *key_path,
                      const struct sc_cert_files *files, struct sc_err *err)
{
    int matches = X509_check_private_key(files->leaf, files->key);
    if (matches != 1 && sc_tls_is_out_of_memory()) {
        return sc_tls_err(err, EX_OSERR, "can't compare certificate %s and private key %s",
                          certificate_path, key_path);
    }
    ERR_clear_error();
    if (matches == 1) {
        return 0;
    }
    for (int i = 0; i < sk_X509_num(files->chain); i++) {
        matches = X509_check_private_key(sk_X509_value(files->chain, i), files->key);
        ERR_clear_error();
        if (matches == 1) {
            return sc_err_set(err, EX_CONFIG,
                              "certificate %s is in the wrong order: the server's own certificate "
                              "must come first, it is number %d",
                              certificate_path, i + 2);
        }
    }
    return sc_err_set(err, EX_CONFIG,
                      "certificate %s and private key %s do not belong together; name a matching "
                      "pair, or make one with sc-keygen",
                      certificate_path, key_path);
}

static void print_time(const ASN1_TIME *time, char *out, size_t size)
{
    struct tm tm;
    if (ASN1_TIME_to_tm(time, &tm) != 1 || strftime(out, size, "%Y-%m-%d %H:%M:%S UTC", &tm) == 0) {
        (void)snprintf(out, size, "an unreadable date");
    }
}

static void check_dates(const char *path, struct sc_cert_files *files)
{
    time_t now = sc_clock_wall().tv_sec;
    char date[64];
    if (X509_cmp_time(X509_get0_notBefore(files->leaf), &now) > 0) {
        print_time(X509_get0_notBefore(files->leaf), date, sizeof(date));
        sc_cert_files_warn(files, "certificate %s is not valid before %s; is the clock right?",
                           path, date);
    } else if (X509_cmp_time(X509_get0_notAfter(files->leaf), &now) < 0) {
        print_time(X509_get0_notAfter(files->leaf), date, sizeof(date));
        sc_cert_files_warn(files,
                           "certificate %s expired at %s; clients that pin it still connect, "
                           "others do not; renew it",
                           path, date);
    }
}

static void check_chain(const char *path, struct sc_cert_files *files)
{
    X509 *below = files->leaf;
    for (int i = 0; i < sk_X509_num(files->chain); i++) {
        X509 *above = sk_X509_value(files->chain, i);
        int result = X509_check_issued(above, below);
        if (result != X509_V_OK) {
            sc_cert_files_warn(files,
                               "certificate %s: number %d did not issue number %d; clients that "
                               "check the chain may refuse it",
                               path, i + 2, i + 1);
            break;
        }
        below = above;
    }
    ERR_clear_error();
}

static int digest_files(const struct sc_file *certificate, const struct sc_file *key,
                        uint8_t out[32], struct sc_err *err)
{
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    bool ok = md && EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1 &&
              EVP_DigestUpdate(md, &certificate->length, sizeof(certificate->length)) == 1 &&
              EVP_DigestUpdate(md, certificate->bytes, certificate->length) == 1 &&
              EVP_DigestUpdate(md, key->bytes, key->length) == 1 &&
              EVP_DigestFinal_ex(md, out, NULL) == 1;
    EVP_MD_CTX_free(md);
    return ok ? 0 : sc_tls_err(err, EX_OSERR, "can't hash the certificate");
}

/*
 * Completes the error of a file that can't be read: with the command that makes what is missing of
 * a pair, when the paths are of the form that sc-keygen makes.
 */
static int no_file(struct sc_err *err, const char *what, const char *path, const char *certificate,
                   const char *key)
{
    const size_t base = strlen(certificate) > 4 ? strlen(certificate) - 4 : 0;
    const bool missing = access(path, F_OK) != 0 && errno == ENOENT;
    const bool pair = strcmp(certificate + base, ".crt") == 0 &&
                      strncmp(certificate, key, base) == 0 && strcmp(key + base, ".key") == 0;
    if (err && missing && pair && access(certificate, F_OK) != 0 && access(key, F_OK) != 0) {
        (void)sc_err_set(err, err->status,
                         "can't read %s: No such file or directory; make it and "
                         "its key: sc-keygen --out %.*s",
                         path, (int)base, certificate);
    } else if (err && missing && pair && access(key, F_OK) == 0) {
        (void)sc_err_set(err, err->status,
                         "can't read %s: No such file or directory; make one for the key that is "
                         "there: sc-keygen --renew --out %.*s",
                         path, (int)base, certificate);
    } else if (err && missing && pair) {
        (void)sc_err_set(err, err->status,
                         "can't read %s: No such file or directory; it belongs to the certificate "
                         "that is there: get it from a backup, or make another pair, whose pin is "
                         "another: sc-keygen --force --out %.*s",
                         path, (int)base, certificate);
    } else if (err && missing) {
        const struct sc_err why = *err;
        (void)sc_err_set(err, why.status, "%.500s; sc-keygen makes a pair", why.text);
    }
    return sc_err_prefix(err, "%s", what);
}

int sc_cert_files_load(const char *certificate_path, const char *key_path,
                       pem_password_cb *passphrase, void *passphrase_arg, struct sc_cert_files *out,
                       struct sc_err *err)
{
    struct sc_file certificate = {0}, key = {0};
    struct sc_passphrase_once answer = {.ask = passphrase, .arg = passphrase_arg};
    int rc = -1;
    memset(out, 0, sizeof(*out));
    ERR_clear_error();
    if (sc_file_read(certificate_path, SC_CERT_FILES_MAX_BYTES, &certificate, err) != 0) {
        (void)no_file(err, "certificate", certificate_path, certificate_path, key_path);
        goto out;
    }
    if (sc_file_read(key_path, SC_CERT_FILES_MAX_BYTES, &key, err) != 0) {
        (void)no_file(err, "private key", key_path, certificate_path, key_path);
        goto out;
    }
    if (read_certificates(certificate_path, key_path, &certificate, out, err) != 0 ||
        read_key(key_path, certificate_path, &key, &answer, out, err) != 0 ||
        check_strength(key_path, out->key, err) != 0 ||
        check_pair(certificate_path, key_path, out, err) != 0 ||
        digest_files(&certificate, &key, out->digest, err) != 0) {
        goto out;
    }
    if (key.stat.st_mode & (S_IROTH | S_IWOTH)) {
        sc_cert_files_warn(
            out, "private key %s can be %s by every user of this machine; protect it: chmod 600 %s",
            key_path, key.stat.st_mode & S_IWOTH ? "changed" : "read", key_path);
    }
    check_dates(certificate_path, out);
    check_chain(certificate_path, out);
    rc = 0;
out:
    sc_file_fini(&certificate);
    sc_file_fini(&key);
    if (rc != 0) {
        sc_cert_files_fini(out);
    }
    return rc;
}

int sc_cert_files_passphrase(char *out, int size, int writing, void *arg)
{
    const size_t length = strlen(arg);
    (void)writing;
    if (length == 0 || length > (size_t)size) {
        return -1;
    }
    memcpy(out, arg, length);
    return (int)length;
}

int sc_passphrase_ask_once(char *out, int size, int writing, void *arg)
{
    struct sc_passphrase_once *once = arg;
    if (once->asked) {
        return -1;
    }
    once->asked = true;
    const int length = once->ask ? once->ask(out, size, writing, once->arg) : -1;
    once->answered = length >= 0;
    return length;
}

void sc_cert_files_fini(struct sc_cert_files *files)
{
    X509_free(files->leaf);
    sk_X509_pop_free(files->chain, X509_free);
    EVP_PKEY_free(files->key);
    memset(files, 0, sizeof(*files));
}

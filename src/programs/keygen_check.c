/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "programs/keygen_check.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/x509.h>

#include "base/account.h"
#include "base/clock.h"
#include "programs/keygen_show.h"
#include "tls/cert_files.h"
#include "tls/certificate.h"
#include "tls/keygen.h"
#include "tls/passphrase_prompt.h"

/* It prints what is wrong or to be noted, a line each; then one line, or the error. */
struct check {
    const char *path; /* of the file that is being looked at */
    unsigned problems;
    const char *first_path;
    char first[256];
};

static void problem(struct check *check, const char *fmt, ...) SC_PRINTF(2, 3);

static void problem(struct check *check, const char *fmt, ...)
{
    char text[sizeof(check->first)];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    printf("%s: problem: %s\n", check->path, text);
    if (check->problems++ == 0) {
        check->first_path = check->path;
        (void)snprintf(check->first, sizeof(check->first), "%s", text);
    }
}

static void check_mode(struct check *check, bool secret)
{
    struct stat there;
    if (stat(check->path, &there) != 0) {
        return;
    }
    const unsigned mode = (unsigned)there.st_mode & 0777U;
    if (secret && (mode & S_IRWXO)) {
        problem(check, "the key is open to everybody (mode %04o); chmod 600 closes it", mode);
    } else if (secret && (mode & (S_IWGRP | S_IXGRP))) {
        problem(check,
                "the key can be changed by its group (mode %04o); chmod 640 or 600 closes it",
                mode);
    } else if (!secret && (mode & (S_IWGRP | S_IWOTH))) {
        problem(check, "the certificate can be changed by others (mode %04o); chmod 644 closes it",
                mode);
    } else if (secret && (mode & S_IRGRP)) {
        printf("%s: note: the group of the file can read the key (mode %04o)\n", check->path, mode);
    }
}

static void check_strength(struct check *check, const EVP_PKEY *key)
{
    char what[80];
    sc_keygen_describe_key(key, what, sizeof(what));
    if (EVP_PKEY_get_security_bits(key) < SC_CERT_FILES_MIN_BITS) {
        problem(check,
                "%s is too weak; sc-keygen --force makes a new pair, and every client needs the "
                "new pin",
                what);
    }
}

static void check_dates(struct check *check, const X509 *certificate)
{
    char validity[SC_CERTIFICATE_VALIDITY_BYTES];
    const int base = (int)strlen(check->path) - (int)strlen(".crt");
    const time_t now = sc_clock_wall().tv_sec;
    time_t not_before, not_after;

    sc_certificate_dates(certificate, &not_before, &not_after);
    sc_certificate_describe_validity(not_before, not_after, now, validity);
    if (not_before == 0 || not_after == 0) {
        problem(check, "the dates can't be read");
    } else if (now < not_before) {
        problem(check, "the certificate is %s; is the clock right?", validity);
    } else if (now > not_after) {
        problem(check,
                "the certificate %s; \"sc-keygen --renew --out %.*s\" makes a new one for the same "
                "key",
                validity, base, check->path);
    } else if (not_after - now < SC_CERTIFICATE_RENEW_S) {
        printf("%s: note: %s; \"sc-keygen --renew --out %.*s\" makes a new one for the same key\n",
               check->path, validity, base, check->path);
    }
}

static void check_names(const struct check *check, const X509 *certificate)
{
    char names[1024];
    sc_certificate_names(certificate, names, sizeof(names));
    if (!names[0]) {
        printf("%s: note: it has no names; only a pin of the key or of the certificate can match\n",
               check->path);
    }
}

/*
 * What can be read but not used is a problem of the pair; what can't be read at all ends the
 * check.
 */
static int take_problem(struct check *check, const struct sc_err *why, struct sc_err *err)
{
    if (why->status == EX_NOINPUT) {
        return sc_err_set(err, why->status, "%s", why->text);
    }
    const size_t length = strlen(check->path);
    const bool again =
        strncmp(why->text, check->path, length) == 0 && strncmp(why->text + length, ": ", 2) == 0;
    problem(check, "%s", again ? why->text + length + 2 : why->text);
    return 0;
}

/* -1: it can't be read. 0: it has been looked at; *out is NULL when it is of no use. Free it. */
static int check_certificate(struct check *check, const char *path, X509 **out, struct sc_err *err)
{
    struct sc_err why;
    check->path = path;
    *out = sc_keygen_read_certificate(path, &why);
    if (!*out) {
        return take_problem(check, &why, err);
    }
    check_dates(check, *out);
    check_names(check, *out);
    check_mode(check, false);
    return 0;
}

static int check_key(struct check *check, const char *path, EVP_PKEY **out, struct sc_err *err)
{
    struct sc_err why;
    check->path = path;
    *out = sc_keygen_read_key(path, sc_passphrase_prompt(), (void *)(uintptr_t)path, &why);
    if (!*out) {
        if (take_problem(check, &why, err) != 0) {
            return -1;
        }
    } else {
        check_strength(check, *out);
    }
    check_mode(check, true);
    return 0;
}

/*
 * What root can read says nothing about the service: the owner of the directory must be able to.
 * Last, because the program can't change back from that account.
 */
static int check_access(struct check *check, const char *key_path, const char *certificate_path,
                        struct sc_err *err)
{
    const char *const paths[] = {certificate_path, key_path};
    struct sc_account account;
    if (!sc_account_of_directory(key_path, &account)) {
        return 0;
    }
    if (sc_account_become(&account, err) != 0) {
        return -1;
    }
    for (size_t i = 0; i < SC_COUNT_OF(paths); i++) {
        if (access(paths[i], R_OK) != 0) {
            check->path = paths[i];
            problem(check,
                    "the user %s, who owns the directory, can't read it; \"chown %s %s\" mends "
                    "that",
                    account.name, account.name, paths[i]);
        }
    }
    return 0;
}

static void check_match(struct check *check, const EVP_PKEY *key, const X509 *certificate,
                        const char *certificate_path)
{
    if (key && certificate && X509_check_private_key(certificate, key) != 1) {
        problem(check, "the certificate %s is not of this key; put the two files of one pair there",
                certificate_path);
    }
    ERR_clear_error();
}

static int summary(const struct check *check, const char *key_path, const char *certificate_path,
                   struct sc_err *err)
{
    if (check->problems == 0) {
        printf("all is well: %s and %s are a pair, the dates and permissions are right\n", key_path,
               certificate_path);
        return 0;
    }
    return check->problems == 1
               ? sc_err_set(err, EX_CONFIG, "%s: %s", check->first_path, check->first)
               : sc_err_set(err, EX_CONFIG, "%s: %s; there are %u problems", check->first_path,
                            check->first, check->problems);
}

int sc_keygen_check_pair(const char *key_path, const char *certificate_path, struct sc_err *err)
{
    struct check check = {0};
    EVP_PKEY *key = NULL;
    X509 *certificate = NULL;
    int status = -1;

    if (check_certificate(&check, certificate_path, &certificate, err) == 0 &&
        check_key(&check, key_path, &key, err) == 0) {
        check_match(&check, key, certificate, certificate_path);
        status = check_access(&check, key_path, certificate_path, err);
        if (status == 0) {
            status = summary(&check, key_path, certificate_path, err);
        }
    }
    X509_free(certificate);
    EVP_PKEY_free(key);
    return status;
}

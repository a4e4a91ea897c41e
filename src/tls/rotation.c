/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "tls/rotation.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include <openssl/err.h>

#include "base/file.h"
#include "base/lock_file.h"
#include "base/new_file.h"
#include "tls/cert_files.h"
#include "tls/keygen.h"

static const char *const infix[SC_ROTATION_SLOTS] = {"", ".next", ".previous"};
static const char *const slot_names[SC_ROTATION_SLOTS] = {"current", "next", "previous"};

const char *sc_rotation_slot_name(enum sc_rotation_slot slot)
{
    return slot_names[slot];
}

size_t sc_rotation_base_length(const char *key_path)
{
    const size_t length = strlen(key_path);
    return length > 4 && strcmp(key_path + length - 4, ".key") == 0 ? length - 4 : length;
}

int sc_rotation_init(struct sc_rotation *rotation, const char *base, size_t base_length,
                     pem_password_cb *password, struct sc_err *err)
{
    /* The longest name, and what it is called while it is written. */
    if (base_length + sizeof(".previous.key.new") > SC_ROTATION_PATH_BYTES) {
        return sc_err_set(err, EX_USAGE, "%.100s...: the name is too long", base);
    }
    for (unsigned i = 0; i < SC_ROTATION_SLOTS; i++) {
        (void)snprintf(rotation->paths[i].key, SC_ROTATION_PATH_BYTES, "%.*s%s.key",
                       (int)base_length, base, infix[i]);
        (void)snprintf(rotation->paths[i].certificate, SC_ROTATION_PATH_BYTES, "%.*s%s.crt",
                       (int)base_length, base, infix[i]);
    }
    rotation->lock = -1;
    rotation->password = password;
    return 0;
}

void sc_rotation_fini(struct sc_rotation *rotation)
{
    if (rotation->lock >= 0) {
        (void)close(rotation->lock);
        rotation->lock = -1;
    }
}

int sc_rotation_lock(struct sc_rotation *rotation, struct sc_err *err)
{
    rotation->lock = sc_lock_directory_of(rotation->paths[SC_ROTATION_CURRENT].key, err);
    return rotation->lock >= 0 ? 0 : -1;
}

/* --- Reading --- */

static bool is_there(const char *path)
{
    struct stat there;
    return lstat(path, &there) == 0 || errno != ENOENT;
}

int sc_rotation_read(const struct sc_rotation *rotation, enum sc_rotation_slot slot,
                     struct sc_rotation_pair *out, struct sc_err *err)
{
    const struct sc_rotation_paths *paths = &rotation->paths[slot];
    *out = (struct sc_rotation_pair){0};
    if (is_there(paths->key) &&
        !(out->key = sc_keygen_read_key(paths->key, rotation->password,
                                        (void *)(uintptr_t)paths->key, err))) {
        return -1;
    }
    if (is_there(paths->certificate) &&
        !(out->certificate = sc_keygen_read_certificate(paths->certificate, err))) {
        sc_rotation_pair_fini(out);
        return -1;
    }
    return 0;
}

void sc_rotation_pair_fini(struct sc_rotation_pair *pair)
{
    EVP_PKEY_free(pair->key);
    X509_free(pair->certificate);
    *pair = (struct sc_rotation_pair){0};
}

bool sc_rotation_fits(const X509 *certificate, const EVP_PKEY *key)
{
    ERR_clear_error();
    const bool fits = certificate && key && EVP_PKEY_eq(X509_get0_pubkey(certificate), key) == 1;
    ERR_clear_error();
    return fits;
}

/* --- Writing --- */

int sc_rotation_write_next(const struct sc_rotation *rotation, const EVP_PKEY *key,
                           const X509 *certificate, struct sc_err *err)
{
    const struct sc_rotation_paths *current = &rotation->paths[SC_ROTATION_CURRENT];
    const struct sc_rotation_paths *next = &rotation->paths[SC_ROTATION_NEXT];
    /* Without a certificate, a key is one that can't be promoted yet: that is the safe order. */
    if (key && unlink(next->certificate) != 0 && errno != ENOENT) {
        return sc_err_set_errno(err, EX_CANTCREAT, errno, "can't replace %s", next->certificate);
    }
    if (key && sc_keygen_write_key(next->key, key, current->key, err) != 0) {
        return -1;
    }
    return sc_keygen_write_certificate(next->certificate, certificate, current->certificate, err);
}

int sc_rotation_write_certificate(const struct sc_rotation *rotation, const X509 *certificate,
                                  struct sc_err *err)
{
    const char *path = rotation->paths[SC_ROTATION_CURRENT].certificate;
    return sc_keygen_write_certificate(path, certificate, path, err);
}

/* As it is, to the byte: a key may be encrypted, and a certificate may have its chain with it. */
static int copy(const char *from, const char *to, mode_t mode, struct sc_err *err)
{
    const struct sc_new_file_settings settings = {.mode = mode, .like = from, .locked = true};
    struct sc_new_file made = {0};
    struct sc_file file;
    if (sc_file_read(from, SC_CERT_FILES_MAX_BYTES, &file, err) != 0) {
        return -1;
    }
    const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, file.stat.st_mtim};
    int status = sc_new_file_write(&made, to, file.bytes, file.length, &settings, err);
    if (status == 0) {
        (void)utimensat(AT_FDCWD, made.temporary, times, 0); /* it is not newer than it was */
        status = sc_new_file_put(&made, true, err);
    }
    sc_new_file_discard(&made);
    sc_file_fini(&file);
    return status;
}

/* --- Promoting --- */

static int refuse(const char *certificate, const char *key, struct sc_err *err)
{
    return sc_err_set(err, EX_DATAERR, "%s: the certificate is not of the key %s", certificate,
                      key);
}

/* There is a next key, and no next certificate: half of the work is done, or a half was made. */
static int finish(const struct sc_rotation *rotation, const struct sc_rotation_pair *current,
                  const struct sc_rotation_pair *next, struct sc_err *err)
{
    const struct sc_rotation_paths *paths = rotation->paths;
    if (!sc_rotation_fits(current->certificate, next->key)) {
        return sc_err_set(err, EX_NOINPUT,
                          "%s does not exist; sc-keygen --next makes it for the key that is",
                          paths[SC_ROTATION_NEXT].certificate);
    }
    return sc_new_file_rename(paths[SC_ROTATION_NEXT].key, paths[SC_ROTATION_CURRENT].key, err);
}

static int exchange(const struct sc_rotation *rotation, const struct sc_rotation_pair *current,
                    const struct sc_rotation_pair *next, struct sc_err *err)
{
    const struct sc_rotation_paths *now = &rotation->paths[SC_ROTATION_CURRENT];
    const struct sc_rotation_paths *later = &rotation->paths[SC_ROTATION_NEXT];
    const struct sc_rotation_paths *before = &rotation->paths[SC_ROTATION_PREVIOUS];
    if (!current->key || !current->certificate) {
        return sc_err_set(err, EX_NOINPUT, "%s does not exist: there is no current pair to replace",
                          current->key ? now->certificate : now->key);
    }
    if (!sc_rotation_fits(current->certificate, current->key)) {
        return refuse(now->certificate, now->key, err);
    }
    if (!sc_rotation_fits(next->certificate, next->key)) {
        return refuse(later->certificate, later->key, err);
    }
    if (EVP_PKEY_eq(current->key, next->key) == 1) {
        return sc_err_set(err, EX_DATAERR,
                          "%s is the current key: there is nothing to rotate to; "
                          "sc-keygen --next --force makes another",
                          later->key);
    }
    if (copy(now->key, before->key, SC_KEYGEN_KEY_MODE, err) != 0 ||
        copy(now->certificate, before->certificate, SC_KEYGEN_CERTIFICATE_MODE, err) != 0 ||
        sc_new_file_rename(later->certificate, now->certificate, err) != 0) {
        return -1;
    }
    return sc_new_file_rename(later->key, now->key, err);
}

int sc_rotation_promote(const struct sc_rotation *rotation, enum sc_rotation_promoted *done,
                        struct sc_err *err)
{
    const struct sc_rotation_paths *paths = rotation->paths;
    struct sc_rotation_pair current = {0};
    struct sc_rotation_pair next = {0};
    int status = -1;
    if (!is_there(paths[SC_ROTATION_NEXT].key)) {
        *done = SC_ROTATION_NOTHING;
        return is_there(paths[SC_ROTATION_PREVIOUS].key)
                   ? 0
                   : sc_err_set(err, EX_NOINPUT, "%s does not exist; sc-keygen --next makes it",
                                paths[SC_ROTATION_NEXT].key);
    }
    if (sc_rotation_read(rotation, SC_ROTATION_CURRENT, &current, err) == 0 &&
        sc_rotation_read(rotation, SC_ROTATION_NEXT, &next, err) == 0) {
        *done = next.certificate ? SC_ROTATION_PROMOTED : SC_ROTATION_FINISHED;
        status = next.certificate ? exchange(rotation, &current, &next, err)
                                  : finish(rotation, &current, &next, err);
    }
    sc_rotation_pair_fini(&current);
    sc_rotation_pair_fini(&next);
    return status;
}

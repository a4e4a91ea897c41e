/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "tls/command_files.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>

#include <openssl/err.h>
#include <openssl/evp.h>

#include "base/file.h"
#include "tls/error.h"

#define MAX_FILE_BYTES (16U << 20)
#define MAX_DIRECTORY_FILES 10000

static bool hash(EVP_MD_CTX *md, const void *bytes, size_t length)
{
    return EVP_DigestUpdate(md, &length, sizeof(length)) == 1 &&
           EVP_DigestUpdate(md, bytes, length) == 1;
}

static int no_digest(struct sc_err *err)
{
    return sc_tls_err(err, EX_OSERR, "can't hash the [tls] commands");
}

static int hash_file(EVP_MD_CTX *md, const char *path, struct sc_err *err)
{
    struct sc_file file;
    if (sc_file_read(path, MAX_FILE_BYTES, &file, err) != 0) {
        return -1;
    }
    int rc = 0;
    if (strstr(file.bytes, "Proc-Type: 4,ENCRYPTED")) {
        rc = sc_err_set(err, EX_CONFIG, "%s is encrypted; a passphrase is for private-key alone",
                        path);
    } else if (!hash(md, file.bytes, file.length)) {
        rc = no_digest(err);
    }
    sc_file_fini(&file);
    return rc;
}

/*
 * One name of a directory. OpenSSL passes over what it can't read, such as a link that leads
 * nowhere; what it would wait for is refused.
 */
static int hash_name(EVP_MD_CTX *md, const char *directory, const char *name, struct sc_err *err)
{
    char path[4096];
    struct stat status;
    if (snprintf(path, sizeof(path), "%s/%s", directory, name) >= (int)sizeof(path)) {
        return sc_err_set(err, EX_NOINPUT, "can't read %.200s/%s: the path is too long", directory,
                          name);
    }
    if (!hash(md, name, strlen(name))) {
        return no_digest(err);
    }
    if (stat(path, &status) != 0 || S_ISDIR(status.st_mode)) {
        return 0;
    }
    struct sc_err why;
    if (hash_file(md, path, &why) != 0 && (!S_ISREG(status.st_mode) || why.status == EX_CONFIG)) {
        return sc_err_set(err, why.status, "%s", why.text);
    }
    return 0;
}

static int hash_directory(EVP_MD_CTX *md, const char *path, struct sc_err *err)
{
    struct dirent **names;
    const int count = scandir(path, &names, NULL, alphasort);
    int rc = count < 0 ? sc_err_set_errno(err, EX_NOINPUT, errno, "can't read %s", path) : 0;
    if (count > MAX_DIRECTORY_FILES) {
        rc = sc_err_set(err, EX_NOINPUT, "can't read %s: more than %d files; is it the right one?",
                        path, MAX_DIRECTORY_FILES);
    }
    for (int i = 0; i < count; i++) {
        if (rc == 0 && names[i]->d_name[0] != '.') {
            rc = hash_name(md, path, names[i]->d_name, err);
        }
        free(names[i]);
    }
    if (count >= 0) {
        free(names);
    }
    return rc;
}

/* A URI of ossl_store-file(7), which may be a plain path to a file or a directory. */
static int hash_store(EVP_MD_CTX *md, const char *uri, struct sc_err *err)
{
    static const char scheme[] = "file:";
    struct stat status;
    const char *path =
        strncmp(uri, scheme, sizeof(scheme) - 1) == 0 ? uri + sizeof(scheme) - 1 : uri;
    if (strncmp(path, "///", 3) == 0) {
        path += 2;
    }
    if (stat(path, &status) != 0) {
        return 0; /* OpenSSL says whether it is a store */
    }
    return S_ISDIR(status.st_mode) ? hash_directory(md, path, err) : hash_file(md, path, err);
}

static int hash_command(EVP_MD_CTX *md, SSL_CONF_CTX *conf, const struct sc_tls_command *command,
                        struct sc_err *err)
{
    int rc = 0;
    if (!hash(md, command->name, strlen(command->name)) ||
        !hash(md, command->value, strlen(command->value))) {
        return no_digest(err);
    }
    switch (command->value[0] ? SSL_CONF_cmd_value_type(conf, command->name) : SSL_CONF_TYPE_NONE) {
    case SSL_CONF_TYPE_FILE: rc = hash_file(md, command->value, err); break;
    case SSL_CONF_TYPE_DIR: rc = hash_directory(md, command->value, err); break;
    case SSL_CONF_TYPE_STORE: rc = hash_store(md, command->value, err); break;
    default: break;
    }
    return rc == 0 ? 0 : sc_err_prefix(err, "[tls] %s", command->name);
}

int sc_tls_commands_digest(const struct sc_tls_command *commands, size_t count,
                           bool (*which)(const struct sc_tls_command *command),
                           uint8_t out[SC_TLS_COMMANDS_DIGEST_BYTES], struct sc_err *err)
{
    ERR_clear_error();
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    SSL_CONF_CTX *conf = SSL_CONF_CTX_new();
    int rc = -1;
    if (!md || !conf || EVP_DigestInit_ex(md, EVP_sha256(), NULL) != 1) {
        (void)no_digest(err);
        goto out;
    }
    (void)SSL_CONF_CTX_set_flags(conf, SC_TLS_COMMAND_FLAGS);
    rc = 0;
    for (size_t i = 0; i < count && rc == 0; i++) {
        if (!which || which(&commands[i])) {
            rc = hash_command(md, conf, &commands[i], err);
        }
    }
    if (rc == 0 && EVP_DigestFinal_ex(md, out, NULL) != 1) {
        rc = no_digest(err);
    }
out:
    SSL_CONF_CTX_free(conf);
    EVP_MD_CTX_free(md);
    return rc;
}

/* Key and certificate files: written whole or not at all, read with a bound. */
#include "config.h"

#include "tls/keygen.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include "base/account.h"
#include "base/file.h"
#include "tls/error.h"

#define KEY_MODE 0600
#define CERTIFICATE_MODE 0644
#define MAX_FILE_BYTES (1U << 20) /* a long chain is some kilobytes */
#define PATH_BYTES 4096U
#define CERTIFICATE_LINE_END "CERTIFICATE-----" /* TRUSTED, X509 or nothing stands before it */
#define KEY_LINE_END "PRIVATE KEY-----" /* RSA, EC, ENCRYPTED or nothing stands before it */

/* A file on its way: everything is in `temporary`, beside the place where it is to stand. */
struct staged {
    const char *path;
    char temporary[PATH_BYTES]; /* empty: there is none */
};

static int write_all(int fd, const char *bytes, size_t size)
{
    while (size > 0) {
        const ssize_t written = write(fd, bytes, size);
        if (written < 0 && errno != EINTR) {
            return -1;
        }
        if (written > 0) {
            bytes += written;
            size -= (size_t)written;
        }
    }
    return 0;
}

static void unstage(struct staged *staged)
{
    if (staged->temporary[0]) {
        (void)unlink(staged->temporary);
        staged->temporary[0] = '\0';
    }
}

/* A key that root makes in the directory of a service's account is that account's to read. */
static bool give_to_owner_of_directory(int fd, const char *path)
{
    struct sc_account account;
    return !sc_account_of_directory(path, &account) || fchown(fd, account.uid, account.gid) == 0;
}

static int stage(struct staged *staged, const char *path, mode_t mode, BIO *content,
                 struct sc_err *err)
{
    char *bytes;
    const long size = BIO_get_mem_data(content, &bytes);
    const int length = snprintf(staged->temporary, sizeof(staged->temporary), "%s.XXXXXX", path);

    staged->path = path;
    if (length < 0 || (size_t)length >= sizeof(staged->temporary)) {
        staged->temporary[0] = '\0';
        return sc_err_set_errno(err, EX_CANTCREAT, ENAMETOOLONG, "can't create %.200s...", path);
    }
    const int fd = mkostemp(staged->temporary, O_CLOEXEC);
    if (fd < 0) {
        const int reason = errno;
        staged->temporary[0] = '\0';
        return sc_err_set_errno(err, EX_CANTCREAT, reason, "can't create %s", path);
    }
    /* It was made 0600, less what the umask takes; the mode that it is to have comes last. */
    int reason = write_all(fd, bytes, (size_t)size) == 0 && give_to_owner_of_directory(fd, path) &&
                         fchmod(fd, mode) == 0 && fsync(fd) == 0
                     ? 0
                     : errno;
    if (close(fd) != 0 && reason == 0) {
        reason = errno;
    }
    if (reason != 0) {
        return sc_err_set_errno(err, EX_IOERR, reason, "can't write %s", path);
    }
    return 0;
}

/*
 * A name without a file is lost in a power cut. Not every file system can do this; then there is
 * nothing more to be done.
 */
static void sync_directory_of(const char *path)
{
    char directory[PATH_BYTES];
    const char *slash = strrchr(path, '/');
    if (!slash) {
        (void)snprintf(directory, sizeof(directory), ".");
    } else {
        (void)snprintf(directory, sizeof(directory), "%.*s",
                       slash == path ? 1 : (int)(slash - path), path);
    }
    const int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        (void)fsync(fd);
        (void)close(fd);
    }
}

/* Gives the file its name unless something has that name. 0, or an errno value. */
static int put_without_replacing(struct staged *staged)
{
    if (link(staged->temporary, staged->path) == 0) {
        unstage(staged);
        return 0;
    }
    if (errno != EPERM && errno != EOPNOTSUPP && errno != ENOSYS) {
        return errno;
    }
    /*
     * A file system without links: an empty file of ours claims the name, and only that is
     * replaced.
     */
    const int fd = open(staged->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, KEY_MODE);
    if (fd < 0) {
        return errno;
    }
    (void)close(fd);
    if (rename(staged->temporary, staged->path) != 0) {
        const int reason = errno;
        (void)unlink(staged->path);
        return reason;
    }
    staged->temporary[0] = '\0';
    return 0;
}

static int put(struct staged *staged, bool replace, struct sc_err *err)
{
    int reason;
    if (replace) {
        reason = rename(staged->temporary, staged->path) == 0 ? 0 : errno;
        if (reason == 0) {
            staged->temporary[0] = '\0';
        }
    } else {
        reason = put_without_replacing(staged);
    }
    if (reason == EEXIST) {
        return sc_err_set(err, EX_CANTCREAT,
                          "%s: it is there already, and stays as it is; --force replaces it",
                          staged->path);
    }
    if (reason != 0) {
        return sc_err_set_errno(err, EX_CANTCREAT, reason, "can't create %s", staged->path);
    }
    sync_directory_of(staged->path);
    return 0;
}

/* What can be known before anything is made. `put` is what decides. */
static int refuse_early(const char *path, bool replace, struct sc_err *err)
{
    struct stat there;
    if (lstat(path, &there) != 0) {
        return 0;
    }
    if (S_ISDIR(there.st_mode)) {
        return sc_err_set(err, EX_CANTCREAT, "can't create %s: a directory has this name", path);
    }
    return replace ? 0
                   : sc_err_set(err, EX_CANTCREAT,
                                "%s: it is there already, and stays as it is; --force replaces it",
                                path);
}

static int stage_key(struct staged *staged, const char *path, const EVP_PKEY *key,
                     struct sc_err *err)
{
    int status = -1;

    ERR_clear_error();
    /* This kind of memory is wiped when it is freed. */
    BIO *content = BIO_new(BIO_s_secmem());
    if (content && PEM_write_bio_PKCS8PrivateKey(content, key, NULL, NULL, 0, NULL, NULL) == 1) {
        status = stage(staged, path, KEY_MODE, content, err);
    } else {
        (void)sc_tls_err(err, EX_SOFTWARE, "can't encode the key for %s", path);
    }
    BIO_free(content);
    return status;
}

static int stage_certificate(struct staged *staged, const char *path, const X509 *certificate,
                             struct sc_err *err)
{
    int status = -1;

    ERR_clear_error();
    BIO *content = BIO_new(BIO_s_mem());
    if (content && PEM_write_bio_X509(content, certificate) == 1) {
        status = stage(staged, path, CERTIFICATE_MODE, content, err);
    } else {
        (void)sc_tls_err(err, EX_SOFTWARE, "can't encode the certificate for %s", path);
    }
    BIO_free(content);
    return status;
}

int sc_keygen_write_pair(const char *key_path, const EVP_PKEY *key, const char *certificate_path,
                         const X509 *certificate, bool replace, struct sc_err *err)
{
    struct staged new_key = {0};
    struct staged new_certificate = {0};
    int status = -1;

    if (refuse_early(key_path, replace, err) == 0 &&
        refuse_early(certificate_path, replace, err) == 0 &&
        stage_key(&new_key, key_path, key, err) == 0 &&
        stage_certificate(&new_certificate, certificate_path, certificate, err) == 0 &&
        put(&new_key, replace, err) == 0) {
        status = put(&new_certificate, replace, err);
        if (status != 0 && !replace) {
            (void)unlink(key_path);
        }
    }
    unstage(&new_key);
    unstage(&new_certificate);
    return status;
}

/* --- Reading --- */

static bool holds(const struct sc_file *file, const char *text)
{
    return memmem(file->bytes, file->length, text, strlen(text)) != NULL;
}

/* OpenSSL's reasons are about its decoders, not about the file, and are dropped. */
static X509 *parse_certificate(const struct sc_file *file, const char *path, struct sc_err *err)
{
    ERR_clear_error();
    BIO *content = BIO_new_mem_buf(file->bytes, (int)file->length);
    X509 *certificate = content ? PEM_read_bio_X509(content, NULL, NULL, NULL) : NULL;
    BIO_free(content);
    if (!certificate) {
        (void)sc_err_set(err, EX_DATAERR, "%s: %s", path,
                         holds(file, CERTIFICATE_LINE_END) ? "the certificate in it is damaged"
                                                           : "holds no PEM certificate");
    }
    ERR_clear_error();
    return certificate;
}

struct password_question {
    pem_password_cb *ask;
    void *arg;
    unsigned times;
};

static int ask_password(char *out, int size, int writing, void *arg)
{
    struct password_question *question = arg;
    question->times++;
    return question->ask && question->times == 1 ? question->ask(out, size, writing, question->arg)
                                                 : -1;
}

static EVP_PKEY *parse_key(const struct sc_file *file, const char *path,
                           pem_password_cb *password_cb, void *password_arg, struct sc_err *err)
{
    ERR_clear_error();
    struct password_question question = {.ask = password_cb, .arg = password_arg};
    BIO *content = BIO_new_mem_buf(file->bytes, (int)file->length);
    EVP_PKEY *key =
        content ? PEM_read_bio_PrivateKey(content, NULL, ask_password, &question) : NULL;
    BIO_free(content);
    if (!key) {
        const char *why = "holds no PEM private key";
        if (question.times > 0) {
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

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
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include "tls/error.h"

#define KEY_MODE 0600
#define CERTIFICATE_MODE 0644
#define MAX_FILE_BYTES (1U << 20) /* a chain is some kilobytes; this ends /dev/zero */
#define PATH_BYTES 4096U

/* A file on its way: everything is in `temporary`, beside the place where it is to stand. */
struct staged {
    const char *path;
    char        temporary[PATH_BYTES]; /* empty: there is none */
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

static int stage(struct staged *staged, const char *path, mode_t mode, BIO *content, struct sc_err *err)
{
    char      *bytes;
    const long size   = BIO_get_mem_data(content, &bytes);
    const int  length = snprintf(staged->temporary, sizeof(staged->temporary), "%s.XXXXXX", path);

    staged->path = path;
    if (length < 0 || (size_t)length >= sizeof(staged->temporary)) {
        staged->temporary[0] = '\0';
        return sc_err_set_errno(err, EX_CANTCREAT, ENAMETOOLONG, "can't create %.200s...", path);
    }
    const int fd = mkostemp(staged->temporary, O_CLOEXEC);
    if (fd < 0) {
        const int reason     = errno;
        staged->temporary[0] = '\0';
        return sc_err_set_errno(err, EX_CANTCREAT, reason, "can't create %s", path);
    }
    /* It was made 0600, less what the umask takes; the mode that it is to have comes last. */
    int reason = write_all(fd, bytes, (size_t)size) == 0 && fchmod(fd, mode) == 0 && fsync(fd) == 0 ? 0 : errno;
    if (close(fd) != 0 && reason == 0) {
        reason = errno;
    }
    if (reason != 0) {
        unstage(staged);
        return sc_err_set_errno(err, EX_IOERR, reason, "can't write %s", path);
    }
    return 0;
}

/* A name without a file is lost in a power cut. Not every file system can do this; then there is nothing more to be done. */
static void sync_directory_of(const char *path)
{
    char        directory[PATH_BYTES];
    const char *slash = strrchr(path, '/');
    if (!slash) {
        (void)snprintf(directory, sizeof(directory), ".");
    } else {
        (void)snprintf(directory, sizeof(directory), "%.*s", slash == path ? 1 : (int)(slash - path), path);
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
    /* A file system without links: an empty file of ours claims the name, and only that is replaced. */
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
        return sc_err_set(err, EX_CANTCREAT, "%s: it is there already, and stays as it is; --force replaces it", staged->path);
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
    return replace ? 0 : sc_err_set(err, EX_CANTCREAT, "%s: it is there already, and stays as it is; --force replaces it", path);
}

static int stage_key(struct staged *staged, const char *path, const EVP_PKEY *key, struct sc_err *err)
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

static int stage_certificate(struct staged *staged, const char *path, const X509 *certificate, struct sc_err *err)
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

int sc_keygen_write_key(const char *path, const EVP_PKEY *key, bool replace, struct sc_err *err)
{
    struct staged staged = {0};
    const int status = refuse_early(path, replace, err) == 0 && stage_key(&staged, path, key, err) == 0 ? put(&staged, replace, err) : -1;
    unstage(&staged);
    return status;
}

int sc_keygen_write_certificate(const char *path, const X509 *certificate, bool replace, struct sc_err *err)
{
    struct staged staged = {0};
    const int     status =
        refuse_early(path, replace, err) == 0 && stage_certificate(&staged, path, certificate, err) == 0 ? put(&staged, replace, err) : -1;
    unstage(&staged);
    return status;
}

int sc_keygen_write_pair(const char *key_path, const EVP_PKEY *key, const char *certificate_path, const X509 *certificate, bool replace,
                         struct sc_err *err)
{
    struct staged new_key         = {0};
    struct staged new_certificate = {0};
    int           status          = -1;

    if (refuse_early(key_path, replace, err) == 0 && refuse_early(certificate_path, replace, err) == 0 &&
        stage_key(&new_key, key_path, key, err) == 0 && stage_certificate(&new_certificate, certificate_path, certificate, err) == 0 &&
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

/* --- Reading -------------------------------------------------------------------------------------------------------------------------- */

/* 0, or an errno value. */
static int read_all(int fd, BIO *content)
{
    char   block[4096];
    size_t total  = 0;
    int    reason = 0;
    for (;;) {
        const ssize_t size = read(fd, block, sizeof(block));
        if (size < 0 && errno == EINTR) {
            continue;
        }
        if (size <= 0) {
            reason = size < 0 ? errno : 0;
            break;
        }
        total += (size_t)size;
        if (total > MAX_FILE_BYTES || BIO_write(content, block, (int)size) != (int)size) {
            reason = total > MAX_FILE_BYTES ? EFBIG : ENOMEM;
            break;
        }
    }
    OPENSSL_cleanse(block, sizeof(block));
    return reason;
}

/* The whole file in memory that is wiped when it is freed. NULL on failure; BIO_free() it. */
static BIO *read_file(const char *path, struct sc_err *err)
{
    const int fd      = open(path, O_RDONLY | O_CLOEXEC);
    int       reason  = fd < 0 ? errno : 0;
    BIO      *content = fd < 0 ? NULL : BIO_new(BIO_s_secmem());
    if (fd >= 0) {
        reason = content ? read_all(fd, content) : ENOMEM;
        (void)close(fd);
    }
    if (reason != 0) {
        (void)sc_err_set_errno(err, reason == EFBIG ? EX_DATAERR : EX_NOINPUT, reason, "can't read %s", path);
        BIO_free(content);
        return NULL;
    }
    return content;
}

static bool holds_none(void)
{
    return ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
}

static X509 *parse_certificate(BIO *content, const char *path, struct sc_err *err)
{
    X509 *certificate = PEM_read_bio_X509(content, NULL, NULL, NULL);
    if (!certificate && holds_none()) {
        ERR_clear_error();
        (void)sc_err_set(err, EX_DATAERR, "%s: holds no PEM certificate", path);
    } else if (!certificate) {
        (void)sc_tls_err(err, EX_DATAERR, "%s: the certificate in it is damaged", path);
    }
    return certificate;
}

X509 *sc_keygen_read_certificate(const char *path, struct sc_err *err)
{
    ERR_clear_error();
    BIO  *content     = read_file(path, err);
    X509 *certificate = content ? parse_certificate(content, path, err) : NULL;
    BIO_free(content);
    return certificate;
}

struct password_question {
    pem_password_cb *ask;
    void            *arg;
    unsigned         times;
};

static int ask_password(char *out, int size, int writing, void *arg)
{
    struct password_question *question = arg;
    question->times++;
    return question->ask && question->times == 1 ? question->ask(out, size, writing, question->arg) : -1;
}

static EVP_PKEY *parse_key(BIO *content, const char *path, pem_password_cb *password_cb, void *password_arg, struct sc_err *err)
{
    struct password_question question = {.ask = password_cb, .arg = password_arg};
    EVP_PKEY                *key      = PEM_read_bio_PrivateKey(content, NULL, ask_password, &question);
    if (!key && question.times > 0) {
        (void)sc_err_set(err, EX_DATAERR, "%s: %s", path,
                         password_cb ? "the passphrase does not open the key"
                                     : "the key is encrypted, and there is no terminal to ask for its passphrase");
    } else if (!key && holds_none()) {
        (void)sc_err_set(err, EX_DATAERR, "%s: holds no PEM private key", path);
    } else if (!key) {
        (void)sc_tls_err(err, EX_DATAERR, "%s: the private key in it can't be read", path);
    }
    ERR_clear_error();
    return key;
}

EVP_PKEY *sc_keygen_read_key(const char *path, pem_password_cb *password_cb, void *password_arg, struct sc_err *err)
{
    ERR_clear_error();
    BIO      *content = read_file(path, err);
    EVP_PKEY *key     = content ? parse_key(content, path, password_cb, password_arg, err) : NULL;
    BIO_free(content);
    return key;
}

int sc_keygen_read_either(const char *path, pem_password_cb *password_cb, void *password_arg, X509 **certificate, EVP_PKEY **key,
                          struct sc_err *err)
{
    ERR_clear_error();
    *certificate = NULL;
    *key         = NULL;
    BIO *content = read_file(path, err);
    if (!content) {
        return -1;
    }
    char      *bytes;
    const long size  = BIO_get_mem_data(content, &bytes);
    BIO       *first = BIO_new_mem_buf(bytes, (int)size);
    if (first) {
        *certificate = PEM_read_bio_X509(first, NULL, NULL, NULL);
    }
    const bool other = !*certificate && holds_none();
    BIO_free(first);
    if (other) {
        ERR_clear_error();
        *key = parse_key(content, path, password_cb, password_arg, err);
    } else if (!*certificate) {
        (void)sc_tls_err(err, EX_DATAERR, "%s: the certificate in it is damaged", path);
    }
    BIO_free(content);
    return *certificate || *key ? 0 : -1;
}

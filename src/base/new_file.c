/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "base/new_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/account.h"

#define CLAIM_MODE 0600

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

void sc_new_file_discard(struct sc_new_file *file)
{
    if (file->temporary[0]) {
        (void)unlink(file->temporary);
        file->temporary[0] = '\0';
    }
}

/*
 * The rights of `like` are what a service can read, unless root made it for itself in the service's
 * directory.
 */
static bool takes_after(const char *like, bool directory_has_account, struct stat *out)
{
    if (!like || stat(like, out) != 0 || !S_ISREG(out->st_mode)) {
        return false;
    }
    return !directory_has_account || out->st_uid != 0 || (out->st_mode & S_IRGRP);
}

/* The mode comes last: a file that others may read must have its owner first. */
static bool set_rights(int fd, const char *path, const struct sc_new_file_settings *settings)
{
    struct sc_account account;
    struct stat like;
    const bool directory_has_account = !settings->own && sc_account_of_directory(path, &account);
    mode_t mode = settings->mode;
    bool ok = true;

    if (takes_after(settings->like, directory_has_account, &like)) {
        const bool is_root = geteuid() == 0;
        const bool has_group =
            is_root || like.st_gid == getegid() || fchown(fd, (uid_t)-1, like.st_gid) == 0;
        ok = !is_root || fchown(fd, like.st_uid, like.st_gid) == 0;
        /* That everybody could read the old one was a mistake, and gave its group no right. */
        mode |= has_group && !(like.st_mode & S_IRWXO) ? like.st_mode & S_IRGRP : 0;
    } else if (directory_has_account) {
        ok = fchown(fd, account.uid, account.gid) == 0;
    }
    return ok && fchmod(fd, mode) == 0;
}

/* Opens the file under its other name, mode 0600 less what the umask takes. -1: errno. */
static int open_temporary(struct sc_new_file *file, bool locked)
{
    const int length = snprintf(file->temporary, sizeof(file->temporary), "%s.%s", file->path,
                                locked ? "new" : "XXXXXX");
    int fd = -1;
    if (length < 0 || (size_t)length >= sizeof(file->temporary)) {
        errno = ENAMETOOLONG;
    } else if (locked) {
        (void)unlink(file->temporary);
        fd = open(file->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, CLAIM_MODE);
    } else {
        fd = mkostemp(file->temporary, O_CLOEXEC);
    }
    if (fd < 0) {
        file->temporary[0] = '\0';
    }
    return fd;
}

int sc_new_file_write(struct sc_new_file *file, const char *path, const void *bytes, size_t size,
                      const struct sc_new_file_settings *settings, struct sc_err *err)
{
    file->path = path;
    const int fd = open_temporary(file, settings->locked);
    if (fd < 0) {
        return sc_err_set_errno(err, EX_CANTCREAT, errno, "can't create %s", path);
    }
    int reason = write_all(fd, bytes, size) == 0 && set_rights(fd, path, settings) && fsync(fd) == 0
                     ? 0
                     : errno;
    if (close(fd) != 0 && reason == 0) {
        reason = errno;
    }
    if (reason != 0) {
        sc_new_file_discard(file);
        return sc_err_set_errno(err, EX_IOERR, reason, "can't write %s", path);
    }
    return 0;
}

int sc_new_file_make_directories(const char *path, struct sc_err *err)
{
    char part[SC_FILE_PATH_BYTES];
    int rc = 0;
    if (snprintf(part, sizeof(part), "%s", path) >= (int)sizeof(part)) {
        return sc_err_set_errno(err, EX_CANTCREAT, ENAMETOOLONG, "can't make the directory of %s",
                                path);
    }
    for (char *slash = *part ? strchr(part + 1, '/') : NULL; slash && rc == 0;
         slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(part, 0700) != 0 && errno != EEXIST) {
            const int reason = errno;
            struct stat status;
            if (stat(part, &status) != 0) { /* else it is there: what else is wrong, open(2) says */
                rc = sc_err_set_errno(err, EX_CANTCREAT, reason, "can't make the directory %s",
                                      part);
            }
        }
        *slash = '/';
    }
    return rc;
}

/*
 * A name without a file is lost in a power cut. Not every file system can do this; then there is
 * nothing more to be done.
 */
static void sync_directory_of(const char *path)
{
    char directory[SC_FILE_PATH_BYTES];
    sc_file_directory(path, directory);
    const int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        (void)fsync(fd);
        (void)close(fd);
    }
}

/* Gives the file its name unless something has that name. 0, or an errno value. */
static int put_without_replacing(struct sc_new_file *file)
{
    if (link(file->temporary, file->path) == 0) {
        sc_new_file_discard(file);
        return 0;
    }
    if (errno != EPERM && errno != EOPNOTSUPP && errno != ENOSYS) {
        return errno;
    }
    /*
     * A file system without links: an empty file of ours claims the name, and only that is
     * replaced.
     */
    const int fd = open(file->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, CLAIM_MODE);
    if (fd < 0) {
        return errno;
    }
    (void)close(fd);
    if (rename(file->temporary, file->path) != 0) {
        const int reason = errno;
        (void)unlink(file->path);
        return reason;
    }
    file->temporary[0] = '\0';
    return 0;
}

static int refuse_existing(const char *path, struct sc_err *err)
{
    return sc_err_set(err, EX_CANTCREAT, "%s already exists; --force replaces it", path);
}

int sc_new_file_put(struct sc_new_file *file, bool replace, struct sc_err *err)
{
    int reason;
    if (replace) {
        reason = rename(file->temporary, file->path) == 0 ? 0 : errno;
        if (reason == 0) {
            file->temporary[0] = '\0';
        }
    } else {
        reason = put_without_replacing(file);
    }
    if (reason == EEXIST) {
        return refuse_existing(file->path, err);
    }
    if (reason != 0) {
        return sc_err_set_errno(err, EX_CANTCREAT, reason, "can't create %s", file->path);
    }
    sync_directory_of(file->path);
    return 0;
}

int sc_new_file_check(const char *path, bool replace, struct sc_err *err)
{
    struct stat there;
    if (lstat(path, &there) != 0) {
        return 0;
    }
    if (S_ISDIR(there.st_mode)) {
        return sc_err_set(err, EX_CANTCREAT, "can't create %s: a directory has this name", path);
    }
    return replace ? 0 : refuse_existing(path, err);
}

int sc_new_file_rename(const char *from, const char *to, struct sc_err *err)
{
    if (rename(from, to) != 0) {
        return sc_err_set_errno(err, EX_CANTCREAT, errno, "can't rename %s to %s", from, to);
    }
    sync_directory_of(to);
    return 0;
}

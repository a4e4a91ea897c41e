/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "base/lock_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"

#define PAUSE_MS 10U

/* The process that held the lock before has removed the file: what is locked must be what is there
 * now. */
static bool is_there(int fd, const char *path)
{
    struct stat ours, there;
    return fstat(fd, &ours) == 0 && lstat(path, &there) == 0 && S_ISREG(ours.st_mode) &&
           ours.st_dev == there.st_dev && ours.st_ino == there.st_ino;
}

/* False: errno says why; EWOULDBLOCK: another process holds it. */
static bool try_lock(struct sc_lock_file *lock)
{
    lock->fd =
        open(lock->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK, 0600);
    if (lock->fd < 0) {
        return false;
    }
    bool locked = flock(lock->fd, LOCK_EX | LOCK_NB) == 0;
    if (locked && !is_there(lock->fd, lock->path)) {
        locked = false;
        errno = EWOULDBLOCK;
    }
    if (!locked) {
        const int errnum = errno;
        (void)close(lock->fd);
        errno = errnum;
    }
    return locked;
}

int sc_lock_file_take(struct sc_lock_file *lock, const char *path, unsigned wait_ms,
                      struct sc_err *err)
{
    const struct timespec pause = {.tv_nsec = PAUSE_MS * 1000000L};
    if (snprintf(lock->path, sizeof(lock->path), "%s", path) >= (int)sizeof(lock->path)) {
        return sc_err_set(err, EX_UNAVAILABLE, "can't lock %.200s...: the path is too long", path);
    }
    for (unsigned waited_ms = 0; waited_ms <= wait_ms; waited_ms += PAUSE_MS) {
        if (try_lock(lock)) {
            return 0;
        }
        if (errno != EWOULDBLOCK && errno != EINTR) {
            return sc_err_set_errno(err, EX_UNAVAILABLE, errno, "can't lock %s", path);
        }
        (void)nanosleep(&pause, NULL);
    }
    return sc_err_set(err, EX_UNAVAILABLE,
                      "can't lock %s: another process holds it, or it is not a regular file", path);
}

void sc_lock_file_release(struct sc_lock_file *lock)
{
    (void)unlink(lock->path); /* still locked: it is ours */
    (void)close(lock->fd);
}

int sc_lock_directory_of(const char *path, struct sc_err *err)
{
    char directory[SC_FILE_PATH_BYTES];
    sc_file_directory(path, directory);
    const int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return sc_err_set_errno(err, EX_NOINPUT, errno, "can't open the directory %s", directory);
    }
    if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
        return fd;
    }
    const int errnum = errno;
    (void)close(fd);
    return errnum == EWOULDBLOCK
               ? sc_err_set(err, EX_TEMPFAIL,
                            "%s: another process changes keys in this directory; try again",
                            directory)
               : sc_err_set_errno(err, EX_OSERR, errnum, "can't lock the directory %s", directory);
}

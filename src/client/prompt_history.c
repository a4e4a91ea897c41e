/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "client/prompt_history.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/new_file.h"
#include "base/user_file.h"

#define FILE_BYTES \
    ((size_t)SC_PROMPT_HISTORY_LINES * 2 * SC_PROMPT_HISTORY_LINE_BYTES) /* that are read */

struct sc_prompt_history {
    char path[4096];
};

/* Waits for the lock, a fifth of a second at the most. */
static int lock(int fd)
{
    for (int i = 0; flock(fd, LOCK_EX | LOCK_NB) != 0; i++) {
        if (i == 20) {
            return -1;
        }
        (void)poll(NULL, 0, 10);
    }
    return 0;
}

static int not_kept(const char *path, int error, struct sc_err *err)
{
    return sc_err_set_errno(err, EX_CANTCREAT, error, "the history is not kept: %s", path);
}

static int open_locked(const char *path, struct sc_err *err)
{
    struct stat stat, now;
    const int flags = O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;
    for (int i = 0; i < 10; i++) {
        const int fd = open(path, flags, 0600);
        if (fd < 0) {
            return errno == ELOOP
                       ? sc_err_set(err, EX_NOINPUT,
                                    "the history is not kept: %s is a symbolic link", path)
                       : not_kept(path, errno, err);
        }
        if (fstat(fd, &stat) != 0 || !S_ISREG(stat.st_mode) || stat.st_uid != geteuid()) {
            (void)close(fd);
            return sc_err_set(err, EX_NOINPUT,
                              "the history is not kept: %s is not a regular file of yours", path);
        }
        /* A lock is held for a moment only; the file may have been replaced while it was. */
        if (lock(fd) == 0 && lstat(path, &now) == 0 && now.st_ino == stat.st_ino &&
            now.st_dev == stat.st_dev) {
            if ((stat.st_mode & 077) != 0) {
                (void)fchmod(fd, 0600);
            }
            return fd;
        }
        (void)close(fd);
    }
    return not_kept(path, EWOULDBLOCK, err);
}

/* Where the last lines of the text begin. */
static char *last_lines(char *text, size_t length)
{
    size_t newlines = 0;
    for (char *p = text + length; p > text; p--) {
        if (p[-1] == '\n' && ++newlines > SC_PROMPT_HISTORY_LINES) {
            return p;
        }
    }
    return text;
}

/* Returns 0 or an errno value. */
static int write_all(int fd, const char *text, size_t length)
{
    const ssize_t written = write(fd, text, length);
    return written < 0 ? errno : (size_t)written == length ? 0 : ENOSPC;
}

/* As a whole or not at all; the lock on the old file is held. */
static void replace(const char *path, const char *text, size_t length)
{
    const struct sc_new_file_settings settings = {.mode = 0600, .locked = true, .own = true};
    struct sc_new_file file = {0};
    if (sc_new_file_write(&file, path, text, length, &settings, NULL) != 0 ||
        sc_new_file_put(&file, true, NULL) != 0) {
        sc_new_file_discard(&file);
    }
}

/* Reads what is there, and cuts the file to its last lines. */
static void load(const struct sc_prompt_history *history, int fd,
                 void (*on_line)(const char *line, void *arg), void *arg)
{
    size_t length = 0;
    ssize_t got;
    const off_t size = lseek(fd, 0, SEEK_END);
    char *text = malloc(FILE_BYTES + 1);
    if (!text) {
        return;
    }
    if (size > (off_t)FILE_BYTES) {
        (void)lseek(fd, size - (off_t)FILE_BYTES, SEEK_SET);
    } else {
        (void)lseek(fd, 0, SEEK_SET);
    }
    while (length < FILE_BYTES && (got = read(fd, text + length, FILE_BYTES - length)) > 0) {
        length += (size_t)got;
    }
    char *lines = last_lines(text, length);
    if (lines > text || size > (off_t)FILE_BYTES) {
        replace(history->path, lines, (size_t)(text + length - lines));
    }
    text[length] = '\0';
    while (lines < text + length) {
        char *end = strchr(lines, '\n');
        char *next = end ? end + 1 : lines + strlen(lines) + 1;
        if (end) {
            *end = '\0';
        }
        if (*lines && strlen(lines) <= SC_PROMPT_HISTORY_LINE_BYTES) {
            on_line(lines, arg);
        }
        lines = next;
    }
    free(text);
}

struct sc_prompt_history *sc_prompt_history_open(void (*on_line)(const char *line, void *arg),
                                                 void *arg, struct sc_err *err)
{
    struct sc_prompt_history *history = calloc(1, sizeof(*history));
    err->text[0] = '\0';
    if (!history ||
        !sc_user_file_path(SC_USER_STATE, "history", history->path, sizeof(history->path))) {
        free(history);
        return NULL;
    }
    const int made = sc_new_file_make_directories(history->path, err);
    const int fd =
        made == 0 ? open_locked(history->path, err) : sc_err_prefix(err, "the history is not kept");
    if (fd < 0) {
        free(history);
        return NULL;
    }
    load(history, fd, on_line, arg);
    (void)close(fd);
    return history;
}

int sc_prompt_history_add(struct sc_prompt_history *history, const char *line, size_t length,
                          struct sc_err *err)
{
    char text[SC_PROMPT_HISTORY_LINE_BYTES + 1];
    if (!history || length == 0 || length > SC_PROMPT_HISTORY_LINE_BYTES ||
        memchr(line, '\0', length)) {
        return 0;
    }
    const int fd = open_locked(history->path, err);
    if (fd < 0) {
        return -1;
    }
    memcpy(text, line, length);
    text[length] = '\n';
    const off_t before = lseek(fd, 0, SEEK_END);
    const int error = write_all(fd, text, length + 1);
    if (error != 0 && before >= 0) {
        (void)!ftruncate(fd, before); /* a full disk: not half of it */
    }
    (void)close(fd);
    return error == 0 ? 0 : not_kept(history->path, error, err);
}

void sc_prompt_history_free(struct sc_prompt_history *history)
{
    free(history);
}

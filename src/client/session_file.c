/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "client/session_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/crypto.h>
#include <openssl/sha.h>

#include "base/new_file.h"
#include "base/program.h"
#include "client/options.h"
#include "client/session.h"

#define PROGRAM SC_CLI_PROGRAM

/* NULL: it may be used. Else why not; *ours says whether it may be replaced all the same. */
static const char *find_fault(const struct stat *stat, bool *ours)
{
    *ours = false;
    if (!S_ISREG(stat->st_mode)) {
        return "it is not a regular file";
    }
    if (stat->st_uid != geteuid()) {
        return "it belongs to another user";
    }
    *ours = true;
    if ((stat->st_mode & 077) != 0) {
        return "others can read or write it; a new one will have mode 0600";
    }
    return (uintmax_t)stat->st_size > SC_SESSION_TLS_BYTES ? "it is too large to be a session"
                                                           : NULL;
}

/*
 * A digest ends the file: a session whose secret is damaged would be offered, and the server would
 * end the handshake.
 */
static void offer(const char *path, const uint8_t *bytes, size_t size,
                  struct sc_client_settings *settings)
{
    uint8_t digest[SHA256_DIGEST_LENGTH];
    if (size == 0) {
        return;
    }
    const size_t count = size > sizeof(digest) ? size - sizeof(digest) : 0;
    (void)SHA256(bytes, count, digest);
    if (count == 0 || memcmp(bytes + count, digest, sizeof(digest)) != 0 ||
        sc_client_settings_set_session(settings, bytes, count, NULL) != 0) {
        sc_program_warn(PROGRAM,
                        "the session in %s is not used: it is damaged, or no session; a new one "
                        "replaces it",
                        path);
    }
}

bool sc_session_file_load(const char *path, struct sc_client_settings *settings)
{
    uint8_t bytes[SC_SESSION_TLS_BYTES];
    struct stat stat;
    bool ours = false;
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    if (fd < 0 && errno == ENOENT) {
        return true;
    }
    const char *fault = fd < 0 ? (errno == ELOOP ? "it is a symbolic link" : strerror(errno))
                        : fstat(fd, &stat) != 0 ? strerror(errno)
                                                : find_fault(&stat, &ours);
    if (fault) {
        sc_program_warn(PROGRAM, "the session in %s is not used: %s", path, fault);
    } else {
        const ssize_t got = read(fd, bytes, sizeof(bytes));
        offer(path, bytes, got > 0 ? (size_t)got : 0, settings);
        OPENSSL_cleanse(bytes, sizeof(bytes));
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    return ours;
}

void sc_session_file_drop(const char *path)
{
    (void)unlink(path);
}

void sc_session_file_save(const char *path, const void *bytes, size_t size)
{
    uint8_t all[SC_SESSION_TLS_BYTES];
    if (size > sizeof(all) - SHA256_DIGEST_LENGTH) {
        return;
    }
    memcpy(all, bytes, size);
    (void)SHA256(bytes, size, all + size);
    const struct sc_new_file_settings settings = {.mode = 0600, .own = true};
    struct sc_new_file file = {0};
    struct sc_err err;
    if (sc_new_file_write(&file, path, all, size + SHA256_DIGEST_LENGTH, &settings, &err) != 0 ||
        sc_new_file_put(&file, true, &err) != 0) {
        sc_new_file_discard(&file);
        sc_program_warn(PROGRAM, "the session is not saved: %s", err.text);
    }
    OPENSSL_cleanse(all, sizeof(all));
}

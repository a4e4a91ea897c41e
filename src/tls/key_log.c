/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "tls/key_log.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include <openssl/crypto.h>

int sc_key_log_open(const char *path, struct sc_err *err)
{
    const int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0600);
    return fd >= 0 ? fd
                   : sc_err_set_errno(err, EX_CANTCREAT, errno,
                                      "can't write TLS keys to %s (SSLKEYLOGFILE)", path);
}

void sc_key_log_write(int fd, const char *line)
{
    char text[512];
    const size_t length = strlen(line);
    if (length < sizeof(text)) {
        memcpy(text, line, length);
        text[length] = '\n';
        ssize_t ignored = write(fd, text, length + 1);
        (void)ignored;
        OPENSSL_cleanse(text, sizeof(text));
    }
}

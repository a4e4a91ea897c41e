/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "tls/key_log.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include <openssl/crypto.h>

int sc_key_log_open(const char *path, struct sc_err *err)
{
    /* O_NONBLOCK: opening a FIFO must not wait for a reader, nor a write for room in it. */
    const int fd =
        open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0600);
    return fd >= 0 ? fd
                   : sc_err_set_errno(err, EX_CANTCREAT, errno,
                                      "can't write TLS keys to %s (SSLKEYLOGFILE)", path);
}

/* A pipe that nobody reads any more raises no signal in the program. */
static void write_quietly(int fd, const char *bytes, size_t length)
{
    const struct timespec at_once = {0};
    sigset_t pipe_signal, before, pending;
    (void)sigemptyset(&pipe_signal);
    (void)sigaddset(&pipe_signal, SIGPIPE);
    (void)sigpending(&pending);
    (void)pthread_sigmask(SIG_BLOCK, &pipe_signal, &before);
    if (write(fd, bytes, length) < 0 && errno == EPIPE && !sigismember(&pending, SIGPIPE)) {
        (void)sigtimedwait(&pipe_signal, NULL, &at_once);
    }
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
}

void sc_key_log_write(int fd, const char *line)
{
    char text[512];
    const size_t length = strlen(line);
    if (length < sizeof(text)) {
        memcpy(text, line, length);
        text[length] = '\n';
        write_quietly(fd, text, length + 1);
        OPENSSL_cleanse(text, sizeof(text));
    }
}

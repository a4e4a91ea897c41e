/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "client/proxy_command.h"

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"

#define GRACE_MS 1000U

extern char **environ;

struct sc_proxy_command {
    pid_t pid; /* 0: reaped */
    int status; /* as of waitpid(2), once it is reaped */
};

/* --- The command --- */

/* Nothing that a shell, or the command as an option, could take for something else. */
static bool is_plain(const char *host)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                ".:_/%+@,-";
    return host[0] != '-' && host[strspn(host, plain)] == '\0';
}

static int expand(FILE *out, const char *command, const struct sc_address *address,
                  struct sc_err *err)
{
    (void)fputs("exec ", out);
    for (const char *at = command; *at; at++) {
        if (*at != '%') {
            (void)putc(*at, out);
            continue;
        }
        switch (*++at) {
        case '%': (void)putc('%', out); break;
        case 'p': (void)fputs(address->port, out); break;
        case 'h':
            if (!is_plain(address->host)) {
                return sc_err_set(err, EX_USAGE,
                                  "invalid value \"%.200s\": %%h is \"%.100s\", which is not a "
                                  "plain word to a shell",
                                  command, address->host);
            }
            (void)fputs(address->host, out);
            break;
        default:
            return sc_err_set(err, EX_USAGE,
                              "invalid value \"%.200s\": expected %%h (host), %%p (port) or %%%% "
                              "where a %% is",
                              command);
        }
    }
    return 0;
}

/* What the shell gets; the caller frees it. */
static char *shell_command(const char *command, const struct sc_address *address,
                           struct sc_err *err)
{
    char *text = NULL;
    size_t length;
    if (strspn(command, " \t\n") == strlen(command)) {
        (void)sc_err_set(err, EX_USAGE, "invalid value \"%.200s\": expected a command", command);
        return NULL;
    }
    FILE *out = open_memstream(&text, &length);
    const int rc = out ? expand(out, command, address, err) : 0;
    if (!out || fclose(out) != 0) {
        (void)sc_err_set(err, EX_OSERR, "can't run a proxy command: out of memory");
        free(text);
        return NULL;
    }
    if (rc != 0) {
        free(text);
        return NULL;
    }
    return text;
}

int sc_proxy_command_check(const char *command, const struct sc_address *address,
                           struct sc_err *err)
{
    char *text = shell_command(command, address, err);
    free(text);
    return text ? 0 : -1;
}

/* --- The child --- */

/* Returns 0 or an errno value. */
static int spawn(pid_t *pid, char *command, int fd)
{
    const char *user_shell = getenv("SHELL");
    char *shell = strdup(user_shell && *user_shell ? user_shell : "/bin/sh");
    char option[] = "-c";
    char *const argv[] = {shell, option, command, NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;
    sigset_t defaults;
    if (!shell) {
        return ENOMEM;
    }
    (void)sigemptyset(&defaults);
    (void)sigaddset(&defaults, SIGPIPE); /* which we ignore */
    (void)posix_spawn_file_actions_init(&actions);
    (void)posix_spawnattr_init(&attr);
    (void)posix_spawnattr_setsigdefault(&attr, &defaults);
    (void)posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGDEF);
    int error = posix_spawn_file_actions_adddup2(&actions, fd, STDIN_FILENO);
    if (error == 0) {
        error = posix_spawn_file_actions_adddup2(&actions, fd, STDOUT_FILENO);
    }
    if (error == 0) {
        error = posix_spawn(pid, shell, &actions, &attr, argv, environ);
    }
    (void)posix_spawnattr_destroy(&attr);
    (void)posix_spawn_file_actions_destroy(&actions);
    free(shell);
    return error;
}

struct sc_proxy_command *sc_proxy_command_start(const char *command,
                                                const struct sc_address *address, int *fd,
                                                struct sc_err *err)
{
    int fds[2];
    char *text = shell_command(command, address, err);
    if (!text) {
        return NULL;
    }
    struct sc_proxy_command *proxy = calloc(1, sizeof(*proxy));
    /* If it is ignored, as our parent may have left it, children cannot be waited for. */
    (void)signal(SIGCHLD, SIG_DFL);
    int error = proxy ? 0 : ENOMEM;
    if (error == 0 && socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0) {
        error = errno;
    } else if (error == 0) {
        error = spawn(&proxy->pid, text, fds[1]);
        (void)close(fds[1]);
        if (error != 0) {
            (void)close(fds[0]);
        }
    }
    free(text);
    if (error != 0) {
        const bool scarce =
            error == ENOMEM || error == EAGAIN || error == EMFILE || error == ENFILE;
        (void)sc_err_set_errno(err, scarce ? EX_OSERR : EX_UNAVAILABLE, error,
                               "can't run the proxy command with the shell (SHELL)");
        free(proxy);
        return NULL;
    }
    *fd = fds[0];
    return proxy;
}

static bool has_ended(struct sc_proxy_command *proxy)
{
    if (proxy->pid != 0 && waitpid(proxy->pid, &proxy->status, WNOHANG) != 0) {
        proxy->pid = 0;
    }
    return proxy->pid == 0;
}

/* Returns whether it has ended within GRACE_MS. */
static bool wait_for_end(struct sc_proxy_command *proxy)
{
    sigset_t child, before;
    const uint64_t until_ms = sc_clock_ms() + GRACE_MS;
    (void)sigemptyset(&child);
    (void)sigaddset(&child, SIGCHLD);
    /* Blocked, the signal waits: none gets lost between a look and the wait for it. */
    (void)sigprocmask(SIG_BLOCK, &child, &before);
    for (uint64_t now_ms; !has_ended(proxy) && (now_ms = sc_clock_ms()) < until_ms;) {
        const struct timespec left = {.tv_sec = (time_t)((until_ms - now_ms) / 1000U),
                                      .tv_nsec = (long)((until_ms - now_ms) % 1000U) * 1000000};
        (void)sigtimedwait(&child, NULL, &left);
    }
    (void)sigprocmask(SIG_SETMASK, &before, NULL);
    return proxy->pid == 0;
}

void sc_proxy_command_describe(struct sc_proxy_command *proxy, char *out, size_t out_size)
{
    if (!wait_for_end(proxy)) {
        (void)snprintf(out, out_size, "the proxy command has closed its output");
    } else if (WIFSIGNALED(proxy->status)) {
        (void)snprintf(out, out_size, "the proxy command was ended by signal %d (%s)",
                       WTERMSIG(proxy->status), strsignal(WTERMSIG(proxy->status)));
    } else {
        const int status = WEXITSTATUS(proxy->status);
        (void)snprintf(out, out_size, "the proxy command ended with status %d%s", status,
                       status == 127   ? " (not found)"
                       : status == 126 ? " (can't be run)"
                                       : "");
    }
}

void sc_proxy_command_free(struct sc_proxy_command *proxy)
{
    if (!proxy) {
        return;
    }
    if (!wait_for_end(proxy)) {
        (void)kill(proxy->pid, SIGHUP);
        if (!wait_for_end(proxy)) {
            (void)kill(proxy->pid, SIGKILL);
            while (waitpid(proxy->pid, NULL, 0) < 0 && errno == EINTR) {
            }
        }
    }
    free(proxy);
}

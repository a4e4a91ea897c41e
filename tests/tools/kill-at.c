/* SPDX-License-Identifier: MIT */
/*
 * Kills a program at one of its system calls, for tests of what it leaves behind.
 *
 *   kill-at N COMMAND [ARGUMENT]...   SIGKILL when the N-th system call that counts begins
 *
 * Everything that a program does to the world it does in system calls: what it leaves at call N is
 * what it leaves when it is killed anywhere between the calls N-1 and N. From its first flock(2)
 * on every call counts; but without SC_TEST_ALL in the environment not those that change no file,
 * since what is left is the same as before them.
 *
 * Exit status: 0 it was killed, 1 it came to its end with success, 2 it failed, 77 this system
 * lets nobody trace, 64 wrong usage.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#define SYSCALL_STOP (SIGTRAP | 0x80) /* with PTRACE_O_TRACESYSGOOD */

enum { KILLED, SUCCESS, FAILED, NO_TRACING = 77 };

static int ended(int status)
{
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? SUCCESS : FAILED;
}

static bool changes_nothing(const struct __ptrace_syscall_info *info)
{
    if (getenv("SC_TEST_ALL")) {
        return false;
    }
    switch (info->entry.nr) {
    case SYS_brk:
    case SYS_close:
    case SYS_fstat:
    case SYS_futex:
    case SYS_geteuid:
    case SYS_getpid:
    case SYS_getrandom:
    case SYS_lseek:
    case SYS_mmap:
    case SYS_mprotect:
    case SYS_munmap:
    case SYS_newfstatat:
    case SYS_read: return true;
    case SYS_openat: return (info->entry.args[2] & (O_CREAT | O_TRUNC)) == 0;
    default: return false;
    }
}

/* Whether the call that is about to begin is the one to kill at; `*calls` counts them. */
static bool is_last(pid_t child, unsigned long at, unsigned long *calls)
{
    struct __ptrace_syscall_info info = {0};
    if (ptrace(PTRACE_GET_SYSCALL_INFO, child, sizeof(info), &info) <= 0 ||
        info.op != PTRACE_SYSCALL_INFO_ENTRY) {
        return false;
    }
    if (info.entry.nr == SYS_flock || (*calls > 0 && !changes_nothing(&info))) {
        ++*calls;
    }
    return *calls == at;
}

static int trace(pid_t child, unsigned long at)
{
    unsigned long calls = 0;
    long pass_on = 0;
    int status;
    if (waitpid(child, &status, 0) != child || !WIFSTOPPED(status)) {
        return NO_TRACING;
    }
    if (ptrace(PTRACE_SETOPTIONS, child, 0, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL) != 0) {
        (void)kill(child, SIGKILL);
        return NO_TRACING;
    }
    while (ptrace(PTRACE_SYSCALL, child, 0, pass_on) == 0 && waitpid(child, &status, 0) == child) {
        if (!WIFSTOPPED(status)) {
            return ended(status);
        }
        pass_on = 0;
        if (WSTOPSIG(status) != SYSCALL_STOP) {
            pass_on = WSTOPSIG(status) == SIGTRAP ? 0 : WSTOPSIG(status);
        } else if (is_last(child, at, &calls)) {
            (void)kill(child, SIGKILL);
            (void)waitpid(child, &status, 0);
            return KILLED;
        }
    }
    return FAILED;
}

int main(int argc, char *argv[])
{
    const unsigned long at = argc > 2 ? strtoul(argv[1], NULL, 10) : 0;
    if (at == 0) {
        (void)fputs("kill-at: wrong usage; it is: N COMMAND [ARGUMENT]...\n", stderr);
        return EX_USAGE;
    }
    const pid_t child = fork();
    if (child == 0) {
        if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0) {
            _exit(NO_TRACING);
        }
        (void)execvp(argv[2], argv + 2);
        _exit(EX_UNAVAILABLE);
    }
    return child > 0 ? trace(child, at) : FAILED;
}

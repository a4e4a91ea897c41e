/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "base/confine.h"

#include <endian.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sysexits.h>
#include <unistd.h>

/* The low half of an argument. */
#if __BYTE_ORDER == __LITTLE_ENDIAN
#define ARGUMENT(n) (offsetof(struct seccomp_data, args) + (n) * sizeof(uint64_t))
#else
#define ARGUMENT(n) (offsetof(struct seccomp_data, args) + (n) * sizeof(uint64_t) + 4)
#endif

#define LOAD(offset) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)(offset))
#define RETURN(action) BPF_STMT(BPF_RET | BPF_K, (action))
#define FAIL(number) RETURN(SECCOMP_RET_ERRNO | (number))

/* Fails. */
#define DENY(call) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(call), 0, 1), FAIL(EPERM)

/* Fails when argument `n` has these bits; the number of the call is not loaded any more then. */
#define DENY_BITS(call, n, bits) \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(call), 0, 4), LOAD(ARGUMENT(n)), \
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, (uint32_t)(bits), 0, 1), FAIL(EPERM), \
        RETURN(SECCOMP_RET_ALLOW)

/* Fails unless argument `n` has this value. */
#define DENY_OTHERS(call, n, value) \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(call), 0, 4), LOAD(ARGUMENT(n)), \
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(value), 1, 0), FAIL(EACCES), \
        RETURN(SECCOMP_RET_ALLOW)

int sc_confine(struct sc_err *err)
{
    static struct sock_filter filter[] = {
        LOAD(offsetof(struct seccomp_data, nr)),
        DENY(SYS_execve),
        DENY(SYS_execveat),
#ifdef SYS_mmap2
        DENY_BITS(SYS_mmap2, 2, PROT_EXEC),
#else
        DENY_BITS(SYS_mmap, 2, PROT_EXEC),
#endif
        DENY_BITS(SYS_mprotect, 2, PROT_EXEC),
        DENY_BITS(SYS_pkey_mprotect, 2, PROT_EXEC),
        DENY_OTHERS(SYS_socket, 0, AF_UNIX),
        DENY(SYS_connect),
        /* A listening socket that reads no more connects with its first bytes: MSG_FASTOPEN. */
        DENY_OTHERS(SYS_shutdown, 1, SHUT_WR),
        RETURN(SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = SC_COUNT_OF(filter), .filter = filter};
    if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1) {
        return 0;
    }
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program) != 0) {
        return sc_err_set_errno(err, EX_OSERR, errno, "can't add to the filter of system calls");
    }
    return 0;
}

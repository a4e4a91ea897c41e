/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "base/confine.h"

#include <endian.h>
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/net.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sysexits.h>
#include <unistd.h>

/* The ABI that this program was compiled for; without one here any is taken for it. */
#if defined(__x86_64__)
#define NATIVE_ARCH AUDIT_ARCH_X86_64
#elif defined(__i386__)
#define NATIVE_ARCH AUDIT_ARCH_I386
#elif defined(__aarch64__) && __BYTE_ORDER == __LITTLE_ENDIAN
#define NATIVE_ARCH AUDIT_ARCH_AARCH64
#elif defined(__arm__) && __BYTE_ORDER == __LITTLE_ENDIAN
#define NATIVE_ARCH AUDIT_ARCH_ARM
#elif defined(__riscv) && __riscv_xlen == 64
#define NATIVE_ARCH AUDIT_ARCH_RISCV64
#elif defined(__powerpc64__) && __BYTE_ORDER == __LITTLE_ENDIAN
#define NATIVE_ARCH AUDIT_ARCH_PPC64LE
#elif defined(__s390x__)
#define NATIVE_ARCH AUDIT_ARCH_S390X
#endif

/* x32 shares AUDIT_ARCH_X86_64; its calls have this bit in their number. */
#define X32_BIT 0x40000000U

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

/* Fails when argument `n` has this value. */
#define DENY_VALUE(call, n, value) \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(call), 0, 4), LOAD(ARGUMENT(n)), \
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(value), 0, 1), FAIL(EPERM), \
        RETURN(SECCOMP_RET_ALLOW)

/* Fails unless argument `n` has this value. */
#define DENY_OTHERS(call, n, value) \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(call), 0, 4), LOAD(ARGUMENT(n)), \
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(value), 1, 0), FAIL(EACCES), \
        RETURN(SECCOMP_RET_ALLOW)

int sc_confine(struct sc_err *err)
{
    static struct sock_filter filter[] = {
#ifdef NATIVE_ARCH
        /* Numbers mean other calls in another ABI (int $0x80), so none of its calls is allowed. */
        LOAD(offsetof(struct seccomp_data, arch)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, NATIVE_ARCH, 1, 0),
        FAIL(EPERM),
#endif
        LOAD(offsetof(struct seccomp_data, nr)),
#if defined(__x86_64__) && !defined(__ILP32__)
        BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, X32_BIT, 0, 1),
        FAIL(EPERM),
#endif
        DENY(SYS_execve),
        DENY(SYS_execveat),
#ifdef SYS_mmap2
        DENY_BITS(SYS_mmap2, 2, PROT_EXEC),
#endif
#if defined(SYS_mmap2) && defined(SYS_mmap)
        DENY(SYS_mmap), /* its arguments are out of sight, and libraries call the other one */
#elif defined(SYS_mmap) && !defined(__s390__) /* as above, but there is no other one */
        DENY_BITS(SYS_mmap, 2, PROT_EXEC),
#endif
        DENY_BITS(SYS_mprotect, 2, PROT_EXEC),
        DENY_BITS(SYS_pkey_mprotect, 2, PROT_EXEC),
        DENY_BITS(SYS_shmat, 2, SHM_EXEC),
#ifdef SYS_ipc
        DENY(SYS_ipc), /* shmat(2) again */
#endif
        DENY(SYS_personality), /* with READ_IMPLIES_EXEC every mapping is code */
        DENY(SYS_io_uring_setup), /* what is asked for over a ring, no filter sees */
        DENY_OTHERS(SYS_socket, 0, AF_UNIX),
        DENY(SYS_connect),
#ifdef SYS_socketcall
        /* What libraries connect with there. Its other arguments are out of sight. */
        DENY_VALUE(SYS_socketcall, 0, SYS_CONNECT),
#endif
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

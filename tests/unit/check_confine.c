/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/confine.h"
#include "suite.h"

/* Each attempt is made in a process of its own: 0, or the errno. */
static int as_error(bool ok)
{
    return ok ? 0 : errno;
}

static int try_execve(void)
{
    static char name[] = "true";
    char *const arguments[] = {name, NULL};
    return execve("/bin/true", arguments, NULL) == 0 ? 0 : errno;
}

/* A copy of true(1) in memory. */
static int memory_file(void)
{
    char bytes[4096];
    FILE *from = fopen("/bin/true", "re");
    const int fd = memfd_create("true", 0);
    for (size_t got; from && (got = fread(bytes, 1, sizeof(bytes), from)) > 0;) {
        (void)!write(fd, bytes, got);
    }
    if (from) {
        (void)fclose(from);
    }
    return fd;
}

static int try_fexecve(void)
{
    static char name[] = "true";
    char *const arguments[] = {name, NULL};
    return syscall(SYS_execveat, memory_file(), "", arguments, NULL, 0x1000 /* AT_EMPTY_PATH */) ==
                   0
               ? 0
               : errno;
}

static int try_execve_of_memory(void)
{
    static char name[] = "true";
    char *const arguments[] = {name, NULL};
    char path[64];
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", memory_file());
    return execve(path, arguments, NULL) == 0 ? 0 : errno;
}

static int try_map_code(void)
{
    return as_error(mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, memory_file(), 0) !=
                    MAP_FAILED);
}

static int try_make_executable(void)
{
    void *memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return as_error(mprotect(memory, 4096, PROT_READ | PROT_EXEC) == 0);
}

static int try_make_executable_with_key(void)
{
    void *memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return as_error(syscall(SYS_pkey_mprotect, memory, 4096, PROT_READ | PROT_EXEC, -1) == 0);
}

static int try_shared_code(void)
{
    const int id = shmget(IPC_PRIVATE, 4096, IPC_CREAT | 0600);
    const void *memory = shmat(id, NULL, SHM_EXEC);
    const int error = as_error((intptr_t)memory != -1);
    (void)shmctl(id, IPC_RMID, NULL);
    return error;
}

static int try_personality(void)
{
    return as_error(personality(READ_IMPLIES_EXEC) >= 0);
}

static int try_io_uring(void)
{
    unsigned char parameters[120] = {0};
    return as_error(syscall(SYS_io_uring_setup, 4, parameters) >= 0);
}

#ifdef __x86_64__
/* Numbers of other ABIs of this machine; 20 is getpid(2), 39 the same in x32. */
static int try_32_bit_call(void)
{
    long result = 20;
    __asm__ volatile("int $0x80" : "+a"(result) : : "r8", "r9", "r10", "r11", "memory");
    return result > 0 ? 0 : (int)-result;
}

static int try_x32_call(void)
{
    return as_error(syscall(0x40000000 | 39) > 0);
}
#endif

static int try_tcp(void)
{
    return as_error(socket(AF_INET, SOCK_STREAM, 0) >= 0);
}

static int try_udp(void)
{
    return as_error(socket(AF_INET6, SOCK_DGRAM, 0) >= 0);
}

/* Sockets that were there before. */
static struct {
    int listener, accepted;
    struct sockaddr_in target;
} tcp;

static void prepare_tcp(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(address);
    const int other = socket(AF_INET, SOCK_STREAM, 0), client = socket(AF_INET, SOCK_STREAM, 0);
    tcp.listener = socket(AF_INET, SOCK_STREAM, 0);
    tcp.target = address;
    if (bind(other, (struct sockaddr *)&tcp.target, length) != 0 || listen(other, 8) != 0 ||
        getsockname(other, (struct sockaddr *)&tcp.target, &length) != 0 ||
        bind(tcp.listener, (struct sockaddr *)&address, length) != 0 ||
        listen(tcp.listener, 8) != 0 ||
        getsockname(tcp.listener, (struct sockaddr *)&address, &length) != 0 ||
        connect(client, (struct sockaddr *)&address, length) != 0) {
        _exit(253);
    }
    tcp.accepted = accept(tcp.listener, NULL, NULL);
}

/* A connection that was accepted can be given up and made to another host. */
static int try_connect_accepted(void)
{
    const struct sockaddr none = {.sa_family = AF_UNSPEC};
    return as_error(connect(tcp.accepted, &none, sizeof(none)) == 0 &&
                    connect(tcp.accepted, (struct sockaddr *)&tcp.target, sizeof(tcp.target)) == 0);
}

static int try_connect_listener(void)
{
    return as_error(shutdown(tcp.listener, SHUT_RD) == 0 &&
                    sendto(tcp.listener, "x", 1, MSG_FASTOPEN, (struct sockaddr *)&tcp.target,
                           sizeof(tcp.target)) == 1);
}

static int try_what_a_server_does(void)
{
    int pair[2];
    void *memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return as_error(shutdown(tcp.accepted, SHUT_WR) == 0 &&
                    socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0 &&
                    socket(AF_UNIX, SOCK_DGRAM, 0) >= 0 && memory != MAP_FAILED &&
                    mprotect(memory, 4096, PROT_READ) == 0);
}

static const struct {
    int (*attempt)(void);
    int error;
    bool may_lack; /* a machine may not have this, or forbid it to everybody */
} cases[] = {{try_execve, EPERM, false},
             {try_fexecve, EPERM, false},
             {try_execve_of_memory, EPERM, false},
             {try_map_code, EPERM, false},
             {try_make_executable, EPERM, false},
             {try_make_executable_with_key, EPERM, true},
             {try_shared_code, EPERM, true},
             {try_personality, EPERM, true},
             {try_io_uring, EPERM, true},
#ifdef __x86_64__
             {try_32_bit_call, EPERM, true},
             {try_x32_call, EPERM, true},
#endif
             {try_tcp, EACCES, false},
             {try_udp, EACCES, false},
             {try_connect_accepted, EPERM, false},
             {try_connect_listener, EACCES, true},
             {try_what_a_server_does, 0, false}};

static pthread_barrier_t barrier;
static void *wait_and_try(void *arg)
{
    int *result = arg;
    (void)pthread_barrier_wait(&barrier);
    *result = try_tcp();
    return NULL;
}

/* A thread that was there before is confined, too. */
static int of_another_thread(bool no_new_privileges)
{
    pthread_t thread;
    int result = -1;
    struct sc_err err;
    if (pthread_barrier_init(&barrier, NULL, 2) != 0 ||
        pthread_create(&thread, NULL, wait_and_try, &result) != 0 ||
        (no_new_privileges && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) ||
        sc_confine(&err) != 0) {
        return -1;
    }
    (void)pthread_barrier_wait(&barrier);
    (void)pthread_join(thread, NULL);
    return result;
}

static int in_a_process(int (*attempt)(void), bool no_new_privileges)
{
    int status;
    (void)fflush(NULL);
    const pid_t child = fork();
    if (child == 0) {
        struct sc_err err;
        if (!attempt) {
            _exit(of_another_thread(no_new_privileges));
        }
        if (no_new_privileges && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
            _exit(255);
        }
        prepare_tcp();
        _exit(sc_confine(&err) == 0 ? attempt() : 254);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

START_TEST(a_confined_process)
{
    for (size_t i = 0; i < SC_COUNT_OF(cases); i++) {
        const int error = in_a_process(cases[i].attempt, true);
        ck_assert_msg(error == cases[i].error, "case %zu: %s", i, strerror(error));
    }
    ck_assert_int_eq(in_a_process(NULL, true), EACCES);
}
END_TEST

START_TEST(without_no_new_privileges_nothing_changes)
{
    if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 0) {
        return; /* nobody gets them back */
    }
    for (size_t i = 0; i < SC_COUNT_OF(cases); i++) {
        const int error = in_a_process(cases[i].attempt, false);
        ck_assert_msg(error == 0 || cases[i].may_lack, "case %zu: %s", i, strerror(error));
    }
    ck_assert_int_eq(in_a_process(NULL, false), 0);
}
END_TEST

SUITE_MAIN("confine", a_confined_process, without_no_new_privileges_nothing_changes)

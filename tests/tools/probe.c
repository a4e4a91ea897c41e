/* SPDX-License-Identifier: MIT */
/*
 * Tries what the sandbox of a unit denies, each in a process of its own, for test-sandbox.sh:
 *
 *   probe DIRECTORY-OF-CONFIGURATION
 *
 * A line for each attempt: "NAME yes" when it was possible, "NAME no: ERROR" when it was not, and
 * "killed" when a signal ended it. Run it in the sandbox, and as a control outside.
 */
#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/compiler.h"

static const char *configuration;

/* Each: 0 or more when it was possible, -1 and errno. */

/* Not a file that another run has left, which may be another account's. */
static long make_file(const char *directory)
{
    char path[4096];
    (void)snprintf(path, sizeof(path), "%s/probe.XXXXXX", directory);
    return mkstemp(path);
}

static long write_etc(void)
{
    return make_file("/etc");
}

static long write_usr(void)
{
    return make_file("/usr");
}

static long write_configuration(void)
{
    return make_file(configuration);
}

static long read_homes(void)
{
    return open("/home", O_RDONLY | O_DIRECTORY);
}

static long see_process_1(void)
{
    return access("/proc/1/status", F_OK);
}

/* The test has put these there. */

static long see_tmp(void)
{
    return access("/tmp/seen", F_OK);
}

static long open_device(void)
{
    return open("/dev/seen", O_RDONLY);
}

static long see_shared_memory(void)
{
    return (long)(intptr_t)shmat(0, NULL, SHM_RDONLY) == -1 ? -1 : 0; /* the first one */
}

static long read_kernel_facts(void)
{
    return open("/proc/meminfo", O_RDONLY);
}

static long read_kernel_modules(void)
{
    return open("/usr/lib/modules", O_RDONLY | O_DIRECTORY);
}

/* 0 when the process has something that it should not have. */
static long has(bool it)
{
    errno = EPERM;
    return it ? 0 : -1;
}

/* A file of another group shows whose it is. */
static long see_other_accounts(void)
{
    const gid_t nobody = 65534;
    struct stat status;
    return stat("/etc/shadow", &status) != 0 ? -1 : has(status.st_gid != nobody);
}

static long may_gain_privileges(void)
{
    return has(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 0);
}

static long has_capabilities(void)
{
    return has(prctl(PR_CAPBSET_READ, 0, 0, 0, 0) == 1);
}

static long leave_core(void)
{
    struct rlimit limit;
    return getrlimit(RLIMIT_CORE, &limit) != 0 ? -1 : has(limit.rlim_max > 0);
}

static long make_open_file(void)
{
    struct stat status;
    const int fd = open("/tmp/probe-open", O_WRONLY | O_CREAT | O_EXCL, 0666);
    return fd < 0 || fstat(fd, &status) != 0 ? -1 : has((status.st_mode & 077) != 0);
}

static long run_shell(void)
{
    char name[] = "sh", option[] = "-c", text[] = "exit 0";
    char *const arguments[] = {name, option, text, NULL};
    return execve("/bin/sh", arguments, environ);
}

/* A program that the service has written itself. */
static int copy_true(int to)
{
    char bytes[4096];
    const int from = open("/bin/true", O_RDONLY | O_CLOEXEC);
    for (ssize_t got; from >= 0 && (got = read(from, bytes, sizeof(bytes))) > 0;) {
        if (write(to, bytes, (size_t)got) != got) {
            return -1;
        }
    }
    return from < 0 ? -1 : to;
}

static long run_own_file(const char *directory)
{
    char path[4096];
    (void)snprintf(path, sizeof(path), "%s/probe.XXXXXX", directory ? directory : "/tmp");
    const int fd = mkstemp(path);
    char *const arguments[] = {path, NULL};
    if (fd < 0 || copy_true(fd) < 0 || fchmod(fd, 0700) != 0 || close(fd) != 0) {
        return -1;
    }
    return execve(path, arguments, environ);
}

static long run_from_tmp(void)
{
    return run_own_file("/tmp");
}

static long run_from_var_tmp(void)
{
    return run_own_file("/var/tmp");
}

static long run_from_shm(void)
{
    return run_own_file("/dev/shm");
}

static long run_from_state(void)
{
    return run_own_file(getenv("STATE_DIRECTORY"));
}

static long run_from_runtime(void)
{
    return run_own_file(getenv("RUNTIME_DIRECTORY"));
}

static long run_memory_file(void)
{
    char name[] = "true";
    char *const arguments[] = {name, NULL};
    const int fd = memfd_create("probe", 0);
    return fd < 0 || copy_true(fd) < 0
               ? -1
               : syscall(SYS_execveat, fd, "", arguments, environ, AT_EMPTY_PATH);
}

static long map_write_and_execute(void)
{
    return mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1,
                0) == MAP_FAILED
               ? -1
               : 0;
}

static long make_executable(void)
{
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return mprotect(page, 4096, PROT_READ | PROT_EXEC);
}

static long use_io_uring(void)
{
    unsigned char parameters[120] = {0};
    return syscall(SYS_io_uring_setup, 4, parameters);
}

static long use_aio(void)
{
    unsigned long context = 0;
    return syscall(SYS_io_setup, 4, &context);
}

static long read_key_ring(void)
{
    return syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_PROCESS_KEYRING, 1);
}

static long add_key(void)
{
    return syscall(SYS_add_key, "user", "probe", "x", 1, KEY_SPEC_PROCESS_KEYRING);
}

static long use_userfaultfd(void)
{
    return syscall(SYS_userfaultfd, 1 /* UFFD_USER_MODE_ONLY */);
}

static long make_user_namespace(void)
{
    return unshare(CLONE_NEWUSER);
}

static long trace_parent(void)
{
    return ptrace(PTRACE_SEIZE, getppid(), NULL, NULL);
}

static long make_setuid(void)
{
    char path[] = "/tmp/probe.XXXXXX";
    const int fd = mkstemp(path);
    return fd < 0 ? -1 : fchmod(fd, 04755);
}

static long change_owner(void)
{
    char path[] = "/tmp/probe.XXXXXX";
    const int fd = mkstemp(path);
    return fd < 0 ? -1 : fchown(fd, (uid_t)-1, (gid_t)-1);
}

static long lower_priority(void)
{
    return setpriority(PRIO_PROCESS, 0, 5);
}

/* getpid() of another ABI of the machine. */
static long use_other_abi(void)
{
#ifdef __x86_64__
    long result = 20;
    __asm__ volatile("int $0x80" : "+a"(result) : : "r8", "r9", "r10", "r11", "memory");
    errno = EPERM;
    return result > 0 ? 0 : -1;
#else
    errno = ENOSYS;
    return -1;
#endif
}

static long set_personality(void)
{
    return personality(PER_LINUX32);
}

static long use_netlink(void)
{
    return socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
}

static long use_raw_packets(void)
{
    return socket(AF_PACKET, SOCK_RAW, 0);
}

static long be_realtime(void)
{
    const struct sched_param parameter = {.sched_priority = 1};
    return sched_setscheduler(0, SCHED_FIFO, &parameter);
}

static long set_host_name(void)
{
    return sethostname("probe", 5);
}

static long talk_to_dbus(void)
{
    const struct sockaddr_un address = {.sun_family = AF_UNIX,
                                        .sun_path = "/run/dbus/system_bus_socket"};
    return connect(socket(AF_UNIX, SOCK_STREAM, 0), (const struct sockaddr *)&address,
                   sizeof(address));
}

/* What the service does itself must stay possible. */

static long may_make_memory_file(void)
{
    return memfd_create("probe", MFD_ALLOW_SEALING);
}

static long may_use_tcp(void)
{
    const struct sockaddr_in address = {.sin_family = AF_INET};
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    return bind(fd, (const struct sockaddr *)&address, sizeof(address)) != 0 ? -1 : listen(fd, 1);
}

static const struct {
    const char *name;
    long (*attempt)(void);
} attempts[] = {{"write-etc", write_etc},
                {"write-usr", write_usr},
                {"write-configuration", write_configuration},
                {"read-homes", read_homes},
                {"see-process-1", see_process_1},
                {"see-tmp", see_tmp},
                {"open-device", open_device},
                {"see-shared-memory", see_shared_memory},
                {"read-kernel-facts", read_kernel_facts},
                {"read-kernel-modules", read_kernel_modules},
                {"see-other-accounts", see_other_accounts},
                {"gain-privileges", may_gain_privileges},
                {"capabilities", has_capabilities},
                {"leave-core", leave_core},
                {"make-open-file", make_open_file},
                {"run-shell", run_shell},
                {"run-from-tmp", run_from_tmp},
                {"run-from-var-tmp", run_from_var_tmp},
                {"run-from-shm", run_from_shm},
                {"run-from-state", run_from_state},
                {"run-from-runtime", run_from_runtime},
                {"run-memory-file", run_memory_file},
                {"map-write-and-execute", map_write_and_execute},
                {"make-executable", make_executable},
                {"io-uring", use_io_uring},
                {"aio", use_aio},
                {"read-key-ring", read_key_ring},
                {"add-key", add_key},
                {"userfaultfd", use_userfaultfd},
                {"user-namespace", make_user_namespace},
                {"trace-parent", trace_parent},
                {"make-setuid", make_setuid},
                {"change-owner", change_owner},
                {"lower-priority", lower_priority},
                {"other-abi", use_other_abi},
                {"personality", set_personality},
                {"netlink", use_netlink},
                {"raw-packets", use_raw_packets},
                {"realtime", be_realtime},
                {"host-name", set_host_name},
                {"dbus", talk_to_dbus},
                {"may-make-memory-file", may_make_memory_file},
                {"may-use-tcp", may_use_tcp}};

static void try_one(size_t i)
{
    int status;
    (void)fflush(stdout);
    const pid_t child = fork();
    if (child == 0) {
        errno = 0;
        _exit(attempts[i].attempt() >= 0 ? 0 : errno != 0 && errno < 128 ? errno : 127);
    }
    if (child < 0 || waitpid(child, &status, 0) != child) {
        printf("%s unknown\n", attempts[i].name);
    } else if (WIFSIGNALED(status)) {
        printf("%s killed\n", attempts[i].name);
    } else if (WEXITSTATUS(status) == 0) {
        printf("%s yes\n", attempts[i].name);
    } else {
        printf("%s no: %s\n", attempts[i].name, strerror(WEXITSTATUS(status)));
    }
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        return 64;
    }
    configuration = argv[1];
    for (size_t i = 0; i < SC_COUNT_OF(attempts); i++) {
        try_one(i);
    }
    printf("filters ");
    (void)fflush(stdout);
    char line[256];
    FILE *file = fopen("/proc/self/status", "re");
    while (file && fgets(line, sizeof(line), file)) {
        if (strncmp(line, "Seccomp_filters:", 16) == 0) {
            printf("%d\n", atoi(line + 16));
        }
    }
    return file ? fclose(file) : 1;
}

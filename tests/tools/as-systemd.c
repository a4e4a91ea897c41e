/* SPDX-License-Identifier: MIT */
/*
 * Starts a service as systemd would, for the shell tests:
 *
 *   as-systemd [--sockets N] [--names NAME:...] [--watchdog MS] [--stored NAME FILE] MESSAGES
 *   ADDRESSES COMMAND ARGUMENT...
 *
 * opens N listening sockets on 127.0.0.1, writes their addresses to ADDRESSES, one a line, and
 * hands them over as LISTEN_FDS, with these LISTEN_FDNAMES; writes every message to MESSAGES, one
 * a line, as "NUMBER: TEXT" with spaces for its newlines; passes SIGHUP, SIGTERM and SIGINT on.
 * Only messages of the service's own process count (NotifyAccess=main); others become the line
 * "not the main process". Ends with the status of the service, 128 and more for a signal.
 *
 * It has a descriptor store of one (FileDescriptorStoreMax=1): FDSTORE=1 puts a descriptor there,
 * and the service gets it after its sockets when it is started again, or from the first start on
 * FILE under NAME.
 *
 *   SIGUSR1   one thread of the service, not the main one, stands still until the next one, and the
 *             watchdog is in earnest: a service that is
 * silent for its time is ended with SIGABRT. MESSAGES says "no thread can be stopped" where
 *     ptrace(2) is not allowed.
 *   SIGUSR2   restarts the service: SIGTERM, and it is started again when it has ended. Its sockets
 *     stay open meanwhile.
 */
#include "config.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/parse.h"

enum { FIRST_SOCKET = 3, MAX_SOCKETS = 8 };

struct plan {
    const char *names;
    const char *watchdog_ms;
    const char *notify;
    char **command;
    unsigned socket_count;
    int sockets[MAX_SOCKETS];
};

static struct {
    int fd; /* -1: nothing is stored */
    char name[64];
} store = {.fd = -1};

static pid_t service;
static pid_t stopped_thread; /* 0: none */
static volatile sig_atomic_t stop_a_thread, restart;
static unsigned message_count;
static uint64_t last_sign_ms; /* of life */

_Noreturn static void die(const char *what)
{
    fprintf(stderr, "as-systemd: %s: %s\n", what, strerror(errno));
    exit(EX_OSERR);
}

static void pass_on(int number)
{
    (void)kill(service, number);
}

static void on_stop_a_thread(int number)
{
    (void)number;
    stop_a_thread = 1;
}

static void on_restart(int number)
{
    (void)number;
    restart = 1;
    (void)kill(service, SIGTERM);
}

/*
 * A stopped thread is what no other way of the outside can make: the process lives, and one of its
 * loops does not turn.
 */
static void stop_thread(FILE *messages)
{
    char path[64];
    if (stopped_thread != 0) {
        (void)ptrace(PTRACE_DETACH, stopped_thread, NULL, NULL);
        stopped_thread = 0;
        fputs("the thread goes on\n", messages);
        (void)fflush(messages);
        return;
    }
    (void)snprintf(path, sizeof(path), "/proc/%ld/task", (long)service);
    DIR *threads = opendir(path);
    for (const struct dirent *entry;
         threads && stopped_thread == 0 && (entry = readdir(threads)) != NULL;) {
        const pid_t thread = (pid_t)atoi(entry->d_name);
        if (thread > 0 && thread != service && ptrace(PTRACE_SEIZE, thread, NULL, NULL) == 0 &&
            ptrace(PTRACE_INTERRUPT, thread, NULL, NULL) == 0 &&
            waitpid(thread, NULL, __WALL) == thread) {
            stopped_thread = thread;
        }
    }
    if (threads) {
        (void)closedir(threads);
    }
    fputs(stopped_thread != 0 ? "a thread is stopped\n" : "no thread can be stopped\n", messages);
    (void)fflush(messages);
    last_sign_ms = sc_clock_ms();
}

/* An abstract socket that only this process knows. */
static int open_notify(char *name, size_t name_size)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const int on = 1;
    const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    (void)snprintf(name, name_size, "@as-systemd.%ld", (long)getpid());
    memcpy(address.sun_path + 1, name + 1, strlen(name) - 1);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) != 0 ||
        bind(fd, (struct sockaddr *)&address,
             (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name))) != 0) {
        die("notify socket");
    }
    return fd;
}

static int open_listener(FILE *addresses)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t length = sizeof(address);
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, length) != 0 || listen(fd, 4096) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &length) != 0) {
        die("listening socket");
    }
    fprintf(addresses, "127.0.0.1:%u\n", ntohs(address.sin_port));
    return fd;
}

static void pass_descriptor(int fd, unsigned place)
{
    const int high = fcntl(fd, F_DUPFD, 100); /* out of the way first */
    (void)dup2(high, FIRST_SOCKET + (int)place);
    (void)close(high);
}

/* In the child: the descriptors at 3 and up, the environment, and the command. */
_Noreturn static void run_service(const struct plan *plan)
{
    char text[64], names[1024];
    unsigned count = plan->socket_count;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (unsigned i = 0; i < count; i++) {
        pass_descriptor(plan->sockets[i], i);
    }
    if (plan->names) {
        (void)setenv("LISTEN_FDNAMES", plan->names, 1);
    }
    if (store.fd >= 0) { /* then every descriptor has a name */
        (void)snprintf(names, sizeof(names), "%s", plan->names ? plan->names : "");
        for (unsigned i = 0; !plan->names && i < count; i++) {
            (void)strcat(names, i > 0 ? ":unknown" : "unknown");
        }
        (void)strncat(names, count > 0 ? ":" : "", sizeof(names) - strlen(names) - 1);
        (void)strncat(names, store.name, sizeof(names) - strlen(names) - 1);
        (void)setenv("LISTEN_FDNAMES", names, 1);
        pass_descriptor(store.fd, count++);
    }
    (void)setenv("NOTIFY_SOCKET", plan->notify, 1);
    (void)snprintf(text, sizeof(text), "%ld", (long)getpid());
    (void)setenv("LISTEN_PID", text, 1);
    (void)setenv("WATCHDOG_PID", text, 1);
    (void)snprintf(text, sizeof(text), "%u", count);
    if (count > 0) {
        (void)setenv("LISTEN_FDS", text, 1);
    }
    (void)snprintf(text, sizeof(text), "%s000", plan->watchdog_ms);
    if (plan->watchdog_ms[0] != '\0') {
        (void)setenv("WATCHDOG_USEC", text, 1);
    }
    (void)execvp(plan->command[0], plan->command);
    die(plan->command[0]);
}

static void start_service(const struct plan *plan)
{
    restart = 0;
    service = fork();
    if (service == 0) {
        run_service(plan);
    } else if (service < 0) {
        die("fork");
    }
}

/* Above those that a service gets; closes `fd`. */
static int move_up(int fd)
{
    const int high = fcntl(fd, F_DUPFD_CLOEXEC, 200);
    (void)close(fd);
    return high;
}

/* FDSTORE=1 and FDSTOREREMOVE=1, with FDNAME= after them. */
static void keep_store(const char *text, int fd)
{
    const char *name = strstr(text, "FDNAME=");
    name = name ? name + strlen("FDNAME=") : "stored";
    if (strncmp(text, "FDSTOREREMOVE=1", strlen("FDSTOREREMOVE=1")) == 0 && store.fd >= 0 &&
        strcmp(name, store.name) == 0) {
        (void)close(store.fd);
        store.fd = -1;
    }
    if (strncmp(text, "FDSTORE=1", strlen("FDSTORE=1")) == 0 && fd >= 0 && store.fd < 0) {
        store.fd = move_up(fd);
        (void)snprintf(store.name, sizeof(store.name), "%s", name);
    } else if (fd >= 0) {
        (void)close(fd);
    }
}

static void take_message(int fd, FILE *messages)
{
    char text[2048];
    union {
        char room[CMSG_SPACE(sizeof(struct ucred)) + CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control;
    struct iovec part = {text, sizeof(text) - 1};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof(control)};
    struct ucred sender = {0};
    int passed = -1;
    const ssize_t got = recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (got < 0) {
        return;
    }
    text[got] = '\0';
    for (struct cmsghdr *extra = CMSG_FIRSTHDR(&message); extra;
         extra = CMSG_NXTHDR(&message, extra)) {
        if (extra->cmsg_type == SCM_CREDENTIALS) {
            memcpy(&sender, CMSG_DATA(extra), sizeof(sender));
        } else if (extra->cmsg_type == SCM_RIGHTS) {
            memcpy(&passed, CMSG_DATA(extra), sizeof(passed));
        }
    }
    keep_store(sender.pid == service ? text : "", passed);
    for (char *p = text; *p; p++) {
        *p = *p == '\n' ? ' ' : *p;
    }
    if (strcmp(text, "WATCHDOG=1") == 0) {
        last_sign_ms = sc_clock_ms();
    }
    fprintf(messages, "%u: %s\n", ++message_count,
            sender.pid == service ? text : "not the main process");
    (void)fflush(messages);
}

static void watch(FILE *messages, const char *watchdog_ms)
{
    if (stop_a_thread) {
        stop_a_thread = 0;
        stop_thread(messages);
    }
    if (stopped_thread != 0 && sc_clock_ms() > last_sign_ms + strtoul(watchdog_ms, NULL, 10)) {
        fputs("watchdog timeout\n", messages);
        (void)fflush(messages);
        (void)kill(service, SIGABRT);
        (void)waitpid(
            stopped_thread, NULL,
            __WALL); /* the process ends when its tracer has seen all of its threads end */
        stopped_thread = 0;
    }
}

/* Until the service has ended and its messages are read. */
static int attend(int fd, FILE *messages, const struct plan *plan)
{
    struct pollfd poller = {.fd = fd, .events = POLLIN};
    int status;
    for (;;) {
        watch(messages, plan->watchdog_ms);
        const pid_t ended = waitpid(service, &status, WNOHANG);
        while (poll(&poller, 1, ended == service ? 0 : 20) > 0) {
            take_message(fd, messages);
        }
        if (ended == service && restart) {
            start_service(plan);
        } else if (ended == service) {
            return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        }
    }
}

static FILE *open_file(const char *path)
{
    FILE *file = fopen(path, "we");
    if (!file) {
        die(path);
    }
    return file;
}

static void take_options(struct plan *plan, int *next, int argc, char **argv)
{
    uint64_t count = 0;
    for (; *next + 1 < argc && argv[*next][0] == '-'; *next += 2) {
        const char *value = argv[*next + 1];
        if (strcmp(argv[*next], "--watchdog") == 0) {
            plan->watchdog_ms = value;
        } else if (strcmp(argv[*next], "--names") == 0) {
            plan->names = value;
        } else if (strcmp(argv[*next], "--stored") == 0 && *next + 2 < argc) {
            (void)snprintf(store.name, sizeof(store.name), "%s", value);
            store.fd = move_up(open(argv[++*next + 1], O_RDWR | O_CLOEXEC));
        } else if (strcmp(argv[*next], "--sockets") != 0 ||
                   sc_parse_u64(value, 0, MAX_SOCKETS, &count, NULL) != 0) {
            exit(EX_USAGE);
        }
    }
    plan->socket_count = (unsigned)count;
}

int main(int argc, char **argv)
{
    struct plan plan = {.watchdog_ms = ""};
    char notify[64];
    int next = 1;
    take_options(&plan, &next, argc, argv);
    if (argc - next < 3) {
        return EX_USAGE;
    }
    plan.command = argv + next + 2;
    plan.notify = notify;
    FILE *messages = open_file(argv[next]);
    FILE *addresses = open_file(argv[next + 1]);
    const int fd = open_notify(notify, sizeof(notify));
    for (unsigned i = 0; i < plan.socket_count; i++) {
        plan.sockets[i] = open_listener(addresses);
    }
    (void)fclose(addresses);
    start_service(&plan);
    const struct sigaction action = {.sa_handler = pass_on},
                           stop_action = {.sa_handler = on_stop_a_thread},
                           restart_action = {.sa_handler = on_restart};
    if (sigaction(SIGUSR1, &stop_action, NULL) != 0 ||
        sigaction(SIGUSR2, &restart_action, NULL) != 0 || sigaction(SIGHUP, &action, NULL) != 0 ||
        sigaction(SIGTERM, &action, NULL) != 0 || sigaction(SIGINT, &action, NULL) != 0) {
        die("start");
    }
    const int status = attend(fd, messages, &plan);
    (void)fclose(messages);
    return status;
}

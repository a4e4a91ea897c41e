/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "base/resolve.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/thread.h"

/* What the thread and its owner share; the last of them frees it. */
struct job {
    pthread_mutex_t lock; /* guards users */
    int users;
    int done_fd; /* the write end of the pipe: its closing says that the answer is there */
    char host[256];
    char port[8];
    int gai_error;
    int error_number;
    struct addrinfo *list;
};

struct sc_resolve {
    struct job *job;
    int fd; /* the read end of the pipe, -1: no thread */
};

static void job_release(struct job *job)
{
    (void)pthread_mutex_lock(&job->lock);
    const int users = --job->users;
    (void)pthread_mutex_unlock(&job->lock);
    if (users > 0) {
        return;
    }
    if (job->list) {
        freeaddrinfo(job->list);
    }
    (void)pthread_mutex_destroy(&job->lock);
    free(job);
}

static void look_up(struct job *job, int flags)
{
    const struct addrinfo hints = {
        .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = flags | AI_NUMERICSERV};
    job->gai_error = getaddrinfo(job->host, job->port, &hints, &job->list);
    job->error_number = errno;
}

static void *run_thread(void *arg)
{
    struct job *job = arg;
    look_up(job, AI_ADDRCONFIG);
    if (job->gai_error != 0) {
        /*
         * A host with nothing but a loopback interface has no configured address family, and yet
         * "localhost".
         */
        look_up(job, 0);
    }
    const int done_fd = job->done_fd;
    job_release(job);
    (void)close(done_fd);
    return NULL;
}

static int start_thread(struct sc_resolve *resolve)
{
    int fds[2];
    if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) != 0) {
        return -1;
    }
    resolve->fd = fds[0];
    resolve->job->done_fd = fds[1];
    resolve->job->users = 2;
    errno = sc_thread_start(NULL, "resolve", run_thread, resolve->job);
    if (errno != 0) {
        resolve->job->users = 1;
        (void)close(fds[1]);
        return -1;
    }
    return 0;
}

struct sc_resolve *sc_resolve_start(const char *host, const char *port, struct sc_err *err)
{
    struct sc_resolve *resolve = calloc(1, sizeof(*resolve));
    struct job *job = calloc(1, sizeof(*job));
    if (!resolve || !job) {
        free(resolve);
        free(job);
        (void)sc_err_set(err, EX_OSERR, "can't look up %s: out of memory", host);
        return NULL;
    }
    *resolve = (struct sc_resolve){.job = job, .fd = -1};
    job->users = 1;
    (void)pthread_mutex_init(&job->lock, NULL);
    (void)snprintf(job->host, sizeof(job->host), "%s", host);
    (void)snprintf(job->port, sizeof(job->port), "%s", port);
    look_up(job, AI_NUMERICHOST);
    if (job->gai_error != 0 && start_thread(resolve) != 0) {
        (void)sc_err_set_errno(err, EX_OSERR, errno, "can't look up %s", host);
        sc_resolve_free(resolve);
        return NULL;
    }
    return resolve;
}

int sc_resolve_fd(const struct sc_resolve *resolve)
{
    return resolve->fd;
}

bool sc_resolve_result(struct sc_resolve *resolve, int *gai_error, int *error_number,
                       const struct addrinfo **list)
{
    struct job *job = resolve->job;
    struct pollfd ready = {.fd = resolve->fd, .events = POLLIN};
    if (resolve->fd >= 0 && poll(&ready, 1, 0) != 1) { /* a signal may interrupt it */
        return false;
    }
    /* Joins the thread's writes: it has released the job before the pipe was closed. */
    (void)pthread_mutex_lock(&job->lock);
    (void)pthread_mutex_unlock(&job->lock);
    *gai_error = job->gai_error;
    *error_number = job->error_number;
    *list = job->list;
    return true;
}

void sc_resolve_free(struct sc_resolve *resolve)
{
    if (!resolve) {
        return;
    }
    if (resolve->fd >= 0) {
        (void)close(resolve->fd);
    }
    job_release(resolve->job);
    free(resolve);
}

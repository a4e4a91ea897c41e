#include "config.h"

#include "client/resolve.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

/* What the thread and its owner share; the last user frees it. */
struct job {
    pthread_mutex_t lock; /* guards users */
    int users;
    int wake_fd; /* the write end of the pipe: its closing says that the result is there */
    char host[256];
    char port[8];
    int gai_error;
    int error_number;
    struct addrinfo *list;
};

struct sc_resolve {
    struct job *job;
    struct event *event; /* on the read end of the pipe, or made active at once */
    int fd; /* the read end, -1: no thread */
    sc_resolve_done *done;
    void *arg;
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
    const int wake_fd = job->wake_fd;
    job_release(job);
    (void)close(wake_fd);
    return NULL;
}

static void on_result(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct sc_resolve *resolve = arg;
    /* Joins the thread's writes: it has released the job before the pipe woke us. */
    (void)pthread_mutex_lock(&resolve->job->lock);
    (void)pthread_mutex_unlock(&resolve->job->lock);
    resolve->done(resolve->arg, resolve->job->gai_error, resolve->job->error_number,
                  resolve->job->list);
}

static int start_thread(struct sc_resolve *resolve, struct event_base *base)
{
    int fds[2];
    pthread_attr_t attr;
    pthread_t thread;
    if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) != 0) {
        return -1;
    }
    resolve->fd = fds[0];
    resolve->job->wake_fd = fds[1];
    resolve->event = event_new(base, fds[0], EV_READ, on_result, resolve);
    resolve->job->users = 2;
    if (!resolve->event || event_add(resolve->event, NULL) != 0 || pthread_attr_init(&attr) != 0) {
        resolve->job->users = 1;
        (void)close(fds[1]);
        return -1;
    }
    (void)pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    errno = pthread_create(&thread, &attr, run_thread, resolve->job);
    (void)pthread_attr_destroy(&attr);
    if (errno != 0) {
        resolve->job->users = 1;
        (void)close(fds[1]);
        return -1;
    }
    return 0;
}

struct sc_resolve *sc_resolve_start(struct event_base *base, const char *host, const char *port,
                                    sc_resolve_done *done, void *arg, struct sc_err *err)
{
    struct sc_resolve *resolve = calloc(1, sizeof(*resolve));
    struct job *job = calloc(1, sizeof(*job));
    if (!resolve || !job) {
        free(resolve);
        free(job);
        sc_err_set(err, EX_OSERR, "can't look up %s: out of memory", host);
        return NULL;
    }
    *resolve = (struct sc_resolve){.job = job, .fd = -1, .done = done, .arg = arg};
    job->users = 1;
    (void)pthread_mutex_init(&job->lock, NULL);
    (void)snprintf(job->host, sizeof(job->host), "%s", host);
    (void)snprintf(job->port, sizeof(job->port), "%s", port);
    look_up(job, AI_NUMERICHOST);
    int rc = 0;
    if (job->gai_error == 0) {
        resolve->event = event_new(base, -1, 0, on_result, resolve);
        rc = resolve->event ? 0 : -1;
        if (rc == 0) {
            event_active(resolve->event, EV_TIMEOUT, 0);
        }
    } else {
        rc = start_thread(resolve, base);
    }
    if (rc != 0) {
        sc_err_set_errno(err, EX_OSERR, errno, "can't look up %s", host);
        sc_resolve_free(resolve);
        return NULL;
    }
    return resolve;
}

void sc_resolve_free(struct sc_resolve *resolve)
{
    if (!resolve) {
        return;
    }
    if (resolve->event) {
        event_free(resolve->event);
    }
    if (resolve->fd >= 0) {
        (void)close(resolve->fd);
    }
    job_release(resolve->job);
    free(resolve);
}

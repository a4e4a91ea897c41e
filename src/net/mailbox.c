/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "net/mailbox.h"

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>
#ifdef HAVE_SYS_EVENTFD_H
#include <sys/eventfd.h>
#endif

#include "net/loop.h"

/* An eventfd where there is one, else a pipe: both ends are then different. */
struct sc_mailbox {
    pthread_mutex_t lock; /* guards first and last */
    struct sc_message *first, **last;
    struct event *readable;
    int read_fd, write_fd;
    void (*on_message)(struct sc_message *message, void *arg);
    void *arg;
};

static int open_wakeup_fd(struct sc_mailbox *mailbox)
{
#ifdef HAVE_EVENTFD
    mailbox->read_fd = mailbox->write_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    return mailbox->read_fd < 0 ? -1 : 0;
#else
    int ends[2];
    if (pipe(ends) != 0) {
        return -1;
    }
    mailbox->read_fd = ends[0];
    mailbox->write_fd = ends[1];
    return evutil_make_socket_nonblocking(ends[0]) | evutil_make_socket_nonblocking(ends[1]) |
           evutil_make_socket_closeonexec(ends[0]) | evutil_make_socket_closeonexec(ends[1]);
#endif
}

static struct sc_message *take_all(struct sc_mailbox *mailbox)
{
    pthread_mutex_lock(&mailbox->lock);
    struct sc_message *message = mailbox->first;
    mailbox->first = NULL;
    mailbox->last = &mailbox->first;
    pthread_mutex_unlock(&mailbox->lock);
    return message;
}

static void on_wakeup(evutil_socket_t fd, short what, void *arg)
{
    struct sc_mailbox *mailbox = arg;
    uint64_t count;
    (void)what;
    /*
     * Before taking the messages: a post in between wakes the owner again. Nothing to read is not
     * an error: one wakeup may stand for several messages.
     */
    while (read(fd, &count, sizeof(count)) < 0 && errno == EINTR) {
    }
    struct sc_message *message = take_all(mailbox);
    while (message) {
        struct sc_message *next = message->next;
        mailbox->on_message(message, mailbox->arg);
        message = next;
    }
}

struct sc_mailbox *sc_mailbox_new(struct event_base *base,
                                  void (*on_message)(struct sc_message *message, void *arg),
                                  void *arg, struct sc_err *err)
{
    struct sc_mailbox *mailbox = calloc(1, sizeof(*mailbox));
    if (!mailbox) {
        (void)sc_err_set(err, EX_OSERR, "can't create a mailbox: out of memory");
        return NULL;
    }
    mailbox->last = &mailbox->first;
    mailbox->on_message = on_message;
    mailbox->arg = arg;
    mailbox->read_fd = mailbox->write_fd = -1;
    (void)pthread_mutex_init(&mailbox->lock, NULL);
    if (open_wakeup_fd(mailbox) != 0) {
        (void)sc_err_set_errno(err, EX_OSERR, errno, "can't create a mailbox");
        sc_mailbox_free(mailbox, NULL, NULL);
        return NULL;
    }
    mailbox->readable = event_new(base, mailbox->read_fd, EV_READ | EV_PERSIST, on_wakeup, mailbox);
    if (!mailbox->readable || event_add(mailbox->readable, NULL) != 0) {
        (void)sc_err_set(err, EX_OSERR, "can't create a mailbox: out of memory");
        sc_mailbox_free(mailbox, NULL, NULL);
        return NULL;
    }
    return mailbox;
}

void sc_mailbox_free(struct sc_mailbox *mailbox,
                     void (*discard)(struct sc_message *message, void *arg), void *arg)
{
    if (!mailbox) {
        return;
    }
    sc_loop_free_event(mailbox->readable);
    struct sc_message *message = take_all(mailbox);
    while (message) {
        struct sc_message *next = message->next;
        if (discard) {
            discard(message, arg);
        }
        message = next;
    }
    if (mailbox->write_fd != mailbox->read_fd) {
        (void)close(mailbox->write_fd);
    }
    if (mailbox->read_fd >= 0) {
        (void)close(mailbox->read_fd);
    }
    (void)pthread_mutex_destroy(&mailbox->lock);
    free(mailbox);
}

void sc_mailbox_post(struct sc_mailbox *mailbox, struct sc_message *message)
{
    const uint64_t one = 1;
    message->next = NULL;
    pthread_mutex_lock(&mailbox->lock);
    const int was_empty = mailbox->first == NULL;
    *mailbox->last = message;
    mailbox->last = &message->next;
    pthread_mutex_unlock(&mailbox->lock);
    if (was_empty) {
        /* EAGAIN: the wakeup fd is full, so the owner is going to wake up. */
        while (write(mailbox->write_fd, &one, sizeof(one)) < 0 && errno == EINTR) {
        }
    }
}

/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "net/mailbox.h"

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sysexits.h>
#include <unistd.h>

#include "net/loop.h"

struct sc_mailbox {
    pthread_mutex_t lock; /* guards first and last */
    struct sc_message *first, **last;
    struct event *readable;
    int fd; /* an eventfd, to wake the owner */
    void (*on_message)(struct sc_message *message, void *arg);
    void *arg;
};

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
    mailbox->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    (void)pthread_mutex_init(&mailbox->lock, NULL);
    if (mailbox->fd < 0) {
        (void)sc_err_set_errno(err, EX_OSERR, errno, "can't create a mailbox");
        sc_mailbox_free(mailbox, NULL);
        return NULL;
    }
    mailbox->readable = event_new(base, mailbox->fd, EV_READ | EV_PERSIST, on_wakeup, mailbox);
    if (!mailbox->readable || event_add(mailbox->readable, NULL) != 0) {
        (void)sc_err_set(err, EX_OSERR, "can't create a mailbox: out of memory");
        sc_mailbox_free(mailbox, NULL);
        return NULL;
    }
    return mailbox;
}

void sc_mailbox_free(struct sc_mailbox *mailbox, void (*discard)(struct sc_message *message))
{
    if (!mailbox) {
        return;
    }
    sc_loop_free_event(mailbox->readable);
    struct sc_message *message = take_all(mailbox);
    while (message) {
        struct sc_message *next = message->next;
        if (discard) {
            discard(message);
        }
        message = next;
    }
    if (mailbox->fd >= 0) {
        (void)close(mailbox->fd);
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
        while (write(mailbox->fd, &one, sizeof(one)) < 0 && errno == EINTR) {
        }
    }
}

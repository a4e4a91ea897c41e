/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "net/mailbox.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>

#include "leaks.h"
#include "net/loop.h"
#include "suite.h"

#define THREADS 4U
#define MESSAGES 5000U

struct numbered {
    struct sc_message message;
    unsigned sender, number;
};

struct inbox {
    struct event_base *base;
    unsigned next[THREADS]; /* the number that each sender must come with */
    unsigned count, enough;
};

static void on_message(struct sc_message *message, void *arg)
{
    struct numbered *numbered = (struct numbered *)message;
    struct inbox *inbox = arg;
    ck_assert_uint_eq(numbered->number, inbox->next[numbered->sender]);
    inbox->next[numbered->sender]++;
    free(numbered);
    if (++inbox->count == inbox->enough) {
        event_base_loopbreak(inbox->base);
    }
}

static void post(struct sc_mailbox *mailbox, unsigned sender, unsigned number)
{
    struct numbered *numbered = calloc(1, sizeof(*numbered));
    ck_assert_ptr_nonnull(numbered);
    numbered->sender = sender;
    numbered->number = number;
    sc_mailbox_post(mailbox, &numbered->message);
}

static struct sc_mailbox *open_mailbox(struct inbox *inbox)
{
    struct sc_err err = {0};
    sc_loop_init();
    inbox->base = sc_loop_new_base(&err);
    ck_assert_ptr_nonnull(inbox->base);
    struct sc_mailbox *mailbox = sc_mailbox_new(inbox->base, on_message, inbox, &err);
    ck_assert_msg(mailbox != NULL, "%s", err.text);
    return mailbox;
}

static unsigned discarded;

static void count_discarded(struct sc_message *message)
{
    discarded++;
    free(message);
}

START_TEST(messages_come_in_order)
{
    struct inbox inbox = {.enough = MESSAGES};
    struct sc_mailbox *mailbox = open_mailbox(&inbox);
    for (unsigned i = 0; i < MESSAGES; i++) {
        post(mailbox, 0, i);
    }
    ck_assert_uint_eq(inbox.count, 0); /* only in the owner's loop */
    event_base_loop(inbox.base, 0);
    ck_assert_uint_eq(inbox.count, MESSAGES);
    sc_mailbox_free(mailbox, count_discarded);
    event_base_free(inbox.base);
}
END_TEST

struct sender {
    struct sc_mailbox *mailbox;
    unsigned index;
};

static void *send_messages(void *arg)
{
    const struct sender *sender = arg;
    for (unsigned i = 0; i < MESSAGES; i++) {
        post(sender->mailbox, sender->index, i);
    }
    return NULL;
}

START_TEST(many_threads_post)
{
    struct inbox inbox = {.enough = THREADS * MESSAGES};
    struct sc_mailbox *mailbox = open_mailbox(&inbox);
    pthread_t threads[THREADS];
    struct sender senders[THREADS];
    for (unsigned i = 0; i < THREADS; i++) {
        senders[i] = (struct sender){mailbox, i};
        ck_assert_int_eq(pthread_create(&threads[i], NULL, send_messages, &senders[i]), 0);
    }
    event_base_loop(inbox.base, 0);
    for (unsigned i = 0; i < THREADS; i++) {
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
        ck_assert_uint_eq(inbox.next[i], MESSAGES);
    }
    sc_mailbox_free(mailbox, count_discarded);
    event_base_free(inbox.base);
}
END_TEST

START_TEST(what_is_left_is_handed_back)
{
    struct inbox inbox = {.enough = 100};
    struct sc_mailbox *mailbox = open_mailbox(&inbox);
    post(mailbox, 0, 0);
    post(mailbox, 0, 1);
    sc_mailbox_free(mailbox, count_discarded);
    ck_assert_uint_eq(discarded, 2);
    ck_assert_uint_eq(inbox.count, 0);
    sc_mailbox_free(NULL, count_discarded);
    event_base_free(inbox.base);
}
END_TEST

/* Posts, and runs the loop for a moment or until the message is there. How often the loop woke. */
static unsigned passes_of_one(struct inbox *inbox, struct sc_mailbox *mailbox)
{
    static const struct timeval moment = {.tv_usec = 50000};
    unsigned passes = 0;
    post(mailbox, 0, inbox->next[0]);
    ck_assert_int_eq(event_base_loopexit(inbox->base, &moment), 0);
    do {
        event_base_loop(inbox->base, EVLOOP_ONCE);
        passes++;
    } while (!event_base_got_exit(inbox->base));
    return passes;
}

/* A single one wakes the loop, once; the next one does so again. */
START_TEST(each_message_wakes_the_loop_once)
{
    struct inbox inbox = {.enough = 0};
    struct sc_mailbox *mailbox = open_mailbox(&inbox);
    for (unsigned i = 1; i <= 3; i++) {
        const unsigned passes = passes_of_one(&inbox, mailbox);
        ck_assert_uint_eq(inbox.count, i);
        ck_assert_uint_le(passes, 4);
    }
    sc_mailbox_free(mailbox, count_discarded);
    event_base_free(inbox.base);
}
END_TEST

START_TEST(a_mailbox_is_given_back)
{
    struct inbox inbox = {.enough = 0};
    struct sc_err err;
    sc_mailbox_free(open_mailbox(&inbox), count_discarded);
    ASSERT_KEEPS_NOTHING(
        sc_mailbox_free(sc_mailbox_new(inbox.base, on_message, &inbox, &err), count_discarded));
    ck_assert_int_eq(event_base_get_num_events(inbox.base, EVENT_BASE_COUNT_ADDED), 0);
    event_base_free(inbox.base);
}
END_TEST

/* No child of ours gets it, and a wake-up that was for nothing does not stop the thread. */
START_TEST(its_descriptor_is_ours_and_does_not_block)
{
    struct inbox inbox = {.enough = 0};
    struct sc_err err;
    sc_loop_init();
    inbox.base = sc_loop_new_base(&err);
    const int fd = leaks_descriptor();
    struct sc_mailbox *mailbox = sc_mailbox_new(inbox.base, on_message, &inbox, &err);
    ck_assert(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    ck_assert(fcntl(fd, F_GETFL) & O_NONBLOCK);
    sc_mailbox_free(mailbox, count_discarded);
    event_base_free(inbox.base);
}
END_TEST

SUITE_MAIN("mailbox", each_message_wakes_the_loop_once, a_mailbox_is_given_back,
           its_descriptor_is_ours_and_does_not_block, messages_come_in_order, many_threads_post,
           what_is_left_is_handed_back)

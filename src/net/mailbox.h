/* SPDX-License-Identifier: MIT */
/*
 * Messages to the thread that owns an event base: the only way between threads. Any thread may
 * post; the owner's callback runs in the owner's loop, in the order of posting. A message is the
 * caller's own struct with a `struct sc_message` as its first member.
 */
#ifndef SC_NET_MAILBOX_H
#define SC_NET_MAILBOX_H

#include <event2/event.h>

#include "base/err.h"

struct sc_message {
    struct sc_message *next;
};

struct sc_mailbox;

/* `on_message` takes over each message. NULL on failure. Thread: the owner's, or before it starts.
 */
struct sc_mailbox *sc_mailbox_new(struct event_base *base,
                                  void (*on_message)(struct sc_message *message, void *arg),
                                  void *arg, struct sc_err *err) SC_NODISCARD;

/*
 * Calls `discard` (NULL: nothing) for each message that is still in it. Thread: the owner's, or
 * after it has ended. NULL is fine.
 */
void sc_mailbox_free(struct sc_mailbox *mailbox, void (*discard)(struct sc_message *message));

/* Takes over the message. Cannot fail. Thread: any. */
void sc_mailbox_post(struct sc_mailbox *mailbox, struct sc_message *message);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Drives connections of libspacecaptain in an event loop of libevent 2: include this and link with
 * libevent_core; the library itself does not need libevent.
 *
 *     struct sc_client *client = sc_client_start(settings, "localhost:4242", &error);
 *     struct sc_client_libevent *driver = sc_client_libevent_new(base, client, on_event, arg);
 *     ... in on_event: sc_client_send(), sc_client_close()
 *     sc_client_libevent_free(driver);
 *     sc_client_free(client);
 *
 * Thread: that of the event_base. Functions of this file are inline: nothing of it is in the
 * library.
 */
#ifndef SPACECAPTAIN_CLIENT_LIBEVENT_H
#define SPACECAPTAIN_CLIENT_LIBEVENT_H

#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include <spacecaptain/client.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Called from the loop for every event, and with SC_CLIENT_EVENT_NONE after those that came
 * together. Both frees are allowed inside. When libevent cannot wait any more, as it has run out of
 * memory, this is an END with SC_CLIENT_SYSTEM, whose error lives as long as the driver.
 */
typedef void sc_client_libevent_cb(struct sc_client *client, const struct sc_client_event *event,
                                   void *arg);

struct sc_client_libevent {
    struct event_base *base;
    struct sc_client *client;
    struct event *event;
    sc_client_libevent_cb *on_event;
    void *arg;
    int fd; /* what `event` waits for */
    short what;
    int in_callback, freed;
    int given_up; /* an END of its own has been reported */
    struct sc_client_error error; /* of it */
};

static inline void sc_client_libevent_on_ready(evutil_socket_t fd, short what, void *arg);

/*
 * Waits for what the connection wants now. To be called after sc_client_send(), sc_client_cancel()
 * and sc_client_close() outside of the callback. 0, or -1 when out of memory: the connection can
 * only be freed then.
 */
static inline int sc_client_libevent_update(struct sc_client_libevent *driver)
{
    const int fd = sc_client_fd(driver->client);
    const short wanted = sc_client_events(driver->client);
    const int timeout_ms = sc_client_timeout_ms(driver->client);
    const short what =
        (short)(((wanted & POLLIN) ? EV_READ : 0) | ((wanted & POLLOUT) ? EV_WRITE : 0));
    struct timeval timeout;
    if (fd != driver->fd || what != driver->what) {
        if (event_del(driver->event) != 0 ||
            event_assign(driver->event, driver->base, what ? fd : -1, what,
                         sc_client_libevent_on_ready, driver) != 0) {
            return -1;
        }
        driver->fd = fd;
        driver->what = what;
    }
    if (what == 0 && timeout_ms < 0) {
        return event_del(driver->event);
    }
    timeout.tv_sec = timeout_ms / 1000;
    timeout.tv_usec = (timeout_ms % 1000) * 1000;
    return event_add(driver->event, timeout_ms < 0 ? NULL : &timeout);
}

/* Stops waiting; the client stays. NULL is fine. */
static inline void sc_client_libevent_free(struct sc_client_libevent *driver)
{
    if (!driver) {
        return;
    }
    if (driver->event) {
        event_free(driver->event);
        driver->event = NULL;
    }
    driver->freed = 1;
    if (!driver->in_callback) {
        free(driver);
    }
}

/* Nothing can be waited for any more. */
static inline void sc_client_libevent_give_up(struct sc_client_libevent *driver)
{
    struct sc_client_event event = SC_CLIENT_EVENT_INIT;
    driver->given_up = 1;
    driver->error.size = sizeof(driver->error);
    driver->error.code = SC_CLIENT_SYSTEM;
    driver->error.temporary = 1;
    (void)strcpy(driver->error.text, "the connection is given up: out of memory");
    event.type = SC_CLIENT_EVENT_END;
    event.error = &driver->error;
    event.unanswered = sc_client_unanswered(driver->client);
    driver->in_callback = 1;
    driver->on_event(driver->client, &event, driver->arg);
    driver->in_callback = 0;
    if (driver->freed) {
        free(driver);
    }
}

static inline void sc_client_libevent_on_ready(evutil_socket_t fd, short what, void *arg)
{
    struct sc_client_libevent *driver = (struct sc_client_libevent *)arg;
    struct sc_client_event event = SC_CLIENT_EVENT_INIT;
    int some;
    (void)fd;
    (void)what;
    if (driver->given_up) {
        return;
    }
    sc_client_process(driver->client);
    driver->in_callback = 1;
    do {
        some = 0;
        while (!driver->freed && sc_client_next_event(driver->client, &event)) {
            driver->on_event(driver->client, &event, driver->arg);
            some = 1;
        }
        if (some && !driver->freed) {
            driver->on_event(driver->client, &event, driver->arg); /* NONE */
        }
    } while (some && !driver->freed); /* what was sent meanwhile leaves at the last call */
    driver->in_callback = 0;
    if (driver->freed) {
        free(driver);
    } else if (sc_client_libevent_update(driver) != 0) {
        sc_client_libevent_give_up(driver);
    }
}

/*
 * `base` and `client` are borrowed, and must outlive the driver; `arg` is for the callback. To be
 * freed with sc_client_libevent_free(). NULL: out of memory, and the client is as before.
 */
static inline struct sc_client_libevent *sc_client_libevent_new(struct event_base *base,
                                                                struct sc_client *client,
                                                                sc_client_libevent_cb *on_event,
                                                                void *arg)
{
    struct sc_client_libevent *driver = (struct sc_client_libevent *)calloc(1, sizeof(*driver));
    if (driver) {
        driver->base = base;
        driver->client = client;
        driver->on_event = on_event;
        driver->arg = arg;
        driver->fd = -1;
        driver->event = event_new(base, -1, 0, sc_client_libevent_on_ready, driver);
        if (!driver->event || sc_client_libevent_update(driver) != 0) {
            sc_client_libevent_free(driver);
            driver = NULL;
        } else {
            event_active(driver->event, EV_TIMEOUT, 0); /* an event may be there already */
        }
    }
    return driver;
}

#ifdef __cplusplus
}
#endif

#endif

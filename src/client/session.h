/* SPDX-License-Identifier: MIT */
/*
 * What sc-client adds to a connection of libspacecaptain: callbacks from the event loop, and the
 * time that each reply took. It neither prints nor exits.
 *
 *   session = sc_session_new(base, settings, "localhost:4242", NULL, &callbacks, arg, &err);
 *   on_ready:    sc_session_send(session, SC_FRAME_ECHO, "hello", 5);
 *   on_reply:    ...
 *   on_lost:     the connection is gone; another one is made for the requests without a reply
 *   on_progress: send more while !sc_session_is_full(session), or sc_session_close(session);
 *   on_end:      once, the last one; then sc_session_free(session)
 *
 * Requests may be sent before earlier ones are answered; those of one iteration of the event loop
 * leave together. Thread: that of the event_base.
 */
#ifndef SC_CLIENT_SESSION_H
#define SC_CLIENT_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <event2/event.h>
#include <spacecaptain/client.h>

#include "base/err.h"
#include "tls/pin_mismatch.h"

struct sc_session;

/* Valid during the callback. */
struct sc_session_reply {
    uint32_t type; /* of the request */
    uint32_t error_code; /* 0; else the server answered ERROR, and `body` is its text as it came */
    uint32_t retry_after_ms; /* of an ERROR, 0: no advice */
    const uint8_t *body;
    size_t length;
    const char *error_text; /* of an ERROR: printable */
    const struct sc_client_pins *pins; /* of the reply to PINS: what it says; else NULL */
    uint64_t elapsed_ns; /* since sc_session_send(), or since it was sent again */
};

/* Why a connection or the session is over. Valid during the callback. */
struct sc_session_end {
    struct sc_err err; /* status: one of enum sc_client_code, or that of sc_session_abort() */
    struct sc_pin_mismatch mismatch; /* both sides of a pin; empty: it is something else */
    char key_type[32]; /* of a server that is not in the pin store, and mismatch.got what it has
                          shown; empty: it is something else */
    bool temporary; /* worth another try */
    uint32_t retry_after_ms; /* when the server asked to come back, 0: no advice */
    uint32_t wait_ms; /* on_lost: until the next attempt */
    size_t unanswered; /* on_lost: how many requests wait for it */
};

/* No callback runs inside a call of the owner. sc_session_free() is allowed in on_end. */
struct sc_session_callbacks {
    /*
     * A pin has matched (or none is wanted): requests may be sent. Comes again for the connection
     * after on_lost. `info` is good until on_lost, or as long as the session.
     */
    void (*on_ready)(void *arg, const struct sc_client_info *info);
    /* The reply to the oldest request. */
    void (*on_reply)(void *arg, const struct sc_session_reply *reply);
    /* After on_ready, and after the replies that arrived together. */
    void (*on_progress)(void *arg);
    /* What was learnt for the pin store (status 0), or why nothing was. */
    void (*on_pins)(void *arg, const struct sc_err *result);
    /* Only where the settings have a time for it (sc_client_settings_set_retry()). May be NULL. */
    void (*on_lost)(void *arg, const struct sc_session_end *end);
    /* The session is over. `end` NULL: because of sc_session_close(). */
    void (*on_end)(void *arg, const struct sc_session_end *end);
};

/*
 * Starts to connect; over the standard input and output of `proxy_command`, unless that is NULL
 * (client/proxy_command.h). `address` and `proxy_command` are borrowed as long as the session
 * lives. NULL on failure; its status is one of enum sc_client_code.
 */
struct sc_session *sc_session_new(struct event_base *base, struct sc_client_settings *settings,
                                  const char *address, const char *proxy_command,
                                  const struct sc_session_callbacks *callbacks, void *arg,
                                  struct sc_err *err) SC_NODISCARD;
void sc_session_free(struct sc_session *session); /* NULL is fine */

/*
 * Sends a request; `body` is copied. False: it is dropped, before the first on_ready, after the end
 * or sc_session_close(), and while sc_session_is_full(). Out of memory ends the session.
 */
bool sc_session_send(struct sc_session *session, uint32_t type, const void *body, size_t length);

/* Enough is under way: wait for on_progress before sending more. */
bool sc_session_is_full(const struct sc_session *session);

/* Requests without a reply. */
size_t sc_session_unanswered(const struct sc_session *session);

/*
 * Ends the session with close_notify; replies that are still missing are not waited for. on_end
 * follows, within a second.
 */
void sc_session_close(struct sc_session *session);

/* Gives up the requests without a reply, and the connection if there are any. */
void sc_session_cancel(struct sc_session *session);

/* The TLS session, as sc_client_session() writes it: its size; 0: none yet, or it is larger. */
#define SC_SESSION_TLS_BYTES ((size_t)64 << 10)
size_t sc_session_tls(const struct sc_session *session, uint8_t out[SC_SESSION_TLS_BYTES]);

/* Ends the session at once with an error of the owner's. on_end follows. */
void sc_session_abort(struct sc_session *session, const struct sc_err *err);

/* What the library reports as an error, as one of ours. Always returns -1. */
int sc_session_err(struct sc_err *err, const struct sc_client_error *from);

#endif

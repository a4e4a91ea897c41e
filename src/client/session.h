/*
 * A client's connection: connect, TLS handshake, pin check, then requests and their replies in
 * order. Nothing is sent before a pin has matched, and no wait is without a deadline. Prints
 * nothing and exits nowhere.
 *
 *   session = sc_session_new(base, &settings, &callbacks, arg, &err);
 *   on_ready:    sc_session_send(session, SC_FRAME_ECHO, "hello", 5);
 *   on_reply:    ...
 *   on_progress: send more while !sc_session_is_full(session), or sc_session_close(session);
 *   on_end:      once, the last one; then sc_session_free(session)
 *
 * Requests may be sent before earlier ones are answered; those of one callback, or
 * of one iteration of the loop, leave together. Thread: that of the event_base.
 */
#ifndef SC_CLIENT_SESSION_H
#define SC_CLIENT_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <event2/event.h>

#include "base/err.h"
#include "base/parse.h"
#include "proto/frame.h"
#include "tls/context.h"
#include "tls/info.h"
#include "tls/pin.h"

struct sc_session;

/*
 * Requests that may be unanswered at a time, and the bytes of their bodies. A single larger
 * request is accepted all the same.
 */
#define SC_SESSION_MAX_REQUESTS 1024U
#define SC_SESSION_MAX_BYTES (1U << 20)

/* Copied by sc_session_new(), but for what is marked as borrowed. */
struct sc_session_settings {
    struct sc_address address;
    struct sc_tls_context *context; /* a client context; a reference is taken */
    const struct sc_pin_set
        *pins; /* borrowed for the life of the session; must hold a pin unless `probe` */
    bool strict_expiry; /* a pinned certificate outside its dates is refused (SC_EXIT_UNTRUSTED) */
    bool probe; /* to show the server's certificate: nothing is checked, and nothing can be sent
                 */
    uint64_t timeout_ms; /* for the connect, for the handshake, and for each reply */
};

/* Of a connection whose handshake is done. Strings live as long as the session. */
struct sc_session_info {
    char peer[300]; /* numeric address, "127.0.0.1:4242" */
    struct sc_tls_info tls;
    uint64_t connect_ns;
    uint64_t handshake_ns;
    time_t not_before, not_after;
    struct sc_pin_result pin; /* empty for a probe */
    uint8_t key_pin[SC_PIN_BYTES]; /* of the server's public key */
    uint8_t fingerprint[SC_PIN_BYTES]; /* of its certificate */
};

/* Valid during the callback. */
struct sc_session_reply {
    uint32_t request_type; /* what was asked */
    uint32_t type; /* the same, or SC_FRAME_ERROR: then `error` is set */
    const uint8_t *body;
    size_t length;
    uint64_t elapsed_ns; /* since sc_session_send() */
    struct sc_frame_error error;
};

/*
 * No callback runs inside a call of the owner. sc_session_free() is allowed in on_end and after
 * it.
 */
struct sc_session_callbacks {
    /* A pin has matched (not for a probe): requests may be sent. */
    void (*on_ready)(void *arg, const struct sc_session_info *info);

    /*
     * The reply to the oldest request. It is an ERROR, or has the request's type and a length that
     * proto/handler allows; else the session fails.
     */
    void (*on_reply)(void *arg, const struct sc_session_reply *reply);

    /* After on_ready, and after the replies that arrived together. */
    void (*on_progress)(void *arg);

    /*
     * The session is over. `err` NULL: because of sc_session_close(). Else its status is
     * EX_UNAVAILABLE (no connection, or it is gone, in good order or not), EX_TEMPFAIL (time ran
     * out), SC_EXIT_HANDSHAKE, SC_EXIT_PIN, SC_EXIT_UNTRUSTED, EX_PROTOCOL, SC_SESSION_REFUSED, or
     * that of sc_session_abort().
     */
    void (*on_end)(void *arg, const struct sc_err *err);
};

/*
 * err->status when the server closed because of an ERROR that it sent before: a limit, or a body
 * that is too large.
 */
#define SC_SESSION_REFUSED 1

/* Starts to connect. NULL on failure (EX_OSERR; EX_SOFTWARE without pins). */
struct sc_session *sc_session_new(struct event_base *base,
                                  const struct sc_session_settings *settings,
                                  const struct sc_session_callbacks *callbacks, void *arg,
                                  struct sc_err *err) SC_NODISCARD;
void sc_session_free(struct sc_session *session); /* NULL is fine */

/*
 * Sends a request; `body` is copied. Only after on_ready and before sc_session_close(): else, and
 * for a probe, it is dropped.
 */
void sc_session_send(struct sc_session *session, uint32_t type, const void *body, size_t length);

/* Enough is under way: wait for on_progress before sending more. */
bool sc_session_is_full(const struct sc_session *session);

/* Requests without a reply. */
size_t sc_session_unanswered(const struct sc_session *session);

/*
 * Ends the session with close_notify; replies that are still missing are not waited for. on_end
 * follows, within a second.
 */
void sc_session_close(struct sc_session *session);

/* Ends the session at once with an error of the owner's. on_end follows. */
void sc_session_abort(struct sc_session *session, const struct sc_err *err);

#endif

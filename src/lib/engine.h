/* SPDX-License-Identifier: MIT */
/*
 * The inside of an engine and of settings, for the files of lib/ only. The outside is
 * <spacecaptain/client.h>.
 */
#ifndef SC_LIB_ENGINE_H
#define SC_LIB_ENGINE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/parse.h"
#include "lib/frame_reader.h"
#include "lib/saved_session.h"
#include "lib/tls_library.h"
#include "spacecaptain/client.h"
#include "tls/verify.h"

/* Shared by connections: reference counted, immutable once a connection has used it. */
struct sc_client_settings {
    pthread_mutex_t lock; /* guards what follows it */
    unsigned references;
    bool used;
    uint8_t *session; /* the one to offer; NULL: none. May change after the first use */
    size_t session_size;
    bool asks_without_pins; /* the server takes no PINS request with a body. May change likewise */

    const struct sc_tls_library *library;
    struct sc_tls_shared *shared;
    char *options[4]; /* those of struct sc_tls_options, in its order; NULL: not set */
    struct sc_pin_set *pins;
    uint32_t timeout_ms;
    uint32_t retry_ms; /* 0: a lost connection is the end */
    bool strict_expiry, inspect;

    char *store_path; /* the pin store; NULL: none */
    bool store_has_address; /* else a server is stored under the address of its connection */
    struct sc_address store_address;
    bool first_use; /* a server without stored pins is stored */
};

/* Takes a reference and ends the time in which the settings can be changed. NULL: no pins. */
struct sc_client_settings *sc_lib_settings_use(struct sc_client_settings *settings,
                                               struct sc_err *err) SC_NODISCARD;

/*
 * A copy of what `own` holds for the TLS library (`own` NULL or without bytes: the session of the
 * settings), if it was made under these pins; the caller frees it. NULL: none.
 */
uint8_t *sc_lib_settings_session(struct sc_client_settings *settings, const struct sc_pin_set *pins,
                                 const struct sc_saved_session *own, size_t *size);

/* Offers no session any more. */
void sc_lib_settings_drop_session(struct sc_client_settings *settings);

/* An error of the inside in the form of the outside; `error` may be NULL. Returns -1. */
int sc_lib_error(struct sc_client_error *error, const struct sc_err *err);

/* The same in memory of its own, to be freed: most connections never have one. NULL: there is
 * none. */
struct sc_client_error *sc_lib_error_new(const struct sc_err *err) SC_NODISCARD;

/* The error of an END: `error` is as sc_lib_error_new() has made it. Never NULL. */
const struct sc_client_error *sc_lib_end_error(bool failed, const struct sc_client_error *error);

enum sc_engine_state {
    SC_ENGINE_HANDSHAKE,
    SC_ENGINE_READY,
    SC_ENGINE_CLOSING, /* our close_notify is out */
    SC_ENGINE_ENDED,
};

/* A request without a reply. */
struct sc_engine_request {
    uint32_t type;
    uint32_t length; /* of its body */
    uint64_t begins_at; /* of all bytes to be sent, the number of those before it */
};

struct sc_engine_store; /* what an engine has of a pin store: engine_store.c */

struct sc_client_engine {
    struct sc_client_settings *settings; /* a reference */
    struct sc_tls_conn *tls;
    struct sc_tls_verify verify;
    struct sc_engine_store *store; /* NULL: without a pin store */
    char host[256], target[300];
    enum sc_engine_state state;
    bool ready_reported, end_reported;
    size_t handshake_bytes; /* that have come of it */
    bool cut; /* the transport has ended, without close_notify */
    int error_number; /* of the transport */
    uint64_t deadline_ms; /* UINT64_MAX: none */

    struct sc_engine_request *requests; /* a ring, oldest first */
    size_t first, count, room;
    bool asks_pins; /* the first of them is one of our own, for the pin store */
    bool close_asked; /* the connection is closed once that one is answered */
    uint64_t unanswered_bytes;
    uint64_t sent; /* bytes that the owner has taken, of the whole connection */
    uint64_t oldest; /* number of the oldest request without a reply; the first is 1 */

    struct sc_frame_reader reader;
    struct sc_client_reply reply; /* of the last event */
    struct sc_client_error *error; /* of the end, if it has failed; NULL: there was no memory */
    char *text; /* of the last ERROR, escaped; NULL: there was none */
    uint32_t last_error; /* code of an ERROR after which the server closes, 0: none */
    uint32_t retry_after_ms;
    bool failed;
    bool temporary; /* what failed may succeed at another time */
};

/*
 * Like sc_client_engine_new(); `target` names the server in errors, `address` is the one that it is
 * stored under (NULL: that of the settings), `session` is as of sc_lib_settings_session().
 */
struct sc_client_engine *sc_engine_new(struct sc_client_settings *settings, const char *host,
                                       const char *target, const struct sc_address *address,
                                       const struct sc_saved_session *session, uint64_t now_ms,
                                       struct sc_err *err) SC_NODISCARD;

/* Whether these requests are as many, or as large, as may be without a reply. */
bool sc_engine_is_full(size_t count, uint64_t bytes);

/* Whether one more can be taken: EX_USAGE, what it is; EX_OSERR, too many. */
int sc_engine_check_request(uint32_t type, size_t length, size_t count, uint64_t bytes,
                            struct sc_err *err) SC_NODISCARD;

/* The connection is over; `err` NULL: as the owner wanted it. The first time counts. */
void sc_engine_end(struct sc_client_engine *engine, const struct sc_err *err);
/* Sends one; the caller has checked that it may be sent. A failed one can be the end. */
int sc_engine_send(struct sc_client_engine *engine, uint32_t type, const void *body, size_t length,
                   uint64_t now_ms, struct sc_err *err) SC_NODISCARD;

/* sc_client_engine_read_pins() for the inside. */
int sc_engine_read_pins(struct sc_client_engine *engine, const void *body, size_t length,
                        struct sc_client_pins *out, struct sc_err *err) SC_NODISCARD;

/* As far as it goes with what has come: READY, the end, or no change. */
void sc_engine_handshake(struct sc_client_engine *engine);

/* How many bytes sc_client_engine_receive() would take now. */
size_t sc_engine_receive_room(const struct sc_client_engine *engine);

/* --- With a pin store (engine_store.c) --- */

/* Reads it; verify.pins become those of the settings and those that are stored. */
int sc_engine_store_open(struct sc_client_engine *engine, const struct sc_address *address,
                         struct sc_err *err) SC_NODISCARD;
void sc_engine_store_free(struct sc_engine_store *store); /* NULL is fine */

/* The handshake is done and the server is trusted: a key that is not stored yet is, if it may be.
 * -1: it had to be, and could not. */
int sc_engine_store_key(struct sc_client_engine *engine, struct sc_err *err) SC_NODISCARD;

/* True: *event is to be reported after READY. */
bool sc_engine_store_pending(struct sc_client_engine *engine, struct sc_client_event *event);

/* Asks for PINS where the answer can be used; before any other request. */
void sc_engine_store_ask(struct sc_client_engine *engine, uint64_t now_ms);
/* The pins that this has named. */
void sc_engine_store_named(const struct sc_client_engine *engine, struct sc_client_info *info);

/* Takes the answer. True: *event is to be reported. */
bool sc_engine_store_take(struct sc_client_engine *engine, const struct sc_client_reply *reply,
                          struct sc_client_event *event);

/* The session is not to be resumed: a full handshake has something to learn. */
bool sc_engine_session_is_stale(const struct sc_client_engine *engine);

#endif

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
#include "lib/frame_reader.h"
#include "lib/link.h"
#include "lib/tls_library.h"
#include "proto/frame.h"
#include "spacecaptain/client.h"
#include "tls/verify.h"

/* Shared by connections: reference counted, immutable once a connection has used it. */
struct sc_client_settings {
    pthread_mutex_t lock; /* guards what follows it */
    unsigned references;
    bool used;
    uint8_t *session; /* the one to offer; NULL: none. May change after the first use */
    size_t session_size;

    const struct sc_tls_library *library;
    struct sc_tls_shared *shared;
    char *options[4]; /* those of struct sc_tls_options, in its order; NULL: not set */
    struct sc_pin_set *pins;
    uint32_t timeout_ms;
    uint32_t retry_ms; /* 0: a lost connection is the end */
    bool strict_expiry, inspect;
};

/* Takes a reference and ends the time in which the settings can be changed. NULL: no pins. */
struct sc_client_settings *sc_lib_settings_use(struct sc_client_settings *settings,
                                               struct sc_err *err) SC_NODISCARD;

/*
 * A copy of what `own` holds for the TLS library (`own` NULL or without bytes: the session of the
 * settings), if it fits these settings; the caller frees it. NULL: none.
 */
uint8_t *sc_lib_settings_session(struct sc_client_settings *settings,
                                 const struct sc_link_session *own, size_t *size);

/* Writes what the caller's struct has room for. */
void sc_lib_event(struct sc_client_event *event, const struct sc_client_event *from);

/* An error of the inside in the form of the outside; `error` may be NULL. Returns -1. */
int sc_lib_error(struct sc_client_error *error, const struct sc_err *err);

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
};

struct sc_client_engine {
    struct sc_client_settings *settings; /* a reference */
    struct sc_tls_conn *tls;
    struct sc_tls_verify verify;
    char host[256], target[300];
    enum sc_engine_state state;
    bool ready_told, end_told;
    bool cut; /* the transport has ended, without close_notify */
    int error_number; /* of the transport */
    uint64_t deadline_ms; /* UINT64_MAX: none */

    struct sc_engine_request *requests; /* a ring, oldest first */
    size_t first, count, room;
    uint64_t unanswered_bytes;
    uint64_t oldest; /* number of the oldest request without a reply; the first is 1 */

    struct sc_frame_reader reader;
    struct sc_client_reply reply; /* of the last event */
    struct sc_client_error end_error;
    char text[512]; /* of an ERROR, escaped */
    uint32_t last_error; /* code of an ERROR after which the server closes, 0: none */
    uint32_t retry_after_ms;
    bool failed;
    bool temporary; /* what failed may succeed at another time */
    struct sc_err err;
};

/*
 * Like sc_client_engine_new(); `target` names the server in errors, `session` is as of
 * sc_lib_settings_session().
 */
struct sc_client_engine *sc_engine_new(struct sc_client_settings *settings, const char *host,
                                       const char *target, const struct sc_link_session *session,
                                       uint64_t now_ms, struct sc_err *err) SC_NODISCARD;

/* Whether these requests are as many, or as large, as may be without a reply. */
bool sc_engine_is_full(size_t count, uint64_t bytes);

/* Whether one more can be taken: EX_USAGE, what it is; EX_OSERR, too many. */
int sc_engine_check_request(uint32_t type, size_t length, size_t count, uint64_t bytes,
                            struct sc_err *err) SC_NODISCARD;

/* The connection is over; `err` NULL: as the owner wanted it. The first time counts. */
void sc_engine_end(struct sc_client_engine *engine, const struct sc_err *err);

/* As far as it goes with what has come: READY, the end, or no change. */
void sc_engine_handshake(struct sc_client_engine *engine);

/* How many bytes sc_client_engine_receive() would take now. */
size_t sc_engine_receive_room(const struct sc_client_engine *engine);

#endif

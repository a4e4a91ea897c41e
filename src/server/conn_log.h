/* SPDX-License-Identifier: MIT */
/*
 * The log lines about one connection: every one has its id and the address of its peer, also after
 * the socket is gone. A peer can provoke all of them, so each kind is limited in rate. Thread: the
 * connection's.
 */
#ifndef SC_SERVER_CONN_LOG_H
#define SC_SERVER_CONN_LOG_H

#include "base/log.h"
#include "net/tlsbev.h"
#include "server/conn_origin.h"
#include "tls/explain.h"
#include "tls/info.h"
#include "tls/trace.h"
#include "tls/watch.h"

/*
 * A row for each kind of line: its enumerator, and the event in base/log_events.def. Each has a
 * rate of its own, so that a flood of one does not hide the others.
 */
#define SC_CONN_EVENTS(X) \
    X(NO_MEMORY, NO_MEMORY) \
    X(STATE, HANDSHAKE_STATE) \
    X(CONNECTED, CONNECTED) \
    X(KNOWN_CLIENT, KNOWN_CLIENT) \
    X(HANDSHAKE_FAILED, HANDSHAKE_FAILED) \
    X(LOCKED_OUT, HANDSHAKE_FAILED) /* its pin is another one */ \
    X(LEFT_SILENTLY, LEFT_SILENTLY) \
    X(CLIENT_REFUSED, CLIENT_REFUSED) \
    X(PEER_CLOSED, PEER_CLOSED) \
    X(PEER_MISBEHAVED, PEER_MISBEHAVED) \
    X(TRUNCATED, TRUNCATED) \
    X(FRAME_TIMEOUT, FRAME_TIMEOUT) \
    X(IDLE_TIMEOUT, IDLE_TIMEOUT) \
    X(WRITE_TIMEOUT, WRITE_TIMEOUT)

enum sc_conn_event {
#define SC_CONN_EVENT_ENUM(kind, event) SC_CONN_##kind,
    SC_CONN_EVENTS(SC_CONN_EVENT_ENUM)
#undef SC_CONN_EVENT_ENUM
        SC_CONN_EVENT_COUNT
};

#define SC_CONN_LOG_PER_SECOND 20U /* lines of a kind and thread */
#define SC_CONN_LOG_DEBUG_PER_SECOND 200U /* of those at level debug */

/* Zero-initialised; one for each thread. */
struct sc_conn_log {
    struct sc_log_rate rates[SC_CONN_EVENT_COUNT];
};

void sc_conn_log_event(struct sc_conn_log *log, enum sc_conn_event event,
                       const struct sc_conn_origin *origin, const char *message);

void sc_conn_log_state(struct sc_conn_log *log, const struct sc_conn_origin *origin,
                       const struct sc_tls_state *step);

void sc_conn_log_connected(struct sc_conn_log *log, const struct sc_conn_origin *origin,
                           const struct sc_tls_info *info);

/* `close` NULL: the handshake took too long. Returns the reason, for the counters. */
enum sc_tls_reason sc_conn_log_handshake_failed(struct sc_conn_log *log,
                                                const struct sc_conn_origin *origin,
                                                const struct sc_tls_watch *watch,
                                                const struct sc_tlsbev_close *close);

/* The handshake was whole, and the client is not taken: `message` says why. */
void sc_conn_log_client_refused(struct sc_conn_log *log, const struct sc_conn_origin *origin,
                                const struct sc_tls_watch *watch, const char *message);

void sc_conn_log_closed(struct sc_conn_log *log, const struct sc_conn_origin *origin,
                        const struct sc_tlsbev_close *close);

#endif

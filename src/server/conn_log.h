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
#include "tls/watch.h"

/*
 * A row for each kind of line: enumerator, level, event. One event has two rows where a flood of
 * its harmless lines must not hide the others.
 */
#define SC_CONN_EVENTS(X) \
    X(REFUSED, ERROR, "connection_refused") /* out of memory */ \
    X(CONNECTED, DEBUG, "connected") \
    X(HANDSHAKE_FAILED, WARNING, "tls_handshake_failed") \
    X(LOCKED_OUT, WARNING, "tls_handshake_failed") /* its pin is another one */ \
    X(LEFT_SILENTLY, DEBUG, "tls_handshake_failed") /* port scans, health checks */ \
    X(CLIENT_REFUSED, WARNING, "client_refused") \
    X(PEER_CLOSED, DEBUG, "peer_closed") \
    X(PEER_MISBEHAVED, INFO, "peer_closed") \
    X(TRUNCATED, DEBUG, "truncated") \
    X(FRAME_TIMEOUT, INFO, "frame_timeout") \
    X(IDLE_TIMEOUT, DEBUG, "idle_timeout") \
    X(WRITE_TIMEOUT, INFO, "write_timeout")

enum sc_conn_event {
#define SC_CONN_EVENT_ENUM(name, level, event) SC_CONN_##name,
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

void sc_conn_log_connected(struct sc_conn_log *log, const struct sc_conn_origin *origin,
                           const struct sc_tls_info *info);

/* `close` NULL: the handshake took too long. Returns the reason, for the counters. */
enum sc_tls_reason sc_conn_log_handshake_failed(struct sc_conn_log *log,
                                                const struct sc_conn_origin *origin,
                                                const struct sc_tls_watch *watch,
                                                const struct sc_tlsbev_close *close);

void sc_conn_log_closed(struct sc_conn_log *log, const struct sc_conn_origin *origin,
                        const struct sc_tlsbev_close *close);

#endif

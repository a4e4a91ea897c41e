/*
 * The log lines about one connection: every one has its id and the address of its peer, also after
 * the socket is gone. What a peer can provoke is bounded by a rate. Thread: the connection's.
 */
#ifndef SC_SERVER_CONN_LOG_H
#define SC_SERVER_CONN_LOG_H

#include "base/log.h"
#include "net/tlsbev.h"
#include "server/conn.h"
#include "tls/info.h"
#include "tls/watch.h"

void sc_conn_log_event(enum sc_log_level level, const struct sc_conn_origin *origin,
                       const char *event, const char *message);

void sc_conn_log_connected(const struct sc_conn_origin *origin, const struct sc_tls_info *info);

/* `close` NULL: the handshake took too long. */
void sc_conn_log_handshake_failed(struct sc_log_rate *rate, const struct sc_conn_origin *origin,
                                  const struct sc_tls_watch *watch,
                                  const struct sc_tlsbev_close *close);

void sc_conn_log_closed(const struct sc_conn_origin *origin, const struct sc_tlsbev_close *close);

#endif

/*
 * What a finished handshake says about the server, and whether it may be trusted. Thread: that of
 * the session.
 */
#ifndef SC_CLIENT_PEER_H
#define SC_CLIENT_PEER_H

#include <openssl/ssl.h>

#include "base/err.h"
#include "client/session.h"

/* Asks for the server's name (SNI, RFC 6066: names only, no addresses). */
int sc_peer_set_name(SSL *ssl, const struct sc_address *address, struct sc_err *err) SC_NODISCARD;

/* Fills all but `peer`, `pin` and the times of connect and handshake. */
int sc_peer_describe(SSL *ssl, struct sc_session_info *info, struct sc_err *err) SC_NODISCARD;

/*
 * Fills info->pin. `target` names the server in the error: SC_EXIT_PIN with both sides, or
 * SC_EXIT_UNTRUSTED for the dates.
 */
int sc_peer_check(const SSL *ssl, const struct sc_session_settings *settings, const char *target,
                  struct sc_session_info *info, struct sc_err *err) SC_NODISCARD;

#endif

/* SPDX-License-Identifier: MIT */
/*
 * What a server keeps of a handshake while it lasts, so that one that fails can be explained: its
 * states with times and byte counts, and the TLS versions that the client offers. The watch of the
 * SSL (tls/watch.h) owns it. It costs half a KiB and 0.2 % of the instructions of a full handshake.
 * Thread: the SSL's.
 */
#ifndef SC_TLS_TRACE_H
#define SC_TLS_TRACE_H

#include <stdint.h>

#include <openssl/ssl.h>

#define SC_TLS_TRACE_STEPS 20U
#define SC_TLS_TRACE_TEXT_BYTES 500U /* the log cuts a value that is longer */

/* A state that the handshake has entered. */
struct sc_tls_state {
    const char *state; /* "read client hello": SSL_state_string_long(3) without the protocol; at
                          first "start" */
    uint32_t microseconds; /* since the trace was made */
    uint32_t received, sent; /* bytes that TLS has taken and given until then */
};

struct sc_tls_trace {
    uint64_t started_ns; /* sc_clock_ns() */
    uint16_t newest; /* the version in the ClientHello proper; 0: none has come */
    uint8_t offered; /* those of its list, a bit for each that has a name; 0: it has no list */
    uint8_t count;
    struct sc_tls_state steps[SC_TLS_TRACE_STEPS]; /* the last of them is the latest, always */
};

/* NULL: out of memory; a handshake can do without. To be freed with free(3). */
struct sc_tls_trace *sc_tls_trace_new(void);

/* Makes a server's SSLs note the versions in their traces. Called once, by tls/context. */
void sc_tls_trace_install(SSL_CTX *context);

/* Adds the state that the SSL is in; by tls/watch. Returns it. */
const struct sc_tls_state *sc_tls_trace_add(struct sc_tls_trace *trace, const SSL *ssl);

/* Adds the end of the handshake, as a state of that name. */
void sc_tls_trace_end(struct sc_tls_trace *trace, uint64_t received, uint64_t sent);

/*
 * "0.0 ms in 0 out 0 start, 0.9 ms in 517 read client hello, write server hello, certificate, ...":
 * a time where a tenth of a millisecond has passed, a count where it has changed. States in the
 * middle are left out where there is no room.
 */
void sc_tls_trace_format(const struct sc_tls_trace *trace, char out[SC_TLS_TRACE_TEXT_BYTES]);

/*
 * "TLS 1.3, TLS 1.2": the versions of the client's list; "up to TLS 1.1": it has none, as clients
 * before TLS 1.3; "" when no ClientHello has come.
 */
void sc_tls_trace_format_versions(const struct sc_tls_trace *trace,
                                  char out[SC_TLS_TRACE_TEXT_BYTES]);

#endif

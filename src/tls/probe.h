/*
 * Is this ClientHello of a client that we know? Tells a resumption, which costs little, from a
 * full handshake, which costs a signature, before anything is spent on it: no key exchange, no
 * signature, nothing kept. For admission control: when the budget for full handshakes is used up,
 * clients that really hold one of our tickets still get in.
 *
 * "Really": the ticket is decrypted and its date, its verify policy and its TLS version are
 * checked, so that attaching junk helps nobody. It costs 4 to 9 microseconds. The server's part of
 * a handshake, in microseconds on the same machine, full and resumed:
 *
 *               TLS 1.2      TLS 1.3
 *   P-256       163   29     192  150    a resumed one in TLS 1.3 saves the signature, not the key
 *               exchange
 *   RSA 2048    360   24     401  133
 *   RSA 4096   3423   31    3545  142
 *
 * Thread: any, also several at once.
 */
#ifndef SC_TLS_PROBE_H
#define SC_TLS_PROBE_H

#include <stddef.h>
#include <stdint.h>

#include <openssl/ssl.h>

#include "base/err.h"

struct sc_tls_context;
struct sc_tls_probe;
struct sc_tickets;

enum sc_tls_hello {
    SC_TLS_HELLO_INCOMPLETE, /* ask again with more bytes */
    SC_TLS_HELLO_RESUMES, /* carries a ticket of ours that is good now */
    SC_TLS_HELLO_FULL, /* a full handshake, or no ClientHello at all */
};

/* A ClientHello that is longer than this and still incomplete counts as FULL. */
#define SC_TLS_PROBE_MAX_BYTES (16U * 1024U + 5U)

/*
 * `bytes`: all that came from the client so far, raw TLS records, whether or not a ClientHello.
 * `context`: a server's.
 */
enum sc_tls_hello sc_tls_probe_hello(const struct sc_tls_context *context, const void *bytes,
                                     size_t length);

/*
 * For tls/context: the probe of a context whose settings are complete. `tickets` NULL: the
 * context's own keys. `id_context` is the session id context, copied.
 */
struct sc_tls_probe *sc_tls_probe_new(SSL_CTX *served, struct sc_tickets *tickets,
                                      const uint8_t *id_context, size_t id_length,
                                      struct sc_err *err) SC_NODISCARD;
void sc_tls_probe_free(struct sc_tls_probe *probe); /* NULL is fine */

#endif

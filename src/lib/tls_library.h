/* SPDX-License-Identifier: MIT */
/*
 * What the engine needs of a TLS library: one connection over memory, and the peer's certificate
 * while the handshake can still be ended with an alert. tls_openssl.c and tls_mbedtls.c implement
 * it; nothing above knows which.
 *
 * Thread: a context is immutable after its set calls and may be shared; a connection belongs to
 * one thread at a time.
 */
#ifndef SC_LIB_TLS_LIBRARY_H
#define SC_LIB_TLS_LIBRARY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "tls/explain.h"

struct sc_tls_verify;

/* Of one connection; each library has its own members after this one. */
struct sc_tls_conn {
    bool input_ended; /* set by the engine: no more ciphertext comes in */
};

/* What connections share. */
struct sc_tls_shared;

/* Borrowed for the call; NULL: not set. */
struct sc_tls_options {
    const char *certificate_path, *key_path, *passphrase; /* of the client, PEM */
    const char *key_log_path;
};

enum sc_tls_step {
    SC_TLS_STEP_DONE, /* the handshake is done; bytes were read */
    SC_TLS_STEP_WANT_INPUT, /* no more without input */
    SC_TLS_STEP_CLOSED, /* the peer has sent close_notify */
    SC_TLS_STEP_EOF, /* the input has ended without close_notify */
    SC_TLS_STEP_FAILED, /* the error says why; an alert may be in the output */
};

/* Texts are static. */
struct sc_tls_params {
    const char *version, *cipher, *group;
    bool resumed;
};

struct sc_tls_library {
    const char *name;
    const char *(*version)(void);

    struct sc_tls_shared *(*shared_new)(const struct sc_tls_options *options, struct sc_err *err);
    void (*shared_free)(struct sc_tls_shared *shared);

    /*
     * `verify` is asked for every certificate of a full handshake, and again by the engine when
     * any handshake is done; borrowed. `name`: for server_name, NULL: none. `session`: bytes of
     * session(), NULL: none; bytes that it cannot use it ignores.
     */
    struct sc_tls_conn *(*conn_new)(struct sc_tls_shared *shared, struct sc_tls_verify *verify,
                                    const char *name, const uint8_t *session, size_t session_size,
                                    struct sc_err *err);
    void (*conn_free)(struct sc_tls_conn *conn);

    /* Ciphertext in: how many of the bytes were taken; memory for them is bounded. */
    size_t (*room)(const struct sc_tls_conn *conn); /* how many it would take now */
    size_t (*receive)(struct sc_tls_conn *conn, const uint8_t *bytes, size_t count);

    /* Ciphertext out: valid until the next call. */
    size_t (*output)(struct sc_tls_conn *conn, const uint8_t **bytes);
    void (*sent)(struct sc_tls_conn *conn, size_t count);

    enum sc_tls_step (*handshake)(struct sc_tls_conn *conn, struct sc_err *err);
    /* At least one byte with DONE. */
    enum sc_tls_step (*read)(struct sc_tls_conn *conn, uint8_t *to, size_t room, size_t *got,
                             struct sc_err *err);
    /* All of it, into the output. */
    int (*write)(struct sc_tls_conn *conn, const uint8_t *bytes, size_t count, struct sc_err *err);
    void (*shutdown)(struct sc_tls_conn *conn); /* close_notify, into the output */

    /* Checks the peer of a finished handshake with `verify`: 0 or -1 with verify->err set. */
    int (*check_peer)(struct sc_tls_conn *conn);
    void (*params)(struct sc_tls_conn *conn, struct sc_tls_params *out);

    /* Returns the size of the session, 0: none; writes it when `room` is enough. */
    size_t (*session)(struct sc_tls_conn *conn, uint8_t *out, size_t room);

    /*
     * 32 bytes of keying material of this one connection, for PINS (tls/pins_message.h). False:
     * there are none that are its own.
     */
    bool (*exporter)(struct sc_tls_conn *conn, uint8_t out[32]);

    /* Why the handshake that has not ended fails now: how the transport ended, in plain words. */
    void (*explain)(struct sc_tls_conn *conn, enum sc_tls_end end, char *out, size_t out_size);
};

extern const struct sc_tls_library sc_tls_openssl;
#ifdef HAVE_MBEDTLS
extern const struct sc_tls_library sc_tls_mbedtls;
#endif

/* NULL name: the default. NULL: there is none of that name. */
const struct sc_tls_library *sc_tls_library_find(const char *name);

/* "openssl, mbedtls": all that this build has. Static. */
const char *sc_tls_library_names(void);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * The inside of a connection, for its own files only: conn_deadline.c has its state and what it
 * waits for; conn_pins.c makes the replies to PINS; conn_serve.c, on top of both, turns requests
 * into replies; conn_admission.c decides about its handshake; conn.c, on top of all, makes and
 * frees it, and has the TLS callbacks.
 */
#ifndef SC_SERVER_CONN_STATE_H
#define SC_SERVER_CONN_STATE_H

#include "net/tlsbev.h"
#include "proto/frame.h"
#include "server/conn.h"
#include "tls/watch.h"

struct evbuffer;
struct sc_conn_proof;
struct sc_signer_job;

enum sc_conn_state { SC_CONN_HANDSHAKE, SC_CONN_OPEN, SC_CONN_CLOSING };

enum sc_conn_token { SC_CONN_NO_TOKEN, SC_CONN_TOKEN_RESUMED, SC_CONN_TOKEN_FULL };

struct sc_conn {
    LIST_ENTRY(sc_conn) link;
    struct sc_conn_context *context;
    struct sc_tlsbev *tls;
    struct sc_tls_context *tls_context; /* a reference */
    struct sc_conn_proof *proof; /* of a key that comes next, for this connection; NULL: none yet */
    struct sc_signer_job *proof_job; /* with the signer; nothing is answered meanwhile */
    struct sc_wheel_timer timer;
    uint64_t state_since_ms;
    uint64_t frame_since_ms; /* the first byte of an unfinished frame; 0: there is none */
    uint64_t request_ms; /* the last complete request */
    uint64_t progress_ms; /* the socket last took something; counts while output waits */
    uint64_t progress_sent; /* sc_tlsbev_sent() then */
    uint64_t waits_since_ms; /* all that waited then is to leave in time, too */
    uint64_t waits_sent; /* sc_tlsbev_sent() when it has */
    uint64_t skip_bytes; /* of the body of a request that we do not know */
    uint64_t
        drain_received; /* sc_tlsbev_received() with all that had arrived when the drain began */
    uint64_t meter_client; /* its number in the worker's pin_meter; 0: not made yet */
    uint32_t retry_after_ms; /* of the ERROR frame that ends a drain */
    enum sc_conn_state state;
    struct sc_admission_waiter waiting;
    uint8_t token; /* enum sc_conn_token: what it has taken for its handshake */
    uint8_t close_reason; /* enum sc_close_reason: the first that was noted */
    uint8_t handshake_failure; /* enum sc_tls_reason, of a handshake that does not complete */
    bool all_answered; /* no complete frame is left in the input */
    bool skipping, paused, draining, input_ended;
    bool pins_are_due; /* the reply to a PINS request comes before all others */
    struct sc_tls_watch watch;
    struct sc_conn_origin origin;
};

/* Notes why the connection is going to end, for the counters; the first reason counts. */
static inline void sc_conn_note_close(struct sc_conn *conn, enum sc_close_reason reason)
{
    if (conn->close_reason == SC_CLOSE_SERVER_STOPPED) {
        conn->close_reason = (uint8_t)reason;
    }
}

/* Answers the complete requests in the input, as many as one cycle may take. */
void sc_conn_serve(struct sc_conn *conn, struct evbuffer *input);

/*
 * Every complete request that we have read has been answered. What is left of the input is nothing
 * or a part of a frame.
 */
void sc_conn_on_all_answered(struct sc_conn *conn);

/* An ERROR frame after the replies so far, then the end. */
void sc_conn_refuse_and_close(struct sc_conn *conn, enum sc_close_reason reason,
                              enum sc_error_code code, const char *text);

void sc_conn_start_reading(struct sc_conn *conn);

/*
 * PINS (conn_pins.c): `body` is that of the request. Writes a reply's body, to SC_PINS_MAX_BYTES of
 * room. LATER: a proof is being made; when `proof_job` is NULL again, sc_conn_pins_late() writes
 * the reply, and until then nothing is to be answered.
 */
enum sc_conn_pins { SC_CONN_PINS_NOW, SC_CONN_PINS_LATER, SC_CONN_PINS_MALFORMED };
enum sc_conn_pins sc_conn_pins_answer(struct sc_conn *conn, const uint8_t *body, size_t body_length,
                                      uint8_t *reply, size_t *reply_length);
size_t sc_conn_pins_late(struct sc_conn *conn, uint8_t *reply);
void sc_conn_pins_fini(struct sc_conn *conn);
void sc_conn_pins_context_fini(struct sc_conn_context *context);

/* handshake-rate: at the start of a handshake, and for the queue in it. */
void sc_conn_admission_start(struct sc_conn *conn);
extern const struct sc_admission_callbacks sc_conn_admission_callbacks;

#endif

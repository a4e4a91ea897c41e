/*
 * The inside of a connection, for its own files only: conn.c has its life, its deadlines and what
 * the TLS pair tells; conn_serve.c turns requests into replies.
 */
#ifndef SC_SERVER_CONN_SC_CONN_H
#define SC_SERVER_CONN_SC_CONN_H

#include "net/tlsbev.h"
#include "proto/frame.h"
#include "server/conn.h"
#include "tls/watch.h"

struct evbuffer;

enum sc_conn_state { SC_CONN_HANDSHAKE, SC_CONN_OPEN, SC_CONN_CLOSING };

struct sc_conn {
    LIST_ENTRY(sc_conn) link;
    struct sc_conn_env *env;
    struct sc_tlsbev *tls;
    struct sc_tls_context *context; /* a reference */
    struct sc_wheel_timer timer;
    uint64_t state_since_ms;
    uint64_t frame_since_ms; /* the first byte of an unfinished frame; 0: there is none */
    uint64_t request_ms; /* the last complete request */
    uint64_t progress_ms; /* the socket last took something; counts while output is pending */
    uint64_t progress_sent; /* sc_tlsbev_sent() then */
    uint64_t skip_bytes; /* of the body of a request that we do not know */
    uint64_t
        drain_received; /* sc_tlsbev_received() with all that had arrived when the drain began */
    uint32_t retry_after_ms; /* for the goodbye of a drain */
    enum sc_conn_state state;
    struct sc_admission_waiter waiting;
    bool took_token; /* for a full handshake */
    bool all_answered; /* no complete frame is left in the input */
    bool skipping, paused, draining, input_ended;
    struct sc_tls_watch watch;
    struct sc_conn_origin origin;
};

/* The only function that changes the state. */
void sc_conn_enter(struct sc_conn *conn, enum sc_conn_state state);

/*
 * Moves the timer when it would fire too late. Called at the end of whatever may have moved a
 * deadline.
 */
void sc_conn_arm(struct sc_conn *conn, uint64_t now_ms);

/* Notes whether the socket has taken something since the last time. */
void sc_conn_note_progress(struct sc_conn *conn, uint64_t now_ms);

/* Answers the complete requests in the input, as many as one turn may take. */
void sc_conn_serve(struct sc_conn *conn, struct evbuffer *input);

/*
 * Every complete request that we have read has been answered. What is left of the input is nothing
 * or a part of a frame.
 */
void sc_conn_on_all_answered(struct sc_conn *conn);

/* An ERROR frame behind the replies so far, then the end. */
void sc_conn_refuse_and_close(struct sc_conn *conn, enum sc_error_code code, const char *text);

void sc_conn_start_reading(struct sc_conn *conn);

#endif

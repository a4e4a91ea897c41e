/* SPDX-License-Identifier: MIT */
/*
 * The state of a connection, and its deadline: it waits for one thing at a time, and one timer,
 * which is moved only when it would fire too late, is enough. The path of a request does not touch
 * it. Thread: the connection's.
 */
#ifndef SC_SERVER_CONN_DEADLINE_H
#define SC_SERVER_CONN_DEADLINE_H

#include "server/conn_state.h"

/*
 * A client that reads a little from time to time makes progress for ever: all that waits for it at
 * one moment must have left within this many times write-timeout.
 */
#define SC_CONN_MAX_WRITE_TIMEOUTS 10U

enum sc_conn_wait {
    SC_CONN_WAIT_HANDSHAKE,
    SC_CONN_WAIT_WRITE, /* for the client to read */
    SC_CONN_WAIT_FRAME, /* for the rest of one */
    SC_CONN_WAIT_IDLE, /* for a request */
    SC_CONN_WAIT_LINGER, /* for the end of the client's side */
};

/* The only function that changes the state. */
void sc_conn_enter(struct sc_conn *conn, enum sc_conn_state state);

/*
 * Moves the timer when it would fire too late. Called at the end of whatever may have moved a
 * deadline.
 */
void sc_conn_arm(struct sc_conn *conn, uint64_t now_ms);

/* The socket is full: the time that the client has to read starts. */
void sc_conn_output_waits(struct sc_conn *conn, uint64_t now_ms);

/* When the timer has fired. True: the deadline of `*wait` has passed. */
bool sc_conn_waited_too_long(struct sc_conn *conn, uint64_t now_ms, enum sc_conn_wait *wait);

#endif

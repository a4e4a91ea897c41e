/* SPDX-License-Identifier: MIT */
/*
 * The inside of net/tlsbev, for its own files only. Three parts, each on top of the one before:
 *
 *   tlsbev_io.c     moves bytes: reads the socket and decrypts, sends; notes how the input ended
 *   tlsbev_cycle.c  the I/O cycle: when it runs, and the order of the owner's callbacks in it
 *   tlsbev.c        the owner's side: creating, writing, pausing, shutting down
 *
 * Our own read event does one recv(2) into memory of the thread, lends it to the socket
 * bufferevent's input, and decrypts from there into the filter's input: the filter does the
 * handshake and encrypts, but its reading stays off. Output is sent with one send(2) at the end of
 * the cycle. Only when the socket is full does the socket bufferevent (the transport) get EV_WRITE,
 * until it has written everything.
 *
 * No write high-water mark is ever set on the transport: SSL_write then never blocks, so the
 * filter's own output is always empty, data can be encrypted straight from the caller's memory,
 * and what is pending is in one place. The owner bounds it: it sees sc_tlsbev_pending() and stops
 * reading.
 */
#ifndef SC_NET_TLSBEV_IO_H
#define SC_NET_TLSBEV_IO_H

#include <sys/queue.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>

#include "net/tlsbev.h"

/* How far the connection is. */
enum sc_tlsbev_phase {
    SC_TLSBEV_HANDSHAKE,
    SC_TLSBEV_SUSPENDED, /* the owner's hooks hold it up (tls/handshake_hooks.h) */
    SC_TLSBEV_CONNECTED, /* the handshake is done, the owner does not know it yet */
    SC_TLSBEV_OPEN,
};

/* What comes. Ended by sc_tlsbev_io_end(). */
enum sc_tlsbev_input { SC_TLSBEV_INPUT_OPEN, SC_TLSBEV_INPUT_ENDED, SC_TLSBEV_INPUT_END_REPORTED };

/* What goes. Only forwards, by sc_tlsbev_io_close_output(). */
enum sc_tlsbev_output {
    SC_TLSBEV_OUTPUT_OPEN,
    SC_TLSBEV_OUTPUT_CLOSING, /* close_notify is the last */
    SC_TLSBEV_OUTPUT_CLOSED, /* ... and it has left */
    SC_TLSBEV_OUTPUT_BROKEN, /* nothing can be written */
};

/* Who sends it. */
enum sc_tlsbev_sender {
    SC_TLSBEV_SENDS, /* each cycle, all of it */
    SC_TLSBEV_BLOCKED, /* the transport: the socket is full. The owner does not know it yet */
    SC_TLSBEV_BLOCKED_REPORTED,
    SC_TLSBEV_FLUSHED, /* everything has left or is lost, the owner does not know it yet */
};

/* Which queue it waits in for a cycle. */
enum sc_tlsbev_queued { SC_TLSBEV_NOT_QUEUED, SC_TLSBEV_SOON, SC_TLSBEV_LATER };

/* The cycle that is running. FREED: by the owner, in a callback; its end frees the rest. */
enum sc_tlsbev_cycle { SC_TLSBEV_IDLE, SC_TLSBEV_RUNNING, SC_TLSBEV_FREED };

/* Why on_data is to be called. */
#define SC_TLSBEV_GOT_DATA 1U
#define SC_TLSBEV_ASKED 2U /* sc_tlsbev_again() */

struct sc_tlsbev {
    struct bufferevent *filter, *transport;
    SSL *ssl;
    struct event *read_event;
    struct evbuffer_cb_entry *output_cb; /* NULL: the transport is not writing */
    struct sc_tlsbev_shared *shared;
    TAILQ_ENTRY(sc_tlsbev) link; /* while it is queued */
    const struct sc_tlsbev_callbacks *callbacks;
    void *arg;
    uint64_t sent, received;
    struct sc_tlsbev_close close; /* valid when the input has ended */
    size_t backlog; /* ciphertext in the transport's input that a cycle has left for the next */
    evutil_socket_t fd; /* -1: not taken yet */
    uint32_t round; /* of SC_TLSBEV_LATER */
    uint8_t phase; /* enum sc_tlsbev_phase */
    uint8_t input; /* enum sc_tlsbev_input */
    uint8_t output; /* enum sc_tlsbev_output */
    uint8_t sender; /* enum sc_tlsbev_sender */
    uint8_t queued; /* enum sc_tlsbev_queued */
    uint8_t cycle; /* enum sc_tlsbev_cycle */
    uint8_t data; /* SC_TLSBEV_GOT_DATA, SC_TLSBEV_ASKED */
    bool paused;
    bool in_record; /* OpenSSL may have taken a part of one */
};

TAILQ_HEAD(sc_tlsbev_queue, sc_tlsbev);

/* Two events serve all connections of a thread: one for each would be 128 bytes of each. */
struct sc_tlsbev_shared {
    struct event_base *base;
    struct event *soon_event, *later_event;
    struct sc_tlsbev_queue soon, later;
    uint32_t round; /* of `later` */
    _Atomic uint64_t *received, *sent; /* the owner's: of all connections of the thread */
    size_t size;
    uint8_t bytes[]; /* what is read at once */
};

/* One writer, so no locked instruction is needed. */
static inline void sc_tlsbev_io_count(_Atomic uint64_t *total, uint64_t bytes)
{
    atomic_store_explicit(total, atomic_load_explicit(total, memory_order_relaxed) + bytes,
                          memory_order_relaxed);
}

static inline void sc_tlsbev_io_count_sent(struct sc_tlsbev *tls, uint64_t bytes)
{
    tls->sent += bytes;
    sc_tlsbev_io_count(tls->shared->sent, bytes);
}

static inline size_t sc_tlsbev_io_pending(const struct sc_tlsbev *tls)
{
    return evbuffer_get_length(bufferevent_get_output(tls->transport));
}

static inline bool sc_tlsbev_io_is_blocked(const struct sc_tlsbev *tls)
{
    return tls->sender == SC_TLSBEV_BLOCKED || tls->sender == SC_TLSBEV_BLOCKED_REPORTED;
}

static inline void sc_tlsbev_io_advance(struct sc_tlsbev *tls, enum sc_tlsbev_phase phase)
{
    if (phase > tls->phase) {
        tls->phase = (uint8_t)phase;
    }
}

static inline void sc_tlsbev_io_close_output(struct sc_tlsbev *tls, enum sc_tlsbev_output output)
{
    if (output > tls->output) {
        tls->output = (uint8_t)output;
    }
}

/* Notes how the input ended; the first time counts. A failure is also the end of the output. */
void sc_tlsbev_io_end(struct sc_tlsbev *tls, enum sc_tlsbev_end how, int error_number,
                      unsigned long error_code);

/* The socket takes nothing any more: what waits is thrown away, which counts as flushed. */
void sc_tlsbev_io_lose_output(struct sc_tlsbev *tls, int error_number);

/* Reads the socket once; decrypts, or goes on with the handshake. Not while there is a backlog. */
void sc_tlsbev_io_read(struct sc_tlsbev *tls);

/* Decrypts some of the backlog. */
void sc_tlsbev_io_decrypt(struct sc_tlsbev *tls);

/* A handshake that is suspended goes on with what has come meanwhile. */
void sc_tlsbev_io_continue(struct sc_tlsbev *tls);

/* False: the peer has ended the connection, or its side of it; that is noted as the end. */
bool sc_tlsbev_io_check_peer(struct sc_tlsbev *tls);

/* Sends what the socket takes now. False: it is full, and something is left. */
bool sc_tlsbev_io_send(struct sc_tlsbev *tls);

#endif

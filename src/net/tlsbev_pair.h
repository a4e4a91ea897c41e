/*
 * The inside of net/tlsbev, for its own files only: tlsbev.c makes the pair and is the owner's
 * side, tlsbev_turn.c moves ciphertext and runs the turns.
 */
#ifndef SC_NET_TLSBEV_PAIR_H
#define SC_NET_TLSBEV_PAIR_H

#include <sys/queue.h>

#include <event2/buffer.h>

#include "net/tlsbev.h"

/*
 * Two ways to move ciphertext:
 *
 * over a socket (`fd` is not -1): our own read event does one recv(2) into memory of the
 *     thread, lends it to the socket
 *   bufferevent's input, and decrypts from there into the filter's input: the filter does the
 *   handshake and encrypts, but its reading
 *   stays off. Output is flushed with one send(2) at the end of the turn. Only when the socket is
 *   full does the socket bufferevent
 *   get EV_WRITE, until it has drained.
 * over anything else: libevent's own callbacks move the bytes; only the turns are ours.
 *
 * No write high-water mark is ever set on the transport: SSL_write then never blocks, so the
 * filter's own output is always empty, data can be encrypted straight from the caller's memory,
 * and what is pending is in one place. The owner bounds it: it sees sc_tlsbev_pending() and stops
 * reading.
 */
/*
 * Asked for a turn: in this pass of the loop, or in the next one after everything that is ready
 * then.
 */
enum sc_tlsbev_queued { SC_TLSBEV_NOT_QUEUED, SC_TLSBEV_SOON, SC_TLSBEV_LATER };

struct sc_tlsbev {
    struct bufferevent *filter, *transport;
    SSL *ssl;
    struct event *read_event; /* NULL when the transport is no socket */
    struct evbuffer_cb_entry *output_cb; /* NULL: the transport is not writing */
    struct sc_tlsbev_shared *shared;
    TAILQ_ENTRY(sc_tlsbev) turn_link; /* while it is queued */
    const struct sc_tlsbev_callbacks *callbacks;
    void *arg;
    uint64_t sent, received;
    struct sc_tlsbev_close close;
    evutil_socket_t fd;
    uint32_t round; /* of SC_TLSBEV_LATER */
    uint8_t queued; /* enum sc_tlsbev_queued */
    bool connected; /* the handshake is done */
    bool connected_told; /* ... and the owner knows */
    bool ended; /* `close` is valid */
    bool ended_told;
    bool blocked; /* the transport's EV_WRITE is at work */
    bool blocked_told;
    bool drained; /* it has finished, the owner does not know yet */
    bool has_data; /* decrypted bytes arrived in this turn */
    bool holds_chain; /* an empty chain may be left in the filter's input */
    bool asked; /* sc_tlsbev_again() */
    bool in_turn, freed;
    bool paused;
    bool admitted; /* on_hello has let the handshake begin, or there is none */
    bool broken; /* nothing can be written */
    bool shutdown_asked, write_side_shut;
};

TAILQ_HEAD(sc_tlsbev_queue, sc_tlsbev);

/*
 * Two events serve all pairs: one for each would be an eighth of what we add to an idle
 * connection.
 */
struct sc_tlsbev_shared {
    struct event_base *base;
    struct event *soon_event, *later_event;
    struct sc_tlsbev_queue soon, later;
    uint32_t round; /* of `later` */
    size_t size;
    uint8_t bytes[]; /* what is read at once */
};

/* Notes how the input ended; the first time counts. */
void sc_tlsbev_pair_end(struct sc_tlsbev *pair, enum sc_tlsbev_end how, int error_number,
                        unsigned long error_code);

/*
 * The socket takes nothing any more. Whoever waits for the output to leave is told that there is
 * none.
 */
void sc_tlsbev_pair_lose_output(struct sc_tlsbev *pair, int error_number);

/* Puts the pair into a queue, unless it is in one that is as good; takes it out. */
void sc_tlsbev_pair_queue_soon(struct sc_tlsbev *pair);
void sc_tlsbev_pair_queue_later(struct sc_tlsbev *pair);
void sc_tlsbev_pair_leave_queue(struct sc_tlsbev *pair);

/*
 * While the transport itself writes: counts what leaves, and notes when all has. False: out of
 * memory.
 */
bool sc_tlsbev_pair_watch_output(struct sc_tlsbev *pair);
void sc_tlsbev_pair_ignore_output(struct sc_tlsbev *pair);

/* Asks for a turn unless there is one. */
void sc_tlsbev_pair_want_turn(struct sc_tlsbev *pair);

/* One turn; `readable`: reads the socket first. The pair may be gone afterwards. */
void sc_tlsbev_pair_turn(struct sc_tlsbev *pair, bool readable);

/*
 * Goes on with the handshake, or decrypts into the filter's input, from what is in the
 * transport's. Returns how many bytes are left there.
 */
size_t sc_tlsbev_pair_decrypt(struct sc_tlsbev *pair);

/* Writes what the socket takes now; the rest is left to the transport's EV_WRITE. */
void sc_tlsbev_pair_flush(struct sc_tlsbev *pair);

/* Frees what sc_tlsbev_free() leaves to the end of the turn. */
void sc_tlsbev_pair_destroy(struct sc_tlsbev *pair);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * One client of the load: sends requests of every kind and size, many at once, checks each reply
 * for type, order and content, and counts what is wrong. A non-blocking peer; only connecting and
 * the handshake block.
 */
#ifndef SC_TESTS_LOAD_CLIENT_H
#define SC_TESTS_LOAD_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "peer.h"

#define LOAD_MAX_DEPTH 32U

struct load_tally {
    uint64_t replies, reply_bytes;
    uint64_t lost, doubled, wrong; /* replies */
    uint64_t reconnected, resumed; /* connections */
    uint64_t arrived; /* requests in the server's hands, unanswered, when it was told to stop */
    uint64_t too_late; /* requests after that, which it has left unanswered */
    uint64_t goodbyes, clean_ends; /* ERROR 3, close_notify */
    uint32_t soonest_ms, latest_ms; /* to come back */
};

/* A request without its reply. */
struct load_request {
    uint32_t type, size;
    uint64_t number; /* of this client; its body follows from it */
    uint64_t end; /* how many bytes were sent with it */
};

struct load_client {
    struct peer peer;
    unsigned index;
    SSL_CTX *context;
    SSL_SESSION *session; /* the last that the server gave */
    uint8_t *out; /* requests that the socket has not taken yet */
    size_t out_used, out_sent;
    uint8_t *in; /* replies that are not complete yet */
    size_t in_used;
    uint64_t sent; /* bytes of requests, of this connection */
    uint64_t next_number, answered;
    uint64_t must_answer; /* requests below this one had arrived when the server was told to stop */
    uint64_t replied_ns; /* when it last got a reply */
    uint64_t random;
    uint64_t due_ns; /* when it sends again; at once when the server is being told to stop */
    struct load_request waiting[2 * LOAD_MAX_DEPTH];
    unsigned first, count;
    bool open, stopping, goodbye;
    bool silent; /* sends nothing new */
    bool reconnects; /* as soon as nothing is unanswered */
    bool has_progressed; /* since this was last cleared */
    char last_time[32]; /* TIME never goes back */
    struct load_tally *tally;
};

/* An SSL_CTX for such clients: their sessions are kept. */
SSL_CTX *load_context(bool tls12);

/* Connects. `context` and `tally` are the caller's. */
void load_client_init(struct load_client *client, unsigned index, SSL_CTX *context,
                      struct load_tally *tally);
void load_client_fini(struct load_client *client);

/* Reads, checks, writes what can be without waiting; reconnects if it is to and can. */
void load_client_run(struct load_client *client);

/* Its pause between two batches of requests is over. */
bool load_client_is_due(const struct load_client *client);

bool load_client_wants_to_write(const struct load_client *client);

/*
 * The server is being told to stop: from now on ERROR 3 is right. What has arrived there must be
 * answered before it.
 */
void load_client_expect_end(struct load_client *client);

#endif

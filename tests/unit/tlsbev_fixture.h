/* SPDX-License-Identifier: MIT */
/*
 * What tests of net/tlsbev share: TEST(name) is a test with one TLS connection, the server's side
 * (`side`), and a peer at the other end of its socket (`peer`) that does what sc_tlsbev never does.
 */
#ifndef SC_TESTS_TLSBEV_FIXTURE_H
#define SC_TESTS_TLSBEV_FIXTURE_H

#include <string.h>

#include <event2/buffer.h>
#include <openssl/err.h>

#include "tls_peer.h"
#include "tlsbev_loop.h"

struct side {
    struct sc_tlsbev *tls;
    struct evbuffer *got;
    struct sc_tlsbev_close close;
    struct sc_tls_watch watch;
    unsigned connected, flushed, closed;
    size_t got_when_closed;
    uint32_t records, most_records; /* so far; at most from one call of on_data to the next */
    bool echoes;
};

static inline void on_connected(void *arg)
{
    ((struct side *)arg)->connected++;
}

static inline void on_data(void *arg, struct evbuffer *input)
{
    struct side *side = arg;
    ck_assert_uint_eq(side->connected, 1);
    const uint32_t records = side->watch.records - side->records;
    side->most_records = records > side->most_records ? records : side->most_records;
    side->records = side->watch.records;
    if (side->echoes && evbuffer_get_length(input) > 0) {
        sc_tlsbev_write(side->tls, evbuffer_pullup(input, -1), evbuffer_get_length(input));
    }
    ck_assert_int_eq(evbuffer_add_buffer(side->got, input), 0);
}

static inline void on_flushed(void *arg)
{
    ((struct side *)arg)->flushed++;
}

static inline void on_closed(void *arg, const struct sc_tlsbev_close *close)
{
    struct side *side = arg;
    side->close = *close;
    side->got_when_closed = evbuffer_get_length(side->got);
    side->closed++;
    ck_assert_uint_eq(ERR_peek_error(), 0); /* the next connection of the thread must not find it */
}

static const struct sc_tlsbev_callbacks callbacks = {.on_connected = on_connected,
                                                     .on_data = on_data,
                                                     .on_flushed = on_flushed,
                                                     .on_closed = on_closed};

static inline void side_init(struct side *side, int fd)
{
    struct sc_err err = {0};
    memset(side, 0, sizeof(*side));
    side->got = evbuffer_new();
    SSL *ssl = SSL_new(sc_tls_context_ssl_ctx(server_context));
    sc_tls_watch_init(&side->watch);
    ck_assert_int_eq(SSL_set_app_data(ssl, &side->watch), 1);
    side->tls = sc_tlsbev_new(shared, fd, ssl, true, &callbacks, side, &err);
    ck_assert_msg(side->tls != NULL, "%s", err.text);
}

static inline void side_fini(struct side *side)
{
    sc_tlsbev_free(side->tls);
    evbuffer_free(side->got);
    run_ready(base);
}

static inline void begin(struct side *side, struct tls_peer *peer)
{
    int fds[2];
    socket_pair(true, fds);
    side_init(side, fds[0]);
    tls_peer_init(peer, base, client_context, fds[1]);
}

static inline void begin_connected(struct side *side, struct tls_peer *peer)
{
    begin(side, peer);
    RUN_UNTIL(base, side->connected && peer->connected && tls_peer_all_sent(peer));
    run_ready(base);
    side->records = side->watch.records;
}

static inline void finish(struct side *side, struct tls_peer *peer)
{
    ck_assert_uint_le(side->closed, 1);
    side_fini(side);
    tls_peer_fini(peer);
}

#define TEST(name) \
    static void run_##name(struct side *side, struct tls_peer *peer); \
    START_TEST(name) \
    { \
        struct side side; \
        struct tls_peer peer; \
        test_init(); \
        run_##name(&side, &peer); \
        finish(&side, &peer); \
        test_fini(); \
    } \
    END_TEST \
    static void run_##name(struct side *side, struct tls_peer *peer)

#endif

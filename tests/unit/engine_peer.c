/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "engine_peer.h"

#include <check.h>
#include <string.h>

#include "proto/handler.h"

void engine_peer_open(struct engine_peer *peer, const struct sc_tls_context *context)
{
    *peer = (struct engine_peer){.ssl = SSL_new(sc_tls_context_ssl_ctx(context)),
                                 .in = BIO_new(BIO_s_mem()),
                                 .out = BIO_new(BIO_s_mem())};
    ck_assert(peer->ssl && peer->in && peer->out);
    BIO_set_mem_eof_return(peer->in, -1);
    sc_tls_watch_init(&peer->watch);
    SSL_set_app_data(peer->ssl, &peer->watch);
    SSL_set_bio(peer->ssl, peer->in, peer->out);
    SSL_set_accept_state(peer->ssl);
}

void engine_peer_close(struct engine_peer *peer)
{
    SSL_free(peer->ssl);
    sc_tls_watch_fini(&peer->watch);
    peer->ssl = NULL;
}

void engine_peer_say(struct engine_peer *peer, const void *bytes, size_t count)
{
    ck_assert_int_eq(SSL_write(peer->ssl, bytes, (int)count), (int)count);
}

void engine_peer_frame(struct engine_peer *peer, uint32_t type, const void *body, size_t length)
{
    uint8_t frame[SC_FRAME_HEADER_BYTES + 4096];
    ck_assert_uint_le(length, 4096);
    sc_frame_put_header(frame, type, (uint32_t)length);
    memcpy(frame + SC_FRAME_HEADER_BYTES, body, length);
    engine_peer_say(peer, frame, SC_FRAME_HEADER_BYTES + length);
}

void engine_peer_answer(struct engine_peer *peer, const struct sc_frame_header *header,
                        const uint8_t *body)
{
    const struct sc_handler *handler = sc_handler_find(header->type);
    uint8_t reply[4096 + 64];
    ck_assert_uint_le(header->length, 4096);
    if (handler) {
        engine_peer_frame(peer, header->type, reply, handler->run(body, header->length, reply));
    } else {
        engine_peer_say(peer, reply,
                        sc_frame_put_error(reply, SC_ERROR_UNKNOWN_TYPE, 0, "no such type"));
    }
}

void engine_peer_take(struct engine_peer *peer, const void *bytes, size_t count)
{
    struct sc_frame_header header;
    size_t at = 0;
    if (count > 0) {
        ck_assert_int_eq(BIO_write(peer->in, bytes, (int)count), (int)count);
    }
    if (!peer->is_done) {
        peer->is_done = SSL_do_handshake(peer->ssl) == 1;
    }
    for (int got; peer->is_done && (got = SSL_read(peer->ssl, peer->kept + peer->have,
                                                   (int)(ENGINE_PEER_BYTES - peer->have))) > 0;) {
        peer->have += (size_t)got;
    }
    while (peer->on_request && sc_frame_peek(peer->kept + at, peer->have - at, ENGINE_PEER_BYTES,
                                             &header) == SC_FRAME_COMPLETE) {
        peer->requests++;
        peer->on_request(peer, &header, peer->kept + at + SC_FRAME_HEADER_BYTES);
        at += SC_FRAME_HEADER_BYTES + header.length;
    }
    /* Not memmove(3): hardened, it is a memcpy(3) that overlaps to some versions of valgrind. */
    for (size_t i = at; i < peer->have; i++) {
        peer->kept[i - at] = peer->kept[i];
    }
    peer->have -= at;
}

size_t engine_peer_waiting(const struct engine_peer *peer)
{
    return BIO_ctrl_pending(peer->out);
}

size_t engine_peer_give(struct engine_peer *peer, void *out, size_t room)
{
    const int got = BIO_read(peer->out, out, (int)room);
    return got > 0 ? (size_t)got : 0;
}

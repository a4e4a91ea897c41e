/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "modes.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "base/compiler.h"
#include "client_hello.h"
#include "peer.h"
#include "proto/frame.h"

/* Connections that are brought to a state and left there, to see what they hold of the server. */

static uint8_t bytes[128 << 10];

static void send_some(struct peer *peer, const void *from, size_t length)
{
    const ssize_t sent = send(peer->fd, from, length, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) {
        peer_fail("the server has ended a connection: %s", strerror(errno));
    }
}

static void hold_silent(struct peer *peer, const struct mode_options *options)
{
    (void)peer;
    (void)options;
}

/* All of a header of the PROXY protocol but a byte. */
static void hold_part_of_proxy_header(struct peer *peer, const struct mode_options *options)
{
    (void)options;
    send_some(peer, "\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\2\7\xc6\x33\x64\1\0\7\0", 27);
}

/* The headers of a ClientHello of 16 KiB, and all of it but a byte. */
static void hold_part_of_hello(struct peer *peer, const struct mode_options *options)
{
    (void)options;
    memcpy(bytes, "\x16\3\1\x40\0\1\0\x3f\xfc\3\3", 11);
    send_some(peer, bytes, 5 + 16383);
}

/* A ClientHello, and 64 KiB after it that look like early data. */
static void hold_hello(struct peer *peer, const struct mode_options *options)
{
    static struct client_hello hello;
    static uint8_t junk[64 << 10];
    (void)options;
    if (hello.length == 0) {
        client_hello_make("none", &hello);
    }
    for (size_t at = 0; at + 1024 <= sizeof(junk); at += 1024) {
        memcpy(junk + at, "\x17\3\3\3\xfb", 5);
    }
    send_some(peer, hello.bytes, hello.length);
    if (options->piece > 1) {
        send_some(peer, junk, sizeof(junk));
    }
}

static void hold_idle(struct peer *peer, const struct mode_options *options)
{
    (void)options;
    if (!peer_handshake(peer)) {
        peer_fail("no handshake");
    }
}

/* Before anybody asks for PINS all are there, so that they ask at once. */
static void ask_pins(struct peer *peer)
{
    sc_frame_put_header(bytes, SC_FRAME_PINS, 0);
    if (!peer_send(peer, bytes, SC_FRAME_HEADER_BYTES, SC_FRAME_HEADER_BYTES)) {
        peer_fail("the server has ended a connection");
    }
}

static void hold_frame(struct peer *peer, const struct mode_options *options)
{
    hold_idle(peer, options);
    sc_frame_put_header(bytes, SC_FRAME_ECHO, (uint32_t)options->max_body);
    if (!peer_send(peer, bytes, SC_FRAME_HEADER_BYTES + options->max_body - 1, 16384)) {
        peer_fail("no part of a frame");
    }
}

/* Requests until the server takes no more, and half a one; no reply is read. */
static void hold_replies(struct peer *peer, const struct mode_options *options)
{
    const int small = 4096;
    setsockopt(peer->fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
    setsockopt(peer->fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
    hold_idle(peer, options);
    sc_frame_put_header(bytes, SC_FRAME_ECHO, (uint32_t)options->max_body);
    for (size_t at = 0; peer_wait(peer, POLLOUT, peer_age_ms(peer) + 100);) {
        const size_t frame = SC_FRAME_HEADER_BYTES + options->max_body;
        const int sent = peer_send_some(peer, bytes + at, frame - at);
        if (sent < 0) {
            peer_fail("the server has ended a connection");
        }
        at = (at + (size_t)sent) % frame;
    }
}

static bool renegotiates; /* what follows is not the first ClientHello */

/* 30 KB of nothing, so that the header of the ClientHello announces much. */
static int add_extension(SSL *ssl, unsigned type, const unsigned char **out, size_t *length,
                         int *alert, void *arg)
{
    static const unsigned char nothing[30000];
    (void)ssl;
    (void)type;
    (void)alert;
    (void)arg;
    *out = nothing;
    *length = sizeof(nothing);
    return renegotiates;
}

/* The first record of it, after a handshake of TLS 1.2; then the server's end is waited for. */
static void hold_renegotiation(struct peer *peer, const struct mode_options *options)
{
    char *records;
    BIO *memory = BIO_new(BIO_s_mem());
    renegotiates = false;
    if (SSL_CTX_add_client_custom_ext(peer_settings.context, 47110, add_extension, NULL, NULL, NULL,
                                      NULL) != 1) {
        ERR_clear_error(); /* it is there already */
    }
    hold_idle(peer, options);
    renegotiates = true;
    SSL_set0_wbio(peer->ssl, memory);
    (void)SSL_set_max_send_fragment(peer->ssl, 512);
    if (SSL_renegotiate(peer->ssl) != 1 || SSL_do_handshake(peer->ssl) > 0 ||
        BIO_get_mem_data(memory, &records) < 30000) {
        peer_fail("no renegotiation");
    }
    send_some(peer, records, 5 + 512 + 8 + 16);
    while (peer_wait(peer, POLLIN, UINT64_MAX) && recv(peer->fd, bytes, sizeof(bytes), 0) > 0) {
    }
}

static const struct {
    const char *how;
    void (*hold)(struct peer *peer, const struct mode_options *options);
    void (*then)(struct peer *peer); /* when all are there; may be NULL */
} states[] = {{"silent", hold_silent, NULL},
              {"part-of-proxy-header", hold_part_of_proxy_header, NULL},
              {"part-of-hello", hold_part_of_hello, NULL},
              {"hello", hold_hello, NULL},
              {"idle", hold_idle, NULL},
              {"pins", hold_idle, ask_pins},
              {"frame", hold_frame, NULL},
              {"replies", hold_replies, NULL},
              {"renegotiation", hold_renegotiation, NULL}};

void mode_hold(const struct mode_options *options)
{
    struct peer *peers = calloc(options->count, sizeof(*peers));
    size_t state = 0;
    while (state < SC_COUNT_OF(states) &&
           (!options->how || strcmp(states[state].how, options->how) != 0)) {
        state++;
    }
    if (!peers || state == SC_COUNT_OF(states)) {
        peer_fail("no such state");
    }
    for (size_t i = 0; i < options->count; i++) {
        peers[i] = peer_open();
        states[state].hold(&peers[i], options);
    }
    for (size_t i = 0; i < options->count && states[state].then; i++) {
        states[state].then(&peers[i]);
    }
    mode_announce_ready(options);
    mode_wait_for_go(options);
    for (size_t i = 0; i < options->count; i++) {
        peer_reset(&peers[i]);
    }
    printf("%llu connections were held\n", (unsigned long long)options->count);
    free(peers);
}

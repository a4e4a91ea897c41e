/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "modes.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "peer.h"
#include "script.h"
#include "proto/frame.h"

/* Sends raw bytes; false: the connection is gone. */
static bool send_raw(const struct peer *peer, const void *bytes, size_t length)
{
    return send(peer->fd, bytes, length, MSG_NOSIGNAL) == (ssize_t)length;
}

/* Reads raw bytes to the end, or until the peer gives up. Returns how many came. */
static size_t read_raw_end(const struct peer *peer, uint64_t until_ms, bool *ended,
                           const char **how)
{
    size_t total = 0;
    *ended = false;
    while (peer_wait(peer, POLLIN, until_ms)) {
        uint8_t bytes[4096];
        const ssize_t got = recv(peer->fd, bytes, sizeof(bytes), 0);
        if (got <= 0) {
            *ended = true;
            *how = got == 0 ? "end of stream" : strerror(errno);
            break;
        }
        total += (size_t)got;
    }
    return total;
}

static void expect_raw_end(const struct peer *peer, const struct mode_options *options,
                           const char *after)
{
    bool ended;
    const char *how = "";
    const uint64_t until = options->at_most_ms ? options->at_most_ms : options->give_up_ms;
    const size_t total = read_raw_end(peer, until, &ended, &how);
    const uint64_t age = peer_age_ms(peer);
    if (!ended && options->at_most_ms) {
        peer_fail("%s: still connected after %llu ms", after, (unsigned long long)age);
    }
    if (ended && age < options->at_least_ms) {
        peer_fail("%s: ended after %llu ms already: %s", after, (unsigned long long)age, how);
    }
    printf("%s: %s after %llu ms, %zu bytes came\n", after, ended ? how : "given up",
           (unsigned long long)age, total);
}

void mode_silent(const struct mode_options *options)
{
    struct peer peer = peer_open();
    mode_announce_ready(options);
    expect_raw_end(&peer, options, "silent");
    peer_close(&peer);
}

/* Our ClientHello, as bytes. */
static size_t make_hello(uint8_t *bytes, size_t size)
{
    SSL *ssl = SSL_new(peer_settings.context);
    BIO *in = BIO_new(BIO_s_mem());
    BIO *out = BIO_new(BIO_s_mem());
    if (!ssl || !in || !out) {
        peer_fail("no TLS connection");
    }
    SSL_set_bio(ssl, in, out);
    SSL_connect(ssl);
    const int length = BIO_read(out, bytes, (int)size);
    SSL_free(ssl);
    if (length <= 0) {
        peer_fail("no ClientHello");
    }
    return (size_t)length;
}

void mode_drip_hello(const struct mode_options *options)
{
    uint8_t hello[2048];
    const size_t length = make_hello(hello, sizeof(hello));
    struct peer peer = peer_open();
    mode_announce_ready(options);
    for (size_t i = 0; i + 1 < length; i++) {
        const uint64_t next = peer_age_ms(&peer) + options->interval_ms;
        if (!send_raw(&peer, hello + i, 1) || (options->give_up_ms && next > options->give_up_ms) ||
            peer_wait(&peer, POLLIN, next)) {
            break;
        }
    }
    expect_raw_end(&peer, options, "one byte of a ClientHello at a time");
    peer_close(&peer);
}

/* Something that is not TLS at all. */
void mode_plain(const struct mode_options *options)
{
    const char *text = options->how ? options->how : "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
    struct peer peer = peer_open();
    if (!send_raw(&peer, text, strlen(text))) {
        peer_fail("can't send: %s", strerror(errno));
    }
    expect_raw_end(&peer, options, "plain text");
    peer_close(&peer);
}

/* Closed before any TLS work: what a connection over a limit sees. */
void mode_refused(const struct mode_options *options)
{
    struct peer peer = peer_open();
    bool ended;
    const char *how = "";
    if (read_raw_end(&peer, options->at_most_ms, &ended, &how) > 0 || !ended) {
        peer_fail("not refused within %llu ms", (unsigned long long)options->at_most_ms);
    }
    printf("refused: %s\n", how);
    peer_close(&peer);
}

static void reset_once(const char *stage)
{
    struct peer peer = peer_open();
    uint8_t bytes[4096];
    if (strcmp(stage, "hello") == 0) {
        const size_t length = make_hello(bytes, sizeof(bytes));
        send_raw(&peer, bytes, length / 2);
    } else if (strcmp(stage, "handshake") == 0) {
        const size_t length = make_hello(bytes, sizeof(bytes));
        send_raw(&peer, bytes, length);
        peer_wait(&peer, POLLIN, PEER_FOR_EVER);
    } else if (strcmp(stage, "frame") == 0 || strcmp(stage, "reply") == 0) {
        const bool whole = strcmp(stage, "reply") == 0;
        peer_handshake(&peer);
        memset(bytes, 'x', sizeof(bytes));
        sc_frame_put_header(bytes, SC_FRAME_ECHO, sizeof(bytes) - SC_FRAME_HEADER_BYTES);
        for (int i = 0;
             i < 100 && peer_send_some(&peer, bytes, whole ? sizeof(bytes) : 1000) > 0 && whole;
             i++) {
        }
    } else if (strcmp(stage, "connect") != 0) {
        peer_fail("there is no stage %s", stage);
    }
    peer_reset(&peer);
}

/* TCP resets at every stage; afterwards the server serves a new client. */
void mode_reset(const struct mode_options *options)
{
    static const char *const stages[] = {"connect", "hello", "handshake", "frame", "reply"};
    unsigned resets = 0;
    for (uint64_t round = 0; round < options->count; round++) {
        for (size_t i = 0; i < SC_COUNT_OF(stages); i++) {
            if (!options->how || strcmp(options->how, stages[i]) == 0) {
                reset_once(stages[i]);
                resets++;
            }
        }
    }
    struct peer peer = peer_open_tls();
    struct script script = script_of_mix(10, 1000);
    script_play(&peer, &script, 0, SCRIPT_STAY_OPEN);
    script_free(&script);
    peer_close(&peer);
    printf("%u resets, and the next client was served\n", resets);
}

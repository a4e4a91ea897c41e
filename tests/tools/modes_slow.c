/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "modes.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "peer.h"
#include "script.h"
#include "proto/frame.h"

void mode_announce_ready(const struct mode_options *options)
{
    if (options->ready_file) {
        FILE *file = fopen(options->ready_file, "w");
        if (!file || fclose(file) != 0) {
            peer_fail("can't make %s", options->ready_file);
        }
    }
}

void mode_wait_for_go(const struct mode_options *options)
{
    while (options->go_file && access(options->go_file, F_OK) != 0) {
        (void)poll(NULL, 0, 10); /* alarm(2) bounds it */
    }
}

void mode_expect_end(struct peer *peer, const struct mode_options *options, const char *after)
{
    if (!options->at_most_ms) {
        /* Nothing but an end can make it readable. */
        if (peer_wait(peer, POLLIN, options->give_up_ms)) {
            const struct peer_ending early = peer_read_end(peer);
            if (early.after_ms < options->at_least_ms) {
                peer_fail("%s: ended after %llu ms already (%s, ERROR %u)", after,
                          (unsigned long long)early.after_ms, peer_end_names[early.end],
                          early.code);
            }
        }
        printf("%s: given up after %llu ms\n", after, (unsigned long long)peer_age_ms(peer));
        return;
    }
    const struct peer_ending ending = peer_read_end(peer);
    if (ending.after_ms < options->at_least_ms || ending.after_ms > options->at_most_ms) {
        peer_fail("%s: ended after %llu ms, not between %llu and %llu", after,
                  (unsigned long long)ending.after_ms, (unsigned long long)options->at_least_ms,
                  (unsigned long long)options->at_most_ms);
    }
    printf("%s: %s after %llu ms, ERROR %u\n", after, peer_end_names[ending.end],
           (unsigned long long)ending.after_ms, ending.code);
}

/* One byte of a frame at a time: each is a TLS record, and none extends the deadline. */
void mode_drip_frame(const struct mode_options *options)
{
    uint8_t bytes[SC_FRAME_HEADER_BYTES + 4096] = {0};
    sc_frame_put_header(bytes, SC_FRAME_ECHO, sizeof(bytes) - SC_FRAME_HEADER_BYTES);
    struct peer peer = peer_open_tls();
    /* Tickets come after the handshake: what is readable then is only the end. */
    struct script script = script_of_mix(1, 10);
    script_play(&peer, &script, 0, SCRIPT_STAY_OPEN);
    script_free(&script);
    mode_announce_ready(options);
    for (size_t i = 0; i + 1 < sizeof(bytes); i++) {
        const uint64_t next = peer_age_ms(&peer) + options->interval_ms;
        if (!peer_send(&peer, bytes + i, 1, 1) ||
            (options->give_up_ms && next > options->give_up_ms) || peer_wait(&peer, POLLIN, next)) {
            break;
        }
    }
    mode_expect_end(&peer, options, "one byte of a frame at a time");
    peer_close(&peer);
}

/* A client that was served and then says nothing. */
void mode_idle(const struct mode_options *options)
{
    struct peer peer = peer_open_tls();
    struct script script = script_of_mix(3, 100);
    script_play(&peer, &script, 0, SCRIPT_STAY_OPEN);
    script_free(&script);
    mode_announce_ready(options);
    mode_expect_end(&peer, options, "idle");
    peer_close(&peer);
}

/* True when the connection was ended by the other side: seen without reading anything from it. */
static bool is_gone(const struct peer *peer)
{
    struct pollfd entry = {.fd = peer->fd, .events = POLLRDHUP};
    return poll(&entry, 1, 0) > 0 && (entry.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

/*
 * Waits until the socket takes more. False: it did not before that age, or the connection is gone.
 * Once blocked for long, we are ready.
 */
static bool takes_more(const struct peer *peer, uint64_t until_ms,
                       const struct mode_options *options, bool *ready)
{
    const uint64_t blocked_ms = peer_age_ms(peer) + 300;
    for (;;) {
        if (is_gone(peer)) {
            return false;
        }
        const uint64_t now = peer_age_ms(peer);
        if (!*ready && now >= blocked_ms) {
            mode_announce_ready(options);
            *ready = true;
        }
        if (peer_wait(peer, POLLOUT, now + 20 < until_ms ? now + 20 : until_ms)) {
            return !is_gone(peer);
        }
        if (now + 20 >= until_ms) {
            return false;
        }
    }
}

/*
 * Sends requests and reads no reply: the server must stop taking them, and end the connection when
 * nothing is read for long.
 */
void mode_never_read(const struct mode_options *options)
{
    static uint8_t bytes[SC_FRAME_HEADER_BYTES + 8192];
    uint64_t sent = 0;
    struct peer peer = peer_open_tls();
    const uint64_t until = options->at_most_ms ? options->at_most_ms : options->give_up_ms;
    /* Kernels grow receive buffers to many megabytes: a small one makes the server feel it soon. */
    const int small = 16384;
    setsockopt(peer.fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
    sc_frame_put_header(bytes, SC_FRAME_ECHO, sizeof(bytes) - SC_FRAME_HEADER_BYTES);
    int some = 1;
    bool ready = false;
    while (some >= 0 && sent < options->bytes && takes_more(&peer, until, options, &ready)) {
        some = peer_send_some(&peer, bytes, sizeof(bytes));
        sent += some > 0 ? (uint64_t)some : 0;
    }
    const bool gone = some < 0 || is_gone(&peer);
    const uint64_t age = peer_age_ms(&peer);
    if (sent >= options->bytes) {
        peer_fail("the server took %llu bytes of requests and none of its replies was read",
                  (unsigned long long)sent);
    }
    if (options->at_most_ms && !gone) {
        peer_fail("still connected after %llu ms without reading", (unsigned long long)age);
    }
    if (gone && age < options->at_least_ms) {
        peer_fail("ended after %llu ms already", (unsigned long long)age);
    }
    printf("never reading: %llu KiB taken, %s after %llu ms\n", (unsigned long long)sent / 1024,
           gone ? "ended" : "given up", (unsigned long long)age);
    peer_close(&peer);
}

/*
 * Sends as many requests as are taken, and every --interval-ms reads --piece bytes of the replies:
 * too little, the server must end it.
 */
void mode_slow_read(const struct mode_options *options)
{
    static uint8_t bytes[SC_FRAME_HEADER_BYTES + 8192];
    static uint8_t got[65536];
    struct peer peer = peer_open_tls();
    const size_t piece = options->piece < sizeof(got) ? (size_t)options->piece : sizeof(got);
    size_t read = 0;
    sc_frame_put_header(bytes, SC_FRAME_ECHO, sizeof(bytes) - SC_FRAME_HEADER_BYTES);
    while (!is_gone(&peer) && peer_age_ms(&peer) < options->at_most_ms) {
        for (int i = 0; i < 32 && peer_send_some(&peer, bytes, sizeof(bytes)) > 0; i++) {
        }
        const ssize_t some = recv(peer.fd, got, piece, MSG_DONTWAIT);
        read += some > 0 ? (size_t)some : 0;
        (void)peer_wait(&peer, POLLRDHUP, peer_age_ms(&peer) + options->interval_ms);
    }
    if (!is_gone(&peer)) {
        peer_fail("still connected after %llu ms, in which %zu bytes were read",
                  (unsigned long long)peer_age_ms(&peer), read);
    }
    printf("reading slowly: %zu bytes, ended after %llu ms\n", read,
           (unsigned long long)peer_age_ms(&peer));
    peer_close(&peer);
}

/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "modes.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "client_hello.h"
#include "peer.h"

#define MAX_AT_ONCE 256U
#define MAX_REFUSED 2000U /* what is refused at once takes all processors */
#define FULL_BYTES \
    450U /* a server's first flight with a certificate is longer, others are shorter */

static void send_raw(const struct peer *peer, const void *bytes, size_t length)
{
    if (send(peer->fd, bytes, length, MSG_NOSIGNAL) != (ssize_t)length) {
        peer_fail("can't send %zu bytes: %s", length, strerror(errno));
    }
}

/* --- The same ClientHello again and again --- */

struct answers {
    uint64_t full, resumed, refused;
};

/* What a server's first flight, all in one read(2), says. False: nothing came yet. */
static bool take_answer(const struct peer *peer, struct answers *answers)
{
    uint8_t bytes[16384];
    const ssize_t got = recv(peer->fd, bytes, sizeof(bytes), 0);
    if (got < 0 && errno == EAGAIN) {
        return false;
    }
    if (got <= 0 || bytes[0] != SSL3_RT_HANDSHAKE) {
        answers->refused++;
    } else if ((size_t)got >= FULL_BYTES) {
        answers->full++;
    } else {
        answers->resumed++;
    }
    return true;
}

static struct peer open_and_say(const struct client_hello *hello)
{
    struct peer peer = peer_open();
    send_raw(&peer, hello->bytes, hello->length);
    return peer;
}

static void print_answers(const struct answers *answers, uint64_t start_ms)
{
    printf("full=%llu resumed=%llu refused=%llu ms=%llu\n", (unsigned long long)answers->full,
           (unsigned long long)answers->resumed, (unsigned long long)answers->refused,
           (unsigned long long)(sc_clock_ms() - start_ms));
}

/*
 * Says what --how says for --give-up-ms or until enough were refused, --count at once, each reset
 * when it has its answer, and then another one.
 */
void mode_replay(const struct mode_options *options)
{
    struct client_hello hello;
    struct peer peers[MAX_AT_ONCE];
    struct pollfd entries[MAX_AT_ONCE];
    const size_t at_once = options->count < MAX_AT_ONCE ? (size_t)options->count : MAX_AT_ONCE;
    struct answers answers = {0};
    client_hello_make(options->how ? options->how : "ticket", &hello);
    const uint64_t start_ms = sc_clock_ms();
    for (size_t i = 0; i < at_once; i++) {
        peers[i] = open_and_say(&hello);
        entries[i] = (struct pollfd){.fd = peers[i].fd, .events = POLLIN};
    }
    mode_announce_ready(options);
    while (sc_clock_ms() - start_ms < options->give_up_ms && answers.refused < MAX_REFUSED) {
        (void)poll(entries, at_once, 20);
        for (size_t i = 0; i < at_once; i++) {
            if (entries[i].revents && take_answer(&peers[i], &answers)) {
                peer_reset(&peers[i]);
                peers[i] = open_and_say(&hello);
                entries[i].fd = peers[i].fd;
            }
        }
    }
    for (size_t i = 0; i < at_once; i++) {
        peer_reset(&peers[i]);
    }
    print_answers(&answers, start_ms);
}

/* Handshakes that are finished, one after the other for --give-up-ms, all with the same session. */
void mode_resume(const struct mode_options *options)
{
    SSL_CTX *context, *const usual = peer_settings.context;
    struct answers answers = {0};
    SSL_SESSION *session = client_hello_session(options->how ? options->how : "ticket", &context);
    peer_settings.context = context;
    const uint64_t start_ms = sc_clock_ms();
    while (sc_clock_ms() - start_ms < options->give_up_ms) {
        peer_settings.session = SSL_SESSION_dup(session); /* OpenSSL uses one of TLS 1.3 once */
        struct peer peer = peer_open_tls();
        *(SSL_session_reused(peer.ssl) ? &answers.resumed : &answers.full) += 1;
        (void)SSL_shutdown(peer.ssl); /* else both sides forget the session */
        peer_close(&peer);
        SSL_SESSION_free(peer_settings.session);
    }
    print_answers(&answers, start_ms);
    SSL_SESSION_free(session);
    SSL_CTX_free(context);
    peer_settings.session = NULL;
    peer_settings.context = usual;
}

/* --- A ClientHello, then a reset --- */

/* One every --interval-ms, for --give-up-ms. */
void mode_hello_reset(const struct mode_options *options)
{
    struct client_hello hello;
    uint64_t count = 0;
    client_hello_make("none", &hello);
    const uint64_t start_ms = sc_clock_ms();
    mode_announce_ready(options);
    while (sc_clock_ms() - start_ms < options->give_up_ms) {
        struct peer peer = open_and_say(&hello);
        peer_reset(&peer);
        count++;
        const uint64_t due_ms = start_ms + count * options->interval_ms, now_ms = sc_clock_ms();
        if (due_ms > now_ms) {
            (void)poll(NULL, 0, (int)(due_ms - now_ms));
        }
    }
    printf("%llu said hello and were reset\n", (unsigned long long)count);
}

/* --- ClientHellos that are refused by their headers --- */

static void expect_alert(struct peer *peer, const char *what)
{
    uint8_t bytes[7] = {0};
    size_t have = 0;
    for (ssize_t got; have < sizeof(bytes) && peer_wait(peer, POLLIN, PEER_FOR_EVER);
         have += (size_t)got) {
        got = recv(peer->fd, bytes + have, sizeof(bytes) - have, 0);
        if (got <= 0) {
            peer_fail("%s: no alert", what);
        }
    }
    if (bytes[0] != SSL3_RT_ALERT || bytes[5] != SSL3_AL_FATAL) {
        peer_fail("%s: no fatal alert, but a record of type %u", what, bytes[0]);
    }
    printf("%s: alert %u after %llu ms\n", what, bytes[6], (unsigned long long)peer_age_ms(peer));
}

/* Announces a ClientHello of --bytes, and sends no more than the headers of it. */
void mode_long_hello(const struct mode_options *options)
{
    uint8_t bytes[10] = {SSL3_RT_HANDSHAKE, 3, 1, 0x40, 0, SSL3_MT_CLIENT_HELLO};
    struct peer peer = peer_open();
    bytes[6] = (uint8_t)(options->bytes >> 16);
    bytes[7] = (uint8_t)(options->bytes >> 8);
    bytes[8] = (uint8_t)options->bytes;
    bytes[9] = 3;
    send_raw(&peer, bytes, sizeof(bytes));
    expect_alert(&peer, "a ClientHello that is too long");
    peer_close(&peer);
}

/* A ClientHello in records of --piece bytes. Served, or with --expect-end refused. */
void mode_split_hello(const struct mode_options *options)
{
    struct client_hello hello;
    uint8_t records[CLIENT_HELLO_MAX_BYTES * 6];
    size_t length = 0;
    client_hello_make("none", &hello);
    for (size_t at = 5; at < hello.length;) {
        const size_t left = hello.length - at;
        const size_t piece = left < options->piece ? left : options->piece;
        memcpy(records + length, hello.bytes, 3);
        records[length + 3] = (uint8_t)(piece >> 8);
        records[length + 4] = (uint8_t)piece;
        memcpy(records + length + 5, hello.bytes + at, piece);
        length += 5 + piece;
        at += piece;
    }
    struct peer peer = peer_open();
    send_raw(&peer, records, length);
    if (options->expect_end) {
        expect_alert(&peer, "a ClientHello in too many records");
    } else {
        struct answers answers = {0};
        while (!take_answer(&peer, &answers)) {
            (void)peer_wait(&peer, POLLIN, PEER_FOR_EVER);
        }
        if (answers.full != 1) {
            peer_fail("in records of %llu bytes it is not answered",
                      (unsigned long long)options->piece);
        }
        printf("a ClientHello in records of %llu bytes is answered\n",
               (unsigned long long)options->piece);
    }
    peer_close(&peer);
}

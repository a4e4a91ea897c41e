/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "modes.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <openssl/err.h>

#include "peer.h"
#include "script.h"
#include "proto/frame.h"

static void expect_clean_end(struct peer *peer, const char *after)
{
    const struct peer_ending ending = peer_read_end(peer);
    if (ending.end != PEER_CLOSE_NOTIFY || ending.errors > 0) {
        peer_fail("%s: %u ERROR frames and %s, not a clean close_notify", after, ending.errors,
                  peer_end_names[ending.end]);
    }
}

/* The same requests in any pieces give the same replies. */
void mode_split(const struct mode_options *options)
{
    struct peer peer = peer_open_tls();
    struct script script = script_of_borders((uint32_t)options->max_body);
    script_play(&peer, &script, options->piece, SCRIPT_CLOSE_NOTIFY);
    expect_clean_end(&peer, "after close_notify");
    printf("%zu requests in pieces of %llu bytes (%s): every reply right\n", script.count,
           (unsigned long long)options->piece, SSL_get_version(peer.ssl));
    script_free(&script);
    peer_close(&peer);
}

/* The last request and the end of our side at once: no reply is lost. */
void mode_half_close(const struct mode_options *options)
{
    const bool notify = !options->how || strcmp(options->how, "close-notify") == 0;
    struct peer peer = peer_open_tls();
    struct script script = script_of_mix((unsigned)options->count, (uint32_t)options->bytes);
    script_play(&peer, &script, 16384, notify ? SCRIPT_CLOSE_NOTIFY : SCRIPT_HALF_CLOSE);
    expect_clean_end(&peer, "after the last reply");
    printf("%zu requests and %s at once: every reply came, then close_notify\n", script.count,
           notify ? "close_notify" : "a TCP half-close");
    script_free(&script);
    peer_close(&peer);
}

/* Two whole requests and a part of a third, then the end: two replies, nothing else. */
void mode_truncate(const struct mode_options *options)
{
    const bool notify = !options->how || strcmp(options->how, "close-notify") == 0;
    struct peer peer = peer_open_tls();
    struct script script = script_of_mix(2, 100);
    uint8_t part[SC_FRAME_HEADER_BYTES + 4] = {0};
    sc_frame_put_header(part, SC_FRAME_ECHO, 5);
    script_send(&peer, &script);
    peer_send(&peer, part, options->bytes < sizeof(part) ? (size_t)options->bytes : sizeof(part),
              sizeof(part));
    if (notify) {
        SSL_shutdown(peer.ssl);
    } else {
        shutdown(peer.fd, SHUT_WR);
    }
    script_check(&peer, &script);
    const struct peer_ending ending = peer_read_end(&peer);
    if (ending.errors > 0 || ending.end == PEER_RESET || ending.end == PEER_ALERT) {
        peer_fail("after a truncated frame: %u ERROR frames, then %s", ending.errors,
                  peer_end_names[ending.end]);
    }
    printf("a truncated frame: two replies for two requests, then %s\n",
           peer_end_names[ending.end]);
    script_free(&script);
    peer_close(&peer);
}

/*
 * A header that announces too much: refused without its body, after the replies to what came
 * before.
 */
void mode_too_large(const struct mode_options *options)
{
    struct peer peer = peer_open_tls();
    struct script script = script_of_mix(20, 1000);
    uint8_t header[SC_FRAME_HEADER_BYTES];
    const bool unknown = options->how && strcmp(options->how, "unknown-type") == 0;
    sc_frame_put_header(header, unknown ? 77 : SC_FRAME_ECHO, (uint32_t)options->bytes);
    script_send(&peer, &script);
    peer_send(&peer, header, sizeof(header), sizeof(header));
    /*
     * A part of the body has been sent already when the server refuses: the reply must come
     * through all the same.
     */
    uint8_t *body = calloc(1, options->piece + 1);
    if (!body || !peer_send(&peer, body, options->piece, 16384)) {
        peer_fail("can't send a part of the body");
    }
    free(body);
    script_check(&peer, &script);
    const struct peer_ending ending = peer_read_end(&peer);
    if (ending.errors != 1 || ending.code != SC_ERROR_BODY_TOO_LARGE ||
        ending.end != PEER_CLOSE_NOTIFY) {
        peer_fail("a body of %llu bytes: %u ERROR frames, code %u, then %s",
                  (unsigned long long)options->bytes, ending.errors, ending.code,
                  peer_end_names[ending.end]);
    }
    printf("a body of %llu bytes: ERROR 2, then close_notify\n",
           (unsigned long long)options->bytes);
    script_free(&script);
    peer_close(&peer);
}

static void try_alpn(const char *what, const unsigned char *list, unsigned length,
                     const char *expected)
{
    SSL_CTX *const before = peer_settings.context;
    peer_settings.context =
        peer_context(SSL_CTX_get_max_proto_version(before) == TLS1_2_VERSION, list, length);
    struct peer peer = peer_open();
    const bool done = peer_handshake(&peer);
    const int reason = ERR_GET_REASON(ERR_peek_error());
    if (!expected && (done || reason != SSL_R_TLSV1_ALERT_NO_APPLICATION_PROTOCOL)) {
        peer_fail("ALPN %s: not refused with the alert no_application_protocol", what);
    }
    if (expected) {
        const unsigned char *chosen = NULL;
        unsigned chosen_length = 0;
        SSL_get0_alpn_selected(peer.ssl, &chosen, &chosen_length);
        if (!done || chosen_length != strlen(expected) ||
            (chosen && memcmp(chosen, expected, chosen_length) != 0)) {
            peer_fail("ALPN %s: not served as \"%s\"", what, expected);
        }
        struct script script = script_of_mix(4, 100);
        script_play(&peer, &script, 0, SCRIPT_STAY_OPEN);
        script_free(&script);
    }
    peer_close(&peer);
    SSL_CTX_free(peer_settings.context);
    peer_settings.context = before;
}

void mode_alpn(const struct mode_options *options)
{
    static const unsigned char wrong[] = "\x02h2\x08http/1.1";
    static const unsigned char both[] = "\x02h2\x0fspace-captain/1";
    static const unsigned char close[] = "\x0fspace-captain/2";
    (void)options;
    try_alpn("of a browser", wrong, sizeof(wrong) - 1, NULL);
    try_alpn("of another version", close, sizeof(close) - 1, NULL);
    try_alpn("with ours among others", both, sizeof(both) - 1, SC_PROTOCOL_ALPN);
    try_alpn("not offered", NULL, 0, "");
    puts("ALPN: ours is chosen, others are refused with the alert, none is served");
}

/* No reply comes any more, but the end; which one depends on what is under way. */
static void expect_no_reply(struct peer *peer, uint64_t updates)
{
    uint8_t rest[4096];
    enum peer_end end = PEER_EOF;
    for (int got = 0; got >= 0;) {
        got = peer_receive_some(peer, rest, sizeof(rest), &end);
        if (got > 0) {
            peer_fail("%llu key updates are too many, and were answered",
                      (unsigned long long)updates);
        }
        if (got == 0) {
            peer_wait(peer, POLLIN, PEER_FOR_EVER);
        }
    }
    printf("key update %llu was the end: %s\n", (unsigned long long)updates, peer_end_names[end]);
}

/*
 * KeyUpdate messages, each asking for one back, and a request after each. --expect-end: the last
 * one, and none before, is too many.
 */
void mode_key_update(const struct mode_options *options)
{
    struct peer peer = peer_open_tls();
    struct script script = script_of_mix(1, 50);
    for (uint64_t done = 1; done <= options->count; done++) {
        uint8_t request[SC_FRAME_HEADER_BYTES + 64];
        script_request(&script.items[0], request);
        if (SSL_key_update(peer.ssl, SSL_KEY_UPDATE_REQUESTED) != 1 ||
            !peer_send(&peer, request, SC_FRAME_HEADER_BYTES + script.items[0].length,
                       sizeof(request))) {
            peer_fail("the server ended the connection before %llu key updates",
                      (unsigned long long)done);
        }
        if (done == options->count && options->expect_end) {
            expect_no_reply(&peer, done);
        } else {
            script_check(&peer, &script);
        }
    }
    if (!options->expect_end) {
        printf("%llu key updates: every reply right\n", (unsigned long long)options->count);
    }
    script_free(&script);
    peer_close(&peer);
}

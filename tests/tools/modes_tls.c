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

#include "peer.h"
#include "script.h"
#include "tls13_record.h"
#include "proto/frame.h"

/* Raw bytes to the socket; false: the server has ended the connection. */
static bool send_all(const struct peer *peer, const uint8_t *bytes, size_t length)
{
    while (length > 0) {
        (void)peer_wait(peer, POLLOUT, PEER_FOR_EVER);
        const ssize_t sent = send(peer->fd, bytes, length, MSG_NOSIGNAL);
        if (sent > 0) {
            bytes += sent;
            length -= (size_t)sent;
        } else if (sent < 0 && errno != EAGAIN) {
            return false;
        }
    }
    return true;
}

/* Reads whatever comes until the server ends the connection. */
static enum peer_end read_to_end(struct peer *peer)
{
    uint8_t bytes[4096];
    enum peer_end end = PEER_EOF;
    for (int got = 0; got >= 0;) {
        got = peer_receive_some(peer, bytes, sizeof(bytes), &end);
        if (got == 0) {
            (void)peer_wait(peer, POLLIN, PEER_FOR_EVER);
        }
    }
    return end;
}

static size_t seal(struct tls13_sender *sender, uint8_t type, const void *bytes, size_t length,
                   uint8_t *record)
{
    const size_t size = tls13_seal(sender, type, bytes, length, record);
    if (size == 0) {
        peer_fail("can't make a record");
    }
    return size;
}

static struct peer open_sender(struct tls13_sender *sender)
{
    tls13_keep_secrets(peer_settings.context);
    struct peer peer = peer_open_tls();
    if (!tls13_sender_init(sender, peer.ssl)) {
        peer_fail("not TLS 1.3");
    }
    return peer;
}

/*
 * The first four bytes of a KeyUpdate, then application data: a fatal error inside of a message
 * (RFC 8446 section 5.1). What follows, --bytes of it, must not be taken.
 */
void mode_split_message(const struct mode_options *options)
{
    static const uint8_t part_of_key_update[] = {SSL3_MT_KEY_UPDATE, 0, 0, 1};
    static uint8_t data[SSL3_RT_MAX_PLAIN_LENGTH];
    static uint8_t record[sizeof(data) + TLS13_RECORD_OVERHEAD];
    struct tls13_sender sender;
    struct peer peer = open_sender(&sender);
    uint64_t taken = 0;
    size_t size =
        seal(&sender, SSL3_RT_HANDSHAKE, part_of_key_update, sizeof(part_of_key_update), record);
    bool alive = send_all(&peer, record, size);
    while (alive && taken < options->bytes) {
        size = seal(&sender, SSL3_RT_APPLICATION_DATA, data, sizeof(data), record);
        alive = send_all(&peer, record, size);
        taken += size;
    }
    if (alive && taken > 1000000) { /* more than the buffers of the sockets hold */
        peer_fail("%llu bytes after the error were taken", (unsigned long long)taken);
    }
    const enum peer_end end = read_to_end(&peer);
    const uint64_t age = peer_age_ms(&peer);
    if (options->at_most_ms && age > options->at_most_ms) {
        peer_fail("ended after %llu ms", (unsigned long long)age);
    }
    printf("a part of a message, then data: %s after %llu ms\n", peer_end_names[end],
           (unsigned long long)age);
    peer_close(&peer);
}

/* A copy whose ticket no server can decrypt. */
static SSL_SESSION *with_another_ticket(const SSL_SESSION *session)
{
    const unsigned char *ticket;
    unsigned char *der = NULL;
    size_t ticket_length;
    const int length = i2d_SSL_SESSION((SSL_SESSION *)(uintptr_t)session, &der);
    SSL_SESSION_get0_ticket(session, &ticket, &ticket_length);
    unsigned char *at = length > 0 ? memmem(der, (size_t)length, ticket, ticket_length) : NULL;
    if (!at) {
        peer_fail("no ticket in the session");
    }
    memset(at, 'x', ticket_length);
    const unsigned char *in = der;
    SSL_SESSION *copy = d2i_SSL_SESSION(NULL, &in, length);
    OPENSSL_free(der);
    if (!copy) {
        peer_fail("can't copy the session");
    }
    return copy;
}

/* A session of this server that says, what the server never said, that early data is welcome. */
static SSL_SESSION *early_session(bool foreign)
{
    struct peer peer = peer_open_tls();
    struct script script = script_of_mix(1, 10); /* after its reply the ticket is there */
    script_play(&peer, &script, 0, SCRIPT_STAY_OPEN);
    script_free(&script);
    SSL_SESSION *own = SSL_get1_session(peer.ssl);
    (void)SSL_shutdown(peer.ssl); /* else SSL_free() makes the session useless */
    peer_close(&peer);
    if (!own || !SSL_SESSION_is_resumable(own)) {
        peer_fail("no session to resume");
    }
    SSL_SESSION *session = foreign ? with_another_ticket(own) : SSL_SESSION_dup(own);
    SSL_SESSION_free(own);
    if (!session || SSL_SESSION_set_max_early_data(session, UINT32_MAX) != 1) {
        peer_fail("can't forge the session");
    }
    return session;
}

/* False: the connection has ended. */
static bool write_early(struct peer *peer, const uint8_t *bytes, size_t length)
{
    while (length > 0) {
        size_t sent = 0;
        ERR_clear_error();
        const int result = SSL_write_early_data(peer->ssl, bytes, length, &sent);
        if (result != 1) {
            if (SSL_get_error(peer->ssl, result) != SSL_ERROR_WANT_WRITE) {
                return false;
            }
            (void)peer_wait(peer, POLLOUT, PEER_FOR_EVER);
        }
        bytes += sent;
        length -= sent;
    }
    return true;
}

/*
 * Offers --bytes of early data (--how foreign: with a ticket of another server): they are skipped,
 * and the connection is served. --expect-end: they are too many.
 */
void mode_early_data(const struct mode_options *options)
{
    static uint8_t data[1 << 20];
    const size_t length = options->bytes < sizeof(data) ? (size_t)options->bytes : sizeof(data);
    const bool foreign = options->how && strcmp(options->how, "foreign") == 0;
    SSL_SESSION *session = early_session(foreign);
    struct peer peer = peer_open();
    peer.ssl = SSL_new(peer_settings.context);
    if (!peer.ssl || SSL_set_fd(peer.ssl, peer.fd) != 1 ||
        SSL_set_session(peer.ssl, session) != 1) {
        peer_fail("no TLS connection");
    }
    SSL_set_connect_state(peer.ssl);
    const bool connected = write_early(&peer, data, length) && peer_finish_handshake(&peer);
    if (!connected && !options->expect_end) {
        char reason[256];
        ERR_error_string_n(ERR_peek_error(), reason, sizeof(reason));
        peer_fail("%zu bytes of early data: %s", length, reason);
    }
    if (connected && options->expect_end) {
        (void)read_to_end(&peer); /* a client is done before the server has seen all of it */
    } else if (connected) {
        struct script script = script_of_mix(20, 1000);
        script_play(&peer, &script, 0, SCRIPT_STAY_OPEN);
        script_free(&script);
        if (SSL_get_early_data_status(peer.ssl) != SSL_EARLY_DATA_REJECTED ||
            (SSL_session_reused(peer.ssl) != 0) == foreign) {
            peer_fail("early data status %d, resumed %d", SSL_get_early_data_status(peer.ssl),
                      SSL_session_reused(peer.ssl));
        }
    }
    printf("%zu bytes of early data, %s ticket: %s\n", length, foreign ? "a foreign" : "its own",
           options->expect_end ? "refused" : "skipped, and served");
    SSL_SESSION_free(session);
    peer_close(&peer);
}

struct flood {
    uint8_t *bytes;
    size_t size, used;
    struct tls13_sender sender;
};

static void add_record(struct flood *flood, uint8_t type, const void *bytes, size_t length)
{
    if (flood->size - flood->used < length + TLS13_RECORD_OVERHEAD) {
        flood->size += (1U << 20) + length;
        flood->bytes = realloc(flood->bytes, flood->size);
        if (!flood->bytes) {
            peer_fail("no memory");
        }
    }
    flood->used += seal(&flood->sender, type, bytes, length, flood->bytes + flood->used);
}

/*
 * --count records as fast as they go. --how key-update: each wants an answer, and the server must
 * end it. tiny: of one byte, empty: with 30 empty ones before each; they are a request, whose reply
 * must come.
 */
void mode_record_flood(const struct mode_options *options)
{
    static const uint8_t key_update[] = {SSL3_MT_KEY_UPDATE, 0, 0, 1, SSL_KEY_UPDATE_REQUESTED};
    const bool updates = options->how && strcmp(options->how, "key-update") == 0;
    const unsigned empty = options->how && strcmp(options->how, "empty") == 0 ? 30 : 0;
    struct script script = {0};
    struct flood flood = {0};
    struct peer peer = open_sender(&flood.sender);
    script_add(&script, SC_FRAME_ECHO, (uint32_t)options->count, 0);
    uint8_t *request = malloc(SC_FRAME_HEADER_BYTES + options->count);
    if (!request) {
        peer_fail("no memory");
    }
    script_request(&script.items[0], request);
    for (uint64_t i = 0; i < (updates ? options->count : SC_FRAME_HEADER_BYTES + options->count);
         i++) {
        if (updates) {
            add_record(&flood, SSL3_RT_HANDSHAKE, key_update, sizeof(key_update));
            if (!tls13_next_keys(&flood.sender)) {
                peer_fail("no next keys");
            }
            continue;
        }
        for (unsigned k = 0; k < empty; k++) {
            add_record(&flood, SSL3_RT_APPLICATION_DATA, "", 0);
        }
        add_record(&flood, SSL3_RT_APPLICATION_DATA, request + i, 1);
    }
    mode_announce_ready(options);
    mode_wait_for_go(options);
    const bool alive = send_all(&peer, flood.bytes, flood.used);
    if (updates) {
        printf("%llu KeyUpdates: %s\n", (unsigned long long)options->count,
               peer_end_names[read_to_end(&peer)]);
    } else if (!alive) {
        peer_fail("ended among %llu small records", (unsigned long long)options->count);
    } else {
        script_check(&peer, &script);
        printf("a request in %llu records of a byte, %u empty ones before each: replied\n",
               (unsigned long long)options->count, empty);
    }
    script_free(&script);
    free(request);
    free(flood.bytes);
    peer_close(&peer);
}

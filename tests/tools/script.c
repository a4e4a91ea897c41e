/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "script.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "proto/frame.h"

#define RECORD_BYTES 16384U

/*
 * Requests on their way out: all of them in one run of bytes, so that pieces cross the borders of
 * frames.
 */
struct sender {
    uint8_t *bytes;
    size_t length, sent;
    size_t piece;
    uint32_t random;
};

/* Replies on their way in. */
struct checker {
    const struct script *script;
    size_t item;
    uint8_t *bytes;
    size_t have, capacity;
};

static uint8_t body_byte(uint32_t seed, uint32_t at)
{
    return (uint8_t)((seed + at) * 2654435761U >> 24);
}

static uint32_t next_random(uint32_t *state)
{
    *state = *state * 1664525U + 1013904223U;
    return *state >> 8;
}

static void *grow(void *memory, size_t bytes)
{
    void *grown = realloc(memory, bytes);
    if (!grown) {
        peer_fail("out of memory");
    }
    return grown;
}

void script_add(struct script *script, uint32_t type, uint32_t length, uint32_t expected_error)
{
    if (script->count == script->capacity) {
        script->capacity = script->capacity ? 2 * script->capacity : 64;
        script->items = grow(script->items, script->capacity * sizeof(*script->items));
    }
    const uint32_t seed = (uint32_t)script->count * 7919U + length;
    script->items[script->count++] =
        (struct script_item){.type = type, .length = length, .seed = seed, .error = expected_error};
}

void script_free(struct script *script)
{
    free(script->items);
    *script = (struct script){0};
}

struct script script_of_borders(uint32_t max_body)
{
    const uint32_t lengths[] = {
        0,    1,     2,     7,     8,     9,     255,   1400,         4095,    4096,
        4097, 16375, 16376, 16383, 16384, 16385, 32768, max_body - 1, max_body};
    struct script script = {0};
    for (size_t i = 0; i < SC_COUNT_OF(lengths); i++) {
        const uint32_t length = lengths[i];
        if (length > max_body) {
            continue;
        }
        script_add(&script, SC_FRAME_ECHO, length, 0);
        script_add(&script, SC_FRAME_REVERSE, length, 0);
        script_add(&script, SC_FRAME_TIME, length, 0);
        script_add(&script, 4711 + (uint32_t)i, length, SC_ERROR_UNKNOWN_TYPE);
    }
    script_add(&script, SC_FRAME_ERROR, 12, SC_ERROR_UNKNOWN_TYPE);
    script_add(&script, UINT32_MAX, 0, SC_ERROR_UNKNOWN_TYPE);
    script_add(&script, SC_FRAME_ECHO, 3, 0);
    return script;
}

struct script script_of_mix(unsigned count, uint32_t max_length)
{
    struct script script = {0};
    uint32_t random = 4242;
    for (unsigned i = 0; i < count; i++) {
        const uint32_t kind = next_random(&random) % 16;
        const uint32_t length = next_random(&random) % (max_length + 1);
        if (kind == 0) {
            script_add(&script, 99, length, SC_ERROR_UNKNOWN_TYPE);
        } else {
            script_add(&script,
                       kind < 8    ? SC_FRAME_ECHO
                       : kind < 14 ? SC_FRAME_REVERSE
                                   : SC_FRAME_TIME,
                       length, 0);
        }
    }
    return script;
}

void script_request(const struct script_item *item, uint8_t *bytes)
{
    sc_frame_put_header(bytes, item->type, item->length);
    for (uint32_t i = 0; i < item->length; i++) {
        bytes[SC_FRAME_HEADER_BYTES + i] = body_byte(item->seed, i);
    }
}

static void check_time(const uint8_t *body, uint32_t length, size_t which)
{
    const char *const pattern = "dddd-dd-ddTdd:dd:dd.ddddddZ";
    bool right = length == SC_CLOCK_RFC3339_BYTES;
    for (uint32_t i = 0; right && i < length; i++) {
        right =
            pattern[i] == 'd' ? body[i] >= '0' && body[i] <= '9' : body[i] == (uint8_t)pattern[i];
    }
    if (!right) {
        peer_fail("reply %zu is not a time: %.*s", which, (int)length, (const char *)body);
    }
}

static void check_error(const struct script_item *item, const uint8_t *body, uint32_t length,
                        size_t which)
{
    struct sc_frame_error error;
    if (sc_frame_get_error(body, length, &error) != 0 || error.code != item->error) {
        peer_fail("reply %zu is an ERROR, but not of code %u", which, item->error);
    }
}

static void check_reply(const struct script_item *item, const struct sc_frame_header *header,
                        const uint8_t *body, size_t which)
{
    const uint32_t type = item->error ? SC_FRAME_ERROR : item->type;
    if (header->type != type ||
        (type != SC_FRAME_ERROR && type != SC_FRAME_TIME && header->length != item->length)) {
        peer_fail("reply %zu has type %u and %u bytes, not type %u and %u bytes", which,
                  header->type, header->length, type, item->length);
    }
    if (type == SC_FRAME_ERROR) {
        check_error(item, body, header->length, which);
        return;
    }
    if (type == SC_FRAME_TIME) {
        check_time(body, header->length, which);
        return;
    }
    for (uint32_t i = 0; i < item->length; i++) {
        if (body[i] != body_byte(item->seed, type == SC_FRAME_REVERSE ? item->length - 1 - i : i)) {
            peer_fail("byte %u of %u of reply %zu is wrong", i, item->length, which);
        }
    }
}

/* Checks the whole frames that are there. */
static void check_frames(struct checker *checker)
{
    struct sc_frame_header header;
    size_t at = 0;
    while (sc_frame_peek(checker->bytes + at, checker->have - at, SC_FRAME_MAX_BODY_BYTES,
                         &header) == SC_FRAME_COMPLETE) {
        if (checker->item == checker->script->count) {
            peer_fail("a reply more than requests: type %u, %u bytes", header.type, header.length);
        }
        check_reply(&checker->script->items[checker->item], &header,
                    checker->bytes + at + SC_FRAME_HEADER_BYTES, checker->item);
        checker->item++;
        at += SC_FRAME_HEADER_BYTES + header.length;
    }
    checker->have -= at;
    memmove(checker->bytes, checker->bytes + at, checker->have);
}

/* Reads what is there. Returns false when nothing was. */
static bool receive_more(struct peer *peer, struct checker *checker)
{
    if (checker->capacity - checker->have < RECORD_BYTES) {
        checker->capacity += 16 * RECORD_BYTES;
        checker->bytes = grow(checker->bytes, checker->capacity);
    }
    enum peer_end end = PEER_EOF;
    const int got = peer_receive_some(peer, checker->bytes + checker->have,
                                      checker->capacity - checker->have, &end);
    if (got < 0) {
        peer_fail("the server ended the connection (%s) after %zu of %zu replies",
                  peer_end_names[end], checker->item, checker->script->count);
    }
    checker->have += (size_t)got;
    check_frames(checker);
    return got > 0;
}

static struct sender new_sender(const struct script *script, size_t piece)
{
    struct sender sender = {.piece = piece, .random = 1};
    for (size_t i = 0; i < script->count; i++) {
        const struct script_item *item = &script->items[i];
        sender.bytes = grow(sender.bytes, sender.length + SC_FRAME_HEADER_BYTES + item->length);
        script_request(item, sender.bytes + sender.length);
        sender.length += SC_FRAME_HEADER_BYTES + item->length;
    }
    return sender;
}

/* Sends one piece. Returns false when the socket takes no more. */
static bool send_more(struct peer *peer, struct sender *sender)
{
    const size_t left = sender->length - sender->sent;
    const size_t piece = sender->piece ? sender->piece : 1 + next_random(&sender->random) % 3000;
    const int sent =
        peer_send_some(peer, sender->bytes + sender->sent, left < piece ? left : piece);
    if (sent < 0) {
        peer_fail("the server ended the connection after %zu of %zu bytes of requests",
                  sender->sent, sender->length);
    }
    sender->sent += (size_t)sent;
    return sent > 0;
}

/* False: the socket is full, close_notify has not left. */
static bool end_own_side(const struct peer *peer, enum script_close how)
{
    if (how == SCRIPT_CLOSE_NOTIFY) {
        const int result = SSL_shutdown(peer->ssl);
        return result >= 0 || SSL_get_error(peer->ssl, result) != SSL_ERROR_WANT_WRITE;
    }
    if (how == SCRIPT_HALF_CLOSE) {
        shutdown(peer->fd, SHUT_WR);
    }
    return true;
}

void script_play(struct peer *peer, const struct script *script, size_t piece,
                 enum script_close close)
{
    struct sender sender = new_sender(script, piece);
    struct checker checker = {.script = script};
    bool ended = false;
    while (checker.item < script->count || !ended) {
        const bool sent = sender.sent < sender.length && send_more(peer, &sender);
        if (sender.sent == sender.length && !ended) {
            ended = end_own_side(peer, close);
        }
        const bool received = receive_more(peer, &checker);
        if (!sent && !received && (checker.item < script->count || !ended)) {
            peer_wait(peer, ended ? POLLIN : POLLIN | POLLOUT, PEER_FOR_EVER);
        }
    }
    if (checker.have > 0) {
        peer_fail("%zu bytes after the last reply", checker.have);
    }
    free(sender.bytes);
    free(checker.bytes);
}

void script_send(struct peer *peer, const struct script *script)
{
    struct sender sender = new_sender(script, RECORD_BYTES);
    if (!peer_send(peer, sender.bytes, sender.length, RECORD_BYTES)) {
        peer_fail("the server ended the connection while it was sent requests");
    }
    free(sender.bytes);
}

/* One whole frame. `*body` grows to hold it. */
static struct sc_frame_header receive_frame(struct peer *peer, uint8_t **body, size_t which)
{
    uint8_t bytes[SC_FRAME_HEADER_BYTES];
    peer_receive(peer, bytes, sizeof(bytes));
    const struct sc_frame_header header = sc_frame_get_header(bytes);
    if (header.length > SC_FRAME_MAX_BODY_BYTES) {
        peer_fail("reply %zu announces %u bytes", which, header.length);
    }
    *body = grow(*body, header.length + 1U);
    peer_receive(peer, *body, header.length);
    return header;
}

void script_check(struct peer *peer, const struct script *script)
{
    uint8_t *body = NULL;
    for (size_t i = 0; i < script->count; i++) {
        const struct sc_frame_header header = receive_frame(peer, &body, i);
        check_reply(&script->items[i], &header, body, i);
    }
    free(body);
}

size_t script_check_to_end(struct peer *peer, const struct script *script,
                           struct peer_ending *ending)
{
    uint8_t *body = NULL;
    size_t answered = 0;
    struct sc_frame_error going = {0};
    while (answered < script->count && going.code == 0) {
        const struct sc_frame_header header = receive_frame(peer, &body, answered);
        if (header.type == SC_FRAME_ERROR && sc_frame_get_error(body, header.length, &going) == 0 &&
            going.code == SC_ERROR_GOING_AWAY) {
            break;
        }
        going.code = 0;
        check_reply(&script->items[answered], &header, body, answered);
        answered++;
    }
    free(body);
    *ending = peer_read_end(peer);
    if (going.code != 0) {
        ending->errors++;
        ending->code = going.code;
        ending->retry_after_ms = going.retry_after_ms;
    }
    return answered;
}

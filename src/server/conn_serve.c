/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "server/conn_state.h"

#include <stdlib.h>

#include <event2/buffer.h>

#include "base/clock.h"
#include "net/framebuf.h"
#include "proto/handler.h"
#include "proto/pins.h"
#include "server/conn_deadline.h"
#include "server/conn_log.h"

#define MAX_FRAMES_A_CYCLE 256U /* then other connections go first */
#define BACKLOG_BYTES \
    (64U << 10) /* complete frames that wait to be answered; above it the client is not read */

/* --- Replies --- */

static void send_replies(struct sc_conn *conn)
{
    struct sc_reply_buffer *replies = &conn->context->replies;
    sc_tlsbev_write(conn->tls, replies->bytes, replies->used);
    replies->sent += replies->used;
    replies->used = 0;
}

/*
 * Room for `size` bytes after the replies so far; those leave first when there is none. NULL:
 * larger than the whole.
 */
static uint8_t *reply_room(struct sc_conn *conn, size_t size)
{
    struct sc_reply_buffer *replies = &conn->context->replies;
    if (SC_UNLIKELY(size > replies->size - replies->used)) {
        send_replies(conn);
        if (size > replies->size) {
            return NULL;
        }
    }
    return replies->bytes + replies->used;
}

static void reply_error(struct sc_conn *conn, enum sc_error_code code, uint32_t retry_after_ms,
                        const char *text)
{
    uint8_t *room = reply_room(conn, SC_FRAME_ERROR_MAX_BYTES);
    conn->context->replies.used += sc_frame_put_error(room, code, retry_after_ms, text);
    sc_stats_add(&conn->context->stats->errors[code], 1);
}

/* A reply that does not fit with others: in memory of its own, encrypted from there. */
static void reply_large(struct sc_conn *conn, const struct sc_handler *handler, const uint8_t *body,
                        size_t body_length, size_t max)
{
    uint8_t *reply = malloc(SC_FRAME_HEADER_BYTES + max);
    if (!reply) {
        reply_error(conn, SC_ERROR_INTERNAL, 0, "out of memory");
        return;
    }
    const size_t length = handler->run(body, body_length, reply + SC_FRAME_HEADER_BYTES);
    sc_frame_put_header(reply, handler->type, (uint32_t)length);
    sc_tlsbev_write(conn->tls, reply, SC_FRAME_HEADER_BYTES + length);
    conn->context->replies.sent += SC_FRAME_HEADER_BYTES + length;
    free(reply);
    sc_memory_trim_later(&conn->context->memory_trim);
}

static void answer(struct sc_conn *conn, const struct sc_handler *handler, const uint8_t *body,
                   size_t body_length)
{
    const size_t max = sc_handler_reply_max(handler, body_length);
    uint8_t *room = reply_room(conn, SC_FRAME_HEADER_BYTES + max);
    if (SC_LIKELY(room != NULL)) {
        const size_t length = handler->run(body, body_length, room + SC_FRAME_HEADER_BYTES);
        sc_frame_put_header(room, handler->type, (uint32_t)length);
        conn->context->replies.used += SC_FRAME_HEADER_BYTES + length;
    } else {
        reply_large(conn, handler, body, body_length, max);
    }
    sc_stats_add(&conn->context->stats->requests[sc_handler_index(handler)], 1);
}

static void add_pins_reply(struct sc_conn *conn, uint8_t *room, size_t length)
{
    sc_frame_put_header(room, SC_FRAME_PINS, (uint32_t)length);
    conn->context->replies.used += SC_FRAME_HEADER_BYTES + length;
    sc_stats_add(&conn->context->stats->requests[sc_handler_index(sc_handler_find(SC_FRAME_PINS))],
                 1);
}

/* False: the reply comes later, and so does everything after it. */
static bool answer_pins(struct sc_conn *conn, const uint8_t *body, size_t body_length)
{
    /* It fits: the buffer is many times larger. */
    uint8_t *room = reply_room(conn, SC_FRAME_HEADER_BYTES + SC_PINS_MAX_BYTES);
    size_t length = 0;
    switch (sc_conn_pins_answer(conn, body, body_length, room + SC_FRAME_HEADER_BYTES, &length)) {
    case SC_CONN_PINS_NOW: add_pins_reply(conn, room, length); break;
    case SC_CONN_PINS_LATER: return false;
    case SC_CONN_PINS_MALFORMED:
        reply_error(conn, SC_ERROR_UNKNOWN_TYPE, 0,
                    "a PINS request has no body, or 1 to 8 pins of 32 bytes");
        break;
    }
    return true;
}

static void stop_reading(struct sc_conn *conn)
{
    if (!conn->paused) {
        conn->paused = true;
        conn->frame_since_ms = 0; /* it is us who do not read */
        sc_stats_add(&conn->context->stats->paused, 1);
        sc_tlsbev_pause(conn->tls);
    }
}

void sc_conn_start_reading(struct sc_conn *conn)
{
    conn->paused = false;
    sc_tlsbev_resume(conn->tls);
}

/*
 * A read brings more small frames than a cycle answers: without this, a client that sends fast
 * enough fills our memory.
 */
static void bound_backlog(struct sc_conn *conn, const struct evbuffer *input, bool frames_are_left)
{
    if (SC_UNLIKELY(conn->paused)) {
        return; /* on_flushed() goes on */
    }
    if (SC_UNLIKELY(frames_are_left && evbuffer_get_length(input) >= BACKLOG_BYTES)) {
        sc_tlsbev_pause(conn->tls);
    } else {
        sc_tlsbev_resume(conn->tls);
    }
}

/* --- The end --- */

/*
 * Everything is answered: close_notify after the last reply; on_flushed() goes on when it has
 * left.
 */
static void close_after_replies(struct sc_conn *conn)
{
    send_replies(conn);
    if (conn->state != SC_CONN_CLOSING) {
        sc_conn_enter(conn, SC_CONN_CLOSING);
        sc_tlsbev_shutdown(conn->tls);
        sc_conn_start_reading(conn);
    }
}

void sc_conn_refuse_and_close(struct sc_conn *conn, enum sc_close_reason reason,
                              enum sc_error_code code, const char *text)
{
    sc_conn_note_close(conn, reason);
    reply_error(conn, code, 0, text);
    close_after_replies(conn);
}

static void send_going_away(struct sc_conn *conn)
{
    sc_conn_note_close(conn, SC_CLOSE_DRAINED);
    reply_error(conn, SC_ERROR_GOING_AWAY, conn->retry_after_ms,
                "the server is stopping; come back later");
    close_after_replies(conn);
}

/*
 * Every complete request that we have read has been answered. What is left of the input is nothing
 * or a part of a frame.
 */
void sc_conn_on_all_answered(struct sc_conn *conn)
{
    if (SC_UNLIKELY(conn->input_ended)) {
        sc_conn_note_close(conn,
                           conn->frame_since_ms != 0 ? SC_CLOSE_TRUNCATED : SC_CLOSE_PEER_CLOSED);
        if (conn->frame_since_ms != 0) {
            sc_conn_log_event(&conn->context->log, SC_CONN_TRUNCATED, &conn->origin,
                              "the peer ended in the middle of a frame");
        }
        close_after_replies(conn);
    } else if (SC_UNLIKELY(conn->draining)) {
        if (sc_tlsbev_received(conn->tls) < conn->drain_received) {
            sc_tlsbev_again(conn->tls);
        } else {
            send_going_away(conn);
        }
    }
}

/* --- Requests --- */

/*
 * A request of a type that we do not know is answered when all of it has arrived, and its body is
 * never kept. True: it has.
 */
static bool skip(struct sc_conn *conn, struct evbuffer *input)
{
    const size_t there = evbuffer_get_length(input);
    const size_t count = there < conn->skip_bytes ? there : (size_t)conn->skip_bytes;
    evbuffer_drain(input, count);
    conn->skip_bytes -= count;
    return conn->skip_bytes == 0;
}

enum served {
    SERVED_ALL, /* no complete frame is left */
    SERVED_SOME, /* there may be; others go first */
    SERVED_LAST, /* the connection is being closed */
    SERVED_LATER, /* the next reply is not known yet */
};

/* One frame, the complete one at the front. False: it is answered later. */
static bool answer_frame(struct sc_conn *conn, const struct sc_frame_header *header,
                         const uint8_t *body)
{
    const struct sc_handler *handler = sc_handler_find(header->type);
    if (SC_UNLIKELY(handler == NULL)) {
        reply_error(conn, SC_ERROR_UNKNOWN_TYPE, 0, "unknown message type");
    } else if (SC_UNLIKELY(handler->run == NULL)) {
        return answer_pins(conn, body, header->length);
    } else {
        answer(conn, handler, body, header->length);
    }
    return true;
}

/*
 * Complete frames, in order, until there are no more, or others go first, or the replies of this
 * cycle are `room` bytes.
 */
static enum served answer_frames(struct sc_conn *conn, struct evbuffer *input, size_t room,
                                 unsigned *answered)
{
    const size_t max_body = conn->context->limits->max_body_bytes;
    struct sc_reply_buffer *replies = &conn->context->replies;
    enum sc_frame_status status = SC_FRAME_COMPLETE;
    struct sc_frame_header header = {0, 0};
    struct sc_framebuf frames;
    const uint8_t *body;
    sc_framebuf_begin(&frames, input);
    while (*answered < MAX_FRAMES_A_CYCLE && replies->sent + replies->used < room) {
        status = sc_framebuf_next(&frames, max_body, &header, &body);
        if (status != SC_FRAME_COMPLETE) {
            break;
        }
        (*answered)++;
        if (SC_UNLIKELY(!answer_frame(conn, &header, body))) {
            sc_framebuf_end(&frames);
            return SERVED_LATER;
        }
    }
    const bool header_is_there = sc_framebuf_left(&frames) >= SC_FRAME_HEADER_BYTES;
    sc_framebuf_end(&frames);
    if (status == SC_FRAME_TOO_LARGE) {
        sc_conn_refuse_and_close(conn, SC_CLOSE_BODY_TOO_LARGE, SC_ERROR_BODY_TOO_LARGE,
                                 "the body is larger than max-body");
        return SERVED_LAST;
    }
    if (status == SC_FRAME_NEED_MORE && header_is_there && !sc_handler_find(header.type)) {
        conn->skipping = true;
        conn->skip_bytes = SC_FRAME_HEADER_BYTES + (uint64_t)header.length;
        (void)skip(conn, input);
    }
    return status == SC_FRAME_NEED_MORE ? SERVED_ALL : SERVED_SOME;
}

static enum served answer_input(struct sc_conn *conn, struct evbuffer *input, size_t room,
                                unsigned *answered)
{
    if (SC_UNLIKELY(conn->skipping)) {
        if (!skip(conn, input)) {
            return SERVED_ALL;
        }
        conn->skipping = false;
        reply_error(conn, SC_ERROR_UNKNOWN_TYPE, 0, "unknown message type");
        (*answered)++;
    }
    return answer_frames(conn, input, room, answered);
}

/* The frame's clock starts with its first byte and is not moved by the bytes that follow. */
static void watch_partial_frame(struct sc_conn *conn, struct evbuffer *input, bool a_frame_ended,
                                uint64_t now_ms)
{
    if (!conn->skipping && evbuffer_get_length(input) == 0) {
        conn->frame_since_ms = 0;
    } else if (a_frame_ended || conn->frame_since_ms == 0) {
        conn->frame_since_ms = now_ms;
    }
}

void sc_conn_serve(struct sc_conn *conn, struct evbuffer *input)
{
    const uint64_t now_ms = sc_clock_ms();
    const size_t pending = sc_tlsbev_pending(conn->tls);
    const size_t limit = conn->context->limits->output_limit_bytes;
    unsigned answered = 0;
    if (SC_UNLIKELY(conn->state != SC_CONN_OPEN)) {
        evbuffer_drain(input, evbuffer_get_length(input)); /* lingering */
        return;
    }
    if (SC_UNLIKELY(conn->proof_job != NULL)) {
        return; /* a reply has to come first */
    }
    if (SC_UNLIKELY(pending >= limit)) {
        conn->all_answered = false;
        if (sc_tlsbev_is_blocked(conn->tls)) {
            stop_reading(conn); /* on_flushed() goes on */
        } else {
            sc_tlsbev_again(
                conn->tls); /* the socket has not been asked yet: at the end of this cycle it is */
        }
        sc_conn_arm(conn, now_ms);
        return;
    }
    conn->context->replies.sent = 0;
    if (SC_UNLIKELY(conn->pins_are_due)) {
        uint8_t *room = reply_room(conn, SC_FRAME_HEADER_BYTES + SC_PINS_MAX_BYTES);
        add_pins_reply(conn, room, sc_conn_pins_late(conn, room + SC_FRAME_HEADER_BYTES));
        answered++;
    }
    const enum served served = answer_input(conn, input, limit - pending, &answered);
    if (served == SERVED_LAST) {
        evbuffer_drain(input, evbuffer_get_length(input));
    } else {
        if (answered > 0) {
            conn->request_ms = now_ms;
            send_replies(conn);
        }
        watch_partial_frame(conn, input, answered > 0, now_ms);
        conn->all_answered = served == SERVED_ALL;
        if (SC_UNLIKELY(served == SERVED_LATER)) {
            sc_tlsbev_pause(conn->tls); /* a cycle goes on when the proof is there */
        } else {
            bound_backlog(conn, input, !conn->all_answered);
        }
        if (conn->all_answered) {
            sc_conn_on_all_answered(conn);
        } else if (served == SERVED_SOME) {
            sc_tlsbev_again(conn->tls);
        }
    }
    sc_conn_arm(conn, now_ms);
}

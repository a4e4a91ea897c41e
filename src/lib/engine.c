/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "lib/engine.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "base/escape.h"
#include "lib/sized.h"
#include "proto/handler.h"
#include "tls/outcome.h"

#define CLOSE_MS 1000U /* how long the server may take to answer close_notify */
#define HANDSHAKE_MAX_BYTES \
    (256U << 10) /* more than two messages of the largest that OpenSSL takes */
#define ERROR_MAX_BODY 65536U /* of an ERROR: more than our server sends */
#define TEXT_BYTES 512U /* of it, escaped */
#define NO_DEADLINE UINT64_MAX

/* The public header has names of its own for what the wire has. */
#define SAME(ours, theirs) _Static_assert((int)(ours) == (int)(theirs), #ours " is another value")
SAME(SC_CLIENT_ECHO, SC_FRAME_ECHO);
SAME(SC_CLIENT_REVERSE, SC_FRAME_REVERSE);
SAME(SC_CLIENT_TIME, SC_FRAME_TIME);
SAME(SC_CLIENT_PINS, SC_FRAME_PINS);
SAME(SC_CLIENT_ERROR_UNKNOWN_TYPE, SC_ERROR_UNKNOWN_TYPE);
SAME(SC_CLIENT_ERROR_BODY_TOO_LARGE, SC_ERROR_BODY_TOO_LARGE);
SAME(SC_CLIENT_ERROR_GOING_AWAY, SC_ERROR_GOING_AWAY);
SAME(SC_CLIENT_ERROR_OVER_LIMIT, SC_ERROR_OVER_LIMIT);
SAME(SC_CLIENT_ERROR_INTERNAL, SC_ERROR_INTERNAL);
SAME(SC_CLIENT_MAX_BODY, SC_FRAME_MAX_BODY_BYTES);

/* --- The end --- */

void sc_engine_end(struct sc_client_engine *engine, const struct sc_err *err)
{
    if (engine->state != SC_ENGINE_ENDED) {
        engine->state = SC_ENGINE_ENDED;
        engine->deadline_ms = NO_DEADLINE;
        engine->failed = err != NULL;
        if (err) {
            engine->error = sc_lib_error_new(err);
        }
    }
}

static void broken(struct sc_client_engine *engine, const char *what)
{
    struct sc_err err;
    (void)sc_err_set(&err, EX_PROTOCOL, "%s broke the protocol: %s", engine->target, what);
    engine->settings->library->shutdown(engine->tls);
    sc_engine_end(engine, &err);
}

static void out_of_memory(struct sc_client_engine *engine)
{
    struct sc_err err;
    (void)sc_err_set(&err, EX_OSERR, "the connection with %s is given up: out of memory",
                     engine->target);
    sc_engine_end(engine, &err);
}

/* The server has ended the connection, with close_notify or without. */
static void lost(struct sc_client_engine *engine, const char *how)
{
    struct sc_err err;
    char missing[64], why[256], reason[128];
    switch (engine->state) {
    case SC_ENGINE_HANDSHAKE:
        engine->settings->library->explain(
            engine->tls, engine->error_number == ECONNRESET ? SC_TLS_END_RESET : SC_TLS_END_EOF,
            why, sizeof(why));
        (void)sc_tls_failed(&err, true, engine->target, why);
        engine->temporary = true;
        sc_engine_end(engine, &err);
        break;
    case SC_ENGINE_READY:
        if (engine->close_asked) {
            sc_engine_end(engine, NULL);
            break;
        }
        if (engine->cut && engine->error_number != 0) {
            how = sc_err_errno_text(engine->error_number, reason, sizeof(reason));
        }
        missing[0] = '\0';
        if (sc_client_engine_unanswered(engine) > 0) {
            (void)snprintf(missing, sizeof(missing), " with %zu request%s unanswered",
                           sc_client_engine_unanswered(engine),
                           sc_plural(sc_client_engine_unanswered(engine)));
        }
        (void)sc_err_set(&err, engine->last_error != 0 ? SC_CLIENT_REFUSED : EX_UNAVAILABLE,
                         "%s went away%s: %s", engine->target, missing,
                         engine->last_error != 0 ? sc_error_code_name(engine->last_error) : how);
        engine->temporary = true;
        sc_engine_end(engine, &err);
        break;
    case SC_ENGINE_CLOSING:
    case SC_ENGINE_ENDED: sc_engine_end(engine, NULL); break;
    }
}

/* An ERROR that is about the connection and answers no request: the server closes. */
static void refused(struct sc_client_engine *engine, const struct sc_frame_error *error)
{
    struct sc_err err;
    char text[200], wait[32], advice[64] = "", missing[64];
    (void)sc_escape_line(text, sizeof(text), error->text, error->text_length);
    if (error->retry_after_ms > 0) {
        sc_format_duration_ms(error->retry_after_ms, wait);
        (void)snprintf(advice, sizeof(advice), "; it asks to come back in %s", wait);
    }
    missing[0] = '\0';
    if (sc_client_engine_unanswered(engine) > 0) {
        (void)snprintf(missing, sizeof(missing), ", %zu unanswered",
                       sc_client_engine_unanswered(engine));
    }
    (void)sc_err_set(&err, error->code == SC_ERROR_GOING_AWAY ? EX_UNAVAILABLE : SC_CLIENT_REFUSED,
                     "%s ended the connection: %s%s%s%s%s%s", engine->target,
                     sc_error_code_name(error->code), *text ? " (" : "", text, *text ? ")" : "",
                     missing, advice);
    engine->retry_after_ms = error->retry_after_ms;
    engine->temporary = error->code == SC_ERROR_GOING_AWAY || error->code == SC_ERROR_OVER_LIMIT;
    engine->settings->library->shutdown(engine->tls);
    sc_engine_end(engine, &err);
}

/* --- Replies --- */

/*
 * The oldest request was not sent yet. A server that answers it never has to read, and the output
 * would grow with every such reply.
 */
static bool is_too_early(struct sc_client_engine *engine)
{
    const bool early = engine->sent <= engine->requests[engine->first].begins_at;
    if (early) {
        broken(engine, "it answered a request that was not sent yet");
    }
    return early;
}

/* What can be wrong with a reply is seen in its header, before memory is taken for its body. */
static bool header_is_good(struct sc_client_engine *engine)
{
    const struct sc_frame_header header = sc_frame_reader_header(&engine->reader);
    if (header.length > SC_FRAME_MAX_BODY_BYTES) {
        broken(engine, "a reply is longer than 16 MiB");
        return false;
    }
    if (header.type == SC_FRAME_ERROR) {
        if (header.length > ERROR_MAX_BODY) {
            broken(engine, "an ERROR frame is longer than 64 KiB");
            return false;
        }
        return true;
    }
    if (engine->count == 0) {
        broken(engine, "it answered without a request");
        return false;
    }
    const struct sc_engine_request *request = &engine->requests[engine->first];
    const struct sc_handler *handler = sc_handler_find(request->type);
    if (header.type != request->type) {
        broken(engine, "the reply has another type than the request");
        return false;
    }
    if (handler && !sc_handler_is_reply_length(handler, request->length, header.length)) {
        broken(engine, "the length of the reply is wrong");
        return false;
    }
    return !is_too_early(engine);
}

/* The request that the reply is for is answered. */
static void take_request(struct sc_client_engine *engine, uint64_t now_ms,
                         struct sc_client_reply *reply)
{
    const struct sc_engine_request *request = &engine->requests[engine->first];
    const bool own = engine->asks_pins;
    engine->asks_pins = false;
    reply->request = own ? 0 : engine->oldest++;
    reply->type = request->type;
    engine->unanswered_bytes -= request->length;
    engine->first = (engine->first + 1) % engine->room;
    engine->count--;
    engine->deadline_ms = engine->count > 0 ? now_ms + engine->settings->timeout_ms : NO_DEADLINE;
}

/* A whole frame. True: `reply` is an event. */
static bool take_frame(struct sc_client_engine *engine, uint64_t now_ms,
                       struct sc_client_reply *reply)
{
    const struct sc_frame_header header = sc_frame_reader_header(&engine->reader);
    struct sc_frame_error error;
    /* An empty body is a pointer, too: callers hand it to functions that want one. */
    reply->body = engine->reader.body ? engine->reader.body : (const uint8_t *)"";
    reply->length = header.length;
    reply->error_code = reply->retry_after_ms = 0;
    reply->error_text = NULL;
    if (header.type == SC_FRAME_ERROR) {
        if (sc_frame_get_error(engine->reader.body, header.length, &error) != 0) {
            broken(engine, "an ERROR frame is too short");
            return false;
        }
        if (error.code == SC_ERROR_GOING_AWAY || error.code == SC_ERROR_OVER_LIMIT ||
            engine->count == 0) {
            refused(engine, &error);
            return false;
        }
        if (is_too_early(engine)) {
            return false;
        }
        if (error.code == SC_ERROR_BODY_TOO_LARGE) {
            engine->last_error = error.code;
        }
        if (!engine->text && !(engine->text = malloc(TEXT_BYTES))) {
            out_of_memory(engine);
            return false;
        }
        reply->error_code = error.code;
        reply->retry_after_ms = error.retry_after_ms;
        (void)sc_escape_line(engine->text, TEXT_BYTES, error.text, error.text_length);
        reply->error_text = engine->text;
        reply->body = (const uint8_t *)error.text;
        reply->length = error.text_length;
    }
    take_request(engine, now_ms, reply);
    return true;
}

/* Reads until a reply is whole (true), or there is no more input. */
static bool read_reply(struct sc_client_engine *engine, uint64_t now_ms,
                       struct sc_client_reply *reply)
{
    const struct sc_tls_library *library = engine->settings->library;
    struct sc_frame_reader *reader = &engine->reader;
    if (sc_frame_reader_is_complete(reader)) {
        sc_frame_reader_next(reader); /* the event before this one */
    }
    for (;;) {
        struct sc_err err;
        size_t room, got = 0;
        uint8_t *space = sc_frame_reader_space(reader, &room);
        if (!space) {
            out_of_memory(engine);
            return false;
        }
        switch (library->read(engine->tls, space, room, &got, &err)) {
        case SC_TLS_STEP_DONE: break;
        case SC_TLS_STEP_WANT_INPUT: return false;
        case SC_TLS_STEP_CLOSED: lost(engine, "it closed the connection"); return false;
        case SC_TLS_STEP_EOF:
            engine->cut = true;
            lost(engine, "the connection was cut, without close_notify");
            return false;
        case SC_TLS_STEP_FAILED: sc_engine_end(engine, &err); return false;
        }
        const bool had_header = sc_frame_reader_has_header(reader);
        sc_frame_reader_add(reader, got);
        if (!had_header && sc_frame_reader_has_header(reader) && !header_is_good(engine)) {
            return false;
        }
        if (sc_frame_reader_is_complete(reader)) {
            return take_frame(engine, now_ms, reply);
        }
    }
}

/* --- Handshake and events --- */

void sc_engine_handshake(struct sc_client_engine *engine)
{
    const struct sc_tls_library *library = engine->settings->library;
    struct sc_err err;
    switch (library->handshake(engine->tls, &err)) {
    case SC_TLS_STEP_DONE: break;
    case SC_TLS_STEP_WANT_INPUT: return;
    case SC_TLS_STEP_EOF: engine->cut = true; /* fall through */
    case SC_TLS_STEP_CLOSED: lost(engine, ""); return;
    case SC_TLS_STEP_FAILED: sc_engine_end(engine, &err); return;
    }
    /* A resumed handshake shows no certificate: what the session remembers is checked here. */
    if (library->check_peer(engine->tls) != 0) {
        library->shutdown(engine->tls);
        sc_engine_end(engine, &engine->verify.err);
        return;
    }
    if (sc_engine_store_key(engine, &err) != 0) {
        library->shutdown(engine->tls);
        sc_engine_end(engine, &err);
        return;
    }
    engine->state = SC_ENGINE_READY;
    engine->deadline_ms = NO_DEADLINE;
}

/*
 * After our close_notify replies are dropped; the server's close_notify is waited for. With TLS 1.3
 * a server judges the client's certificate after our handshake: its alert is an error for a
 * connection over which nothing was answered.
 */
static void wait_for_close(struct sc_client_engine *engine)
{
    uint8_t dropped[4096];
    struct sc_err err;
    size_t got;
    for (;;) {
        switch (
            engine->settings->library->read(engine->tls, dropped, sizeof(dropped), &got, &err)) {
        case SC_TLS_STEP_DONE: break;
        case SC_TLS_STEP_WANT_INPUT: return;
        case SC_TLS_STEP_CLOSED:
        case SC_TLS_STEP_EOF: sc_engine_end(engine, NULL); return;
        case SC_TLS_STEP_FAILED:
            sc_engine_end(engine, engine->oldest == 1 && !engine->settings->inspect ? &err : NULL);
            return;
        }
    }
}

static struct sc_client_event end_event(struct sc_client_engine *engine)
{
    struct sc_client_error *error = engine->error;
    engine->end_reported = true;
    if (error) {
        error->retry_after_ms = engine->retry_after_ms;
        error->temporary |= engine->temporary;
        memcpy(error->expected, engine->verify.mismatch.expected, sizeof(error->expected));
        memcpy(error->got, engine->verify.mismatch.got, sizeof(error->got));
        if (engine->verify.refused) { /* and not stored a moment ago */
            memcpy(error->key_type, engine->verify.key_type, sizeof(error->key_type));
        }
    }
    return (struct sc_client_event){.type = SC_CLIENT_EVENT_END,
                                    .error = sc_lib_end_error(engine->failed, error),
                                    .unanswered = sc_client_engine_unanswered(engine),
                                    .cut = engine->cut};
}

static struct sc_client_event take_event(struct sc_client_engine *engine, uint64_t now_ms)
{
    struct sc_client_event event = {.type = SC_CLIENT_EVENT_NONE};
    if (engine->state == SC_ENGINE_HANDSHAKE) {
        sc_engine_handshake(engine);
    }
    if (engine->state == SC_ENGINE_READY && !engine->ready_reported) {
        engine->ready_reported = true;
        sc_engine_store_ask(engine, now_ms); /* that can be the end, out of memory */
        if (engine->state == SC_ENGINE_READY) {
            return (struct sc_client_event){.type = SC_CLIENT_EVENT_READY};
        }
    }
    if (engine->state == SC_ENGINE_READY && sc_engine_store_pending(engine, &event)) {
        return event;
    }
    while (engine->state == SC_ENGINE_READY && read_reply(engine, now_ms, &engine->reply)) {
        if (engine->reply.request != 0) {
            return (struct sc_client_event){.type = SC_CLIENT_EVENT_REPLY, .reply = &engine->reply};
        }
        const bool has_event = sc_engine_store_take(engine, &engine->reply, &event);
        if (engine->close_asked) {
            sc_client_engine_close(engine, now_ms);
        }
        if (has_event) {
            return event;
        }
    }
    if (engine->state == SC_ENGINE_CLOSING) {
        wait_for_close(engine);
    }
    return engine->state == SC_ENGINE_ENDED && !engine->end_reported ? end_event(engine) : event;
}

int sc_client_engine_next_event(struct sc_client_engine *engine, uint64_t now_ms,
                                struct sc_client_event *event)
{
    const struct sc_client_event taken = take_event(engine, now_ms);
    sc_sized_copy(event, &taken, sizeof(taken));
    return taken.type != SC_CLIENT_EVENT_NONE;
}

/* --- Bytes and time --- */

size_t sc_client_engine_output(struct sc_client_engine *engine, const void **bytes)
{
    const uint8_t *at;
    const size_t size = engine->settings->library->output(engine->tls, &at);
    *bytes = at;
    return size;
}

void sc_client_engine_sent(struct sc_client_engine *engine, size_t count)
{
    engine->sent += count;
    engine->settings->library->sent(engine->tls, count);
}

size_t sc_client_engine_receive(struct sc_client_engine *engine, const void *bytes, size_t count)
{
    const struct sc_tls_library *library = engine->settings->library;
    if (engine->state == SC_ENGINE_ENDED) {
        return count;
    }
    const size_t taken = library->receive(engine->tls, bytes, count);
    if (taken < count && library->room(engine->tls) > 0) {
        out_of_memory(engine); /* the caller must not take it for a reason to wait */
        return count;
    }
    if (engine->state == SC_ENGINE_HANDSHAKE &&
        (engine->handshake_bytes += taken) > HANDSHAKE_MAX_BYTES) {
        broken(engine, "its handshake is longer than 256 KiB"); /* of what TLS skips, then */
        return count;
    }
    return taken;
}

size_t sc_engine_receive_room(const struct sc_client_engine *engine)
{
    return engine->settings->library->room(engine->tls);
}

void sc_client_engine_receive_end(struct sc_client_engine *engine, int error_number)
{
    engine->error_number = error_number;
    engine->tls->input_ended = true;
}

int sc_client_engine_deadline(const struct sc_client_engine *engine, uint64_t *at_ms)
{
    *at_ms = engine->deadline_ms;
    return engine->deadline_ms != NO_DEADLINE;
}

void sc_client_engine_tick(struct sc_client_engine *engine, uint64_t now_ms)
{
    struct sc_err err;
    char time[32], why[256];
    if (now_ms < engine->deadline_ms) {
        return;
    }
    sc_format_duration_ms(engine->settings->timeout_ms, time);
    switch (engine->state) {
    case SC_ENGINE_HANDSHAKE:
        engine->settings->library->explain(engine->tls, SC_TLS_END_TIMEOUT, why, sizeof(why));
        (void)sc_tls_timed_out(&err, engine->target, engine->settings->timeout_ms, why);
        engine->temporary = true;
        sc_engine_end(engine, &err);
        break;
    case SC_ENGINE_READY:
        if (engine->close_asked) {
            sc_client_engine_close(engine, now_ms);
            break;
        }
        (void)sc_err_set(&err, EX_TEMPFAIL, "no reply from %s within %s, %zu unanswered",
                         engine->target, time, sc_client_engine_unanswered(engine));
        engine->temporary = true;
        engine->settings->library->shutdown(engine->tls);
        sc_engine_end(engine, &err);
        break;
    case SC_ENGINE_CLOSING:
    case SC_ENGINE_ENDED: sc_engine_end(engine, NULL); break;
    }
}

/* --- Close --- */

/* What the pin store has asked for is waited for, unless there is more that is not. */
void sc_client_engine_close(struct sc_client_engine *engine, uint64_t now_ms)
{
    if (engine->state == SC_ENGINE_HANDSHAKE) {
        sc_engine_end(engine, NULL);
        return;
    }
    if (engine->state != SC_ENGINE_READY) {
        return;
    }
    if (!engine->close_asked) {
        engine->close_asked = true;
        engine->deadline_ms = now_ms + CLOSE_MS;
        if (engine->asks_pins && sc_client_engine_unanswered(engine) == 0) {
            return;
        }
    }
    engine->settings->library->shutdown(engine->tls);
    engine->state = SC_ENGINE_CLOSING;
    engine->deadline_ms = now_ms + CLOSE_MS;
}

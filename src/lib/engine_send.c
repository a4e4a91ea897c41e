/* SPDX-License-Identifier: MIT */
/* The requests of an engine: what may be sent, and those that wait for a reply. */
#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "lib/engine.h"

bool sc_engine_is_full(size_t count, uint64_t bytes)
{
    return count >= SC_CLIENT_MAX_REQUESTS || bytes >= SC_CLIENT_MAX_REQUEST_BYTES;
}

int sc_engine_check_request(uint32_t type, size_t length, size_t count, uint64_t bytes,
                            struct sc_err *err)
{
    if (length > SC_CLIENT_MAX_BODY || type == SC_FRAME_ERROR) {
        return sc_err_set(err, EX_USAGE, "can't send a request: %s",
                          type == SC_FRAME_ERROR ? "type 0 is for replies"
                                                 : "the body is longer than 16 MiB");
    }
    return sc_engine_is_full(count, bytes)
               ? sc_err_set(err, EX_OSERR, "can't send a request: too many are unanswered")
               : 0;
}

int sc_client_engine_is_full(const struct sc_client_engine *engine)
{
    return sc_engine_is_full(sc_client_engine_unanswered(engine), engine->unanswered_bytes);
}

size_t sc_client_engine_unanswered(const struct sc_client_engine *engine)
{
    return engine->count - (engine->asks_pins ? 1 : 0);
}

/* Room for one more in the ring. */
static bool grow(struct sc_client_engine *engine)
{
    if (engine->count < engine->room) {
        return true;
    }
    const size_t room = engine->room == 0 ? 16 : engine->room * 2;
    struct sc_engine_request *requests = calloc(room, sizeof(*requests));
    if (!requests) {
        return false;
    }
    for (size_t i = 0; i < engine->count; i++) {
        requests[i] = engine->requests[(engine->first + i) % engine->room];
    }
    free(engine->requests);
    engine->requests = requests;
    engine->first = 0;
    engine->room = room;
    return true;
}

/* Header and body in one run of TLS records. */
static int write_frame(struct sc_client_engine *engine, uint32_t type, const void *body,
                       size_t length, struct sc_err *err)
{
    uint8_t small[1024];
    uint8_t *frame = small;
    const size_t size = SC_FRAME_HEADER_BYTES + length;
    if (size > sizeof(small) && !(frame = malloc(size))) {
        return sc_err_set(err, EX_OSERR, "can't send a request: out of memory");
    }
    sc_frame_put_header(frame, type, (uint32_t)length);
    if (length > 0) {
        memcpy(frame + SC_FRAME_HEADER_BYTES, body, length);
    }
    const int result = engine->settings->library->write(engine->tls, frame, size, err);
    if (frame != small) {
        free(frame);
    }
    return result;
}

/* How many bytes there have been to send, of the whole connection. */
static uint64_t count_output(struct sc_client_engine *engine)
{
    const void *bytes;
    return engine->sent + sc_client_engine_output(engine, &bytes);
}

int sc_engine_send(struct sc_client_engine *engine, uint32_t type, const void *body, size_t length,
                   uint64_t now_ms, struct sc_err *err)
{
    const uint64_t begins_at = count_output(engine);
    if (!grow(engine)) {
        return sc_err_set(err, EX_OSERR, "can't send a request: out of memory");
    }
    if (write_frame(engine, type, body, length, err) != 0) {
        sc_engine_end(engine, err); /* a part of it may be in the output: nothing can follow */
        return -1;
    }
    engine->requests[(engine->first + engine->count) % engine->room] = (struct sc_engine_request){
        .type = type, .length = (uint32_t)length, .begins_at = begins_at};
    engine->unanswered_bytes += length;
    if (engine->count++ == 0) {
        engine->deadline_ms = now_ms + engine->settings->timeout_ms;
    }
    return 0;
}

int64_t sc_client_engine_send(struct sc_client_engine *engine, uint32_t type, const void *body,
                              size_t length, uint64_t now_ms, struct sc_client_error *error)
{
    struct sc_err err;
    if (engine->state != SC_ENGINE_READY || engine->settings->inspect || engine->close_asked) {
        (void)sc_err_set(&err, EX_USAGE, "can't send a request: %s",
                         engine->state == SC_ENGINE_HANDSHAKE ? "the handshake is not done"
                         : engine->settings->inspect          ? "the server is not trusted"
                                                              : "the connection is closed");
        return sc_lib_error(error, &err);
    }
    if (sc_engine_check_request(type, length, sc_client_engine_unanswered(engine),
                                engine->unanswered_bytes, &err) != 0 ||
        sc_engine_send(engine, type, body, length, now_ms, &err) != 0) {
        return sc_lib_error(error, &err);
    }
    return (int64_t)(engine->oldest + sc_client_engine_unanswered(engine) - 1);
}

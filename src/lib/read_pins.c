/* SPDX-License-Identifier: MIT */
/* What a server announces of its keys, checked against the connection that it came on. */
#include "config.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "lib/engine.h"
#include "lib/sized.h"
#include "tls/pins_message.h"

/* Fills in what is to be said of the next key. */
static void check_next(struct sc_client_engine *engine, const struct sc_pins_key *next,
                       struct sc_client_pins *out)
{
    const struct sc_tls_library *library = engine->settings->library;
    uint8_t exporter[SC_PINS_EXPORTER_BYTES];
    struct sc_err err;
    out->has_next = 1;
    memcpy(out->next, next->pin, sizeof(out->next));
    out->scheme = sc_pins_scheme_name(next->scheme);
    if (next->scheme == SC_PINS_NO_PROOF) {
        (void)snprintf(out->reason, sizeof(out->reason), "the server gave no proof");
    } else if (!library->exporter(engine->tls, exporter)) {
        (void)snprintf(out->reason, sizeof(out->reason),
                       "%s has no keying material for a proof on this connection", library->name);
    } else if (sc_pins_verify(next, exporter, &err) != 0) {
        (void)snprintf(out->reason, sizeof(out->reason), "%.127s", err.text);
    } else {
        out->proven = 1;
    }
}

int sc_engine_read_pins(struct sc_client_engine *engine, const void *body, size_t length,
                        struct sc_client_pins *out, struct sc_err *err)
{
    struct sc_pins_message message;
    if (engine->state != SC_ENGINE_READY && engine->state != SC_ENGINE_CLOSING) {
        return sc_err_set(err, EX_USAGE, "there is no connection whose pins could be read");
    }
    if (sc_pins_parse(body, length, &message, err) != 0) {
        return sc_err_prefix(err, "%s broke the protocol", engine->target);
    }
    if (memcmp(message.current.pin, engine->verify.key_pin, SC_PINS_PIN_BYTES) != 0) {
        struct sc_tls_params params;
        engine->settings->library->params(engine->tls, &params);
        if (params.resumed) {
            return sc_err_set(err, SC_CLIENT_UNTRUSTED,
                              "%s announces another key than that of the session which was "
                              "resumed: it has changed its key since; its pins can be read after "
                              "a full handshake, without the session",
                              engine->target);
        }
        return sc_err_set(err, EX_PROTOCOL,
                          "%s broke the protocol: the current key that it announces is not the "
                          "one of this connection",
                          engine->target);
    }
    memcpy(out->current, message.current.pin, sizeof(out->current));
    out->scheme = sc_pins_scheme_name(SC_PINS_NO_PROOF);
    if (message.next.spki) {
        check_next(engine, &message.next, out);
    }
    return 0;
}

int sc_client_engine_read_pins(struct sc_client_engine *engine, const void *body, size_t length,
                               struct sc_client_pins *pins, struct sc_client_error *error)
{
    struct sc_client_pins all = SC_CLIENT_PINS_INIT;
    struct sc_err err;
    if (sc_engine_read_pins(engine, body, length, &all, &err) != 0) {
        return sc_lib_error(error, &err);
    }
    sc_sized_copy(pins, &all, sizeof(all));
    return 0;
}

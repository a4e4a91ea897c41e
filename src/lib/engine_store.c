/* SPDX-License-Identifier: MIT */
/*
 * An engine with a pin store: which pins it accepts, what it stores, and what it learns from the
 * server's reply to PINS.
 *
 * That reply is looked at in any case, but what it says is stored only after a full handshake: the
 * keys of a resumed one are as good as the server's ticket keys, which are kept with less care than
 * its key, and must not be enough to make a client accept another key for good. When a resumed
 * connection brings something new, its session is given up, so that the next handshake is a full
 * one.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "lib/engine.h"
#include "lib/pin_store.h"
#include "tls/pins_message.h"

#define NOTHING "; no pin was stored"

struct sc_engine_store {
    char server[SC_PIN_STORE_SERVER_BYTES];
    struct sc_pin_set *pins; /* of the settings, then those of the store */
    struct sc_pin_store_pins known; /* of the store, as it was read last */
    unsigned named; /* pins, in the request for PINS */
    uint8_t named_pins[SC_PINS_MAX_ACCEPTED * SC_PINS_PIN_BYTES];
    bool session_is_stale;
    struct sc_client_error error; /* of the last event */
    struct sc_err pending; /* to be reported after READY; an empty text: nothing */
};

/* --- Opening --- */

static int take_pins(struct sc_client_engine *engine, struct sc_err *err)
{
    struct sc_engine_store *store = engine->store;
    const char *path = engine->settings->store_path;
    char where[SC_PIN_STORE_PATH_BYTES + 16];
    store->pins = sc_pin_set_new();
    if (!store->pins || sc_pin_set_add_all(store->pins, engine->settings->pins, err) != 0) {
        return sc_err_set(err, EX_OSERR, "can't set up a connection: out of memory");
    }
    for (size_t i = 0; i < store->known.count; i++) {
        (void)snprintf(where, sizeof(where), "%s:%u", path, store->known.list[i].line);
        if (sc_pin_set_add_key(store->pins, store->known.list[i].pin, where, err) != 0) {
            return -1;
        }
    }
    engine->verify.pins = store->pins;
    engine->verify.store = path;
    engine->verify.first_use = engine->settings->first_use;
    return 0;
}

int sc_engine_store_open(struct sc_client_engine *engine, const struct sc_address *address,
                         struct sc_err *err)
{
    const struct sc_client_settings *settings = engine->settings;
    struct sc_pin_store file;
    if (settings->store_has_address) {
        address = &settings->store_address;
    }
    if (!address) {
        return sc_err_set(err, EX_USAGE, "the pin store needs the address of the server");
    }
    engine->store = calloc(1, sizeof(*engine->store));
    if (!engine->store) {
        return sc_err_set(err, EX_OSERR, "can't set up a connection: out of memory");
    }
    engine->store->error = (struct sc_client_error)SC_CLIENT_ERROR_INIT;
    if (sc_pin_store_server(address, engine->store->server, err) != 0) {
        return -1;
    }
    const int rc = sc_pin_store_read(&file, settings->store_path, engine->store->server, err);
    engine->store->known = file.pins;
    sc_pin_store_fini(&file);
    return rc == 0 ? take_pins(engine, err) : -1;
}

void sc_engine_store_free(struct sc_engine_store *store)
{
    if (store) {
        sc_pin_set_free(store->pins);
        free(store);
    }
}

bool sc_engine_session_is_stale(const struct sc_client_engine *engine)
{
    return engine->store && engine->store->session_is_stale;
}

/* --- The key of this connection --- */

static bool is_resumed(const struct sc_client_engine *engine)
{
    struct sc_tls_params params;
    engine->settings->library->params(engine->tls, &params);
    return params.resumed;
}

static bool is_stored(const struct sc_client_engine *engine)
{
    const struct sc_pin_store_pins *known = &engine->store->known;
    return sc_pin_store_index(known, engine->verify.key_pin) < known->count;
}

/* Writes the file; what it has become is known. */
static int write_pins(struct sc_client_engine *engine, struct sc_pin_store *file,
                      struct sc_err *err)
{
    if (sc_pin_store_write(file, err) != 0) {
        return -1;
    }
    engine->store->known = file->pins;
    sc_pin_store_remove_dropped(&engine->store->known);
    return 0;
}

/* Another client has met the server for the first time meanwhile: it must have been the same. */
static int store_first(struct sc_client_engine *engine, struct sc_pin_store *file,
                       struct sc_err *err)
{
    const uint8_t *key = engine->verify.key_pin;
    if (sc_pin_store_index(&file->pins, key) < file->pins.count) {
        return 0;
    }
    if (file->pins.count > 0) {
        return sc_err_set(err, SC_EXIT_PIN,
                          "%.300s is not the server that was pinned, nothing was sent: another key "
                          "has just been stored in %.300s:%u",
                          engine->target, file->path, file->pins.list[0].line);
    }
    sc_pin_store_add(&file->pins, key, SC_PIN_STORE_FIRST_USE);
    return write_pins(engine, file, err);
}

/* The pin that was given takes the place of what is stored. */
static int store_given(struct sc_client_engine *engine, struct sc_pin_store *file,
                       struct sc_err *err)
{
    if (!sc_pin_store_replace(&file->pins, engine->verify.key_pin)) {
        engine->store->known = file->pins; /* another client has done so meanwhile */
        return 0;
    }
    if (write_pins(engine, file, err) != 0) {
        return -1;
    }
    (void)sc_err_set(&engine->store->pending, SC_CLIENT_OK,
                     "%.300s: its key, which a given pin has matched, is stored in %.300s",
                     engine->target, file->path);
    return 0;
}

int sc_engine_store_key(struct sc_client_engine *engine, struct sc_err *err)
{
    struct sc_pin_store file;
    const bool first = engine->verify.is_unknown;
    if (!engine->store || is_stored(engine) || engine->verify.pin.by_issuer || is_resumed(engine)) {
        return 0;
    }
    int rc = sc_pin_store_lock(&file, engine->settings->store_path, engine->store->server, err);
    if (rc == 0) {
        rc = first ? store_first(engine, &file, err) : store_given(engine, &file, err);
    }
    sc_pin_store_fini(&file);
    if (rc == 0 && first) { /* a session of this connection is one under this pin */
        rc = sc_pin_set_add_key(engine->store->pins, engine->verify.key_pin, "", err);
    }
    if (rc != 0 && !first) { /* it is trusted all the same */
        (void)sc_err_set(&engine->store->pending, err->status, "%.700s" NOTHING, err->text);
        rc = 0;
    }
    return rc;
}

/* What is reported, as an event. */
static struct sc_client_event report(struct sc_engine_store *store, const struct sc_err *err)
{
    (void)sc_lib_error(&store->error, err);
    return (struct sc_client_event){.type = SC_CLIENT_EVENT_PINS, .error = &store->error};
}

bool sc_engine_store_pending(struct sc_client_engine *engine, struct sc_client_event *event)
{
    struct sc_engine_store *store = engine->store;
    if (!store || !*store->pending.text) {
        return false;
    }
    *event = report(store, &store->pending);
    *store->pending.text = '\0';
    return true;
}

/* --- PINS --- */

/* The server has a max-body of less than a pin: an earlier connection of these settings met it. */
static bool asks_without_pins(struct sc_client_settings *settings)
{
    (void)pthread_mutex_lock(&settings->lock);
    const bool without = settings->asks_without_pins;
    (void)pthread_mutex_unlock(&settings->lock);
    return without;
}

void sc_engine_store_ask(struct sc_client_engine *engine, uint64_t now_ms)
{
    uint8_t pins[SC_PINS_MAX_ACCEPTED + 1][SC_PINS_PIN_BYTES];
    struct sc_err err;
    /* Whom we have never met before may be anybody, who could announce anything. */
    if (!engine->store || engine->verify.is_unknown || !is_stored(engine)) {
        return;
    }
    memcpy(pins[0], engine->verify.key_pin, sizeof(pins[0]));
    size_t count = 1;
    const size_t all = sc_pin_set_keys(engine->store->pins, pins + 1, SC_PINS_MAX_ACCEPTED);
    for (size_t i = 1; i <= all && count < SC_PINS_MAX_ACCEPTED; i++) {
        if (memcmp(pins[i], pins[0], sizeof(pins[0])) != 0) {
            memmove(pins[count++], pins[i], sizeof(pins[0]));
        }
    }
    count = asks_without_pins(engine->settings) ? 0 : count;
    engine->asks_pins =
        sc_engine_send(engine, SC_FRAME_PINS, pins, count * SC_PINS_PIN_BYTES, now_ms, &err) == 0;
    engine->store->named = engine->asks_pins ? (unsigned)count : 0;
    memcpy(engine->store->named_pins, pins, count * SC_PINS_PIN_BYTES);
}

void sc_engine_store_named(const struct sc_client_engine *engine, struct sc_client_info *info)
{
    if (engine->store) {
        info->named = engine->store->named;
        memcpy(info->named_pins, engine->store->named_pins, sizeof(info->named_pins));
    }
}

/* Whether a full handshake would learn something. What is malformed is left to that one. */
static bool is_news(const struct sc_client_engine *engine, const struct sc_client_reply *reply)
{
    struct sc_pin_store_pins pins = engine->store->known;
    struct sc_pins_message message;
    if (reply->error_code != 0 || sc_pins_parse(reply->body, reply->length, &message, NULL) != 0) {
        return false;
    }
    return memcmp(message.current.pin, engine->verify.key_pin, SC_PINS_PIN_BYTES) != 0 ||
           sc_pin_store_learn(&pins, message.current.pin,
                              message.next.spki ? message.next.pin : NULL, true);
}

/* What the file has become. */
static void describe(const struct sc_pin_store *file, const char *target, struct sc_err *err)
{
    unsigned learnt = 0, dropped = 0;
    for (size_t i = 0; i < file->pins.count; i++) {
        dropped += file->pins.list[i].drop ? 1 : 0;
        learnt += file->pins.list[i].line == 0 ? 1 : 0;
    }
    (void)sc_err_set(err, SC_CLIENT_OK, "%.300s, in %.300s: %s%s%s", target, file->path,
                     learnt > 0 ? "the pin of its next key is stored" : "",
                     learnt > 0 && dropped > 0 ? "; " : "",
                     dropped > 0 ? "its key is in use, the pins before it are dropped" : "");
}

/*
 * The next pin that may be stored: NULL when there is none, or it is a new one without a good
 * proof; then err says why.
 */
static const uint8_t *judge(const struct sc_client_engine *engine,
                            const struct sc_client_pins *announced, struct sc_err *err)
{
    const struct sc_pin_store_pins *known = &engine->store->known;
    if (announced->has_next && !announced->proven &&
        sc_pin_store_index(known, announced->next) == known->count) {
        (void)sc_err_set(err, EX_PROTOCOL, "the next key of %.300s: %s" NOTHING, engine->target,
                         announced->reason);
        return NULL;
    }
    return announced->has_next ? announced->next : NULL;
}

/* What the reply says is stored. err->text is empty when there is nothing to report. */
static int learn(struct sc_client_engine *engine, const struct sc_client_reply *reply,
                 struct sc_err *err)
{
    struct sc_client_pins announced = SC_CLIENT_PINS_INIT;
    struct sc_pin_store_pins pins = engine->store->known;
    struct sc_pin_store file;
    if (reply->error_code != 0) {
        return sc_err_set(err, SC_CLIENT_REFUSED, "%.300s did not send its pins: ERROR %u, %.200s",
                          engine->target, (unsigned)reply->error_code, reply->error_text);
    }
    if (sc_engine_read_pins(engine, reply->body, reply->length, &announced, err) != 0) {
        return -1;
    }
    const uint8_t *key = engine->verify.key_pin, *next = judge(engine, &announced, err);
    if (!sc_pin_store_learn(&pins, key, next, announced.proven != 0)) {
        return 0;
    }
    int rc = sc_pin_store_lock(&file, engine->settings->store_path, engine->store->server, err);
    if (rc == 0 && sc_pin_store_learn(&file.pins, key, next, announced.proven != 0)) {
        rc = write_pins(engine, &file, err);
        if (rc == 0 && !*err->text) {
            describe(&file, engine->target, err);
        }
    }
    sc_pin_store_fini(&file);
    return rc;
}

/* With a max-body of less than a pin. */
static void ask_without_pins(struct sc_client_settings *settings)
{
    (void)pthread_mutex_lock(&settings->lock);
    settings->asks_without_pins = true;
    (void)pthread_mutex_unlock(&settings->lock);
}

bool sc_engine_store_take(struct sc_client_engine *engine, const struct sc_client_reply *reply,
                          struct sc_client_event *event)
{
    struct sc_engine_store *store = engine->store;
    struct sc_err err = {.text = ""};
    if (reply->error_code == SC_ERROR_BODY_TOO_LARGE) {
        ask_without_pins(engine->settings);
    }
    if (is_resumed(engine)) {
        if (is_news(engine, reply)) {
            store->session_is_stale = true;
            sc_lib_settings_drop_session(engine->settings);
        }
        return false;
    }
    if (learn(engine, reply, &err) != 0) {
        const struct sc_err why = err;
        (void)sc_err_set(&err, why.status, "%.700s" NOTHING, why.text);
    }
    if (*err.text) {
        *event = report(store, &err);
    }
    return *err.text != '\0';
}

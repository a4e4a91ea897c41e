/* SPDX-License-Identifier: MIT */
/* The life of an engine, and the facts of its connection. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "lib/engine.h"
#include "lib/saved_session.h"
#include "lib/sized.h"

struct sc_client_engine *sc_engine_new(struct sc_client_settings *settings, const char *host,
                                       const char *target, const struct sc_address *address,
                                       const struct sc_saved_session *own, uint64_t now_ms,
                                       struct sc_err *err)
{
    char name[256];
    struct sc_client_engine *engine = calloc(1, sizeof(*engine));
    if (!engine) {
        (void)sc_err_set(err, EX_OSERR, "can't set up a connection: out of memory");
        return NULL;
    }
    engine->settings = sc_lib_settings_use(settings, err);
    if (!engine->settings) {
        free(engine);
        return NULL;
    }
    (void)snprintf(engine->host, sizeof(engine->host), "%s", host ? host : "");
    (void)snprintf(engine->target, sizeof(engine->target), "%s", target);
    engine->verify = (struct sc_tls_verify){.pins = settings->pins,
                                            .host = host ? engine->host : NULL,
                                            .target = engine->target,
                                            .strict_expiry = settings->strict_expiry,
                                            .inspect = settings->inspect};
    engine->oldest = 1;
    engine->reply = (struct sc_client_reply)SC_CLIENT_REPLY_INIT;
    engine->deadline_ms = now_ms + settings->timeout_ms;
    sc_host_server_name(engine->host, name);
    if (settings->store_path && !settings->inspect &&
        sc_engine_store_open(engine, address, err) != 0) {
        sc_client_engine_free(engine);
        return NULL;
    }
    size_t session_size = 0;
    uint8_t *session = sc_lib_settings_session(settings, engine->verify.pins, own, &session_size);
    engine->tls = settings->library->conn_new(settings->shared, &engine->verify,
                                              *name ? name : NULL, session, session_size, err);
    sc_saved_session_wipe(session, session_size);
    if (!engine->tls) {
        sc_client_engine_free(engine);
        return NULL;
    }
    sc_engine_handshake(engine); /* what is to be sent first is there at once */
    return engine;
}

struct sc_client_engine *sc_client_engine_new(struct sc_client_settings *settings, const char *host,
                                              uint64_t now_ms, struct sc_client_error *error)
{
    struct sc_err err;
    const char *name = host && *host ? host : NULL;
    struct sc_client_engine *engine =
        sc_engine_new(settings, name, name ? name : "the server", NULL, NULL, now_ms, &err);
    if (!engine) {
        (void)sc_lib_error(error, &err);
    }
    return engine;
}

void sc_client_engine_free(struct sc_client_engine *engine)
{
    if (!engine) {
        return;
    }
    if (engine->tls) {
        engine->settings->library->conn_free(engine->tls);
    }
    sc_frame_reader_fini(&engine->reader);
    sc_engine_store_free(engine->store);
    free(engine->requests);
    free(engine->error);
    free(engine->text);
    sc_client_settings_free(engine->settings);
    free(engine);
}

int sc_client_engine_info(const struct sc_client_engine *engine, struct sc_client_info *info)
{
    struct sc_tls_params params;
    if (!engine->ready_reported) {
        return -1;
    }
    engine->settings->library->params(engine->tls, &params);
    struct sc_client_info all = {
        .peer = "",
        .tls_library = engine->settings->library->name,
        .tls_version = params.version,
        .cipher = params.cipher,
        .group = params.group,
        .resumed = params.resumed,
        .pin = engine->verify.pin.pin,
        .expired = engine->verify.pin.expired,
        .first_use = engine->verify.is_unknown,
        .not_before = engine->verify.not_before,
        .not_after = engine->verify.not_after,
    };
    memcpy(all.key_pin, engine->verify.key_pin, sizeof(all.key_pin));
    memcpy(all.fingerprint, engine->verify.fingerprint, sizeof(all.fingerprint));
    sc_engine_store_named(engine, &all);
    sc_sized_copy(info, &all, sizeof(all));
    return 0;
}

size_t sc_client_engine_session(const struct sc_client_engine *engine, void *out, size_t room)
{
    const struct sc_client_settings *settings = engine->settings;
    const size_t header = SC_SAVED_SESSION_HEADER_BYTES;
    uint8_t *to = room > header ? (uint8_t *)out + header : NULL;
    if (!engine->ready_reported || settings->inspect || sc_engine_session_is_stale(engine)) {
        return 0;
    }
    const size_t size = settings->library->session(engine->tls, to, to ? room - header : 0);
    if (size == 0 || size > SC_SAVED_SESSION_MAX_BYTES - header) {
        return 0;
    }
    if (to && size <= room - header) {
        sc_saved_session_put_header(out, settings->library->name, engine->verify.pins);
    }
    return header + size;
}

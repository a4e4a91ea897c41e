/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include <openssl/crypto.h>

#include "base/compiler.h"
#include "base/escape.h"
#include "lib/engine.h"
#include "lib/pin_store.h"
#include "lib/saved_session.h"
#include "lib/sized.h"

#define DEFAULT_TIMEOUT_MS 10000U
#define MAX_TIMEOUT_MS 86400000U

int sc_lib_error(struct sc_client_error *error, const struct sc_err *err)
{
    if (error) {
        struct sc_client_error all = {.code = err->status, .temporary = err->status == EX_OSERR};
        /* It may quote an address or the name of a file. */
        (void)sc_escape_line(all.text, sizeof(all.text), err->text, strlen(err->text));
        sc_sized_copy(error, &all, sizeof(all));
    }
    return -1;
}

struct sc_client_error *sc_lib_error_new(const struct sc_err *err)
{
    struct sc_client_error *error = malloc(sizeof(*error));
    if (error) {
        *error = (struct sc_client_error)SC_CLIENT_ERROR_INIT;
        (void)sc_lib_error(error, err);
    }
    return error;
}

const struct sc_client_error *sc_lib_end_error(bool failed, const struct sc_client_error *error)
{
    static const struct sc_client_error none = SC_CLIENT_ERROR_INIT;
    static const struct sc_client_error no_memory = {
        .size = sizeof(no_memory),
        .code = SC_CLIENT_SYSTEM,
        .text = "the connection is given up: out of memory",
        .temporary = 1,
    };
    return !failed ? &none : error ? error : &no_memory;
}

static void wipe_text(char *text)
{
    if (text) {
        OPENSSL_cleanse(text, strlen(text));
        free(text);
    }
}

static void free_options(char *copies[4])
{
    for (size_t i = 0; i < 4; i++) {
        wipe_text(copies[i]);
    }
}

static void settings_destroy(struct sc_client_settings *settings)
{
    if (settings->shared) {
        settings->library->shared_free(settings->shared);
    }
    sc_pin_set_free(settings->pins);
    sc_saved_session_wipe(settings->session, settings->session_size);
    free_options(settings->options);
    free(settings->store_path);
    (void)pthread_mutex_destroy(&settings->lock);
    free(settings);
}

static const struct sc_tls_library *find_library(const char *name, struct sc_err *err)
{
    const struct sc_tls_library *library = sc_tls_library_find(name);
    if (!library) {
        (void)sc_err_set(err, EX_USAGE, "no TLS library \"%.40s\": this build has %s", name,
                         sc_tls_library_names());
    }
    return library;
}

struct sc_client_settings *sc_client_settings_new(const char *tls_library,
                                                  struct sc_client_error *error)
{
    struct sc_err err;
    const struct sc_tls_library *library = find_library(tls_library, &err);
    if (!library) {
        (void)sc_lib_error(error, &err);
        return NULL;
    }
    struct sc_client_settings *settings = calloc(1, sizeof(*settings));
    if (!settings) {
        (void)sc_err_set(&err, EX_OSERR, "can't set up a client: out of memory");
        (void)sc_lib_error(error, &err);
        return NULL;
    }
    (void)pthread_mutex_init(&settings->lock, NULL);
    settings->references = 1;
    settings->library = library;
    settings->timeout_ms = DEFAULT_TIMEOUT_MS;
    settings->pins = sc_pin_set_new();
    (void)sc_err_set(&err, EX_OSERR, "can't set up a client: out of memory");
    settings->shared =
        settings->pins ? library->shared_new(&(struct sc_tls_options){0}, &err) : NULL;
    if (!settings->shared) {
        (void)sc_lib_error(error, &err);
        settings_destroy(settings);
        return NULL;
    }
    return settings;
}

void sc_client_settings_free(struct sc_client_settings *settings)
{
    if (!settings) {
        return;
    }
    (void)pthread_mutex_lock(&settings->lock);
    const bool last = --settings->references == 0;
    (void)pthread_mutex_unlock(&settings->lock);
    if (last) {
        settings_destroy(settings);
    }
}

struct sc_client_settings *sc_lib_settings_use(struct sc_client_settings *settings,
                                               struct sc_err *err)
{
    if (!settings->inspect && !settings->store_path && sc_pin_set_count(settings->pins) == 0) {
        (void)sc_err_set(err, SC_EXIT_UNTRUSTED, "no pin: a server is not trusted without one");
        return NULL;
    }
    (void)pthread_mutex_lock(&settings->lock);
    settings->references++;
    settings->used = true;
    (void)pthread_mutex_unlock(&settings->lock);
    return settings;
}

/* Settings that are in use are read without the lock. */
static int can_change(struct sc_client_settings *settings, struct sc_err *err)
{
    (void)pthread_mutex_lock(&settings->lock);
    const bool used = settings->used;
    (void)pthread_mutex_unlock(&settings->lock);
    return used ? sc_err_set(err, EX_USAGE,
                             "the settings can't be changed: a connection has used them")
                : 0;
}

int sc_client_settings_add_pin(struct sc_client_settings *settings, const char *pin,
                               struct sc_client_error *error)
{
    struct sc_err err;
    return can_change(settings, &err) != 0 || sc_pin_set_add(settings->pins, pin, &err) != 0
               ? sc_lib_error(error, &err)
               : 0;
}

int sc_client_settings_set_strict_expiry(struct sc_client_settings *settings, int on,
                                         struct sc_client_error *error)
{
    struct sc_err err;
    if (can_change(settings, &err) != 0) {
        return sc_lib_error(error, &err);
    }
    settings->strict_expiry = on != 0;
    return 0;
}

int sc_client_settings_set_inspect(struct sc_client_settings *settings, int on,
                                   struct sc_client_error *error)
{
    struct sc_err err;
    if (can_change(settings, &err) != 0) {
        return sc_lib_error(error, &err);
    }
    settings->inspect = on != 0;
    return 0;
}

int sc_client_settings_set_timeout(struct sc_client_settings *settings, uint32_t ms,
                                   struct sc_client_error *error)
{
    struct sc_err err;
    if (can_change(settings, &err) != 0) {
        return sc_lib_error(error, &err);
    }
    if (ms == 0 || ms > MAX_TIMEOUT_MS) {
        (void)sc_err_set(&err, EX_USAGE, "timeout: expected 1 to %u milliseconds", MAX_TIMEOUT_MS);
        return sc_lib_error(error, &err);
    }
    settings->timeout_ms = ms;
    return 0;
}

int sc_client_settings_set_retry(struct sc_client_settings *settings, uint32_t ms,
                                 struct sc_client_error *error)
{
    struct sc_err err;
    if (can_change(settings, &err) != 0) {
        return sc_lib_error(error, &err);
    }
    if (ms > MAX_TIMEOUT_MS) {
        (void)sc_err_set(&err, EX_USAGE, "retry: expected 0 to %u milliseconds", MAX_TIMEOUT_MS);
        return sc_lib_error(error, &err);
    }
    settings->retry_ms = ms;
    return 0;
}

int sc_client_settings_set_pin_store(struct sc_client_settings *settings, const char *path,
                                     const char *address, int first_use,
                                     struct sc_client_error *error)
{
    char found[SC_PIN_STORE_PATH_BYTES], server[SC_PIN_STORE_SERVER_BYTES];
    struct sc_address parsed = {.is_unix = false};
    struct sc_err err;
    if (can_change(settings, &err) != 0 || sc_pin_store_path(path, found, &err) != 0 ||
        (address && (sc_parse_server_address(address, SC_PROTOCOL_PORT, &parsed, &err) != 0 ||
                     sc_pin_store_server(&parsed, server, &err) != 0))) {
        return sc_lib_error(error, &err);
    }
    if (first_use != SC_CLIENT_FIRST_USE_REFUSE && first_use != SC_CLIENT_FIRST_USE_STORE) {
        (void)sc_err_set(&err, EX_USAGE,
                         "invalid value %d of first_use: expected SC_CLIENT_FIRST_USE_REFUSE or "
                         "SC_CLIENT_FIRST_USE_STORE",
                         first_use);
        return sc_lib_error(error, &err);
    }
    char *copy = strdup(found);
    if (!copy) {
        (void)sc_err_set(&err, EX_OSERR, "can't set up a client: out of memory");
        return sc_lib_error(error, &err);
    }
    free(settings->store_path);
    settings->store_path = copy;
    settings->store_has_address = address != NULL;
    settings->store_address = parsed;
    settings->first_use = first_use == SC_CLIENT_FIRST_USE_STORE;
    return 0;
}

/* Copies; -1 when one of them cannot be made. */
static int copy_options(const struct sc_tls_options *from, char *copies[4])
{
    const char *const texts[] = {from->certificate_path, from->key_path, from->passphrase,
                                 from->key_log_path};
    for (size_t i = 0; i < SC_COUNT_OF(texts); i++) {
        copies[i] = texts[i] ? strdup(texts[i]) : NULL;
        if (texts[i] && !copies[i]) {
            return -1;
        }
    }
    return 0;
}

/* Sets up a TLS library with these options; what was set stays when that fails. */
static int set_options(struct sc_client_settings *settings, const struct sc_tls_library *library,
                       const struct sc_tls_options *options, struct sc_err *err)
{
    char *copies[4] = {NULL};
    if (copy_options(options, copies) != 0) {
        free_options(copies);
        return sc_err_set(err, EX_OSERR, "can't set up a client: out of memory");
    }
    struct sc_tls_shared *shared = library->shared_new(options, err);
    if (!shared) {
        if (err->status == EX_CONFIG) { /* to a server its files are configuration */
            err->status = EX_DATAERR;
        }
        free_options(copies);
        return -1;
    }
    settings->library->shared_free(settings->shared);
    settings->library = library;
    settings->shared = shared;
    free_options(settings->options);
    memcpy(settings->options, copies, sizeof(copies));
    return 0;
}

/* What is set now, to be changed in one place and given to set_options(). */
static struct sc_tls_options current_options(const struct sc_client_settings *settings)
{
    return (struct sc_tls_options){.certificate_path = settings->options[0],
                                   .key_path = settings->options[1],
                                   .passphrase = settings->options[2],
                                   .key_log_path = settings->options[3]};
}

int sc_client_settings_set_tls_library(struct sc_client_settings *settings, const char *tls_library,
                                       struct sc_client_error *error)
{
    struct sc_err err;
    const struct sc_tls_options options = current_options(settings);
    const struct sc_tls_library *library = find_library(tls_library, &err);
    return !library || can_change(settings, &err) != 0 ||
                   set_options(settings, library, &options, &err) != 0
               ? sc_lib_error(error, &err)
               : 0;
}

int sc_client_settings_set_certificate(struct sc_client_settings *settings,
                                       const char *certificate_path, const char *key_path,
                                       const char *passphrase, struct sc_client_error *error)
{
    struct sc_err err;
    struct sc_tls_options options = current_options(settings);
    if (!certificate_path != !key_path) {
        (void)sc_err_set(&err, EX_USAGE, "a certificate and its private key are set together");
        return sc_lib_error(error, &err);
    }
    options.certificate_path = certificate_path;
    options.key_path = key_path;
    options.passphrase = passphrase;
    return can_change(settings, &err) != 0 ||
                   set_options(settings, settings->library, &options, &err) != 0
               ? sc_lib_error(error, &err)
               : 0;
}

int sc_client_settings_set_key_log(struct sc_client_settings *settings, const char *path,
                                   struct sc_client_error *error)
{
    struct sc_err err;
    struct sc_tls_options options = current_options(settings);
    options.key_log_path = path;
    return can_change(settings, &err) != 0 ||
                   set_options(settings, settings->library, &options, &err) != 0
               ? sc_lib_error(error, &err)
               : 0;
}

/* --- Session --- */

int sc_client_settings_set_session(struct sc_client_settings *settings, const void *bytes,
                                   size_t count, struct sc_client_error *error)
{
    struct sc_err err;
    uint8_t *copy = NULL;
    if (bytes) {
        if (sc_saved_session_check(bytes, count, &err) != 0) {
            return sc_lib_error(error, &err);
        }
        copy = malloc(count);
        if (!copy) {
            (void)sc_err_set(&err, EX_OSERR, "can't keep a session: out of memory");
            return sc_lib_error(error, &err);
        }
        memcpy(copy, bytes, count);
    }
    (void)pthread_mutex_lock(&settings->lock);
    uint8_t *old = settings->session;
    const size_t old_size = settings->session_size;
    settings->session = copy;
    settings->session_size = copy ? count : 0;
    (void)pthread_mutex_unlock(&settings->lock);
    sc_saved_session_wipe(old, old_size);
    return 0;
}

uint8_t *sc_lib_settings_session(struct sc_client_settings *settings, const struct sc_pin_set *pins,
                                 const struct sc_saved_session *own, size_t *size)
{
    uint8_t *copy = NULL;
    const bool is_own = own && own->bytes;
    size_t payload;
    if (sc_pin_set_count(pins) == 0) {
        return NULL; /* a server that is not known yet has to show its certificate */
    }
    (void)pthread_mutex_lock(&settings->lock);
    const uint8_t *at = sc_saved_session_payload(is_own ? own->bytes : settings->session,
                                                 is_own ? own->size : settings->session_size,
                                                 settings->library->name, pins, &payload);
    if (at && (copy = malloc(payload)) != NULL) {
        memcpy(copy, at, payload);
        *size = payload;
    }
    (void)pthread_mutex_unlock(&settings->lock);
    return copy;
}

void sc_lib_settings_drop_session(struct sc_client_settings *settings)
{
    (void)sc_client_settings_set_session(settings, NULL, 0, NULL);
}

/* --- The library --- */

const char *sc_client_version(void)
{
    return VERSION;
}

const char *sc_client_tls_version(const char *tls_library)
{
    const struct sc_tls_library *library = sc_tls_library_find(tls_library);
    return library ? library->version() : NULL;
}

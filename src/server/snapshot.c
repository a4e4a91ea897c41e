/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "server/snapshot.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "tls/rotation.h"

static const char *text_or_null(const char *text)
{
    return text && text[0] != '\0' ? text : NULL;
}

static int load_tickets(struct sc_tickets *tickets, const struct sc_config *config, bool *changed,
                        struct sc_err *err)
{
    const char *path = text_or_null(config->ticket_keys);
    return path ? sc_tickets_use_file(tickets, path, changed, err)
                : sc_tickets_use_memory(tickets, err);
}

const char *sc_snapshot_next_key(const struct sc_config *config, char out[SC_SNAPSHOT_PATH_BYTES])
{
    const char *path = text_or_null(config->next_private_key);
    const int base = (int)sc_rotation_base_length(config->private_key);
    const int written =
        path ? snprintf(out, SC_SNAPSHOT_PATH_BYTES, "%s", path)
             : snprintf(out, SC_SNAPSHOT_PATH_BYTES, "%.*s.next.key", base, config->private_key);
    return written < (int)SC_SNAPSHOT_PATH_BYTES ? out : NULL;
}

static struct sc_tls_context *load_tls(const struct sc_config *config,
                                       struct sc_passphrase *passphrase, struct sc_tickets *tickets,
                                       struct sc_err *err)
{
    char next[SC_SNAPSHOT_PATH_BYTES];
    const struct sc_tls_server_settings settings = {
        .next_private_key_path = sc_snapshot_next_key(config, next),
        .next_private_key_optional = !text_or_null(config->next_private_key),
        .certificate_path = config->certificate,
        .private_key_path = config->private_key,
        .passphrase = sc_passphrase_callback,
        .passphrase_arg = passphrase,
        .commands = config->tls_commands,
        .command_count = config->tls_command_count,
        .session_timeout_s = (uint32_t)(config->session_timeout_ms / 1000),
        .session_cache_size = config->session_cache_size,
        .tickets = tickets,
        .ocsp_response_path = text_or_null(config->ocsp_response),
        .client_auth = config->client_auth,
        .client_pins = (const char *const *)config->client_pin.items,
        .client_pin_count = config->client_pin.count,
    };
    passphrase->file = config->passphrase_file;
    passphrase->failure.status = 0;
    struct sc_tls_context *fresh = sc_tls_context_new_server(&settings, err);
    if (!fresh && passphrase->failure.status != 0) {
        *err = passphrase->failure; /* the cause of what failed */
    }
    return fresh;
}

int sc_snapshot_load(const struct sc_cmdline *cmdline, struct sc_passphrase *passphrase,
                     const struct sc_continuity *continuity, struct sc_tickets *tickets,
                     struct sc_snapshot *out, struct sc_config_errors *errors)
{
    struct sc_err err = {0};
    struct sc_config *config = sc_config_load(cmdline, errors);
    struct sc_tls_context *tls = NULL;
    bool changed = false;
    if (!config) {
        return -1;
    }
    tls = load_tls(config, passphrase, tickets, &err);
    /*
     * The keys of tickets last: they are active at once, and must not change if anything else is
     * wrong.
     */
    if (!tls ||
        (continuity &&
         sc_continuity_check(continuity, config, sc_tls_context_announcement(tls), &err) != 0) ||
        load_tickets(tickets, config, &changed, &err) != 0) {
        sc_tls_context_unref(tls);
        sc_config_unref(config);
        return sc_config_error(errors, err.status, "%s", err.text);
    }
    out->config = config;
    out->tls = tls;
    out->new_ticket_keys = changed;
    return 0;
}

void sc_snapshot_unref(struct sc_snapshot *snapshot)
{
    sc_config_unref(snapshot->config);
    sc_tls_context_unref(snapshot->tls);
    snapshot->config = NULL;
    snapshot->tls = NULL;
}

bool sc_snapshot_equal(const struct sc_snapshot *fresh, const struct sc_snapshot *active)
{
    return sc_config_diff(active->config, active->config, fresh->config, NULL, NULL) == 0 &&
           !fresh->new_ticket_keys &&
           memcmp(sc_tls_context_digest(fresh->tls), sc_tls_context_digest(active->tls),
                  SC_TLS_CONTEXT_DIGEST_BYTES) == 0;
}

void sc_snapshot_log_warnings(const struct sc_snapshot *snapshot)
{
    const char *text;
    for (unsigned i = 0; (text = sc_tls_context_warning(snapshot->tls, i)) != NULL; i++) {
        sc_log_message(SC_EVENT_CERTIFICATE, "%s", text);
    }
    for (unsigned i = 0; (text = sc_tls_context_weakness(snapshot->tls, i)) != NULL; i++) {
        sc_log_message(SC_EVENT_WEAK_TLS, "[tls] is weaker than the defaults: %s", text);
    }
}

/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "server/lifecycle_log.h"

#include <stdio.h>
#include <string.h>

#include <event2/event.h>
#include <openssl/crypto.h>

#include "base/log.h"
#include "server/limits.h"
#include "tls/announcement.h"
#include "tls/pin.h"
#include "tls/processor.h"

static void log_addresses(struct sc_log_line *line, const char *key, const struct sc_listen *listen)
{
    char text[1024] = "";
    for (size_t i = 0; i < sc_listen_count(listen); i++) {
        const size_t used = strlen(text);
        (void)snprintf(text + used, sizeof(text) - used, "%s%s", i > 0 ? "," : "",
                       sc_listen_address(listen, i));
    }
    sc_log_str(line, key, text);
}

void sc_lifecycle_log_client_command(const struct sc_lifecycle_log_start *start)
{
    struct sc_pin_formats pin;
    struct sc_log_line line;
    if (sc_log_begin(&line, SC_EVENT_CLIENT_COMMAND)) {
        const struct sc_announcement *keys = sc_tls_context_announcement(start->snapshot->tls);
        sc_log_str(&line, "pin", sc_pin_text(keys->current.pin, &pin));
        sc_log_str(&line, "command", start->client_command);
        sc_log_end(&line);
    }
}

void sc_lifecycle_log_ready(const struct sc_lifecycle_log_start *start)
{
    const struct sc_config *config = start->snapshot->config;
    const struct sc_limits_memory memory = sc_limits_memory(
        start->max_connections, config->max_body_bytes, config->output_limit_bytes);
    struct sc_log_line line;
    char features[128];
    if (!sc_log_begin(&line, SC_EVENT_READY)) {
        return;
    }
    log_addresses(&line, "listen", start->listen);
    if (start->metrics) {
        log_addresses(&line, "metrics", start->metrics);
    }
    sc_log_u64(&line, "workers", start->workers);
    sc_log_str(&line, "backend", start->backend);
    sc_log_str(&line, "version", PACKAGE_VERSION);
    sc_log_str(&line, "openssl", OpenSSL_version(OPENSSL_VERSION_STRING));
    sc_log_str(&line, "libevent", event_get_version());
    sc_processor_features(features, sizeof(features));
    sc_log_str(&line, "crypto", features);
    sc_log_u64(&line, "descriptors", sc_limits_files());
    sc_log_u64(&line, "max_connections", start->max_connections);
    sc_log_u64(&line, "memory_idle_mib", memory.idle_bytes >> 20);
    sc_log_u64(&line, "memory_most_mib", memory.most_bytes >> 20);
    sc_log_end(&line);
}

static void add_counter(const char *name, uint64_t value, void *line)
{
    if (value > 0) {
        sc_log_u64(line, name, value);
    }
}

void sc_lifecycle_log_stopped(const struct sc_stats *sum)
{
    struct sc_log_line line;
    if (sc_log_begin(&line, SC_EVENT_STOPPED)) {
        sc_stats_each(sum, add_counter, &line);
        sc_log_end(&line);
    }
}

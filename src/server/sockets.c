/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "server/sockets.h"

#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "net/addr.h"

/* Those that were passed on for one of the two. */
struct inherited {
    size_t count;
    int sockets[SC_SYSD_MAX_SOCKETS];
    const char *names[SC_SYSD_MAX_SOCKETS];
};

/*
 * What another version may have stored, or a socket unit of another kind has opened. It leaves the
 * descriptor store, where it would take the place of the ticket keys.
 */
static void discard(const struct sc_sysd *sysd, size_t i, const struct sc_err *why)
{
    struct sc_err ignored;
    sc_log_message(SC_EVENT_INHERITED_DISCARDED,
                   "descriptor %d, which was passed on under the name %s, is closed: %s",
                   sysd->sockets[i], sysd->names[i], why->text);
    (void)close(sysd->sockets[i]);
    (void)!sc_sysd_store(sysd, sysd->names[i], NULL, 0, &ignored);
}

static void select_inherited(const struct sc_sysd *sysd, struct inherited *tls,
                             struct inherited *metrics)
{
    struct sc_err err;
    tls->count = metrics->count = 0;
    for (size_t i = 0; i < sysd->socket_count; i++) {
        struct inherited *to = strcmp(sysd->names[i], "metrics") == 0 ? metrics : tls;
        if (sc_listen_check(sysd->sockets[i], &err) != 0) {
            discard(sysd, i, &err);
        } else {
            to->names[to->count] = sysd->names[i];
            to->sockets[to->count++] = sysd->sockets[i];
        }
    }
}

static void log_inherited(const struct inherited *inherited, const struct sc_listen *listen,
                          const char *key)
{
    struct sc_log_line line;
    sc_log_message(SC_EVENT_INHERITED_SOCKETS,
                   "listening on %zu sockets that were passed on; `%s` is not used",
                   inherited->count, key);
    for (size_t i = 0; i < inherited->count; i++) {
        if (sc_log_begin(&line, SC_EVENT_INHERITED_SOCKET)) {
            sc_log_str(&line, "name", inherited->names[i]);
            sc_log_str(&line, "listen", sc_listen_address(listen, i));
            sc_log_end(&line);
        }
    }
}

/* What systemd has opened comes first: then nothing else is opened. */
static struct sc_listen *open_or_adopt(const struct inherited *inherited, const char *key,
                                       const struct sc_config_addresses *addresses,
                                       struct sc_err *err)
{
    if (inherited->count == 0) {
        return sc_listen_open(addresses->items, addresses->count, err);
    }
    struct sc_listen *listen = sc_listen_adopt(inherited->sockets, inherited->count, err);
    if (listen) {
        log_inherited(inherited, listen, key);
    }
    return listen;
}

static void warn_if_exposed(const struct sc_listen *metrics)
{
    for (size_t i = 0; i < sc_listen_count(metrics); i++) {
        const char *address = sc_listen_address(metrics, i);
        if (!sc_addr_is_local(address)) {
            sc_log_message(
                SC_EVENT_METRICS_EXPOSED,
                "metrics-listen %s is not a loopback address: anyone who reaches it can read "
                "the metrics, without TLS and without a password",
                address);
        }
    }
}

int sc_sockets_open(const struct sc_sysd *sysd, const struct sc_config *config,
                    struct sc_sockets *out, struct sc_err *err)
{
    struct inherited tls, metrics;
    *out = (struct sc_sockets){0};
    select_inherited(sysd, &tls, &metrics);
    out->tls = open_or_adopt(&tls, "listen", &config->listen, err);
    if (!out->tls) {
        return -1;
    }
    if (metrics.count == 0 && config->metrics_listen.count == 0) {
        return 0;
    }
    out->metrics = open_or_adopt(&metrics, "metrics-listen", &config->metrics_listen, err);
    if (!out->metrics) {
        sc_sockets_close(out);
        return -1;
    }
    warn_if_exposed(out->metrics);
    return 0;
}

void sc_sockets_close(struct sc_sockets *sockets)
{
    sc_listen_close(sockets->tls);
    sc_listen_close(sockets->metrics);
    *sockets = (struct sc_sockets){0};
}

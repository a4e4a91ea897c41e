/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "server/server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include <event2/event.h>

#include "base/clock.h"
#include "base/confine.h"
#include "base/log.h"
#include "base/parse.h"
#include "net/listen.h"
#include "net/loop.h"
#include "net/tlsbev.h"
#include "server/acceptor.h"
#include "server/admin.h"
#include "server/admission.h"
#include "server/client_command.h"
#include "server/drain.h"
#include "server/lifecycle_log.h"
#include "server/limits.h"
#include "server/loop_health.h"
#include "server/metrics.h"
#include "server/pin_meter.h"
#include "server/port_file.h"
#include "server/reload.h"
#include "server/signer.h"
#include "server/sockets.h"
#include "server/stored_tickets.h"
#include "server/watchdog.h"
#include "server/workers.h"
#include "tls/announcement.h"
#include "tls/ocsp.h"

struct sc_server {
    const struct sc_cmdline *cmdline;
    const struct sc_sysd *sysd;
    struct sc_passphrase *passphrase;
    struct sc_tickets *tickets;
    struct sc_snapshot snapshot; /* the active one */
    time_t loaded_at; /* the snapshot */
    struct sc_stats stats; /* what the main thread counts beside the acceptor */
    struct sc_metrics_source metrics;
    struct sc_loop_health *health; /* NULL without metrics-listen, as the next */
    struct sc_admin *admin;
    struct sc_config *started; /* names of metrics-listen */
    struct event_base *base;
    struct sc_sockets sockets; /* that for metrics-listen is the admin interface's */
    struct sc_workers workers;
    struct sc_admission admission;
    struct sc_signer *signer;
    struct sc_pin_meter *pin_meter;
    struct sc_acceptor_limits acceptor_limits;
    struct sc_acceptor *acceptor;
    struct sc_reload *reload;
    struct sc_watchdog *watchdog;
    struct sc_drain *drain;
    bool ready;
    char own_address[SC_OWN_ADDRESS_BYTES];
    char client_command[512]; /* empty: it does not fit */
};

static void publish(struct sc_snapshot *fresh, void *arg);
static const struct sc_workers_callbacks workers_callbacks;
static const struct sc_drain_callbacks drain_callbacks;

/* --- What follows from the configuration --- */

static struct sc_worker_settings worker_settings(const struct sc_server *server,
                                                 const struct sc_snapshot *snapshot)
{
    const struct sc_config *config = snapshot->config;
    return (struct sc_worker_settings){
        .tls = snapshot->tls,
        .signer = server->signer,
        .pin_meter = server->pin_meter,
        .limits = {.max_body_bytes = config->max_body_bytes,
                   .output_limit_bytes = config->output_limit_bytes,
                   .handshake_timeout_ms = config->handshake_timeout_ms,
                   .frame_timeout_ms = config->frame_timeout_ms,
                   .idle_timeout_ms = config->idle_timeout_ms,
                   .write_timeout_ms = config->write_timeout_ms},
    };
}

static struct sc_acceptor_limits acceptor_limits(const struct sc_config *config,
                                                 size_t worker_count)
{
    return (struct sc_acceptor_limits){
        .max_connections = sc_limits_raise_files(config->max_connections, (uint32_t)worker_count),
        .max_connections_per_address = config->max_connections_per_address,
        .balancers = config->proxy_protocol_from.items,
        .balancer_count = config->proxy_protocol_from.count,
        .header_timeout_ms = config->handshake_timeout_ms,
    };
}

/* While nothing is wrong with it, with what a client needs to try it. */
static void write_status(char *out, size_t out_size, void *arg)
{
    const struct sc_server *server = arg;
    const time_t left = sc_tls_context_not_after(server->snapshot.tls) - sc_clock_wall().tv_sec;
    const long days = labs((long)left / 86400);
    const uint32_t open = sc_acceptor_open(server->acceptor);
    const bool draining = sc_drain_since(server->drain) != 0;
    const char *failure = server->reload ? sc_reload_last(server->reload)->failure : "";
    const int length = snprintf(out, out_size,
                                left > 0 ? "%s, %u connection%s, certificate ends in %ld day%s"
                                         : "%s, %u connection%s, certificate ended %ld day%s ago",
                                draining ? "draining" : "serving", open, sc_plural(open), days,
                                sc_plural((uint64_t)days));
    if (*failure && length > 0 && (size_t)length < out_size) {
        (void)snprintf(out + length, out_size - (size_t)length,
                       "; the last reload failed, the previous configuration is active: %s",
                       failure);
    } else if (!draining && length > 0 && (size_t)length < out_size) {
        (void)snprintf(out + length, out_size - (size_t)length, "%s%s",
                       server->client_command[0] ? "; try it: " : "", server->client_command);
    }
}

/* What only the main thread knows, for /metrics and the status page. */
static void set_facts(struct sc_server *server)
{
    const struct sc_tls_context *tls = server->snapshot.tls;
    const struct sc_announcement *keys = sc_tls_context_announcement(tls);
    const struct sc_ocsp *ocsp = sc_tls_context_ocsp(tls);
    struct sc_metrics_facts facts = {
        .state = sc_drain_since(server->drain) ? SC_METRICS_DRAINING
                 : server->ready               ? SC_METRICS_READY
                                               : SC_METRICS_STARTING,
        .draining_since = sc_drain_since(server->drain),
        .max_connections = server->acceptor_limits.max_connections,
        .certificate_not_after = sc_tls_context_not_after(tls),
        .has_next_key = keys->next.key != NULL,
        .has_ocsp_response = ocsp->der != NULL,
        .ocsp_this_update = ocsp->this_update,
        .ocsp_next_update = ocsp->next_update,
        .loaded_at = server->loaded_at,
    };
    memcpy(facts.current_pin, keys->current.pin, sizeof(facts.current_pin));
    memcpy(facts.next_pin, keys->next.pin, sizeof(facts.next_pin));
    if (server->reload) {
        facts.next_key_since = sc_reload_next_key_since(server->reload);
        facts.next_certificate_not_after = sc_reload_next_certificate_until(server->reload);
        const struct sc_reload_last *last = sc_reload_last(server->reload);
        facts.reload = last->result;
        facts.reload_at = last->at.tv_sec;
        (void)snprintf(facts.reload_failure, sizeof(facts.reload_failure), "%s", last->failure);
    }
    sc_metrics_source_set_facts(&server->metrics, &facts);
}

static void on_reload_finished(void *arg)
{
    set_facts(arg);
}

/* --- Start --- */

static int start_workers(struct sc_server *server, struct sc_err *err)
{
    const struct sc_worker_settings settings = worker_settings(server, &server->snapshot);
    return sc_workers_start(&server->workers, server->snapshot.config->workers, server->base,
                            &settings, &server->admission, &workers_callbacks, server, err);
}

/* Before the server is ready, so that /readyz can say so. */
static int start_admin(struct sc_server *server, struct sc_err *err)
{
    const struct sc_config_addresses *names = &server->started->metrics_listen;
    struct sc_listen *listen = server->sockets.metrics;
    sc_metrics_source_init(&server->metrics, server->workers.items, server->workers.count,
                           &server->stats, server->tickets, server->pin_meter);
    set_facts(server);
    if (!listen) {
        return 0;
    }
    server->health = sc_loop_health_new(server->base, &server->stats, server->workers.items,
                                        server->workers.count, err);
    if (!server->health) {
        return -1;
    }
    server->sockets.metrics = NULL;
    server->admin =
        sc_admin_new(listen, names->items, names->count, &server->metrics, server->health, err);
    return server->admin ? 0 : -1;
}

struct sc_server *sc_server_new(const struct sc_cmdline *cmdline, struct sc_sysd *sysd,
                                const struct sc_snapshot *snapshot, struct sc_tickets *tickets,
                                struct sc_passphrase *passphrase, struct sc_err *err)
{
    struct sc_server *server = calloc(1, sizeof(*server));
    if (!server) {
        (void)sc_err_set(err, EX_OSERR, "can't start: out of memory");
        return NULL;
    }
    server->cmdline = cmdline;
    server->sysd = sysd;
    server->passphrase = passphrase;
    server->tickets = sc_tickets_ref(tickets);
    sc_stored_tickets_restore(sysd, tickets); /* before the sockets: it is not one of them */
    server->snapshot.config = sc_config_ref(snapshot->config);
    server->snapshot.tls = sc_tls_context_ref(snapshot->tls);
    server->started = sc_config_ref(snapshot->config);
    server->loaded_at = sc_clock_wall().tv_sec;
    server->acceptor_limits = acceptor_limits(
        snapshot->config, snapshot->config->workers); /* first: each worker opens files */
    server->base = sc_loop_new_base(err);
    if (!server->base || !(server->signer = sc_signer_new(err)) ||
        !(server->pin_meter = sc_pin_meter_new(err)) ||
        !(server->drain = sc_drain_new(server->base, &drain_callbacks, server, err)) ||
        sc_sockets_open(server->sysd, snapshot->config, &server->sockets, err) != 0 ||
        sc_tlsbev_library_init(sc_tls_context_ssl_ctx(snapshot->tls), err) != 0 ||
        start_workers(server, err) != 0 || start_admin(server, err) != 0) {
        sc_server_free(server);
        return NULL;
    }
    return server;
}

static int start_accepting(struct sc_server *server, struct sc_err *err)
{
    const size_t count = sc_listen_count(server->sockets.tls);
    evutil_socket_t *fds = calloc(count, sizeof(*fds));
    if (!fds) {
        return sc_err_set(err, EX_OSERR, "can't start to accept connections: out of memory");
    }
    for (size_t i = 0; i < count; i++) {
        fds[i] = sc_listen_descriptor(server->sockets.tls, i);
    }
    server->acceptor = sc_acceptor_new(server->base, fds, count, server->workers.items,
                                       server->workers.count, &server->acceptor_limits, err);
    free(fds);
    if (!server->acceptor) {
        return -1;
    }
    sc_metrics_source_set_acceptor(&server->metrics, server->acceptor);
    return 0;
}

static int start_upkeep(struct sc_server *server, struct sc_err *err)
{
    const struct sc_reload_parts parts = {
        .cmdline = server->cmdline,
        .passphrase = server->passphrase,
        .tickets = server->tickets,
        .sysd = server->sysd,
        .snapshot = &server->snapshot,
        .stats = &server->stats,
        .publish = publish,
        .finished = on_reload_finished,
        .status = write_status,
        .arg = server,
    };
    server->reload = sc_reload_new(server->base, &parts, err);
    server->watchdog = server->reload
                           ? sc_watchdog_new(server->base, server->sysd, server->workers.items,
                                             server->workers.count, write_status, server, err)
                           : NULL;
    return server->watchdog ? 0 : -1;
}

static void write_client_command(struct sc_server *server)
{
    sc_format_client_command(&server->snapshot, server->sockets.tls, server->own_address,
                             server->client_command, sizeof(server->client_command));
}

static void log_start(const struct sc_server *server)
{
    const struct sc_lifecycle_log_start start = {
        .snapshot = &server->snapshot,
        .listen = server->sockets.tls,
        .metrics = server->admin ? sc_admin_listen(server->admin) : NULL,
        .workers = server->workers.count,
        .backend = event_base_get_method(server->base),
        .max_connections = server->acceptor_limits.max_connections,
        .client_command = server->client_command,
    };
    sc_lifecycle_log_client_command(&start);
    sc_lifecycle_log_ready(&start);
}

static void notify_ready(struct sc_server *server)
{
    char status[SC_SYSD_STATUS_BYTES];
    server->ready = true;
    set_facts(server);
    write_status(status, sizeof(status), server);
    sc_sysd_ready(server->sysd, status);
}

/* --- Run --- */

static void log_stopped(const struct sc_server *server)
{
    struct sc_stats sum = {0};
    sc_workers_add_stats(&server->workers, &sum);
    sc_stats_sum(&sum, sc_acceptor_stats(server->acceptor));
    sc_stats_sum(&sum, &server->stats);
    sc_lifecycle_log_stopped(&sum);
}

int sc_server_run(struct sc_server *server, struct sc_err *err)
{
    const char *port_file = sc_cmdline_port_file(server->cmdline);
    struct sc_err confined;
    sc_admission_set_rate(&server->admission, server->snapshot.config->handshake_rate);
    /* The port file before the ready line: a start that fails at it has one line, the error. */
    if (start_accepting(server, err) != 0 || start_upkeep(server, err) != 0 ||
        (port_file && sc_port_file_write(port_file, server->sockets.tls, err) != 0)) {
        return -1;
    }
    sc_reload_start(server->reload);
    sc_snapshot_log_warnings(&server->snapshot);
    sc_own_address(server->own_address);
    write_client_command(server);
    if (sc_confine(&confined) != 0) {
        sc_log_message(SC_EVENT_NOT_CONFINED, "%s", confined.text);
    }
    log_start(server);
    notify_ready(server);
    event_base_dispatch(server->base);
    sc_workers_join(&server->workers);
    log_stopped(server);
    return 0;
}

/* --- Reload --- */

static void publish(struct sc_snapshot *fresh, void *arg)
{
    struct sc_server *server = arg;
    const struct sc_worker_settings settings = worker_settings(server, fresh);
    server->acceptor_limits =
        acceptor_limits(fresh->config, server->workers.count); /* those that run */
    sc_workers_publish(&server->workers, &settings);
    sc_acceptor_set_limits(server->acceptor, &server->acceptor_limits);
    sc_admission_set_rate(&server->admission, fresh->config->handshake_rate);
    sc_log_set_level(fresh->config->log_level);
    sc_snapshot_unref(&server->snapshot);
    server->snapshot = *fresh;
    server->loaded_at = sc_clock_wall().tv_sec;
    write_client_command(server);
}

/* --- Shutdown --- */

static uint64_t begin_drain(void *arg)
{
    struct sc_server *server = arg;
    sc_sysd_stopping(server->sysd, "draining");
    sc_watchdog_stopping(server->watchdog);
    set_facts(server);
    sc_reload_stop(server->reload);
    sc_acceptor_stop(server->acceptor);
    sc_listen_close(server->sockets.tls);
    server->sockets.tls = NULL;
    sc_workers_drain(&server->workers, sc_acceptor_open(server->acceptor));
    return server->snapshot.config->drain_timeout_ms;
}

static unsigned open_connections(void *arg)
{
    const struct sc_server *server = arg;
    return sc_acceptor_open(server->acceptor);
}

static const struct sc_drain_callbacks drain_callbacks = {begin_drain, open_connections};

static void on_worker_gone(const struct sc_conn_origin *origin, void *arg)
{
    const struct sc_server *server = arg;
    sc_acceptor_on_gone(server->acceptor, origin);
}

static void on_workers_empty(void *arg)
{
    const struct sc_server *server = arg;
    event_base_loopbreak(server->base);
}

static const struct sc_workers_callbacks workers_callbacks = {on_worker_gone, on_workers_empty};

void sc_server_free(struct sc_server *server)
{
    if (!server) {
        return;
    }
    sc_admin_free(server->admin); /* it reads what the others count */
    sc_loop_health_free(server->health);
    if (server->metrics.workers) {
        sc_metrics_source_fini(&server->metrics);
    }
    if (server->acceptor) {
        sc_acceptor_stop(
            server->acceptor); /* the end of a worker in the main loop runs that again */
    }
    sc_signer_stop(server->signer); /* it posts to the workers */
    sc_workers_fini(&server->workers);
    sc_signer_free(server->signer);
    sc_pin_meter_free(server->pin_meter);
    sc_acceptor_free(server->acceptor);
    sc_sockets_close(&server->sockets);
    sc_reload_free(server->reload);
    sc_watchdog_free(server->watchdog);
    sc_drain_free(server->drain);
    if (server->base) {
        event_base_free(server->base);
    }
    sc_snapshot_unref(&server->snapshot);
    sc_config_unref(server->started);
    sc_tickets_unref(server->tickets);
    free(server);
}

/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "server/metrics.h"

#include <string.h>

#include <event2/event.h>
#include <openssl/crypto.h>

#include "base/clock.h"
#include "tls/tickets.h"

const char *sc_metrics_state_word(enum sc_metrics_state state)
{
    switch (state) {
    case SC_METRICS_STARTING: return "starting";
    case SC_METRICS_READY: return "ready";
    case SC_METRICS_DRAINING: break;
    }
    return "draining";
}

void sc_metrics_source_init(struct sc_metrics_source *source, struct sc_worker *const *workers,
                            size_t worker_count, const struct sc_stats *main_stats,
                            struct sc_tickets *tickets, const struct sc_pin_meter *pin_meter)
{
    *source = (struct sc_metrics_source){
        .workers = workers,
        .worker_count = worker_count,
        .main_stats = main_stats,
        .tickets = tickets,
        .pin_meter = pin_meter,
        .started_at = sc_clock_wall().tv_sec,
    };
    (void)pthread_mutex_init(&source->mutex, NULL);
}

void sc_metrics_source_fini(struct sc_metrics_source *source)
{
    (void)pthread_mutex_destroy(&source->mutex);
}

void sc_metrics_source_set_acceptor(struct sc_metrics_source *source,
                                    const struct sc_acceptor *acceptor)
{
    (void)pthread_mutex_lock(&source->mutex);
    source->acceptor = acceptor;
    (void)pthread_mutex_unlock(&source->mutex);
}

void sc_metrics_source_set_facts(struct sc_metrics_source *source,
                                 const struct sc_metrics_facts *facts)
{
    (void)pthread_mutex_lock(&source->mutex);
    source->facts = *facts;
    (void)pthread_mutex_unlock(&source->mutex);
}

enum sc_metrics_state sc_metrics_source_state(struct sc_metrics_source *source)
{
    (void)pthread_mutex_lock(&source->mutex);
    const enum sc_metrics_state state = source->facts.state;
    (void)pthread_mutex_unlock(&source->mutex);
    return state;
}

/* Returns how many connections wait for their PROXY header. */
static uint32_t add_main_thread(struct sc_metrics_source *source, struct sc_stats *sum)
{
    uint32_t waiting = 0;
    (void)pthread_mutex_lock(&source->mutex);
    sc_stats_sum(sum, source->main_stats);
    if (source->acceptor) {
        sc_stats_sum(sum, sc_acceptor_stats(source->acceptor));
        waiting = sc_acceptor_waiting(source->acceptor);
    }
    (void)pthread_mutex_unlock(&source->mutex);
    return waiting;
}

void sc_metrics_source_sum(struct sc_metrics_source *source, struct sc_stats *sum)
{
    for (size_t i = 0; i < source->worker_count; i++) {
        sc_stats_sum(sum, sc_worker_stats(source->workers[i]));
    }
    (void)add_main_thread(source, sum);
}

void sc_metrics_get(struct sc_metrics_source *source, struct sc_metrics *out)
{
    memset(out, 0, sizeof(*out));
    (void)pthread_mutex_lock(&source->mutex);
    out->facts = source->facts;
    (void)pthread_mutex_unlock(&source->mutex);
    out->worker_count = source->worker_count;
    for (size_t i = 0; i < source->worker_count; i++) {
        struct sc_stats stats = {0};
        sc_stats_sum(&stats, sc_worker_stats(source->workers[i]));
        out->worker_open[i] = (uint32_t)sc_stats_open(&stats);
        sc_stats_sum(&out->stats, &stats);
    }
    /* After the workers: a connection that is given to one meanwhile is not counted twice. */
    out->waiting = add_main_thread(source, &out->stats);
    sc_pin_meter_read(source->pin_meter, out->facts.has_next_key ? out->facts.next_pin : NULL,
                      &out->pins);
    out->ticket_key_age_s = sc_tickets_age_ms(source->tickets) / 1000;
    out->now = sc_clock_wall().tv_sec;
    out->started_at = source->started_at;
    sc_process_get(&out->process);
    out->version = PACKAGE_VERSION;
    out->openssl = OpenSSL_version(OPENSSL_VERSION_STRING);
    out->libevent = event_get_version();
}

uint64_t sc_metrics_open(const struct sc_metrics *metrics)
{
    return sc_stats_open(&metrics->stats) + metrics->waiting;
}

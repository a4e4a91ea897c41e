/* SPDX-License-Identifier: MIT */
/*
 * What the server shows of itself, as it is at one moment: /metrics, the status page and
 * sc-server --status are made of this and of nothing else.
 *
 * Counters are read where they are counted; what only the main thread knows (the certificate, the
 * last reload) it sets with sc_metrics_source_set_facts(). Thread: _init, _fini,
 * _set_acceptor and _set_facts the main one, the rest any.
 */
#ifndef SC_SERVER_METRICS_H
#define SC_SERVER_METRICS_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "proto/pins.h"
#include "server/acceptor.h"
#include "server/pin_meter.h"
#include "server/process.h"
#include "server/reload.h"
#include "server/stats.h"
#include "server/worker.h"

#define SC_METRICS_MAX_WORKERS 1024U /* as `workers` */

enum sc_metrics_state { SC_METRICS_STARTING, SC_METRICS_READY, SC_METRICS_DRAINING };
const char *sc_metrics_state_word(enum sc_metrics_state state);

/* What only the main thread knows. */
struct sc_metrics_facts {
    enum sc_metrics_state state;
    time_t draining_since; /* 0: it does not drain */
    uint32_t max_connections;
    time_t certificate_not_after;
    bool has_next_key; /* announced to clients that ask for PINS */
    time_t next_certificate_not_after; /* of the next key; 0: there is none */
    time_t next_key_since; /* when it was announced first; 0: not known (key-continuity = off) */
    uint8_t current_pin[SC_PINS_PIN_BYTES], next_pin[SC_PINS_PIN_BYTES];
    bool has_ocsp_response;
    time_t ocsp_this_update, ocsp_next_update;
    enum sc_reload_result reload; /* the last one */
    time_t reload_at; /* when; 0: there was none */
    time_t loaded_at; /* when what is active was loaded */
    char reload_failure[1024]; /* why the last one failed; empty: it did not */
};

struct sc_metrics {
    struct sc_metrics_facts facts;
    struct sc_stats stats; /* of all threads */
    uint32_t waiting; /* connections whose PROXY header has not come: no worker has them */
    uint32_t worker_open[SC_METRICS_MAX_WORKERS]; /* connections of each */
    size_t worker_count;
    struct sc_pin_meter_figures pins;
    uint64_t ticket_key_age_s;
    uint64_t loop_silent_ms; /* sc_loop_health_silent_ms(); of the admin interface */
    time_t now, started_at;
    struct sc_process process;
    const char *version, *openssl, *libevent;
};

/* Where it comes from. All is borrowed. */
struct sc_metrics_source {
    struct sc_worker *const *workers;
    size_t worker_count;
    const struct sc_stats *main_stats; /* what the main thread counts beside the acceptor */
    struct sc_tickets *tickets;
    const struct sc_pin_meter *pin_meter;
    time_t started_at;

    pthread_mutex_t mutex; /* guards what follows */
    const struct sc_acceptor *acceptor; /* NULL: none yet */
    struct sc_metrics_facts facts;
};

/* All borrowed. */
void sc_metrics_source_init(struct sc_metrics_source *source, struct sc_worker *const *workers,
                            size_t worker_count, const struct sc_stats *main_stats,
                            struct sc_tickets *tickets, const struct sc_pin_meter *pin_meter);
void sc_metrics_source_fini(struct sc_metrics_source *source);

/* The acceptor, which is there later. Borrowed. */
void sc_metrics_source_set_acceptor(struct sc_metrics_source *source,
                                    const struct sc_acceptor *acceptor);

void sc_metrics_source_set_facts(struct sc_metrics_source *source,
                                 const struct sc_metrics_facts *facts);

enum sc_metrics_state sc_metrics_source_state(struct sc_metrics_source *source);

/* Adds the counters of all threads to `sum`. */
void sc_metrics_source_sum(struct sc_metrics_source *source, struct sc_stats *sum);

void sc_metrics_get(struct sc_metrics_source *source, struct sc_metrics *out);

/* Connections that are open, those that wait for their PROXY header included: what is held against
 * max-connections. */
uint64_t sc_metrics_open(const struct sc_metrics *metrics);

#endif

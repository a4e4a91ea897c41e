/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "server/workers.h"

#include <stdlib.h>
#include <sysexits.h>

#define RECONNECTS_A_SECOND 1000U
#define RETRY_AFTER_MIN_MS 250U

static void on_worker_gone(const struct sc_conn_origin *origin, void *arg)
{
    const struct sc_workers *workers = arg;
    workers->callbacks->on_gone(origin, workers->arg);
}

/* In the worker's thread. */
static void on_worker_empty(void *arg)
{
    struct sc_workers *workers = arg;
    struct sc_message *message = malloc(sizeof(*message));
    if (message) {
        sc_mailbox_post(workers->mailbox, message); /* else drain-timeout ends it */
    }
}

static void on_message(struct sc_message *message, void *arg)
{
    struct sc_workers *workers = arg;
    free(message);
    if (--workers->busy == 0) {
        workers->callbacks->on_empty(workers->arg);
    }
}

static void discard_message(struct sc_message *message)
{
    free(message);
}

int sc_workers_start(struct sc_workers *workers, size_t count, struct event_base *base,
                     const struct sc_worker_settings *settings, struct sc_admission *admission,
                     const struct sc_workers_callbacks *callbacks, void *arg, struct sc_err *err)
{
    *workers = (struct sc_workers){
        .owner = {admission, on_worker_gone, on_worker_empty, workers},
        .mailbox = sc_mailbox_new(base, on_message, workers, err),
        .callbacks = callbacks,
        .arg = arg,
    };
    if (!workers->mailbox) {
        return -1;
    }
    workers->items = calloc(count, sizeof(struct sc_worker *));
    if (!workers->items) {
        return sc_err_set(err, EX_OSERR, "can't start the workers: out of memory");
    }
    while (workers->count < count) {
        struct sc_worker *worker = sc_worker_new((unsigned)workers->count, count == 1 ? base : NULL,
                                                 settings, &workers->owner, err);
        if (!worker) {
            return -1;
        }
        workers->items[workers->count++] = worker;
    }
    return 0;
}

void sc_workers_publish(struct sc_workers *workers, const struct sc_worker_settings *settings)
{
    for (size_t i = 0; i < workers->count; i++) {
        sc_worker_publish(workers->items[i], settings);
    }
}

void sc_workers_drain(struct sc_workers *workers, uint32_t open)
{
    const double window_ms =
        open < RECONNECTS_A_SECOND ? 1000 : (double)open * 1000 / RECONNECTS_A_SECOND;
    const double step_ms = open > 0 ? window_ms / open : 0;
    workers->busy = workers->count;
    for (size_t i = 0; i < workers->count; i++) {
        /* Each worker has every count-th place. */
        const uint32_t first_ms = RETRY_AFTER_MIN_MS + (uint32_t)(step_ms * (double)i);
        sc_worker_drain(workers->items[i], first_ms, step_ms * (double)workers->count);
    }
}

void sc_workers_join(struct sc_workers *workers)
{
    for (size_t i = 0; i < workers->count; i++) {
        sc_worker_join(workers->items[i]);
    }
}

void sc_workers_add_stats(const struct sc_workers *workers, struct sc_stats *sum)
{
    for (size_t i = 0; i < workers->count; i++) {
        sc_stats_sum(sum, sc_worker_stats(workers->items[i]));
    }
}

void sc_workers_fini(struct sc_workers *workers)
{
    for (size_t i = 0; i < workers->count; i++) {
        sc_worker_free(workers->items[i]);
    }
    free(workers->items);
    sc_mailbox_free(workers->mailbox, discard_message);
    *workers = (struct sc_workers){0};
}

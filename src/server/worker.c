/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "server/worker.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

#include <openssl/crypto.h>

#include "base/clock.h"
#include "base/thread.h"
#include "net/loop.h"
#include "tls/context.h"

enum message_kind {
    MESSAGE_CONNECTION,
    MESSAGE_SETTINGS,
    MESSAGE_DRAIN,
    MESSAGE_PING,
    MESSAGE_STOP
};

struct worker_message {
    struct sc_message base; /* the first member, see net/mailbox.h */
    enum message_kind kind;
    union {
        struct {
            evutil_socket_t fd;
            struct sc_conn_origin origin;
        } connection;
        struct sc_worker_settings settings;
        struct {
            uint32_t first_ms;
            double step_ms;
        } drain;
    } u;
};

struct sc_worker {
    pthread_t thread;
    unsigned index;
    struct event_base *base;
    struct sc_mailbox *mailbox;
    struct sc_conn_context context;
    struct sc_stats stats;
    struct sc_worker_settings settings; /* this thread's */
    struct sc_conn_list conns;
    struct worker_message ping; /* the only one; posted while ping_posted */
    uint64_t ping_ns; /* when */
    atomic_bool ping_posted;
    const struct sc_worker_owner *owner;
    evutil_socket_t reserved; /* descriptors below it */
    _Atomic uint32_t load, pings_answered;
    bool draining, empty_reported;
    bool owns_base; /* and with it a thread and a mailbox */
    bool running; /* the owner's: the thread is to be joined */
};

/* --- In the worker's thread --- */

static void report_if_empty(struct sc_worker *worker)
{
    if (worker->draining && !worker->empty_reported && LIST_EMPTY(&worker->conns)) {
        worker->empty_reported = true;
        worker->owner->on_empty(worker->owner->arg);
    }
}

static void on_gone(struct sc_conn *conn, void *arg)
{
    struct sc_worker *worker = arg;
    sc_conn_list_remove(conn);
    worker->owner->on_gone(sc_conn_origin(conn), worker->owner->arg);
    atomic_fetch_sub_explicit(&worker->load, 1, memory_order_relaxed);
    report_if_empty(worker);
}

static void begin_connection(struct sc_worker *worker, struct worker_message *message)
{
    struct sc_err err;
    if (message->u.connection.fd >= worker->reserved) {
        worker->reserved = sc_loop_reserve_descriptors(worker->base, message->u.connection.fd);
    }
    struct sc_conn *conn =
        sc_conn_new(&worker->context, worker->settings.tls, message->u.connection.fd,
                    &message->u.connection.origin, &err);
    if (conn) {
        sc_conn_list_insert(&worker->conns, conn);
        return;
    }
    atomic_fetch_sub_explicit(&worker->load, 1, memory_order_relaxed);
    worker->owner->on_gone(&message->u.connection.origin, worker->owner->arg);
    sc_stats_add(&worker->stats.refused_memory, 1);
    sc_conn_log_event(&worker->context.log, SC_CONN_NO_MEMORY, &message->u.connection.origin,
                      err.text);
}

static void take_settings(struct sc_worker *worker, struct sc_worker_settings *settings)
{
    sc_tls_context_unref(worker->settings.tls);
    worker->settings = *settings; /* with the message's reference */
    for (struct sc_conn *conn = LIST_FIRST(&worker->conns); conn; conn = sc_conn_list_next(conn)) {
        sc_conn_limits_changed(conn);
    }
}

static void begin_drain(struct sc_worker *worker, uint32_t first_ms, double step_ms)
{
    double retry_ms = first_ms;
    struct sc_conn *next;
    worker->draining = true;
    for (struct sc_conn *conn = LIST_FIRST(&worker->conns); conn; conn = next) {
        next = sc_conn_list_next(conn);
        sc_conn_drain(conn, (uint32_t)retry_ms);
        retry_ms += step_ms;
    }
    report_if_empty(worker);
}

/* The message is the worker's own. */
static void answer_ping(struct sc_worker *worker)
{
    sc_stats_record(&worker->stats.loop_lag, sc_clock_ns() - worker->ping_ns);
    atomic_store_explicit(&worker->ping_posted, false, memory_order_release);
    atomic_fetch_add_explicit(&worker->pings_answered, 1, memory_order_relaxed);
}

static void on_message(struct sc_message *base, void *arg)
{
    struct sc_worker *worker = arg;
    struct worker_message *message = (struct worker_message *)base;
    switch (message->kind) {
    case MESSAGE_CONNECTION: begin_connection(worker, message); break;
    case MESSAGE_SETTINGS: take_settings(worker, &message->u.settings); break;
    case MESSAGE_DRAIN:
        begin_drain(worker, message->u.drain.first_ms, message->u.drain.step_ms);
        break;
    case MESSAGE_PING: answer_ping(worker); return;
    case MESSAGE_STOP: event_base_loopbreak(worker->base); break;
    }
    free(message);
}

static void close_all(struct sc_worker *worker)
{
    worker->empty_reported = true;
    struct sc_conn *next;
    for (struct sc_conn *conn = LIST_FIRST(&worker->conns); conn; conn = next) {
        next = sc_conn_list_next(conn);
        sc_conn_free(conn);
    }
    /*
     * libevent frees bufferevents in the next passes: first the filters, then what is beneath
     * them.
     */
    event_base_loop(worker->base, EVLOOP_NONBLOCK);
    event_base_loop(worker->base, EVLOOP_NONBLOCK);
}

static void *run(void *arg)
{
    struct sc_worker *worker = arg;
    event_base_loop(worker->base, EVLOOP_NO_EXIT_ON_EMPTY);
    close_all(worker);
    OPENSSL_thread_stop(); /* else OpenSSL frees what it has for each thread only after this one */
    return NULL;
}

/* --- In other threads --- */

static void discard(struct sc_message *base)
{
    struct worker_message *message = (struct worker_message *)base;
    if (message->kind == MESSAGE_CONNECTION) {
        (void)evutil_closesocket(message->u.connection.fd);
    } else if (message->kind == MESSAGE_SETTINGS) {
        sc_tls_context_unref(message->u.settings.tls);
    } else if (message->kind == MESSAGE_PING) {
        return;
    }
    free(message);
}

static int start_thread(struct sc_worker *worker)
{
    char name[16];
    (void)snprintf(name, sizeof(name), "worker-%u", worker->index);
    return sc_thread_start(&worker->thread, name, run, worker);
}

struct sc_worker *sc_worker_new(unsigned index, struct event_base *base,
                                const struct sc_worker_settings *settings,
                                const struct sc_worker_owner *owner, struct sc_err *err)
{
    struct sc_worker *worker = calloc(1, sizeof(*worker));
    if (!worker) {
        (void)sc_err_set(err, EX_OSERR, "can't start a worker: out of memory");
        return NULL;
    }
    worker->index = index;
    worker->owner = owner;
    worker->settings = *settings;
    worker->settings.tls = sc_tls_context_ref(settings->tls);
    LIST_INIT(&worker->conns);
    worker->base = base ? base : sc_loop_new_base(err);
    worker->owns_base = base == NULL;
    if (!worker->base ||
        (!base && !(worker->mailbox = sc_mailbox_new(worker->base, on_message, worker, err)))) {
        goto failed;
    }
    worker->context.base = worker->base;
    worker->context.limits = &worker->settings.limits;
    worker->context.newest_tls = &worker->settings.tls;
    worker->context.signer = settings->signer;
    worker->context.pin_meter = settings->pin_meter;
    worker->context.stats = &worker->stats;
    worker->context.admission = owner->admission;
    worker->context.on_gone = on_gone;
    worker->context.arg = worker;
    if (sc_conn_context_init(&worker->context, err) != 0) {
        goto failed;
    }
    const int failed_errno = base ? 0 : start_thread(worker);
    if (failed_errno != 0) {
        (void)sc_err_set_errno(err, EX_OSERR, failed_errno, "can't start the thread of worker %u",
                               index);
        goto failed;
    }
    worker->running = true;
    return worker;

failed:
    sc_worker_free(worker);
    return NULL;
}

static void post(struct sc_worker *worker, struct worker_message *message)
{
    if (worker->owns_base) {
        sc_mailbox_post(worker->mailbox, &message->base);
    } else {
        on_message(&message->base, worker);
    }
}

static struct worker_message *new_message(enum message_kind kind)
{
    struct worker_message *message = calloc(1, sizeof(*message));
    if (message) {
        message->kind = kind;
    }
    return message;
}

/* For the messages without which the server cannot be run or stopped: a few in all. */
static struct worker_message *must_message(enum message_kind kind)
{
    struct worker_message *message = new_message(kind);
    if (!message) {
        sc_log_message(SC_EVENT_OUT_OF_MEMORY, "can't send a message to a worker");
        abort();
    }
    return message;
}

int sc_worker_give(struct sc_worker *worker, evutil_socket_t fd,
                   const struct sc_conn_origin *origin)
{
    struct worker_message *message = new_message(MESSAGE_CONNECTION);
    if (!message) {
        (void)evutil_closesocket(fd);
        return -1;
    }
    message->u.connection.fd = fd;
    message->u.connection.origin = *origin;
    atomic_fetch_add_explicit(&worker->load, 1, memory_order_relaxed);
    post(worker, message);
    return 0;
}

void sc_worker_publish(struct sc_worker *worker, const struct sc_worker_settings *settings)
{
    struct worker_message *message = must_message(MESSAGE_SETTINGS);
    message->u.settings = *settings;
    message->u.settings.tls = sc_tls_context_ref(settings->tls);
    post(worker, message);
}

void sc_worker_drain(struct sc_worker *worker, uint32_t retry_first_ms, double retry_step_ms)
{
    struct worker_message *message = must_message(MESSAGE_DRAIN);
    message->u.drain.first_ms = retry_first_ms;
    message->u.drain.step_ms = retry_step_ms;
    post(worker, message);
}

void sc_worker_join(struct sc_worker *worker)
{
    if (worker->running && worker->owns_base) {
        post(worker, must_message(MESSAGE_STOP));
        (void)pthread_join(worker->thread, NULL);
    } else if (worker->running) {
        close_all(worker);
    }
    worker->running = false;
}

void sc_worker_ping(struct sc_worker *worker)
{
    if (!atomic_exchange_explicit(&worker->ping_posted, true, memory_order_acquire)) {
        worker->ping_ns = sc_clock_ns();
        worker->ping.kind = MESSAGE_PING;
        post(worker, &worker->ping);
    }
}

uint32_t sc_worker_pings_answered(const struct sc_worker *worker)
{
    return atomic_load_explicit(&worker->pings_answered, memory_order_relaxed);
}

uint32_t sc_worker_load(const struct sc_worker *worker)
{
    return atomic_load_explicit(&worker->load, memory_order_relaxed);
}

const struct sc_stats *sc_worker_stats(const struct sc_worker *worker)
{
    return &worker->stats;
}

void sc_worker_free(struct sc_worker *worker)
{
    if (!worker) {
        return;
    }
    sc_worker_join(worker);
    sc_mailbox_free(worker->mailbox, discard);
    sc_conn_context_fini(&worker->context); /* its timer is of the base */
    if (worker->base && worker->owns_base) {
        event_base_free(worker->base);
    }
    sc_tls_context_unref(worker->settings.tls);
    free(worker);
}

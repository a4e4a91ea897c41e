/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "net/tlsbev_cycle.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "net/loop.h"

/* --- Connections that ask for a cycle --- */

void sc_tlsbev_cycle_dequeue(struct sc_tlsbev *tls)
{
    if (tls->queued != SC_TLSBEV_NOT_QUEUED) {
        TAILQ_REMOVE(tls->queued == SC_TLSBEV_SOON ? &tls->shared->soon : &tls->shared->later, tls,
                     link);
        tls->queued = SC_TLSBEV_NOT_QUEUED;
    }
}

void sc_tlsbev_cycle_soon(struct sc_tlsbev *tls)
{
    struct sc_tlsbev_shared *shared = tls->shared;
    if (tls->cycle != SC_TLSBEV_IDLE || tls->queued == SC_TLSBEV_SOON) {
        return;
    }
    sc_tlsbev_cycle_dequeue(tls);
    if (TAILQ_EMPTY(&shared->soon)) {
        event_active(shared->soon_event, EV_TIMEOUT, 1);
    }
    TAILQ_INSERT_TAIL(&shared->soon, tls, link);
    tls->queued = SC_TLSBEV_SOON;
}

void sc_tlsbev_cycle_later(struct sc_tlsbev *tls)
{
    static const struct timeval now = {0, 0};
    struct sc_tlsbev_shared *shared = tls->shared;
    if (tls->queued != SC_TLSBEV_NOT_QUEUED) {
        return;
    }
    if (TAILQ_EMPTY(&shared->later)) {
        event_add(shared->later_event, &now); /* a timeout: sockets that are ready come first */
    }
    TAILQ_INSERT_TAIL(&shared->later, tls, link);
    tls->queued = SC_TLSBEV_LATER;
    tls->round = shared->round;
}

static void on_soon(evutil_socket_t fd, short what, void *arg)
{
    struct sc_tlsbev_shared *shared = arg;
    struct sc_tlsbev *tls;
    (void)fd;
    (void)what;
    while ((tls = TAILQ_FIRST(&shared->soon)) != NULL) {
        /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): dequeued before it can be freed */
        sc_tlsbev_cycle_run(tls, false);
    }
}

/* Those that ask again meanwhile have their cycle in the next round. */
static void on_later(evutil_socket_t fd, short what, void *arg)
{
    static const struct timeval now = {0, 0};
    struct sc_tlsbev_shared *shared = arg;
    struct sc_tlsbev *tls;
    const uint32_t round = shared->round++;
    (void)fd;
    (void)what;
    /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): dequeued before it can be freed */
    while ((tls = TAILQ_FIRST(&shared->later)) != NULL && tls->round == round) {
        sc_tlsbev_cycle_run(tls, false);
    }
    if (!TAILQ_EMPTY(&shared->later)) {
        event_add(shared->later_event, &now);
    }
}

struct sc_tlsbev_shared *sc_tlsbev_shared_new(struct event_base *base, size_t read_bytes,
                                              _Atomic uint64_t *received, _Atomic uint64_t *sent)
{
    struct sc_tlsbev_shared *shared = malloc(sizeof(*shared) + read_bytes);
    if (!shared) {
        return NULL;
    }
    shared->base = base;
    shared->round = 0;
    shared->size = read_bytes;
    shared->received = received;
    shared->sent = sent;
    shared->soon_event = event_new(base, -1, 0, on_soon, shared);
    shared->later_event = event_new(base, -1, 0, on_later, shared);
    TAILQ_INIT(&shared->soon);
    TAILQ_INIT(&shared->later);
    if (!shared->soon_event || !shared->later_event) {
        sc_tlsbev_shared_free(shared);
        return NULL;
    }
    return shared;
}

void sc_tlsbev_shared_free(struct sc_tlsbev_shared *shared)
{
    if (shared) {
        sc_loop_free_event(shared->soon_event);
        sc_loop_free_event(shared->later_event);
        free(shared);
    }
}

/* --- While the socket is full, the transport writes --- */

/* Its output changed. Runs inside the evbuffer: only notes. */
static void on_transport_output(struct evbuffer *output, const struct evbuffer_cb_info *info,
                                void *arg)
{
    struct sc_tlsbev *tls = arg;
    sc_tlsbev_io_count_sent(tls, info->n_deleted);
    if (info->n_deleted > 0 && evbuffer_get_length(output) == 0) {
        tls->sender = SC_TLSBEV_FLUSHED;
        sc_tlsbev_cycle_soon(tls);
    }
}

static void flush(struct sc_tlsbev *tls)
{
    if (tls->output_cb || sc_tlsbev_io_send(tls)) {
        return;
    }
    tls->output_cb =
        evbuffer_add_cb(bufferevent_get_output(tls->transport), on_transport_output, tls);
    if (!tls->output_cb) {
        sc_tlsbev_io_lose_output(tls, ENOMEM);
        return;
    }
    tls->sender = SC_TLSBEV_BLOCKED;
    bufferevent_enable(tls->transport, EV_WRITE);
}

static void remove_output_cb(struct sc_tlsbev *tls)
{
    if (tls->output_cb) {
        evbuffer_remove_cb_entry(bufferevent_get_output(tls->transport), tls->output_cb);
        tls->output_cb = NULL;
    }
}

/* Everything has left: the cycle sends again, else every append would cost two epoll_ctl(2). */
static void unblock(struct sc_tlsbev *tls)
{
    if (tls->output_cb && tls->sender == SC_TLSBEV_FLUSHED) {
        remove_output_cb(tls);
        evbuffer_unfreeze(bufferevent_get_output(tls->transport), 1);
        bufferevent_disable(tls->transport, EV_WRITE);
    }
}

/* --- The cycle --- */

static void report_connected(struct sc_tlsbev *tls)
{
    if (tls->phase == SC_TLSBEV_CONNECTED) {
        sc_tlsbev_io_advance(tls, SC_TLSBEV_OPEN);
        tls->callbacks->on_connected(tls->arg);
    }
}

static void report_data(struct sc_tlsbev *tls)
{
    if (tls->data != 0 && tls->phase == SC_TLSBEV_OPEN && tls->cycle != SC_TLSBEV_FREED) {
        tls->data = 0;
        tls->callbacks->on_data(tls->arg, bufferevent_get_input(tls->filter));
    }
}

static void report_flushed(struct sc_tlsbev *tls)
{
    if (tls->sender == SC_TLSBEV_FLUSHED && tls->cycle != SC_TLSBEV_FREED) {
        tls->sender = SC_TLSBEV_SENDS;
        if (tls->phase == SC_TLSBEV_OPEN) {
            tls->callbacks->on_flushed(tls->arg);
        }
    }
}

static void report_closed(struct sc_tlsbev *tls)
{
    if (tls->input == SC_TLSBEV_INPUT_ENDED) {
        tls->input = SC_TLSBEV_INPUT_END_REPORTED;
        tls->callbacks->on_closed(tls->arg, &tls->close);
        if (tls->cycle != SC_TLSBEV_FREED) {
            flush(tls);
        }
    }
}

static void report_blocked(struct sc_tlsbev *tls)
{
    if (tls->sender == SC_TLSBEV_BLOCKED && tls->phase == SC_TLSBEV_OPEN) {
        tls->sender = SC_TLSBEV_BLOCKED_REPORTED;
        if (tls->callbacks->on_blocked) {
            tls->callbacks->on_blocked(tls->arg);
        }
    }
}

/* After close_notify. When the peer has ended its side, closing the socket is enough. */
static void close_write_side(struct sc_tlsbev *tls)
{
    if (tls->output == SC_TLSBEV_OUTPUT_CLOSING && sc_tlsbev_io_pending(tls) == 0) {
        sc_tlsbev_io_close_output(tls, SC_TLSBEV_OUTPUT_CLOSED);
        if (tls->input == SC_TLSBEV_INPUT_OPEN) {
            (void)shutdown(tls->fd, SHUT_WR);
        }
        tls->sender = SC_TLSBEV_FLUSHED;
    }
}

void sc_tlsbev_cycle_destroy(struct sc_tlsbev *tls)
{
    bufferevent_setcb(tls->filter, NULL, NULL, NULL, NULL);
    remove_output_cb(tls);
    /* libevent frees the SSL later, when the owner's memory may be gone. */
    SSL_set_app_data(tls->ssl, NULL);
    /* With the transport and the SSL; closes the socket in the next iteration. */
    bufferevent_free(tls->filter);
    free(tls);
}

static void begin(struct sc_tlsbev *tls)
{
    tls->cycle = SC_TLSBEV_RUNNING;
    sc_tlsbev_cycle_dequeue(tls);
}

static void end(struct sc_tlsbev *tls)
{
    tls->cycle = SC_TLSBEV_IDLE;
    if (tls->input == SC_TLSBEV_INPUT_ENDED || tls->sender == SC_TLSBEV_FLUSHED) {
        sc_tlsbev_cycle_soon(tls); /* noted when its callback could not be called any more */
    }
    if (tls->backlog > 0 && !tls->paused) {
        sc_tlsbev_cycle_later(tls);
    }
}

/* What was read has been decrypted, or the handshake has gone on with it. */
static void act(struct sc_tlsbev *tls)
{
    unblock(tls);
    report_connected(tls);
    report_data(tls);
    report_flushed(tls);
    if (tls->cycle != SC_TLSBEV_FREED) {
        /* Before on_closed: an alert of ours must leave even if the owner frees it there. */
        flush(tls);
        report_closed(tls);
    }
    if (tls->cycle != SC_TLSBEV_FREED) {
        close_write_side(tls);
        report_blocked(tls);
        report_flushed(tls); /* when the last has left */
    }
    if (tls->cycle == SC_TLSBEV_FREED) {
        sc_tlsbev_cycle_destroy(tls);
        return;
    }
    end(tls);
}

bool sc_tlsbev_cycle_start(struct sc_tlsbev *tls)
{
    begin(tls);
    bufferevent_setfd(tls->filter, tls->fd); /* what the handshake returns comes as an event */
    const bool taken = bufferevent_getfd(tls->transport) == tls->fd;
    if (taken) {
        flush(tls);
    }
    end(tls);
    return taken;
}

void sc_tlsbev_cycle_run(struct sc_tlsbev *tls, bool readable)
{
    begin(tls);
    if (tls->backlog > 0) {
        if (!tls->paused) {
            sc_tlsbev_io_decrypt(tls);
        }
    } else if (readable) {
        sc_tlsbev_io_read(tls);
    }
    act(tls);
}

void sc_tlsbev_cycle_continue(struct sc_tlsbev *tls)
{
    begin(tls);
    sc_tlsbev_io_continue(tls);
    act(tls);
}

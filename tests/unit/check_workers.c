/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "server/workers.h"

#include <string.h>

#include "suite.h"
#include "tls_peer.h"

/*
 * All workers of a server together. In place of server/worker.c: workers that note what they are
 * notified.
 */
struct sc_worker {
    unsigned index;
    struct event_base *base;
    const struct sc_worker_owner *owner;
    const struct sc_worker_settings *settings; /* the last ones */
    struct sc_stats stats;
    uint32_t first_ms; /* of the last drain */
    double step_ms;
    unsigned drained, joined;
};

enum { MOST = 4 };

static struct sc_worker made[MOST];
static unsigned made_count, freed, fails_at;
static struct event_base *base;
static struct sc_workers workers;
static struct sc_admission admission;
static unsigned gone, empty;

struct sc_worker *sc_worker_new(unsigned index, struct event_base *in,
                                const struct sc_worker_settings *settings,
                                const struct sc_worker_owner *owner, struct sc_err *err)
{
    if (made_count == fails_at) {
        (void)sc_err_set(err, 71, "no more");
        return NULL;
    }
    struct sc_worker *worker = &made[made_count++];
    *worker = (struct sc_worker){.index = index, .base = in, .owner = owner, .settings = settings};
    return worker;
}

void sc_worker_publish(struct sc_worker *worker, const struct sc_worker_settings *settings)
{
    worker->settings = settings;
}

void sc_worker_drain(struct sc_worker *worker, uint32_t retry_first_ms, double retry_step_ms)
{
    worker->first_ms = retry_first_ms;
    worker->step_ms = retry_step_ms;
    worker->drained++;
}

void sc_worker_join(struct sc_worker *worker)
{
    worker->joined++;
}

void sc_worker_free(struct sc_worker *worker)
{
    freed += worker != NULL;
}

const struct sc_stats *sc_worker_stats(const struct sc_worker *worker)
{
    return &worker->stats;
}

static void on_gone(const struct sc_conn_origin *origin, void *arg)
{
    ck_assert_uint_eq(origin->id, 5);
    ck_assert_ptr_eq(arg, &base);
    gone++;
}

static void on_empty(void *arg)
{
    ck_assert_ptr_eq(arg, &base);
    empty++;
}

static int start(size_t count)
{
    static const struct sc_workers_callbacks callbacks = {on_gone, on_empty};
    static const struct sc_worker_settings settings;
    struct sc_err err = {0};
    base = run_base_new();
    gone = empty = made_count = freed = 0;
    return sc_workers_start(&workers, count, base, &settings, &admission, &callbacks, &base, &err);
}

static void finish(void)
{
    sc_workers_fini(&workers);
    ck_assert_uint_eq(freed, made_count);
    run_base_free(base);
}

START_TEST(one_lives_in_the_main_loop_and_several_do_not)
{
    const struct sc_worker_settings fresh = {.limits = {.max_body_bytes = 1}};
    const struct sc_conn_origin origin = {.id = 5};
    fails_at = MOST;
    for (size_t count = 1; count <= MOST; count++) {
        ck_assert_int_eq(start(count), 0);
        ck_assert_uint_eq(workers.count, count);
        sc_workers_publish(&workers, &fresh);
        for (unsigned i = 0; i < count; i++) {
            ck_assert_ptr_eq(workers.items[i], &made[i]);
            ck_assert_uint_eq(made[i].index, i);
            ck_assert_ptr_eq(made[i].base, count == 1 ? base : NULL);
            ck_assert_ptr_eq(made[i].owner->admission, &admission);
            ck_assert_ptr_eq(made[i].settings, &fresh);
            made[i].owner->on_gone(&origin, made[i].owner->arg);
        }
        ck_assert_uint_eq(gone, count);
        sc_workers_join(&workers);
        for (unsigned i = 0; i < count; i++) {
            ck_assert_uint_eq(made[i].joined, 1);
        }
        finish();
    }
}
END_TEST

START_TEST(those_that_came_to_be_are_freed)
{
    fails_at = 2;
    ck_assert_int_eq(start(3), -1);
    ck_assert_uint_eq(made_count, 2);
    finish();
}
END_TEST

START_TEST(counters_are_added)
{
    struct sc_stats sum = {0};
    fails_at = MOST;
    ck_assert_int_eq(start(3), 0);
    for (unsigned i = 0; i < 3; i++) {
        sc_stats_add(&made[i].stats.handshakes_started, 10 + i);
    }
    sc_workers_add_stats(&workers, &sum);
    ck_assert_uint_eq(sc_stats_get(&sum.handshakes_started), 33);
    finish();
}
END_TEST

/* When all of them have reported, and not before. */
START_TEST(all_are_empty_when_the_last_one_is)
{
    fails_at = MOST;
    ck_assert_int_eq(start(3), 0);
    sc_workers_drain(&workers, 3);
    for (unsigned i = 0; i < 3; i++) {
        ck_assert_uint_eq(made[i].drained, 1);
        run_ready(base);
        ck_assert_uint_eq(empty, 0);
        made[i].owner->on_empty(made[i].owner->arg);
    }
    run_ready(base);
    ck_assert_uint_eq(empty, 1);
    finish();
}
END_TEST

/*
 * Clients come back after a quarter of a second, within a second more, or a thousand of them in a
 * second: each worker has every count-th place.
 */
START_TEST(clients_come_back_one_after_another)
{
    static const struct {
        size_t workers;
        uint32_t open;
        double step_ms; /* from one client to the next */
    } cases[] = {{1, 1, 1000}, {1, 500, 2},  {4, 500, 2}, {4, 999, 1000.0 / 999},
                 {2, 1000, 1}, {4, 5000, 1}, {3, 0, 0}};
    fails_at = MOST;
    for (size_t c = 0; c < SC_COUNT_OF(cases); c++) {
        ck_assert_int_eq(start(cases[c].workers), 0);
        sc_workers_drain(&workers, cases[c].open);
        for (unsigned i = 0; i < cases[c].workers; i++) {
            ck_assert_uint_eq(made[i].first_ms, 250 + (uint32_t)(cases[c].step_ms * i));
            ck_assert_double_eq_tol(made[i].step_ms, cases[c].step_ms * (double)cases[c].workers,
                                    1e-9);
        }
        finish();
    }
}
END_TEST

SUITE_MAIN("workers", one_lives_in_the_main_loop_and_several_do_not,
           those_that_came_to_be_are_freed, counters_are_added, all_are_empty_when_the_last_one_is,
           clients_come_back_one_after_another)

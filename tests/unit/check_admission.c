/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "server/admission.h"

#include <string.h>

#include "base/clock.h"
#include "server/admission_queue.h"
#include "suite.h"
#include "tls_peer.h"

static struct sc_admission admission;
static uint64_t now_ns;

static void at_ms(uint64_t ms)
{
    now_ns = UINT64_C(1000000000) + ms * 1000000U;
    sc_clock_fake(&now_ns, NULL);
}

static void start(uint32_t per_second)
{
    memset(&admission, 0, sizeof(admission));
    at_ms(0);
    sc_admission_set_rate(&admission, per_second);
}

static unsigned take_all(struct sc_admission_budget *budget)
{
    unsigned taken = 0;
    while (taken < 100000 && sc_admission_try(budget)) {
        taken++;
    }
    return taken;
}

/* --- Budgets --- */

START_TEST(a_budget_fills_at_its_rate)
{
    start(50);
    ck_assert_uint_eq(take_all(&admission.full), 5); /* a tenth of a second */
    ck_assert_uint_eq(sc_admission_wait_ns(&admission.full), 20000000);
    at_ms(5);
    ck_assert_uint_eq(sc_admission_wait_ns(&admission.full), 15000000);
    at_ms(19);
    ck_assert(!sc_admission_try(&admission.full));
    at_ms(20);
    ck_assert_uint_eq(sc_admission_wait_ns(&admission.full), 0);
    ck_assert_uint_eq(take_all(&admission.full), 1);
    at_ms(10000);
    ck_assert_uint_eq(take_all(&admission.full), 5); /* no more than it holds */
    unsigned taken = 0;
    for (unsigned ms = 10000; ms < 12000; ms++) {
        at_ms(ms);
        taken += take_all(&admission.full);
    }
    ck_assert_uint_eq(taken, 99);
}
END_TEST

START_TEST(a_slow_budget_holds_one)
{
    start(1);
    ck_assert_uint_eq(take_all(&admission.full), 1);
    ck_assert_uint_eq(sc_admission_wait_ns(&admission.full), 1000000000);
    at_ms(999);
    ck_assert(!sc_admission_try(&admission.full));
    at_ms(1000);
    ck_assert_uint_eq(take_all(&admission.full), 1);
}
END_TEST

START_TEST(resumed_ones_have_a_budget_of_their_own)
{
    start(50);
    ck_assert_uint_eq(take_all(&admission.full), 5);
    ck_assert_uint_eq(take_all(&admission.resumed), 5 * SC_ADMISSION_RESUMED_PER_FULL);
    at_ms(20);
    ck_assert_uint_eq(take_all(&admission.resumed), SC_ADMISSION_RESUMED_PER_FULL);
    ck_assert_uint_eq(take_all(&admission.full), 1);
}
END_TEST

START_TEST(what_is_given_back_can_be_taken_again)
{
    start(10);
    ck_assert_uint_eq(take_all(&admission.full), 1);
    sc_admission_give_back(&admission.full);
    ck_assert_uint_eq(take_all(&admission.full), 1);
    /* And no more than was there: the bucket is full. */
    at_ms(5000);
    for (int i = 0; i < 9; i++) {
        sc_admission_give_back(&admission.full);
    }
    ck_assert_uint_eq(take_all(&admission.full), 1);
}
END_TEST

/* The rate was higher when it was taken, and the machine has just been started. */
START_TEST(what_is_given_back_at_a_lower_rate)
{
    start(1000000);
    now_ns = 100;
    sc_clock_fake(&now_ns, NULL);
    ck_assert(sc_admission_try(&admission.full));
    sc_admission_set_rate(&admission, 1);
    sc_admission_give_back(&admission.full);
    sc_admission_set_rate(&admission, 1000);
    ck_assert_uint_eq(take_all(&admission.full), 100);
}
END_TEST

START_TEST(the_rate_can_change)
{
    start(0);
    ck_assert_uint_eq(take_all(&admission.full), 100000);
    ck_assert_uint_eq(take_all(&admission.resumed), 100000);
    ck_assert_uint_eq(sc_admission_wait_ns(&admission.full), 0);
    start(1);
    ck_assert_uint_eq(take_all(&admission.full), 1);
    sc_admission_set_rate(&admission, 0);
    ck_assert_uint_eq(sc_admission_wait_ns(&admission.full), 0);
    ck_assert_uint_eq(take_all(&admission.full), 100000);
    start(10);
    ck_assert_uint_eq(take_all(&admission.full), 1);
    sc_admission_set_rate(&admission, 100);
    at_ms(100);
    ck_assert_uint_eq(take_all(&admission.full), 10);
    sc_admission_set_rate(&admission, 0);
    ck_assert_uint_eq(take_all(&admission.full), 100000);
}
END_TEST

/* --- The queue --- */

enum { WAITERS = 40 };

struct member {
    struct sc_admission_waiter waiter; /* first */
    bool dead;
};

static struct event_base *base;
static struct sc_admission_queue queue;
static struct member members[WAITERS];
static unsigned admitted[WAITERS]; /* in this order */
static unsigned admitted_count, asked_count;
static struct timeval admitted_at; /* the last one, by the clock of the loop */

static bool is_alive(struct sc_admission_waiter *waiter)
{
    ck_assert_ptr_null(waiter->group);
    asked_count++;
    return !((struct member *)waiter)->dead;
}

static void on_admitted(struct sc_admission_waiter *waiter)
{
    ck_assert_ptr_null(waiter->group);
    admitted[admitted_count++] = (unsigned)((struct member *)waiter - members);
    ck_assert_int_eq(event_base_gettimeofday_cached(base, &admitted_at), 0);
}

static const struct sc_admission_callbacks callbacks = {.is_alive = is_alive,
                                                        .on_admitted = on_admitted};

/* With no token left, and a rate of one a millisecond: time is the test's, not the clock's. */
static void start_queue(void)
{
    struct sc_err err;
    start(1000);
    (void)take_all(&admission.full);
    memset(members, 0, sizeof(members));
    admitted_count = asked_count = 0;
    base = run_base_new();
    ck_assert_int_eq(sc_admission_queue_init(&queue, base, &admission.full, &callbacks, &err), 0);
}

static void finish_queue(void)
{
    ck_assert(sc_admission_queue_is_empty(&queue));
    sc_admission_queue_fini(&queue);
    sc_admission_queue_fini(&queue);
    run_base_free(base);
}

static void enqueue(unsigned member, uint64_t address)
{
    sc_admission_enqueue(&queue, &members[member].waiter, address);
}

/* `count` tokens more have come. */
static void let_in(unsigned count)
{
    const unsigned before = admitted_count;
    at_ms((now_ns - UINT64_C(1000000000)) / 1000000 + count);
    RUN_UNTIL(base, admitted_count == before + count || sc_admission_queue_is_empty(&queue));
    ck_assert(!sc_admission_try(&admission.full) || sc_admission_queue_is_empty(&queue));
}

static void expect_order(unsigned count, const unsigned *order)
{
    ck_assert_uint_eq(admitted_count, count);
    for (unsigned i = 0; i < count; i++) {
        ck_assert_msg(admitted[i] == order[i], "place %u: %u, not %u", i, admitted[i], order[i]);
    }
}

START_TEST(first_come_first_served)
{
    start_queue();
    for (unsigned i = 0; i < 4; i++) {
        enqueue(i, 7);
    }
    let_in(3);
    expect_order(3, (const unsigned[]){0, 1, 2});
    enqueue(4, 7);
    let_in(2);
    expect_order(5, (const unsigned[]){0, 1, 2, 3, 4});
    finish_queue();
}
END_TEST

/* 30 of one address delay those of the others by one place each. */
START_TEST(addresses_take_turns)
{
    start_queue();
    for (unsigned i = 0; i < 30; i++) {
        enqueue(i, 7);
    }
    enqueue(30, 8);
    enqueue(31, 9);
    enqueue(32, 8);
    let_in(5);
    expect_order(5, (const unsigned[]){0, 30, 31, 1, 32});
    enqueue(33, 8); /* after one of the other address, not after 28 */
    let_in(2);
    expect_order(7, (const unsigned[]){0, 30, 31, 1, 32, 2, 33});
    let_in(28);
    ck_assert_uint_eq(admitted_count, 34);
    finish_queue();
}
END_TEST

START_TEST(the_dead_take_no_token)
{
    start_queue();
    for (unsigned i = 0; i < 20; i++) {
        enqueue(i, 7);
        members[i].dead = true;
    }
    enqueue(20, 8);
    enqueue(21, 9);
    let_in(2);
    expect_order(2, (const unsigned[]){20, 21});
    /* Only the dead are left: the token stays for the next. */
    at_ms((now_ns - UINT64_C(1000000000)) / 1000000 + 1);
    RUN_UNTIL(base, sc_admission_queue_is_empty(&queue));
    ck_assert_uint_eq(asked_count, 22);
    ck_assert_uint_eq(admitted_count, 2);
    ck_assert_uint_eq(take_all(&admission.full), 1);
    finish_queue();
}
END_TEST

/* Asking costs as much as admitting: neither holds up the loop. */
START_TEST(not_all_the_dead_at_once)
{
    start_queue();
    for (unsigned i = 0; i < WAITERS; i++) {
        enqueue(i, 7);
        members[i].dead = i + 1 < WAITERS;
    }
    at_ms(10000);
    RUN_UNTIL(base, asked_count > 0);
    ck_assert_uint_lt(asked_count, WAITERS / 2);
    RUN_UNTIL(base, sc_admission_queue_is_empty(&queue));
    expect_order(1, (const unsigned[]){WAITERS - 1});
    ck_assert_uint_eq(asked_count, WAITERS);
    finish_queue();
}
END_TEST

START_TEST(who_leaves_is_not_admitted)
{
    start_queue();
    for (unsigned i = 0; i < 4; i++) {
        enqueue(i, 7 + i % 2);
    }
    sc_admission_dequeue(&queue, &members[0].waiter);
    sc_admission_dequeue(&queue, &members[0].waiter);
    sc_admission_dequeue(&queue, &members[2].waiter); /* the last of its address */
    let_in(2);
    expect_order(2, (const unsigned[]){1, 3});
    enqueue(0, 7);
    sc_admission_dequeue(&queue, &members[0].waiter);
    finish_queue();
}
END_TEST

/* A budget that is full of tokens does not hold up the loop. */
START_TEST(not_all_at_once)
{
    start_queue();
    for (unsigned i = 0; i < WAITERS; i++) {
        enqueue(i, 7);
    }
    at_ms(10000);
    RUN_UNTIL(base, admitted_count > 0);
    ck_assert_uint_lt(admitted_count, WAITERS / 2);
    RUN_UNTIL(base, sc_admission_queue_is_empty(&queue));
    ck_assert_uint_eq(admitted_count, WAITERS);
    finish_queue();
}
END_TEST

/* All take from one budget: a worker that always looked first would have every token. */
START_TEST(after_its_turn_a_worker_lets_others_go_first)
{
    struct timeval at, wait;
    start_queue();
    enqueue(0, 7);
    enqueue(1, 7);
    let_in(1);
    ck_assert(evtimer_pending(queue.timer, &at));
    evutil_timersub(&at, &admitted_at, &wait);
    ck_assert_uint_eq(sc_admission_wait_ns(&admission.full), 1000000);
    ck_assert_int_eq(wait.tv_sec, 0);
    ck_assert_int_gt(wait.tv_usec, 1500); /* for the token, and as long again */
    ck_assert_int_lt(wait.tv_usec, 2500);
    let_in(1);
    finish_queue();
}
END_TEST

START_TEST(no_limit_any_more)
{
    start_queue();
    enqueue(0, 7);
    sc_admission_set_rate(&admission, 0);
    RUN_UNTIL(base, admitted_count == 1);
    finish_queue();
}
END_TEST

SUITE_MAIN("admission", a_budget_fills_at_its_rate, a_slow_budget_holds_one,
           resumed_ones_have_a_budget_of_their_own, what_is_given_back_can_be_taken_again,
           what_is_given_back_at_a_lower_rate, the_rate_can_change, first_come_first_served,
           addresses_take_turns, the_dead_take_no_token, not_all_the_dead_at_once,
           who_leaves_is_not_admitted, not_all_at_once, no_limit_any_more,
           after_its_turn_a_worker_lets_others_go_first)

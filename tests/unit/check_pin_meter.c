/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "server/pin_meter.h"

#include <math.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "suite.h"

static const uint8_t next_key[32] = {1, 2, 3}, after_that[32] = {7, 8, 9},
                     other_key[32] = {1, 2, 4};
static struct sc_pin_meter *meter;
static struct sc_pin_meter_figures figures;

static void at_hour(uint64_t hour)
{
    const uint64_t ns = (5 + hour) * 3600 * UINT64_C(1000000000);
    sc_clock_fake(&ns, NULL);
}

static void start(void)
{
    struct sc_err err;
    at_hour(0);
    meter = sc_pin_meter_new(&err);
    ck_assert_ptr_nonnull(meter);
}

static uint64_t client_at(uint32_t number)
{
    const struct sc_addr peer = {.family = AF_INET,
                                 .host = {(uint8_t)(number >> 24), (uint8_t)(number >> 16),
                                          (uint8_t)(number >> 8), (uint8_t)number}};
    return sc_pin_meter_client(meter, &peer);
}

static void note(uint32_t number, const uint8_t *next, enum sc_pin_said said)
{
    sc_pin_meter_note(meter, client_at(number), next, said);
}

/* NEXT, OTHERS, unknown, not since. */
static void expect(const uint8_t *next, uint64_t accept, uint64_t others, uint64_t unknown,
                   uint64_t not_since)
{
    sc_pin_meter_read(meter, next, &figures);
    ck_assert_uint_eq(figures.said[SC_PIN_SAID_NEXT], accept);
    ck_assert_uint_eq(figures.said[SC_PIN_SAID_OTHERS], others);
    ck_assert_uint_eq(figures.said[SC_PIN_SAID_NOTHING], unknown);
    ck_assert_uint_eq(figures.not_since, not_since);
    ck_assert_uint_eq(figures.clients, accept + others + unknown + not_since);
    ck_assert_uint_eq(figures.one_in, 1);
}

START_TEST(bodies)
{
    uint8_t pins[8 * 32];
    memset(pins, 5, sizeof(pins));
    ck_assert_int_eq(sc_pin_said(next_key, NULL, 0), SC_PIN_SAID_NOTHING);
    ck_assert_int_eq(sc_pin_said(NULL, NULL, 0), SC_PIN_SAID_NOTHING);
    ck_assert_int_eq(sc_pin_said(next_key, pins, 8), SC_PIN_SAID_OTHERS);
    memcpy(pins + 7 * 32, other_key, 32);
    ck_assert_int_eq(sc_pin_said(next_key, pins, 8), SC_PIN_SAID_OTHERS);
    memcpy(pins + 7 * 32, next_key, 32);
    pins[sizeof(pins) - 1] ^= 1;
    ck_assert_int_eq(sc_pin_said(next_key, pins, 8), SC_PIN_SAID_OTHERS);
    pins[sizeof(pins) - 1] ^= 1;
    ck_assert_int_eq(sc_pin_said(next_key, pins, 8), SC_PIN_SAID_NEXT);
    ck_assert_int_eq(sc_pin_said(next_key, pins, 7), SC_PIN_SAID_OTHERS);
    ck_assert_int_eq(sc_pin_said(NULL, pins, 8), SC_PIN_SAID_OTHERS);
    ck_assert_str_eq(sc_pin_said_word(SC_PIN_SAID_NEXT), "next");
    ck_assert_ptr_null(sc_pin_said_word(SC_PIN_SAID_COUNT));
}
END_TEST

START_TEST(the_last_word_of_an_address_counts)
{
    start();
    expect(next_key, 0, 0, 0, 0);
    note(1, next_key, SC_PIN_SAID_OTHERS);
    note(2, next_key, SC_PIN_SAID_NOTHING);
    expect(next_key, 0, 1, 1, 0);
    for (int i = 0; i < 100; i++) {
        note(1, next_key, SC_PIN_SAID_NEXT);
    }
    expect(next_key, 1, 0, 1, 0);
    note(1, next_key, SC_PIN_SAID_NOTHING); /* sc-client pins, beside a client that has a store */
    expect(next_key, 1, 0, 1, 0);
    note(1, next_key, SC_PIN_SAID_OTHERS);
    expect(next_key, 0, 1, 1, 0);
    note(1, next_key, SC_PIN_SAID_NOTHING);
    expect(next_key, 0, 1, 1, 0);
    note(2, next_key, SC_PIN_SAID_NEXT);
    expect(next_key, 1, 1, 0, 0);
    sc_pin_meter_free(meter);
}
END_TEST

/* What is known of one key is not of another. */
START_TEST(another_next_key)
{
    static const uint8_t zeros[SC_PINS_PIN_BYTES];
    start();
    note(1, NULL, SC_PIN_SAID_OTHERS);
    note(2, NULL, SC_PIN_SAID_NOTHING);
    expect(NULL, 0, 1, 1, 0);
    expect(next_key, 0, 0, 0, 2);
    expect(zeros, 0, 0, 0, 2); /* it is a key all the same */
    note(1, next_key, SC_PIN_SAID_NEXT);
    expect(next_key, 1, 0, 0, 1);
    expect(after_that, 0, 0, 0, 2);
    note(1, after_that, SC_PIN_SAID_NOTHING);
    expect(after_that, 0, 0, 1, 1);
    note(1, after_that, SC_PIN_SAID_NEXT);
    /* Promoted: it accepts this key, so it names its pins. */
    expect(NULL, 0, 1, 1, 0);
    sc_pin_meter_free(meter);
}
END_TEST

START_TEST(a_client_that_stays_away_is_forgotten)
{
    start();
    note(1, next_key, SC_PIN_SAID_NEXT);
    at_hour(24);
    note(2, next_key, SC_PIN_SAID_NEXT);
    at_hour(7 * 24 - 1);
    expect(next_key, 2, 0, 0, 0);
    at_hour(7 * 24);
    expect(next_key, 1, 0, 0, 0);
    note(1, next_key, SC_PIN_SAID_NOTHING); /* what it accepts is forgotten, too */
    expect(next_key, 1, 0, 1, 0);
    note(2, next_key, SC_PIN_SAID_NOTHING); /* it still accepts it, and it was here */
    at_hour(8 * 24);
    expect(next_key, 1, 0, 1, 0);
    at_hour(365 * 24);
    expect(next_key, 0, 0, 0, 0);
    sc_pin_meter_free(meter);
}
END_TEST

/* An IPv6 /64 is one client, and so is an IPv4 address on either kind of socket. */
START_TEST(who_is_a_client)
{
    const struct sc_addr v4 = {.family = AF_INET, .host = {192, 0, 2, 1}, .port = 1},
                         mapped = {.family = AF_INET6,
                                   .host = {[10] = 255, 255, 192, 0, 2, 1},
                                   .port = 2},
                         a = {.family = AF_INET6, .host = {0x20, 1, 13, 0xb8, [15] = 1}},
                         b = {.family = AF_INET6, .host = {0x20, 1, 13, 0xb8, [8] = 9}},
                         c = {.family = AF_INET6, .host = {0x20, 1, 13, 0xb8, [7] = 1}},
                         local = {.family = AF_UNIX};
    start();
    ck_assert_uint_eq(sc_pin_meter_client(meter, &v4), sc_pin_meter_client(meter, &mapped));
    ck_assert_uint_eq(sc_pin_meter_client(meter, &a), sc_pin_meter_client(meter, &b));
    ck_assert_uint_ne(sc_pin_meter_client(meter, &a), sc_pin_meter_client(meter, &c));
    ck_assert_uint_ne(sc_pin_meter_client(meter, &local), 0);
    const uint64_t here = sc_pin_meter_client(meter, &v4);
    sc_pin_meter_free(meter);
    start(); /* another process: the same address is another number */
    ck_assert_uint_ne(sc_pin_meter_client(meter, &v4), here);
    sc_pin_meter_free(meter);
}
END_TEST

/* `count` clients, of which one in `every` has named no pins and the others accept the next key. */
static void fill(uint32_t count, uint32_t every)
{
    start();
    for (uint32_t i = 0; i < count; i++) {
        note(i, next_key, i % every == 0 ? SC_PIN_SAID_NOTHING : SC_PIN_SAID_NEXT);
    }
    sc_pin_meter_read(meter, next_key, &figures);
}

START_TEST(two_thousand_are_counted_exactly)
{
    fill(2000, 5);
    expect(next_key, 1600, 0, 400, 0);
    sc_pin_meter_free(meter);
}
END_TEST

/* The standard error that the header states, times four: 1 in 16,000 runs would fail by chance. */
static void expect_about(uint64_t figure, double truth, double all)
{
    ck_assert_msg(fabs((double)figure - truth) < 4 * 0.02 * all, "%g instead of %g", (double)figure,
                  truth);
}

START_TEST(more_are_a_sample)
{
    static const uint32_t sizes[] = {20000, 100000, 400000};
    for (size_t i = 0; i < SC_COUNT_OF(sizes); i++) {
        const double all = sizes[i];
        fill(sizes[i], 4);
        ck_assert_uint_gt(figures.one_in, 1);
        expect_about(figures.clients, all, all);
        expect_about(figures.said[SC_PIN_SAID_NEXT], all * 3 / 4, all);
        expect_about(figures.said[SC_PIN_SAID_NOTHING], all / 4, all);
        /* Each entry is there once, and as many as the header says. */
        ck_assert_uint_ge(figures.clients / figures.one_in, 2000);
        ck_assert_uint_le(figures.clients / figures.one_in, 8000);
        /* And they change their minds. */
        for (uint32_t j = 0; j < sizes[i]; j++) {
            note(j, next_key, SC_PIN_SAID_OTHERS);
        }
        sc_pin_meter_read(meter, next_key, &figures);
        ck_assert_uint_eq(figures.said[SC_PIN_SAID_OTHERS], figures.clients);
        sc_pin_meter_free(meter);
    }
}
END_TEST

#define THREADS 4
#define CLIENTS 2000U

static void *note_all(void *arg)
{
    const uint32_t first = (uint32_t)(uintptr_t)arg * (CLIENTS / THREADS);
    for (uint32_t round = 0; round < 3; round++) {
        for (uint32_t i = 0; i < CLIENTS; i++) {
            note((first + i) % CLIENTS, next_key, SC_PIN_SAID_NEXT);
        }
    }
    return NULL;
}

/* Workers see the same clients at the same time. */
START_TEST(threads)
{
    pthread_t ids[THREADS];
    start();
    for (uintptr_t i = 0; i < THREADS; i++) {
        ck_assert_int_eq(pthread_create(&ids[i], NULL, note_all, (void *)i), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        ck_assert_int_eq(pthread_join(ids[i], NULL), 0);
    }
    expect(next_key, CLIENTS, 0, 0, 0);
    sc_pin_meter_free(meter);
}
END_TEST

SUITE_MAIN("pin_meter", bodies, the_last_word_of_an_address_counts, another_next_key,
           a_client_that_stays_away_is_forgotten, who_is_a_client, two_thousand_are_counted_exactly,
           more_are_a_sample, threads)

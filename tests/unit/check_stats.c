#include "config.h"

#include "server/stats.h"

#include <stdbool.h>
#include <string.h>

#include "proto/frame.h"
#include "suite.h"

/* The struct is nothing but counters, so a test can fill those that come later, too. */
enum { COUNT = sizeof(struct sc_stats) / sizeof(sc_counter) };

static void fill(struct sc_stats *stats, uint64_t step)
{
    sc_counter *counters = (sc_counter *)(void *)stats;
    for (size_t i = 0; i < COUNT; i++) {
        sc_stats_add(&counters[i], step * (i + 1));
    }
}

struct seen {
    size_t count;
    char names[COUNT][64];
    uint64_t values[COUNT];
};

static void see(const char *name, uint64_t value, void *arg)
{
    struct seen *seen = arg;
    ck_assert_uint_lt(seen->count, COUNT);
    ck_assert_uint_lt(strlen(name), sizeof(seen->names[0]));
    (void)strcpy(seen->names[seen->count], name);
    seen->values[seen->count++] = value;
}

START_TEST(a_sum_takes_every_counter_once)
{
    struct sc_stats one = {0}, two = {0}, sum = {0};
    const sc_counter *counters = (const sc_counter *)(const void *)&sum;
    fill(&one, 1);
    fill(&two, UINT64_C(1) << 33);
    sc_stats_sum(&sum, &one);
    sc_stats_sum(&sum, &two);
    for (size_t i = 0; i < COUNT; i++) {
        ck_assert_uint_eq(sc_stats_get(&counters[i]), (1 + (UINT64_C(1) << 33)) * (i + 1));
    }
}
END_TEST

START_TEST(every_counter_has_a_name_of_its_own)
{
    struct sc_stats stats = {0};
    struct seen seen = {0};
    fill(&stats, 1);
    sc_stats_each(&stats, see, &seen);
    size_t rows = 0;
    while (sc_handler_at(rows)) {
        rows++;
    }
    /* There is no ERROR code 0, and there are counters for more rows than there are. */
    ck_assert_uint_eq(seen.count, COUNT - 1 - (SC_HANDLER_MAX - rows));
    for (size_t i = 0; i < seen.count; i++) {
        ck_assert_uint_gt(strlen(seen.names[i]), 0);
        ck_assert_uint_eq(strspn(seen.names[i], "abcdefghijklmnopqrstuvwxyz_"),
                          strlen(seen.names[i])); /* a key of the log */
        for (size_t j = 0; j < i; j++) {
            ck_assert_str_ne(seen.names[i], seen.names[j]);
            ck_assert_uint_ne(seen.values[i], seen.values[j]);
        }
    }
}
END_TEST

static uint64_t value_of(const struct sc_stats *stats, const char *name)
{
    struct seen seen = {0};
    sc_stats_each(stats, see, &seen);
    for (size_t i = 0; i < seen.count; i++) {
        if (strcmp(seen.names[i], name) == 0) {
            return seen.values[i];
        }
    }
    ck_abort_msg("no counter %s", name);
}

START_TEST(names_are_those_of_what_is_counted)
{
    struct sc_stats stats = {0};
    sc_stats_add(&stats.handshakes_failed, 2);
    sc_stats_add(&stats.requests[sc_handler_index(sc_handler_find(SC_FRAME_REVERSE))], 3);
    sc_stats_add(&stats.errors[SC_ERROR_BODY_TOO_LARGE], 4);
    ck_assert_uint_eq(value_of(&stats, "handshakes_failed"), 2);
    ck_assert_uint_eq(value_of(&stats, "requests_reverse"), 3);
    ck_assert_uint_eq(value_of(&stats, "errors_body_too_large"), 4);
    ck_assert_uint_eq(value_of(&stats, "requests_echo"), 0);
}
END_TEST

SUITE_MAIN("stats", a_sum_takes_every_counter_once, every_counter_has_a_name_of_its_own,
           names_are_those_of_what_is_counted)

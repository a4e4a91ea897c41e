/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "server/limits.h"

#include <errno.h>
#include <stdbool.h>
#include <sys/resource.h>

#include "kept_log.h"
#include "suite.h"

/* 64 for the server itself and 8 for each worker. */
#define OWN_WITH_TWO_WORKERS 80U

/* In place of the C library's: what a filter of system calls may forbid. */
static bool forbidden;

#ifdef __GLIBC__
int setrlimit(__rlimit_resource_t resource, const struct rlimit *limit)
#else
int setrlimit(int resource, const struct rlimit *limit)
#endif
{
    if (forbidden) {
        errno = EPERM;
        return -1;
    }
    return prlimit(0, resource, limit, NULL);
}

/* Each test has a process of its own, or a hard limit would stay. */
static void set_limit(rlim_t soft, rlim_t hard)
{
    const struct rlimit limit = {.rlim_cur = soft, .rlim_max = hard};
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    kept_start(SC_LOG_INFO);
}

static rlim_t soft_limit(void)
{
    struct rlimit limit;
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    return limit.rlim_cur;
}

START_TEST(it_is_raised_to_what_is_needed)
{
    set_limit(50, 500);
    ck_assert_uint_eq(sc_limits_raise_files(100, 2), 100);
    ck_assert_uint_eq(soft_limit(), 100 + OWN_WITH_TWO_WORKERS);
    ck_assert_uint_eq(kept_count, 0);
}
END_TEST

START_TEST(a_limit_that_is_high_enough_stays)
{
    set_limit(300, 500);
    ck_assert_uint_eq(sc_limits_raise_files(100, 2), 100);
    ck_assert_uint_eq(soft_limit(), 300);
    ck_assert_uint_eq(sc_limits_raise_files(300 - OWN_WITH_TWO_WORKERS, 2),
                      300 - OWN_WITH_TWO_WORKERS);
    ck_assert_uint_eq(soft_limit(), 300);
    ck_assert_uint_eq(kept_count, 0);
}
END_TEST

START_TEST(what_does_not_fit_is_reported_with_its_numbers)
{
    set_limit(50, 150);
    ck_assert_uint_eq(sc_limits_raise_files(100, 2), 150 - OWN_WITH_TWO_WORKERS);
    ck_assert_uint_eq(soft_limit(), 150);
    ck_assert_uint_eq(kept_count, 1);
    ASSERT_HAS(kept_last(), "warning file_limit");
    ASSERT_HAS(kept_last(), "max-connections 100 needs 180 files (80 of them for the server "
                            "itself), and only 150 are allowed");
    ASSERT_HAS(kept_last(), "at most 70 connections");
    ASSERT_HAS(kept_last(), "LimitNOFILE");
}
END_TEST

START_TEST(a_limit_that_may_not_be_raised)
{
    set_limit(150, 500);
    forbidden = true;
    ck_assert_uint_eq(sc_limits_raise_files(100, 2), 150 - OWN_WITH_TWO_WORKERS);
    ck_assert_uint_eq(soft_limit(), 150);
    ck_assert_uint_eq(kept_count, 1);
    ASSERT_HAS(kept_last(), "only 150 are allowed");
}
END_TEST

/* With next to nothing the server still starts, and takes one. */
START_TEST(one_connection_is_the_least)
{
    set_limit(40, 40);
    ck_assert_uint_eq(sc_limits_raise_files(10000, 2), 1);
    ck_assert_uint_eq(kept_count, 1);
    ck_assert_uint_eq(sc_limits_raise_files(UINT32_MAX, 1024), 1); /* nothing overflows */
}
END_TEST

/* Replies that wait, more than a request that comes; a long reply is made whole. */
START_TEST(what_connections_need_of_memory)
{
    struct sc_limits_memory memory = sc_limits_memory(10, 64U << 10, 256U << 10);
    ck_assert_uint_eq(memory.idle_bytes, 10 * (20U << 10));
    ck_assert_uint_eq(memory.most_bytes, 10 * ((256U + 96 + 98) << 10));
    memory = sc_limits_memory(10, 1024U << 10, 4U << 10);
    ck_assert_uint_eq(memory.most_bytes, 10 * ((4U + 1024 + 98) << 10));
}
END_TEST

SUITE_MAIN("limits", it_is_raised_to_what_is_needed, a_limit_that_is_high_enough_stays,
           what_does_not_fit_is_reported_with_its_numbers, a_limit_that_may_not_be_raised,
           one_connection_is_the_least, what_connections_need_of_memory)

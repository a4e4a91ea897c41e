#include "config.h"

#include "base/pool.h"

#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/slab.h"
#include "suite.h"

enum { BLOCKS = 3000 };

static uint8_t *blocks[BLOCKS];
static size_t sizes[BLOCKS];

static size_t random_size(uint64_t *seed)
{
    *seed = *seed * UINT64_C(6364136223846793005) + 1442695040888963407;
    const uint64_t dice = *seed >> 33;
    return dice % 16 == 0 ? dice % 200000 : dice % 3 == 0 ? dice % 9000 : dice % 300;
}

static void fill(size_t i)
{
    memset(blocks[i], (int)(i % 251), sizes[i]);
}

/* Not an assertion for each byte: that would be most of the time. */
static void check_first(size_t i, size_t count)
{
    size_t good = 0;
    while (good < count && blocks[i][good] == i % 251) {
        good++;
    }
    ck_assert_uint_eq(good, count);
}

static void check(size_t i)
{
    check_first(i, sizes[i]);
}

/*
 * Blocks of all sizes, in use together, freed in another order and resized: none is lost or
 * overlaps another.
 */
static void churn(void)
{
    uint64_t seed = 7;
    for (size_t round = 0; round < 4; round++) {
        for (size_t i = round % 2; i < BLOCKS; i += 1 + round % 2) {
            if (blocks[i]) {
                check(i);
                sc_pool_free(blocks[i]);
            }
            sizes[i] = random_size(&seed);
            blocks[i] = sc_pool_malloc(sizes[i]);
            ck_assert_ptr_nonnull(blocks[i]);
            ck_assert_uint_eq((uintptr_t)blocks[i] % (sizes[i] % 16 == 0 ? 16 : 8), 0);
            fill(i);
        }
        for (size_t i = 0; i < BLOCKS; i += 3) {
            const size_t had = sizes[i];
            sizes[i] = random_size(&seed) + 1;
            blocks[i] = sc_pool_realloc(blocks[i], sizes[i]);
            ck_assert_ptr_nonnull(blocks[i]);
            check_first(i, had < sizes[i] ? had : sizes[i]);
            fill(i);
        }
    }
    for (size_t i = 0; i < BLOCKS; i++) {
        check(i);
        sc_pool_free(blocks[i]);
        blocks[i] = NULL;
    }
    sc_pool_free(NULL);
}

START_TEST(with_malloc_alone)
{
    churn();
    sc_pool_thread_end();
}
END_TEST

START_TEST(with_the_slab)
{
    sc_pool_start();
    churn();
    sc_pool_thread_end();
}
END_TEST

START_TEST(what_came_before_the_slab_is_freed_after_it)
{
    void *early = sc_pool_malloc(100);
    void *grown = sc_pool_malloc(100);
    memset(grown, 1, 100);
    sc_pool_start();
    sc_pool_free(early);
    grown = sc_pool_realloc(grown, 200);
    ck_assert_uint_eq(((uint8_t *)grown)[99], 1);
    sc_pool_free(grown);
}
END_TEST

START_TEST(calloc_zeroes_what_was_used)
{
    sc_pool_start();
    for (size_t i = 0; i < 100; i++) {
        uint8_t *block = sc_pool_calloc(144);
        for (size_t at = 0; at < 144; at++) {
            ck_assert_uint_eq(block[at], 0);
        }
        memset(block, 0xff, 144);
        sc_pool_free(block);
    }
}
END_TEST

#if defined(HAVE_MALLOC_USABLE_SIZE) && !defined(SC_NO_POOL)

/* What is taken and freed again and again comes from the thread. */
START_TEST(the_steady_state_has_no_misses)
{
    sc_pool_start();
    uint64_t misses = 0;
    for (size_t round = 0; round < 3; round++) {
        misses = sc_pool_misses();
        for (size_t size = 8; size < 100000; size += size / 8) {
            void *one = sc_pool_malloc(size), *other = sc_pool_malloc(size);
            sc_pool_free(one);
            sc_pool_free(other);
        }
    }
    ck_assert_uint_eq(sc_pool_misses(), misses);
}
END_TEST

START_TEST(sizes_have_classes_that_fit)
{
    for (size_t size = 0; size <= SC_SLAB_MAX_BYTES; size++) {
        const unsigned class = sc_slab_class(size);
        ck_assert_uint_lt(class, SC_SLAB_CLASSES);
        ck_assert_uint_ge(sc_slab_class_bytes(class), size);
        ck_assert_uint_le(sc_slab_class_bytes(class), size <= 8                    ? 16
                                                      : size <= SC_SLAB_FINE_BYTES ? size + 7
                                                                                   : size + 127);
    }
}
END_TEST

static void *free_blocks(void *arg)
{
    (void)arg;
    for (size_t i = 0; i < BLOCKS; i++) {
        sc_pool_free(blocks[i]);
    }
    sc_pool_thread_end();
    return NULL;
}

/* One thread makes them, another frees them: they come back instead of growing the slab. */
START_TEST(blocks_wander_between_threads)
{
    uintptr_t highest = 0;
    sc_pool_start();
    for (size_t round = 0; round < 20; round++) {
        pthread_t thread;
        for (size_t i = 0; i < BLOCKS; i++) {
            blocks[i] = sc_pool_malloc(200);
            ck_assert(sc_slab_owns(blocks[i]));
            if (round == 0) {
                highest = (uintptr_t)blocks[i] > highest ? (uintptr_t)blocks[i] : highest;
            } else {
                ck_assert_uint_le((uintptr_t)blocks[i], highest + SC_SLAB_SPAN_BYTES);
            }
        }
        ck_assert_int_eq(pthread_create(&thread, NULL, free_blocks, NULL), 0);
        ck_assert_int_eq(pthread_join(thread, NULL), 0);
    }
}
END_TEST

enum { CROWD = 40000 };

static void *crowd[CROWD];

/* How many of them lie in memory. */
static size_t resident(void)
{
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    size_t count = 0;
    for (size_t i = 0; i < CROWD; i++) {
        unsigned char present = 0;
        count +=
            mincore((void *)((uintptr_t)crowd[i] & ~(page - 1)), 1, &present) == 0 && (present & 1);
    }
    return count;
}

/* A crowd came and went; a few stayed. */
START_TEST(a_trim_gives_memory_back)
{
    void *stays[10];
    sc_pool_start();
    for (size_t i = 0; i < 10; i++) {
        stays[i] = sc_pool_malloc(1000);
    }
    for (size_t i = 0; i < CROWD; i++) {
        crowd[i] = memset(sc_pool_malloc(1000), 1, 1000);
    }
    ck_assert_uint_eq(resident(), CROWD);
    for (size_t i = 0; i < CROWD; i++) {
        sc_pool_free(crowd[i]);
    }
    sc_pool_trim();
    ck_assert_uint_lt(resident(), 200);
    /* What was given back is used again, for other sizes too. */
    uint8_t *again = sc_pool_calloc(500);
    ck_assert(sc_slab_owns(again));
    for (size_t i = 0; i < CROWD; i++) {
        crowd[i] = memset(sc_pool_malloc(800), 2, 800);
        ck_assert(sc_slab_owns(crowd[i]));
    }
    for (size_t i = 0; i < CROWD; i++) {
        ck_assert_uint_eq(*(uint8_t *)crowd[i], 2);
        sc_pool_free(crowd[i]);
    }
    for (size_t i = 0; i < 10; i++) {
        sc_pool_free(stays[i]);
    }
}
END_TEST

START_TEST(a_block_that_is_freed_twice_ends_the_process)
{
    sc_pool_start();
    void *block = sc_pool_malloc(64);
    sc_pool_free(block);
    sc_pool_free(block);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pool");
    TCase *tcase = tcase_create("all");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, with_malloc_alone);
    tcase_add_test(tcase, with_the_slab);
    tcase_add_test(tcase, what_came_before_the_slab_is_freed_after_it);
    tcase_add_test(tcase, calloc_zeroes_what_was_used);
    tcase_add_test(tcase, the_steady_state_has_no_misses);
    tcase_add_test(tcase, sizes_have_classes_that_fit);
    tcase_add_test(tcase, blocks_wander_between_threads);
    tcase_add_test(tcase, a_trim_gives_memory_back);
    tcase_add_test_raise_signal(tcase, a_block_that_is_freed_twice_ends_the_process, SIGABRT);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#else

SUITE_MAIN("pool", with_malloc_alone, with_the_slab, what_came_before_the_slab_is_freed_after_it,
           calloc_zeroes_what_was_used)

#endif

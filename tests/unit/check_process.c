/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "server/process.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "suite.h"

#define BLOCK_BYTES ((size_t)256 << 20)

static struct sc_process before, after;

/* In place of the C library's: before Linux 6.2 the directories of /proc have no size. */
static bool before_linux_6_2;

int stat(const char *path, struct stat *out)
{
    const int result = fstatat(AT_FDCWD, path, out, 0);
    if (before_linux_6_2) {
        out->st_size = 0;
    }
    return result;
}

/* Address space without memory, then memory. */
START_TEST(memory_is_told_apart_from_address_space)
{
    const size_t used = BLOCK_BYTES / 16;
    sc_process_get(&before);
    ck_assert_uint_gt(before.resident_bytes, 100000);
    char *block = mmap(NULL, BLOCK_BYTES, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    ck_assert_ptr_ne(block, MAP_FAILED);
    sc_process_get(&after);
    ck_assert_uint_ge(after.virtual_bytes, before.virtual_bytes + BLOCK_BYTES);
    ck_assert_uint_lt(after.resident_bytes, before.resident_bytes + used / 2);
    memset(block, 1, used);
    sc_process_get(&after);
    ck_assert_uint_gt(after.resident_bytes, before.resident_bytes + used / 2);
    ck_assert_int_eq(munmap(block, BLOCK_BYTES), 0);
}
END_TEST

START_TEST(open_files_are_counted)
{
    const struct rlimit limit = {.rlim_cur = 77, .rlim_max = 78};
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    sc_process_get(&before);
    ck_assert_uint_ge(before.open_files, 3);
    const int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    ck_assert_int_ge(fd, 0);
    sc_process_get(&after);
    ck_assert_uint_eq(after.open_files, before.open_files + 1);
    ck_assert_uint_eq(after.max_files, 77);
    (void)close(fd);
}
END_TEST

START_TEST(open_files_are_counted_without_a_size)
{
    sc_process_get(&before);
    before_linux_6_2 = true;
    for (int i = 0; i < 3; i++) {
        sc_process_get(&after);
        ck_assert_uint_eq(after.open_files, before.open_files);
    }
}
END_TEST

static void *wait_for_end(void *arg)
{
    char byte;
    ck_assert_int_eq(read(*(const int *)arg, &byte, 1), 0);
    return NULL;
}

START_TEST(threads_are_counted)
{
    int ends[2];
    pthread_t threads[3];
    ck_assert_int_eq(pipe(ends), 0);
    sc_process_get(&before);
    ck_assert_uint_ge(before.threads, 1);
    for (size_t i = 0; i < 3; i++) {
        ck_assert_int_eq(pthread_create(&threads[i], NULL, wait_for_end, ends), 0);
    }
    sc_process_get(&after);
    ck_assert_uint_eq(after.threads, before.threads + 3);
    (void)close(ends[1]);
    for (size_t i = 0; i < 3; i++) {
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    }
    (void)close(ends[0]);
}
END_TEST

START_TEST(time_is_that_of_the_processor)
{
    struct timespec pause = {.tv_nsec = 50000000};
    sc_process_get(&before);
    while (nanosleep(&pause, &pause) != 0) {
    }
    sc_process_get(&after);
    ck_assert_msg(after.cpu_seconds - before.cpu_seconds < 0.04, "%f s while it slept",
                  after.cpu_seconds - before.cpu_seconds);
    const double until = after.cpu_seconds + 0.02;
    for (unsigned i = 0; after.cpu_seconds < until; i++) {
        ck_assert_uint_lt(i, 1000000);
        sc_process_get(&after);
    }
}
END_TEST

SUITE_MAIN("process", memory_is_told_apart_from_address_space, open_files_are_counted,
           open_files_are_counted_without_a_size, threads_are_counted,
           time_is_that_of_the_processor)

/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "base/lock_file.h"

#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sysexits.h>
#include <unistd.h>

#include "leaks.h"
#include "scratch.h"
#include "suite.h"

static struct sc_err err;

/*
 * In place of the C library's: the file is removed before it is locked, as by the process that had
 * the lock until then.
 */
static bool remove_before_lock;
static unsigned locks;

int flock(int fd, int operation)
{
    locks++;
    if (remove_before_lock) {
        remove_before_lock = false;
        ck_assert_int_eq(unlink("lock"), 0);
    }
    return (int)syscall(SYS_flock, fd, operation);
}

/* Another open file is another owner, in one process too. */
static void is_refused(const char *path, const char *words)
{
    struct sc_lock_file lock;
    ck_assert_int_eq(sc_lock_file_take(&lock, path, 0, &err), -1);
    ck_assert_int_eq(err.status, EX_UNAVAILABLE);
    ck_assert_msg(strstr(err.text, words) != NULL, "\"%s\" is not in: %s", words, err.text);
}

START_TEST(one_has_it_until_it_is_released)
{
    struct sc_lock_file first, second;
    struct stat status;
    scratch_enter();
    const mode_t mask = umask(0);
    ck_assert_int_eq(sc_lock_file_take(&first, "lock", 0, &err), 0);
    (void)umask(mask);
    ck_assert_int_eq(stat("lock", &status), 0);
    ck_assert_uint_eq(status.st_mode & 07777, 0600);
    is_refused("lock", "another process holds it");
    sc_lock_file_release(&first);
    ck_assert_uint_eq(scratch_files(false), 0);
    ck_assert_int_eq(sc_lock_file_take(&second, "lock", 0, &err), 0);
    sc_lock_file_release(&second);
    scratch_leave();
}
END_TEST

START_TEST(a_file_that_was_removed_is_not_the_lock)
{
    struct sc_lock_file lock;
    scratch_enter();
    locks = 0;
    remove_before_lock = true;
    ck_assert_int_eq(sc_lock_file_take(&lock, "lock", 1000, &err), 0);
    ck_assert_uint_eq(locks, 2);
    is_refused("lock", "another process holds it");
    sc_lock_file_release(&lock);
    scratch_leave();
}
END_TEST

/* Else the lock could be on one that somebody else has chosen. */
START_TEST(only_a_regular_file_is_locked)
{
    char too_long[SC_LOCK_FILE_PATH_BYTES + 1];
    memset(too_long, 'x', sizeof(too_long) - 1);
    too_long[sizeof(too_long) - 1] = '\0';
    scratch_enter();
    ck_assert_int_eq(symlink("other", "link"), 0);
    is_refused("link", "can't lock link");
    ck_assert_int_ne(access("other", F_OK), 0); /* nor is it made */
    ck_assert_int_eq(mkfifo("fifo", 0600), 0);
    is_refused("fifo", "not a regular file");
    ck_assert_int_eq(mkdir("directory", 0700), 0);
    is_refused("directory", "can't lock directory: Is a directory");
    is_refused("missing/lock", "can't lock missing/lock");
    is_refused(too_long, "the path is too long");
    scratch_leave();
}
END_TEST

START_TEST(one_changes_the_keys_of_a_directory)
{
    scratch_enter();
    const int first = sc_lock_directory_of("./server.key", &err);
    ck_assert_int_ge(first, 0);
    ck_assert_int_eq(sc_lock_directory_of("./other.key", &err), -1);
    ck_assert_int_eq(err.status, EX_TEMPFAIL);
    ck_assert_ptr_nonnull(strstr(err.text, "another process changes keys in this directory"));
    (void)close(first);
    const int second = sc_lock_directory_of("./server.key", &err);
    ck_assert_int_ge(second, 0);
    (void)close(second);
    scratch_leave();
}
END_TEST

START_TEST(nothing_is_kept)
{
    struct sc_lock_file lock;
    scratch_enter();
    ck_assert_int_eq(symlink("lock", "link"), 0);
    ASSERT_KEEPS_NOTHING({
        ck_assert_int_eq(sc_lock_file_take(&lock, "lock", 0, &err), 0);
        is_refused("link", "can't lock link");
        sc_lock_file_release(&lock);
    });
    ck_assert_int_eq(sc_lock_file_take(&lock, "lock", 0, &err), 0);
    const int before = leaks_descriptors();
    is_refused("lock", "another process");
    ck_assert_int_eq(leaks_descriptors(), before);
    sc_lock_file_release(&lock);
    scratch_leave();
}
END_TEST

SUITE_MAIN("lock_file", one_has_it_until_it_is_released, a_file_that_was_removed_is_not_the_lock,
           only_a_regular_file_is_locked, one_changes_the_keys_of_a_directory, nothing_is_kept)

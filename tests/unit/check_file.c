/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "base/file.h"

#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>

#include "leaks.h"
#include "scratch.h"
#include "suite.h"

static struct sc_err err;

static void is_read(const char *path, size_t max_bytes, const char *expected)
{
    struct sc_file file;
    ck_assert_msg(sc_file_read(path, max_bytes, &file, &err) == 0, "%s", err.text);
    ck_assert_uint_eq(file.length, strlen(expected));
    ck_assert_str_eq(file.bytes, expected); /* a NUL follows */
    ck_assert_uint_eq((size_t)file.stat.st_size, file.length);
    sc_file_fini(&file);
    ck_assert_ptr_null(file.bytes);
    ck_assert_uint_eq(file.length, 0);
    sc_file_fini(&file);
}

static void is_refused(const char *path, size_t max_bytes, const char *why)
{
    struct sc_file file;
    err.text[0] = '\0';
    ck_assert_int_eq(sc_file_read(path, max_bytes, &file, &err), -1);
    ck_assert_int_eq(err.status, EX_NOINPUT);
    ck_assert_msg(strstr(err.text, path) && strstr(err.text, why), "%s", err.text);
    ck_assert_ptr_null(file.bytes); /* nothing to free */
}

START_TEST(a_file_is_read_whole)
{
    scratch_enter();
    scratch_write("empty", "");
    scratch_write("file", "12345678");
    is_read("empty", 0, "");
    is_read("empty", 100, "");
    is_read("file", 100, "12345678");
    is_read("file", 9, "12345678");
    is_read("file", 8, "12345678"); /* the bound is what a file may have */
    is_refused("file", 7, "larger than 7 bytes");
    is_refused("file", 0, "larger than 0 bytes");
    scratch_leave();
}
END_TEST

/* Devices have no end, and a FIFO without a writer would keep the program waiting. */
START_TEST(only_regular_files_are_read)
{
    scratch_enter();
    ck_assert_int_eq(mkfifo("fifo", 0600), 0);
    is_refused("fifo", 100, "not a regular file");
    is_refused("/dev/zero", 100, "not a regular file");
    is_read("/dev/null", 0, "");
    is_refused(".", 100, "it is a directory");
    is_refused("nothing", 100, "No such file or directory");
    /* Its size is 0 and it has bytes, like a file that grows. */
    is_refused("/proc/self/stat", 100000, "it grew while it was read");
    scratch_leave();
}
END_TEST

static void read_one(const char *path)
{
    struct sc_file file;
    if (sc_file_read(path, 2000, &file, &err) == 0) {
        sc_file_fini(&file);
    }
}

START_TEST(nothing_is_kept)
{
    char text[1001];
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    scratch_enter();
    scratch_write("file", text);
    ASSERT_KEEPS_NOTHING(read_one("file"));
    ASSERT_KEEPS_NOTHING(read_one("."));
    ASSERT_KEEPS_NOTHING(read_one("/proc/self/stat"));
    scratch_leave();
}
END_TEST

/* The file may have been a key: it is overwritten, in a way that no compiler leaves out. */
static const void *erased;
static size_t erased_bytes;

/* Not static: with hardening the function below is inline in the C library's header. */
void note_erased(void *bytes, size_t length);
void note_erased(void *bytes, size_t length)
{
    memset(bytes, 0, length);
    erased = bytes;
    erased_bytes = length;
}

/* In place of the C library's, which this program then calls; the second is what hardening makes of
 * it. */
void explicit_bzero(void *bytes, size_t length);
void explicit_bzero(void *bytes, size_t length)
{
    note_erased(bytes, length);
}

void __explicit_bzero_chk(void *bytes, size_t length, size_t size);
void __explicit_bzero_chk(void *bytes, size_t length, size_t size)
{
    (void)size;
    note_erased(bytes, length);
}

START_TEST(the_bytes_are_erased)
{
    struct sc_file file;
    scratch_enter();
    scratch_write("file", "secret");
    ck_assert_int_eq(sc_file_read("file", 100, &file, &err), 0);
    const void *bytes = file.bytes;
    sc_file_fini(&file);
    ck_assert_ptr_eq(erased, bytes);
    ck_assert_uint_eq(erased_bytes, strlen("secret"));
    scratch_leave();
}
END_TEST

START_TEST(the_directory_of_a_path)
{
    static const char *const rows[][2] = {
        {"file", "."}, {"/file", "/"}, {"a/file", "a"}, {"/a/b/file", "/a/b"}, {"a/", "a"}};
    char directory[SC_FILE_PATH_BYTES];
    for (size_t i = 0; i < SC_COUNT_OF(rows); i++) {
        sc_file_directory(rows[i][0], directory);
        ck_assert_str_eq(directory, rows[i][1]);
    }
}
END_TEST

SUITE_MAIN("file", a_file_is_read_whole, only_regular_files_are_read, nothing_is_kept,
           the_bytes_are_erased, the_directory_of_a_path)

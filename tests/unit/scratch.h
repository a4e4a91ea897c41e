/* SPDX-License-Identifier: MIT */
/* A directory of its own for each test that makes files; it is the working directory meanwhile. */
#ifndef SC_TESTS_SCRATCH_H
#define SC_TESTS_SCRATCH_H

#include <check.h>
#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char scratch_directory[64];

static inline void scratch_enter(void)
{
    (void)snprintf(scratch_directory, sizeof(scratch_directory), "/tmp/sc-check.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(scratch_directory));
    ck_assert_int_eq(chdir(scratch_directory), 0);
}

/* How many files are in it; with `remove_them`, none afterwards. */
static inline size_t scratch_files(bool remove_them)
{
    DIR *directory = opendir(".");
    size_t count = 0;
    ck_assert_ptr_nonnull(directory);
    for (const struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) {
            continue;
        }
        count++;
        if (remove_them) {
            ck_assert_int_eq(remove(entry->d_name), 0);
        }
    }
    (void)closedir(directory);
    return count;
}

static inline void scratch_leave(void)
{
    (void)scratch_files(true);
    ck_assert_int_eq(chdir("/"), 0);
    ck_assert_int_eq(rmdir(scratch_directory), 0);
}

static inline void scratch_write(const char *name, const char *text)
{
    FILE *file = fopen(name, "we");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(fputs(text, file), 0);
    ck_assert_int_eq(fclose(file), 0);
}

/* The text of a small file, in a static buffer. */
static inline const char *scratch_read(const char *name)
{
    static char text[4096];
    FILE *file = fopen(name, "re");
    ck_assert_ptr_nonnull(file);
    text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
    (void)fclose(file);
    return text;
}

#endif

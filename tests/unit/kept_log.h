/* SPDX-License-Identifier: MIT */
/*
 * Log lines are kept instead of written, for tests that look at them. Every one must be of an
 * event of the catalogue.
 */
#ifndef SC_TESTS_KEPT_LOG_H
#define SC_TESTS_KEPT_LOG_H

#include <check.h>
#include <string.h>

#include "../tools/log_catalogue.h"
#include "base/log.h"

enum { KEPT_MAX = 64 };

static char kept_lines[KEPT_MAX]
                      [4096]; /* without their newlines; those after the last are only counted */
static unsigned kept_count;

static inline void kept_take(const char *line, size_t length)
{
    ck_assert_uint_le(length, sizeof(kept_lines[0]));
    ck_assert_ptr_eq(memchr(line, '\n', length), line + length - 1);
    if (kept_count < KEPT_MAX) {
        memcpy(kept_lines[kept_count], line, length - 1);
        kept_lines[kept_count][length - 1] = '\0';
        const char *wrong = fault_in_line(kept_lines[kept_count]);
        ck_assert_msg(!wrong, "%s: %s", wrong, kept_lines[kept_count]);
    }
    kept_count++;
}

/* From now on, and none so far. */
static inline void kept_start(enum sc_log_level level)
{
    sc_log_init(level, SC_LOG_TEXT);
    sc_log_redirect(kept_take);
    kept_count = 0;
}

static inline const char *kept_last(void)
{
    ck_assert_uint_gt(kept_count, 0);
    ck_assert_uint_le(kept_count, KEPT_MAX);
    return kept_lines[kept_count - 1];
}

/* Whether one of them has these words. */
static inline bool kept_has(const char *words)
{
    for (unsigned i = 0; i < kept_count && i < KEPT_MAX; i++) {
        if (strstr(kept_lines[i], words)) {
            return true;
        }
    }
    return false;
}

#define ASSERT_HAS(text, words) \
    ck_assert_msg(strstr((text), (words)) != NULL, "\"%s\" is not in: %s", (words), (text))

#endif

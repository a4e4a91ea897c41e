/* SPDX-License-Identifier: MIT */
/* How much longer than on an idle machine everything may take: SC_TEST_FACTOR of the environment.
 */
#ifndef SC_TESTS_TEST_FACTOR_H
#define SC_TESTS_TEST_FACTOR_H

#include <stdint.h>
#include <stdlib.h>

#include "base/parse.h"

static inline uint64_t test_factor(void)
{
    const char *text = getenv("SC_TEST_FACTOR");
    uint64_t factor;
    return text && sc_parse_u64(text, 1, 1000, &factor, NULL) == 0 ? factor : 1;
}

#endif

/* SPDX-License-Identifier: MIT */
/*
 * The frame of a unit test program: SUITE_MAIN("title", test, test, ...). Each test is a test case
 * of its own name, so that CK_RUN_CASE=NAME runs it alone. SC_TEST_FACTOR multiplies the time that
 * one may take.
 */
#ifndef SC_TESTS_SUITE_H
#define SC_TESTS_SUITE_H

#include <check.h>
#include <stdlib.h>

static inline int suite_run(const char *title, const TTest *const tests[], size_t count)
{
    const char *factor = getenv("SC_TEST_FACTOR");
    Suite *suite = suite_create(title);
    for (size_t i = 0; i < count; i++) {
        TCase *tcase = tcase_create(tests[i]->name);
        tcase_set_timeout(tcase, 60 * (factor ? strtod(factor, NULL) : 1));
        tcase_add_test(tcase, tests[i]);
        suite_add_tcase(suite, tcase);
    }
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed;
}

#define SUITE_MAIN(title, ...) \
    int main(void) \
    { \
        const TTest *const tests[] = {__VA_ARGS__}; \
        return suite_run(title, tests, sizeof(tests) / sizeof(tests[0])) ? EXIT_FAILURE \
                                                                         : EXIT_SUCCESS; \
    }

#endif

/*
 * The frame of a unit test program: SUITE_MAIN(name, test, test, ...). CK_FORK, CK_VERBOSITY and
 * friends work as check documents them.
 */
#ifndef SC_TESTS_SUITE_H
#define SC_TESTS_SUITE_H

#include <check.h>
#include <stdlib.h>

#define SUITE_MAIN(name, ...) \
    int main(void) \
    { \
        const TTest *const tests[] = {__VA_ARGS__}; \
        Suite *suite = suite_create(name); \
        TCase *tcase = tcase_create("all"); \
        tcase_set_timeout(tcase, 60); \
        for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) { \
            tcase_add_test(tcase, tests[i]); \
        } \
        suite_add_tcase(suite, tcase); \
        SRunner *runner = srunner_create(suite); \
        srunner_run_all(runner, CK_ENV); \
        int failed = srunner_ntests_failed(runner); \
        srunner_free(runner); \
        return failed ? EXIT_FAILURE : EXIT_SUCCESS; \
    }

#endif

/* SPDX-License-Identifier: MIT */
/*
 * SUITE_MAIN for what must be so over every TLS library that the build has: the tests run once for
 * each of them, and `tls_library` names it.
 */
#ifndef SC_TESTS_TLS_LIBRARY_SUITE_H
#define SC_TESTS_TLS_LIBRARY_SUITE_H

#include <spacecaptain/client.h>

#include "suite.h"

static const char *tls_library;

#define TLS_LIBRARY_SUITE_MAIN(...) \
    int main(void) \
    { \
        static const char *const libraries[] = {"openssl", "mbedtls"}; \
        const TTest *const tests[] = {__VA_ARGS__}; \
        int failed = 0; \
        for (size_t i = 0; i < sizeof(libraries) / sizeof(libraries[0]); i++) { \
            tls_library = libraries[i]; \
            if (sc_client_tls_version(tls_library)) { \
                failed += suite_run(tls_library, tests, sizeof(tests) / sizeof(tests[0])); \
            } \
        } \
        return failed ? EXIT_FAILURE : EXIT_SUCCESS; \
    }

#endif

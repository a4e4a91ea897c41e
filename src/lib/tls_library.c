/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "lib/tls_library.h"

#include <string.h>

#include "base/compiler.h"

const struct sc_tls_library *sc_tls_library_find(const char *name)
{
    static const struct sc_tls_library *const libraries[] = {
        &sc_tls_openssl,
#ifdef HAVE_MBEDTLS
        &sc_tls_mbedtls,
#endif
    };
    for (size_t i = 0; i < SC_COUNT_OF(libraries); i++) {
        if (!name || strcmp(libraries[i]->name, name) == 0) {
            return libraries[i];
        }
    }
    return NULL;
}

const char *sc_tls_library_names(void)
{
#ifdef HAVE_MBEDTLS
    return "openssl, mbedtls";
#else
    return "openssl";
#endif
}

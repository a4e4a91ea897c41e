/* SPDX-License-Identifier: MIT */
/*
 * The status page: one document, made of the files in src/server/page. Thread: made in one, then
 * any.
 */
#ifndef SC_SERVER_ADMIN_PAGE_H
#define SC_SERVER_ADMIN_PAGE_H

#include <stddef.h>

#include "base/err.h"

struct sc_admin_page {
    char *html;
    size_t length;
    char policy[512]; /* its Content-Security-Policy: nothing but its own style and script, by hash
                       */
};

int sc_admin_page_init(struct sc_admin_page *page, struct sc_err *err) SC_NODISCARD;
void sc_admin_page_fini(struct sc_admin_page *page); /* fine on zeros */

#endif

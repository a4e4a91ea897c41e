/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "server/admin_page.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include <openssl/evp.h>

/* Generated from the files in src/server/page: struct page_file style, script, document. */
#include "src/server/page_files.h"

/* "sha256-BASE64" of an inline element's content, as Content-Security-Policy names it. */
static int hash(const struct page_file *file, char out[64], struct sc_err *err)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    if (EVP_Digest(file->bytes, file->length, digest, &length, EVP_sha256(), NULL) != 1) {
        return sc_err_set(err, EX_OSERR, "can't make the status page: no SHA-256");
    }
    (void)strcpy(out, "sha256-");
    (void)EVP_EncodeBlock((unsigned char *)out + strlen(out), digest, (int)length);
    return 0;
}

/* Copies the document up to `mark`, then the file in its place. Returns where it goes on. */
static const char *insert(FILE *out, const char *document, const char *mark,
                          const struct page_file *file)
{
    const char *at = strstr(document, mark);
    (void)fwrite(document, 1, (size_t)(at - document), out);
    (void)fwrite(file->bytes, 1, file->length, out);
    return at + strlen(mark);
}

int sc_admin_page_init(struct sc_admin_page *page, struct sc_err *err)
{
    char style[64], script[64];
    memset(page, 0, sizeof(*page));
    if (hash(&style_file, style, err) != 0 || hash(&script_file, script, err) != 0) {
        return -1;
    }
    (void)snprintf(page->policy, sizeof(page->policy),
                   "default-src 'none'; style-src '%s'; script-src '%s'; connect-src 'self'; "
                   "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
                   style, script);
    FILE *out = open_memstream(&page->html, &page->length);
    if (out) {
        const char *rest = insert(out, (const char *)document_file.bytes, "@STYLE@", &style_file);
        rest = insert(out, rest, "@SCRIPT@", &script_file);
        (void)fputs(rest, out);
    }
    if (!out || fclose(out) != 0) {
        sc_admin_page_fini(page);
        return sc_err_set(err, EX_OSERR, "can't make the status page: out of memory");
    }
    return 0;
}

void sc_admin_page_fini(struct sc_admin_page *page)
{
    free(page->html);
    page->html = NULL;
}

/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "programs/keygen_names.h"

#include <netdb.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sysexits.h>
#include <unistd.h>

#include <openssl/x509v3.h>

#include "tls/certificate.h"

#define NAME_BYTES 256U

struct names {
    char text[SC_KEYGEN_MAX_NAMES][NAME_BYTES];
    const char *items[SC_KEYGEN_MAX_NAMES];
    size_t count;
};

/* A name that no certificate can hold is left out: it was not asked for. */
static void add(struct names *names, const char *name)
{
    if (names->count == SC_KEYGEN_MAX_NAMES || sc_keygen_check_name(name, NULL) != 0) {
        return;
    }
    for (size_t i = 0; i < names->count; i++) {
        if (strcasecmp(names->text[i], name) == 0) {
            return;
        }
    }
    char *text = names->text[names->count];
    (void)snprintf(text, NAME_BYTES, "%s", name);
    names->items[names->count++] = text;
}

static void add_names_of(struct names *names, const X509 *certificate)
{
    char name[NAME_BYTES];
    GENERAL_NAMES *list = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    for (int i = 0; i < sk_GENERAL_NAME_num(list); i++) {
        if (sc_certificate_name(sk_GENERAL_NAME_value(list, i), name, sizeof(name))) {
            add(names, name);
        }
    }
    GENERAL_NAMES_free(list);
}

/*
 * Of the names in one line of /etc/hosts, the first with a dot; NULL when `host` is not in the
 * line.
 */
static const char *full_name_in(const struct hostent *line, const char *host)
{
    const char *full = strchr(line->h_name, '.') ? line->h_name : NULL;
    bool found = strcasecmp(line->h_name, host) == 0;
    for (char *const *alias = line->h_aliases; *alias; alias++) {
        found = found || strcasecmp(*alias, host) == 0;
        if (!full && strchr(*alias, '.')) {
            full = *alias;
        }
    }
    return found ? full : NULL;
}

static void add_names_of_host(struct names *names)
{
    char host[NAME_BYTES] = "";
    if (gethostname(host, sizeof(host) - 1) == 0 && host[0]) {
        /*
         * gethostent() reads /etc/hosts only; getaddrinfo() would also ask a name server, and may
         * wait for it.
         */
        sethostent(0);
        const struct hostent *line = strchr(host, '.') ? NULL : gethostent();
        for (; line; line = gethostent()) {
            const char *full = full_name_in(line, host);
            if (full) {
                add(names, full);
                break;
            }
        }
        endhostent();
        add(names, host);
    }
    add(names, "localhost");
    add(names, "127.0.0.1");
    add(names, "::1");
}

X509 *sc_keygen_make_certificate(EVP_PKEY *key, const char *const *names, size_t count,
                                 const X509 *model, unsigned days, struct sc_err *err)
{
    if (count > 0) {
        return sc_keygen_certificate(key, names, count, days, err);
    }
    struct names *found = calloc(1, sizeof(*found));
    if (!found) {
        (void)sc_err_set(err, EX_OSERR, "can't make a certificate: out of memory");
        return NULL;
    }
    if (model) {
        add_names_of(found, model);
    }
    if (found->count == 0) {
        add_names_of_host(found);
    }
    X509 *certificate = sc_keygen_certificate(key, found->items, found->count, days, err);
    free(found);
    return certificate;
}
